"""Small run directories with numbers worked out by hand: 5 test images in batches of 2, 2 and 1; 3 time steps."""

import json
from pathlib import Path

PUBLISHED = """\
experiment,precision,ann_accuracy,snn_accuracy,time_steps,time_steps_from_log,simulated_steps,sops_per_image,\
positive_spikes_per_image,negative_spikes_per_image,ann_operations,neurons
mnist-lenet,fp32,0.95,,,,,,,,4000000,9000
mnist-lenet,k0,0.85,0.85,2,2,20,1000000,7000.25,1500.5,4000000,9000
mnist-lenet,k1,0.75,0.75,13,14,20,3000000,12000,2500,4000000,9000
"""

# Batch after batch, a line a step: 1, 3, 4 and 1, 4, 5 images right in all.
ACCURACY = {0: [0, 1, 2, 1, 2, 2, 0, 0, 0], 1: [1, 2, 2, 0, 1, 2, 0, 1, 1]}


def write_run(root: Path, precision: str, seed: int, ann: dict | None = None, snn: dict | None = None) -> Path:
    """Write root/PRECISION/seedSEED; `ann` and `snn` replace values of the JSON files."""
    folder = root / precision / f"seed{seed}"
    folder.mkdir(parents=True)
    common = {"experiment": "mnist-lenet", "budget": "quick", "precision": precision, "seed": seed, "dataset": "mnist"}
    common |= {"images": 5, "accuracy": (0.8, 1.0)[seed], "neurons": 9000, "ann_operations": 4_000_000}
    (folder / "ann.json").write_text(json.dumps(common | {"epochs": 4} | (ann or {})))
    if precision == "fp32":
        return folder
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
    (folder / "accuracy.txt").write_text("".join(f"{count}\n" for count in ACCURACY[seed]))
    return folder


def write_published(root: Path) -> Path:
    """Write root/published.csv."""
    path = root / "published.csv"
    path.write_text(PUBLISHED)
    return path
