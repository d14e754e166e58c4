"""Small run directories with numbers worked out by hand: 5 test images in batches of 2, 2 and 1; 3 time steps."""

import json
from pathlib import Path

from lossless_snn.analysis.results import Results, load_results
from lossless_snn.runs.certified import CertifiedRecord
from lossless_snn.runs.widths import WidthRecord

PUBLISHED = """\
experiment,precision,ann_accuracy,snn_accuracy,time_steps,time_steps_from_log,simulated_steps,sops_per_image,\
positive_spikes_per_image,negative_spikes_per_image,ann_operations,neurons
mnist-lenet,fp32,0.95,,,,,,,,4000000,9000
mnist-lenet,k0,0.85,0.85,2,2,20,1000000,7000.25,1500.5,4000000,9000
mnist-lenet,k1,0.75,0.75,13,14,20,3000000,12000,2500,4000000,9000
"""

# Batch after batch, a line a step: 1, 3, 4 and 1, 4, 5 images right in all.
ACCURACY = {0: [0, 1, 2, 1, 2, 2, 0, 0, 0], 1: [1, 2, 2, 0, 1, 2, 0, 1, 1]}


# Accuracy by time step; the ANN's is 0.8.
NEURONS = {"signed": [0.2, 0.8, 0.8], "unsigned": [0.8, 0.6, 0.4], "integrate-and-fire": [0.0, 0.8, 1.0]}
# Two draws of noise at each ratio.
NOISE = {0.0: [0.8, 0.8], 0.5: [0.6, 0.8], 1.0: [0.2, 0.6]}

HISTORY = """\
epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy
1,0.001,0.5,0.75,0.4,0.8
2,0.001,0.05,0.99,0.1,0.96
"""

# Round numbers, so that energies can be worked out by hand.
ENERGY = (
    "technology: 45 nm CMOS\nmultiply_accumulate: 6\naddition: 1.5\n"
    "hardware: {addition: 0.5, multiplication: 32, memory: {8 kB: 10, 1 MB: 100}}\n"
)

# Neurons that differ by implementation and step, of 40; predictions differ where any does.
CERTIFIED = {"exact": [10, 0, 0], "sinabs": [20, 8, 4]}
# Two layers and the output, three steps, five images.
ACTIVITY = {
    "images": 5,
    "correct": [1, 3, 4],
    "settled": [0, 1, 3, 1],
    "layers": [
        {"token": "4", "neurons": 4, "inputs": 9, "macs": 36, "active_inputs": 30, "active_macs": 120}
        | {"largest_input": 255, "operations": [120, 0, 0], "positive": [10, 5, 0], "negative": [0, 0, 0]}
        | {"updates": [20, 10, 5]},
        {"token": "2", "neurons": 2, "inputs": 4, "macs": 8, "active_inputs": 12, "active_macs": 24}
        | {"largest_input": 3, "operations": [20, 10, 0], "positive": [5, 4, 0], "negative": [0, 2, 1]}
        | {"updates": [10, 8, 4]},
        {"token": "output", "neurons": 10, "inputs": 2, "macs": 20, "active_inputs": 6, "active_macs": 60}
        | {"largest_input": 1, "operations": [50, 60, 10], "positive": [0, 0, 0], "negative": [0, 0, 0]}
        | {"updates": [0, 0, 0]},
    ],
}
# Accuracy by bits: of weights, then of membranes.
WIDTHS = {(4, 62): 0.4, (16, 62): 0.8, (8, 4): 0.2, (8, 16): 0.8}


def write_run(
    root: Path,
    precision: str,
    seed: int,
    ann: dict | None = None,
    snn: dict | None = None,
    certificate: dict | None = None,
) -> Path:
    """Write root/PRECISION/seedSEED; the dictionaries replace values of the JSON files."""
    folder = root / precision / f"seed{seed}"
    folder.mkdir(parents=True)
    rows = [f"{ratio},{draw},5,{share}" for ratio, shares in NOISE.items() for draw, share in enumerate(shares)]
    (folder / "noise.csv").write_text("\n".join(["ratio,noise_seed,images,accuracy", *rows]) + "\n")
    (folder / "history.csv").write_text(HISTORY)
    common = {"experiment": "mnist-lenet", "budget": "quick", "precision": precision, "seed": seed, "dataset": "mnist"}
    common |= {"images": 5, "accuracy": (0.8, 1.0)[seed], "neurons": 9000, "ann_operations": 4_000_000}
    (folder / "ann.json").write_text(
        json.dumps(common | {"epochs": 4, "training_images": 600, "test_set": 5} | (ann or {}))
    )
    if precision == "fp32":
        return folder
    rows = [
        f"{neuron},{step},{share},{10 * step},{100 * step},5,0.8,1.0"
        for neuron, shares in NEURONS.items()
        for step, share in enumerate(shares, 1)
    ]
    heading = "neuron,time_step,accuracy,spikes_per_image,operations_per_image,images,ann_accuracy,unquantised_accuracy"
    (folder / "neurons.csv").write_text("\n".join([heading, *rows]) + "\n")
    (folder / "activity.json").write_text(json.dumps(ACTIVITY))
    rows = [
        f"{name},{step},{0.8 if not wrong else 0.4},{int(wrong > 0)},{wrong},{10 * step},{100 * step},"
        f"{'rate' if name == 'sinabs' else 'sum'},5,{5 * (name == 'sinabs')},40,0.8"
        for name, by_step in CERTIFIED.items()
        for step, wrong in enumerate(by_step, 1)
    ]
    (folder / "certified.csv").write_text("\n".join([",".join(CertifiedRecord.model_fields), *rows]) + "\n")
    rows = [
        f"{weights},{membranes},{'refuse' if membranes == 62 else 'saturate'},5,{accuracy},{accuracy},0.8,45000,0,0,0"
        for (weights, membranes), accuracy in WIDTHS.items()
    ]
    (folder / "widths.csv").write_text("\n".join([",".join(WidthRecord.model_fields), *rows]) + "\n")
    measures = {
        "arithmetic": "exact",
        "time_steps": 3,
        "settled": True,
        "settled_images": 5,
        "settled_step_mean": (2.0, 2.5)[seed],
        "settled_step_max": (3, 2)[seed],
        "positive_spikes_per_image": (7010.0, 7030.0)[seed],
        "negative_spikes_per_image": (1510.0, 1490.0)[seed],
        "operations_per_image": (1_200_000.0, 1_240_000.0)[seed],
        "simulated_steps": 3,
        "batch_size": 2,
    }
    (folder / "snn.json").write_text(json.dumps(common | measures | (snn or {})))
    proof = {"images": (snn or {}).get("images", 5)}
    proof |= {"mismatches": 0, "mismatches_in_settled_images": 0, "grid_ann_accuracy": (0.8, 1.0)[seed]}
    simulated = common | measures | (snn or {})
    proof["neurons_compared"] = simulated["neurons"] * simulated["images"]
    proof |= {"images_not_settled": simulated["images"] - simulated["settled_images"]}
    proof |= {"arithmetic": simulated["arithmetic"], "predictions_that_differ": 0, "first_offender": None}
    proof |= certificate or {}
    (folder / "certificate.json").write_text(
        json.dumps({"mismatches_by_layer": {"1:all": proof["mismatches"]}} | proof)
    )
    (folder / "accuracy.txt").write_text("".join(f"{count}\n" for count in ACCURACY[seed]))
    for name, lines in step_logs(common | measures | (snn or {})).items():
        (folder / f"{name}.txt").write_text("".join(f"{count}\n" for count in lines))
    return folder


def step_logs(record: dict) -> dict[str, list[int]]:
    """Logs of spikes and operations that come to a record's: in three steps, nothing, half of it, all of it."""
    positive, negative = (record[f"{sign}_spikes_per_image"] * record["images"] for sign in ("positive", "negative"))
    totals = {"spike_num": positive + negative, "spike_collect": positive - negative}
    totals["sop_num"] = record["operations_per_image"] * record["images"]
    # The first of the three batches has all of it.
    return {name: [0, int(total) // 2, round(total), 0, 0, 0, 0, 0, 0] for name, total in totals.items()}


def write_config(root: Path) -> tuple[Path, Path]:
    """Write root/published.csv and root/energy.yaml."""
    published, energy = root / "published.csv", root / "energy.yaml"
    published.write_text(PUBLISHED)
    energy.write_text(ENERGY)
    return published, energy


def compare(root: Path, runs: list[Path]) -> Results:
    """Load runs, what was published and what operations cost, both written below root."""
    return load_results(runs, *write_config(root))
