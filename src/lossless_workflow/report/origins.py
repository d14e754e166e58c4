"""How numbers and figures came about, in words: certificates, and the steps from raw data on."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossless_snn.analysis.captions import precision_title
from lossless_snn.errors import LosslessError
from lossless_snn.provenance.circumstances import last_circumstances
from lossless_snn.provenance.jobs import RESULTS, Place
from lossless_snn.provenance.lineage import ABSENT, ALTERED, Lineage
from lossless_snn.provenance.verdicts import DATA
from lossless_snn.runs import certificate, snn

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of the chain, for all the jobs that took it.

    Attributes:
        title: What was done.
        sentence: How, with what decided it.
        of: What the jobs were for: precisions and seeds.
        files: What the records say of the files that came of it, and whether they are here.
        when: When, how long and on what the jobs ran, as far as it is known here.
        command: The command of the first job; empty for raw data.
    """

    title: str
    sentence: str
    of: str
    files: str
    when: str
    command: str


@dataclass(frozen=True)
class Origin:
    """All that is to be said of some numbers or of a figure."""

    title: str
    certificates: tuple[str, ...]
    steps: tuple[Step, ...]


class Origins:
    """Origins of files and of runs, by the records in results/."""

    def __init__(self) -> None:
        self._lineage = Lineage()

    def record(self, path: Path) -> Record | None:
        """The record of the job that made the file; None where none tells."""
        made = self._lineage.steps([str(path)])
        return list(made.values())[-1] if made else None

    def of_file(self, path: Path, title: str) -> Origin:
        """Of a figure or a whole table."""
        return Origin(title, (), self._steps([str(path)]))

    def of_runs(self, files: list[str], title: str) -> Origin:
        """Of numbers that come from these files of runs, `.../logs/PRECISION/seedS/FILE`."""
        runs = sorted({Path(path).parent for path in files}, key=lambda run: (len(run.name), run.name))
        proofs = tuple(certified(run) for run in runs if str(run / certificate.FILE) in files)
        return Origin(title, proofs, self._steps(files))

    def _steps(self, paths: Iterable[str]) -> tuple[Step, ...]:
        records = self._lineage.steps(paths)
        by_rule: dict[str, dict[Place, Record]] = {}
        for place, record in records.items():
            by_rule.setdefault(record["rule"], {})[place] = record
        return (*self._raw_data(records.values()), *(self._step(jobs) for jobs in by_rule.values()))

    def _raw_data(self, records: Iterable[Record]) -> list[Step]:
        """A step for each folder of raw data that any of the jobs read."""
        files = {path: entry for record in records for path, entry in record["inputs"].items()}
        folders: dict[str, dict[str, Any]] = {}
        for path, entry in files.items():
            if Path(path).is_relative_to(DATA):
                folders.setdefault(str(Path(path).parent), {})[path] = entry
        return [
            Step("Raw data", f"The files of {folder}, whose contents are recorded.", "", self._files(found), "", "")
            for folder, found in folders.items()
        ]

    def _step(self, jobs: Mapping[Place, Record]) -> Step:
        first, *_ = jobs.values()
        outputs = {path: entry for record in jobs.values() for path, entry in record["outputs"].items()}
        sentences = dict.fromkeys(_sentence(record) for record in jobs.values())
        return Step(
            _title(first["rule"]),
            " ".join(sentences),
            _of(jobs.values()),
            self._files(outputs),
            _when(jobs),
            first["command"],
        )

    def _files(self, entries: Mapping[str, Any]) -> str:
        states = [self._lineage.state(path, entry) for path, entry in entries.items()]
        absent, altered = states.count(ABSENT), states.count(ALTERED)
        count = f"{len(states)} file{'s' if len(states) > 1 else ''}"
        if not absent and not altered:
            return f"{count}, here, hashed again for this page and as recorded."
        said = [f"{absent} not here" * bool(absent), f"{altered} altered since they were recorded" * bool(altered)]
        return f"{count}: {', '.join(filter(None, said))}; the others as recorded."


def certified(run: Path) -> str:
    """What a run's certificate says, in words."""
    name = f"Seed {run.name.removeprefix('seed')}"
    try:
        proof, of_snn = certificate.read(run / certificate.FILE), snn.read(run / snn.FILE)
    except LosslessError:
        return f"{name}: the certificate is not here; `make restore` gets what is shipped."
    said = (
        f"{name}: {proof.neurons_compared:,} spike counts ({of_snn.neurons:,} neurons, {proof.images:,} test images) "
        "were compared with the activations of the quantised ANN: "
    )
    if proof.images_not_settled:
        settled = proof.images - proof.images_not_settled
        said += (
            f"{proof.mismatches_in_settled_images:,} differ in the {settled:,} images that had come to rest after "
            f"{of_snn.simulated_steps} time steps, {proof.mismatches:,} in the {proof.images_not_settled:,} that had "
            "not. "
        )
    else:
        said += f"{proof.mismatches:,} differ. Every image came to rest. "
    said += f"The two predict another class for {proof.predictions_that_differ:,} images. "
    if proof.arithmetic != "exact":
        return said + "Simulated in the published code's arithmetic, which rounds."
    if proof.bound_to_checkpoint:
        return said + "The checkpoint was converted again, and gave this spiking network bit for bit."
    return said + "The checkpoint was not at hand to be converted again."


def certified_in_all() -> str:
    """What all certificates in results/ say together; empty where there are none."""
    proofs = []
    for path in sorted(RESULTS.glob(f"*/*/logs/*/*/{certificate.FILE}")):
        with suppress(LosslessError):
            proofs.append(certificate.read(path))
    exact = [proof for proof in proofs if proof.arithmetic == "exact"]
    if not exact:
        return ""
    compared = sum(proof.neurons_compared for proof in exact)
    differ = sum(proof.mismatches_in_settled_images for proof in exact)
    return (
        f"{len(exact)} spiking networks have a certificate here: of {compared:,} spike counts that were compared with "
        f"the activations of the ANN, {differ:,} differ in images that had come to rest."
    )


def _title(rule: str) -> str:
    if rule.startswith("figure_"):
        return "Draw the figure"
    return _TITLES.get(rule, rule.replace("_", " ").capitalize())


_TITLES = {
    "train": "Train",
    "evaluate": "Test the trained network",
    "convert": "Convert to a spiking network",
    "simulate": "Simulate and certify",
    "compare_neurons": "Compare neurons",
    "noise": "Test under noise",
    "table": "Tabulate",
    "table_neurons": "Tabulate",
    "summary": "Compare the experiments",
    "viewer": "Record images step by step",
}


def _train(record: Record) -> str:
    recipe = record["params"]["recipe"]
    phases = ", then ".join(
        f"{phase['epochs']:,} epochs at a learning rate of {phase['learning_rate']:g}" for phase in recipe["phases"]
    )
    start = f", from the network at {precision_title(recipe['initial'])}" if recipe.get("initial") else ""
    held_out = recipe.get("validation_images")
    return (
        f"The network {recipe['network']} on {_dataset(record)}{start}: {phases}, in batches of {recipe['batch_size']}"
        f"{f'; {held_out:,} training images held out' if held_out else ''}."
    )


def _simulate(record: Record) -> str:
    steps, arithmetic = _option(record, "--steps"), record.get("arithmetic", "exact")
    return (
        f"Every test image{f' for {steps} time steps' if steps else ''}, spike by spike in {arithmetic} arithmetic; "
        "each neuron's net spike count is then compared with the ANN's activation."
    )


def _compare_neurons(record: Record) -> str:
    images, steps = _option(record, "--limit"), _option(record, "--steps")
    return (
        f"The first {images} test images for {steps} time steps, with negative spikes, without, and with "
        "integrate-and-fire neurons."
    )


_SENTENCES: dict[str, Callable[[Record], str]] = {
    "train": _train,
    "evaluate": lambda record: f"On the test images of {_dataset(record)}, in 64-bit floats.",
    "convert": lambda _: "Thresholds and bases from weights and batch norm, on a grid of integers. No data are needed.",
    "simulate": _simulate,
    "compare_neurons": _compare_neurons,
    "noise": lambda record: f"Every pixel scaled at random, {record['params']['seeds']} draws at each noise ratio.",
    "table": lambda _: "Mean and standard deviation over the seeds, beside config/published.csv.",
    "summary": lambda _: "The same numbers of all experiments, beside config/published.csv.",
}


def _sentence(record: Record) -> str:
    if record["rule"] in _SENTENCES:
        return _SENTENCES[record["rule"]](record)
    said = record["params"].get("options") or ""
    return f"With {said}." if isinstance(said, str) and said else ""


def _dataset(record: Record) -> str:
    return record["params"]["dataset"]["title"]


def _option(record: Record, name: str) -> str | None:
    found = re.search(rf"{name} (\S+)", record["command"])
    return found[1] if found else None


def _of(records: Iterable[Record]) -> str:
    """Precisions and seeds of jobs, each once."""
    wildcards = [record["wildcards"] for record in records]
    experiments = list(dict.fromkeys(each["experiment"] for each in wildcards if "experiment" in each))
    precisions = list(dict.fromkeys(precision_title(each["precision"]) for each in wildcards if "precision" in each))
    seeds = sorted({int(each["seed"]) for each in wildcards if "seed" in each})
    parts = [", ".join(experiments) if len(experiments) > 1 else "", ", ".join(precisions)]
    parts.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else "")
    return "; ".join(filter(None, parts))


def _when(jobs: Mapping[Place, Record]) -> str:
    known = [circumstances for place in jobs if (circumstances := last_circumstances(place))]
    if not known:
        return ""
    days = sorted({circumstances["started"][:10] for circumstances in known})
    processors = sorted({circumstances["processor"] for circumstances in known})
    seconds = sum(circumstances["seconds"] for circumstances in known)
    period = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{period}, {duration(seconds)} in all, {', '.join(processors)}"


def duration(seconds: float) -> str:
    """Seconds in words: "3.2 s", "4 min 05 s", "2 h 10 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
