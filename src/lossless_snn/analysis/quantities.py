"""The quantities that runs are compared by: what they are called, what is published of them, where a run has them."""

from typing import Any, Literal, NamedTuple

import numpy as np

from ..config.energy import OperationEnergies
from ..runs.ann import AnnRecord
from ..runs.directory import RunDirectory
from ..runs.snn import SnnRecord


class Quantity(NamedTuple):
    """A number that every run has one of.

    Attributes:
        name: Its name in `Results.by_run` and `Results.by_precision`.
        published: Its column in `load_published`'s table; None where nobody published it.
        measured: False for what the experiment fixes: it neither varies with the seed nor differs.
        over_seeds: How the runs of one precision are summarised.
    """

    name: str
    published: str | None = None
    measured: bool = True
    over_seeds: Literal["mean", "max", "sum"] = "mean"


QUANTITIES = (
    Quantity("ann_accuracy", "ann_accuracy"),
    Quantity("snn_accuracy", "snn_accuracy"),
    Quantity("time_steps", "time_steps"),
    Quantity("settled_step_mean"),
    Quantity("settled_step_max", over_seeds="max"),
    Quantity("positive_spikes_per_image", "positive_spikes_per_image"),
    Quantity("negative_spikes_per_image", "negative_spikes_per_image"),
    Quantity("operations_per_image", "sops_per_image"),
    Quantity("operations_share", "operations_share"),
    Quantity("snn_energy_joules", "snn_energy_joules"),
    Quantity("grid_cost"),
    Quantity("mismatches", over_seeds="sum"),
    Quantity("neurons_compared", measured=False, over_seeds="sum"),
    Quantity("ann_operations", "ann_operations", measured=False),
    Quantity("ann_energy_joules", "ann_energy_joules", measured=False),
    Quantity("neurons", "neurons", measured=False),
    Quantity("simulated_steps", "simulated_steps", measured=False),
)


def quantities_of(run: RunDirectory, energies: OperationEnergies) -> dict[str, Any]:
    """Precision, seed, every one of `QUANTITIES` and what captions need; NaN for what FP32 does not have."""
    ann, snn, certificate = run.ann, run.snn, run.certificate
    row = {"precision": ann.precision, "seed": ann.seed, "images": ann.images, "ann_accuracy": ann.accuracy}
    row |= {"neurons": ann.neurons, "ann_operations": ann.ann_operations}
    row |= {"ann_energy_joules": energies.of_ann(ann.ann_operations), "settled": snn is None or snn.settled}
    row["arithmetic"] = snn and snn.arithmetic
    spiking = {
        "snn_images": snn and snn.images,
        "snn_accuracy": snn and snn.accuracy,
        "operations_share": snn and snn.operations_per_image / snn.ann_operations,
        "snn_energy_joules": snn and energies.of_snn(snn.operations_per_image),
        "grid_cost": _grid_cost(run),
        "mismatches": certificate and certificate.mismatches,
        "mismatches_settled": certificate and certificate.mismatches_in_settled_images,
        "neurons_compared": certificate and certificate.neurons_compared,
    }
    of_snn = set(SnnRecord.model_fields) - set(AnnRecord.model_fields) - {"settled", "arithmetic"}
    spiking |= {name: snn and getattr(snn, name) for name in sorted(of_snn)}
    return row | {name: np.nan if value is None else float(value) for name, value in spiking.items()}


def _grid_cost(run: RunDirectory) -> float | None:
    """Accuracy of the ANN in single precision minus that on the grid; None unless both saw the same images."""
    if run.certificate is None or run.certificate.images != run.ann.images:
        return None
    return run.ann.accuracy - run.certificate.grid_ann_accuracy
