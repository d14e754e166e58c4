"""Run directories: the records of one network, read, checked, and found to be of that network."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import LosslessError
from . import ann, certificate, history, noise, snn, step_logs
from .ann import AnnRecord
from .certificate import CertificateRecord
from .history import EpochRecord
from .identity import agree
from .snn import SnnRecord

# What runs that are compared must have in common.
COMMON = ("experiment", "budget", "dataset", "neurons", "ann_operations")


@dataclass(frozen=True)
class RunDirectory:
    """The records of one network: `ann` and, but for FP32, `snn`, its `certificate` and the four step logs.

    There may be history.csv, and noise.csv where robustness to noise was tested.
    """

    path: Path
    ann: AnnRecord
    snn: SnnRecord | None = None
    certificate: CertificateRecord | None = None

    @classmethod
    def read(cls, path: str | Path) -> "RunDirectory":
        """Read the records; raises LosslessError where one is missing, malformed, or another network's."""
        path = Path(path)
        of_ann = ann.read(path / ann.FILE)
        if of_ann.budget == "imported" or None in (of_ann.seed, of_ann.epochs, of_ann.training_images):
            raise LosslessError(f"{path / ann.FILE}: of a network that was not trained here; no run to be compared")
        if of_ann.precision == "fp32":
            return cls(path, of_ann)
        of_snn = snn.read(path / snn.FILE)
        agree(path / snn.FILE, of_snn, path / ann.FILE, of_ann, (*COMMON, "precision", "seed"))
        proof = certificate.read(path / certificate.FILE)
        agree(path / certificate.FILE, proof, path / snn.FILE, of_snn, ("images", "arithmetic"))
        _require_consistent(path, of_snn, proof)
        if of_snn.arithmetic == "exact" and proof.mismatches_in_settled_images:
            raise LosslessError(
                f"{path / certificate.FILE}: violated: {proof.mismatches_in_settled_images:,} neurons of "
                "settled images differ from the ANN's; convert and simulate again"
            )
        return cls(path, of_ann, of_snn, proof)

    def log(self, name: str) -> np.ndarray:
        """A step log as int64 (batches, steps); raises LosslessError as `step_logs.read_log` does."""
        return step_logs.read_log(self.path, name, self.snn)

    def by_logs(self) -> "RunDirectory":
        """The same run, but with the accuracy, spikes and operations that its step logs say in place of snn.json's.

        Raises LosslessError where a log is missing or malformed, or where it and snn.json contradict each other.
        """
        if self.snn is None:
            return self
        means = step_logs.read_logs(self.path, self.snn).means(self.snn.images)
        return replace(self, snn=self.snn.model_copy(update={name: float(mean[-1]) for name, mean in means.items()}))

    def means_by_step(self) -> dict[str, np.ndarray]:
        """What all four logs say an image comes to after each step, see `StepLogs.means`; raises as `log` does."""
        return step_logs.read_logs(self.path, self.snn).means(self.snn.images)

    def accuracy_by_step(self) -> np.ndarray:
        """Share of the test images predicted right at each time step, float64 (steps,); raises as `log` does."""
        return self.log("accuracy").sum(axis=0) / self.snn.images

    def history(self) -> tuple[EpochRecord, ...]:
        """history.csv, an epoch each; none where there is no such file. Raises LosslessError where it is malformed."""
        path = self.path / history.FILE
        return history.read(path) if path.exists() else ()

    def noise(self) -> pd.DataFrame:
        """noise.csv: a row a test, with the columns of `noise.NoiseRecord`.

        Raises LosslessError where it is missing, malformed, or of other images than ann.json's.
        """
        path = self.path / noise.FILE
        tests = noise.read(path)
        for test in tests:
            agree(path, test, self.path / ann.FILE, self.ann, ("images",))
        return pd.DataFrame([test.model_dump() for test in tests])


def _require_consistent(path: Path, simulated: SnnRecord, proof: CertificateRecord) -> None:
    """Raise LosslessError where what was simulated and what was certified cannot both be so."""
    units = simulated.neurons + (simulated.max_pooling_units or 0)
    unsettled = simulated.images - simulated.settled_images
    faults = {
        f"{proof.neurons_compared:,} neurons compared, of {units:,} in each of {simulated.images:,} images": (
            proof.neurons_compared != units * simulated.images
        ),
        f"{proof.images_not_settled:,} images not settled, but {unsettled:,} by {snn.FILE}": (
            proof.images_not_settled != unsettled
        ),
        f"a first offender ({proof.first_offender}) where nothing differs": (
            proof.first_offender is not None
            and not (proof.mismatches_in_settled_images or proof.predictions_that_differ)
        ),
    }
    for said, is_so in faults.items():
        if is_so:
            raise LosslessError(f"{path / certificate.FILE}: {said}; simulate again")
