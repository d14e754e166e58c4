"""Trainings without Snakemake, for a machine with a GPU and little else: `python -m lossless_workflow.trainings`.

Trains and tests experiments' networks at one budget by the commands, and with the records, of the workflow's rules
`train` and `evaluate`. Their results are therefore what `snakemake` would have made, which goes on from there wherever
they are brought. What is made already is left alone, and a training that was cut off goes on after its last epoch.
"""

import json
import math
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import click

from lossless_snn.cli.usage import Command
from lossless_snn.config.experiment import load_experiment, stages
from lossless_snn.config.parameters import training_recipe
from lossless_snn.config.settings import requested_experiment
from lossless_snn.config.values import MOST_SEED, MOST_THREADS, BudgetName
from lossless_snn.datasets.sources import LOCAL, acquire
from lossless_snn.errors import LosslessError
from lossless_snn.provenance.code.fingerprint import PACKAGE
from lossless_snn.provenance.jobs import PROGRAM, RESULTS, Job
from lossless_snn.provenance.plan import VARIABLE, make_plan, read_plan
from lossless_snn.provenance.recording import is_made

from .program import program

COMMANDS = ("train", "evaluate")


@dataclass(frozen=True)
class Network:
    """One network to train and test, as the workflow's wildcards name it."""

    experiment: str
    budget: str
    precision: str
    seed: int

    def path(self, kind: str, ending: str = "") -> str:
        """Where the workflow has its checkpoint (`checkpoints`, ".safetensors") or its logs (`logs`)."""
        return f"{RESULTS}/{self.budget}/{self.experiment}/{kind}/{self.precision}/seed{self.seed}{ending}"

    def __str__(self) -> str:
        return f"{self.precision}, seed {self.seed} ({self.experiment}, {self.budget})"


def jobs(network: Network, code: dict[str, str], execution: list[str]) -> tuple[Job, Job]:
    """A network's training and its test, as the workflow's rules describe them.

    Args:
        network: What to make.
        code: Fingerprint of the code of each command.
        execution: Options that say how the commands run: threads and device.
    """
    experiment = load_experiment(network.experiment)
    data, files = json.dumps(asdict(experiment.data)), [*map(str, experiment.data.paths().values())]
    recipe = training_recipe(network.experiment, network.budget, network.precision)
    checkpoint, logs = network.path("checkpoints", ".safetensors"), network.path("logs")
    starts = [replace(network, precision=recipe["initial"])] if "initial" in recipe else []
    initial = [start.path("checkpoints", ".safetensors") for start in starts]
    history, tested = f"{logs}/history.csv", f"{logs}/ann.json"
    train = [
        *("train", network.experiment, "--precision", network.precision, "--seed", str(network.seed)),
        *("--budget", network.budget, "--out", checkpoint, "--history", history, "--resume"),
        *(word for path in initial for word in ("--initial", path)),
    ]
    images = experiment.test_images(network.budget)
    limit = ["--limit", str(images)] if images else []
    evaluate = ["evaluate", checkpoint, "--out", tested, *limit]

    def job(words: list[str], params: dict[str, str], inputs: list[str], outputs: list[str]) -> Job:
        command = shlex.join([PROGRAM, *words, *execution])
        params = {"dataset": data, **params}
        return Job.described(words[0], asdict(network), params, code[words[0]], inputs, outputs, command)

    return (
        job(train, {"recipe": json.dumps(recipe)}, [*files, *initial], [checkpoint, history]),
        job(evaluate, {"limit": " ".join(limit)}, [*files, checkpoint], [tested]),
    )


class Runner:
    """Runs jobs as processes, until there is an error, or no time left.

    Args:
        networks: What to make.
        threads: Threads of a job.
        device: Where to calculate: cpu, cuda or auto.
        seconds: When to stop all processes; their trainings go on after their last epochs the next time.
    """

    def __init__(self, networks: list[Network], threads: int, device: str, seconds: float = math.inf) -> None:
        os.environ[VARIABLE] = str(make_plan(COMMANDS, Path(".snakemake/lossless_snn").resolve()))
        code = read_plan(os.environ[VARIABLE]).code
        execution = ["--threads", str(threads), "--device", device]
        self._jobs = {network: jobs(network, code, execution) for network in networks}
        self._end = time.monotonic() + seconds

    def run(self, side_by_side: int) -> None:
        """Make all networks, so many at once.

        Raises:
            LosslessError: A job failed, with its last words, or the time is up. Networks that do not start from
                what failed are made before that is said.
        """
        # Those that others start from come first, so that none waits for one that has not begun.
        order = sorted(self._jobs, key=lambda n: len(stages(load_experiment(n.experiment), n.budget, n.precision)))
        with ThreadPoolExecutor(side_by_side) as pool:
            made: dict[str, Future[None]] = {}
            for network in order:
                training, _ = self._jobs[network]
                start = made.get(training.options().get("--initial", ""))
                made[training.options()["--out"]] = pool.submit(self._make, network, start)
        errors = [error for future in made.values() if (error := future.exception())]
        if errors:
            raise errors[0]

    def _make(self, network: Network, start: Future[None] | None) -> None:
        if start is not None:
            start.result()
        for job in self._jobs[network]:
            if not is_made(job):
                self._execute(job, network)

    def _execute(self, job: Job, network: Network) -> None:
        out_of_time = LosslessError(f"{job.rule} {network}: no time left; run it again, and it goes on")
        if time.monotonic() >= self._end:
            raise out_of_time
        log = job.place.file.parent / "jobs" / f"{job.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        words = shlex.split(job.command)[1:]
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", PACKAGE.name, "record", job.as_json(), *words],
                env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                status = process.wait(self._end - began if self._end < math.inf else None)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                raise out_of_time from None
        if status:
            said = log.read_text(encoding="utf-8", errors="replace").split("\n")
            raise LosslessError(
                f"{job.rule} {network}: {next((line for line in reversed(said) if line), status)} ({log})"
            )
        print(f"{job.rule} {network}: {time.monotonic() - began:.0f} s", flush=True)


@click.command(cls=Command)
@click.argument("experiments", nargs=-1, required=True)
@click.option("--budget", type=click.Choice(get_args(BudgetName)), default="paper", show_default=True)
@click.option("--precision", "precisions", multiple=True, default=("fp32", "k0", "k1", "k2"), show_default=True)
@click.option("--seed", "seeds", type=click.IntRange(0, MOST_SEED), multiple=True, help="In place of the budget's.")
@click.option(
    "--jobs", "side_by_side", type=click.IntRange(1, MOST_THREADS), default=4, show_default=True, help="At once."
)
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), default=1, show_default=True, help="Of a job.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0), help="When to stop; run again, it goes on.")
def main(experiments, budget, precisions, seeds, side_by_side, threads, device, minutes) -> None:
    """Train and test EXPERIMENTS at all precisions, several networks at a time.

    \b
    Example:
        python -m lossless_workflow.trainings fashion-lenet --seed 1 --jobs 4 --device cuda
    """
    read = {name: requested_experiment(name, budget) for name in experiments}
    networks = [
        Network(name, budget, precision, seed)
        for name, experiment in read.items()
        for precision in precisions
        for seed in seeds or experiment.seeds(budget, precision)
    ]
    for dataset in {experiment.dataset for experiment in read.values()}:
        local = os.environ.get(LOCAL)
        acquire(dataset, local=Path(local) if local else None)
    Runner(networks, threads, device, math.inf if minutes is None else 60 * minutes).run(side_by_side)


if __name__ == "__main__":
    with program("trainings"):
        main(prog_name="python -m lossless_workflow.trainings")
