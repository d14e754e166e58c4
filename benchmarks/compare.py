"""`make bench`: ours and the peers on the same weights, images and machine, in turn; medians and ratios.

Every measurement is a process of its own. The contenders take turns within a repetition, so that a
machine that drifts drifts for all of them, and every ratio is formed within its repetition.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from contender import BATCH, CONVOLUTION
from figure import draw
from tqdm import tqdm

from lossless_snn.analysis.figures.style import render
from lossless_snn.config.experiment import load_experiment
from lossless_snn.config.figure_style import FigureStyle
from lossless_snn.datasets import load
from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import write_together

CONTENDER = Path(__file__).with_name("contender.py")
OURS = {
    "ann": "one ANN forward pass",
    "ann_kept": "the same, freed memory kept",
    "event": "lossless-snn, event-driven",
    "dense": "lossless-snn, plain PyTorch",
}
OURS_ELSEWHERE = {"loop": "direct PyTorch loop"}
PUBLISHED = {"published": "published NumPy code"}
PEERS = {"snntorch": "snnTorch", "spikingjelly": "SpikingJelly", "sinabs": "sinabs"}
TITLES = OURS | OURS_ELSEWHERE | PUBLISHED | PEERS
STEPS, IMAGES = (10, 20, 40, 100), (500, 1000, 2000, 4000)
# The network of CIFAR-10 that is measured too, where it was trained: the published images, or those stored as JPEG.
DEEP, DEEP_STEPS, DEEP_IMAGES = ("cifar10-cnn1", "cifar10-cnn1-jpeg"), 100, 50
# Images that training is measured on, in batches of 200; every experiment that was trained here takes part.
TRAINED = {"mnist-lenet": 4000, "fashion-mlp": 4000, "fashion-lenet": 2000} | dict.fromkeys(
    ("cifar10-cnn1", "cifar10-cnn1-jpeg", "cifar10-cnn2", "cifar10-cnn2-jpeg"), 200
)
EPOCH = 50_000
# (Threads of a job, jobs at once): alone, and as the workflow trains on two cores.
TRAINING_JOBS = ((1, 1), (2, 1), (1, 2))


class Bench:
    """Runs contenders and keeps a row for each measurement."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.rows: list[dict] = []

    def measure(
        self, study: str, name: str, repetition: int, checkpoint: Path, images: Path, jobs: int = 1, **options: int
    ) -> None:
        """One process, or `jobs` at once; `options` are the contender's --steps, --count and --threads."""
        python = self._arguments.peers_python if name in PEERS else sys.executable
        command = [python, str(CONTENDER), name, "--checkpoint", str(checkpoint), "--images", str(images)]
        command += ["--published", self._arguments.published] if name in PUBLISHED else []
        options = {"steps": 20, "count": 1000, "threads": self._arguments.threads, **options}
        command += [part for key, value in options.items() for part in (f"--{key}", str(value))]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._arguments.threads)}
        environment["NUMBA_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = environment["OMP_NUM_THREADS"]
        place = {"experiment": checkpoint.parents[2].name, "precision": checkpoint.parent.name, "jobs": jobs}
        running = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8") for _ in range(jobs)
        ]
        for process, (printed, _) in [(process, process.communicate()) for process in running]:
            if process.returncode:
                sys.exit(f"bench: {name} failed; its messages stand above")
            result = json.loads(printed.splitlines()[-1])
            self.rows.append(
                {"study": study, "contender": name, **place, "repetition": repetition, **options, **result}
            )


def comparison_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Medians, and the median of the ratios within each repetition, a row a contender."""
    seconds = frame.pivot(index="repetition", columns="contender", values="seconds")
    by_name = frame.groupby("contender")
    table = pd.DataFrame(
        {
            "seconds (median)": by_name["seconds"].median(),
            "min": by_name["seconds"].min(),
            "max": by_name["seconds"].max(),
            "of one ANN pass": seconds.div(seconds["ann"], axis=0).median(),
            "of ours, event-driven": seconds.div(seconds["event"], axis=0).median(),
            "peak memory (MiB)": by_name["peak_mib"].median(),
            "accuracy (%)": 100 * by_name["accuracy"].median(),
        }
    )
    return table.loc[[name for name in TITLES if name in table.index]].rename(index=TITLES)


def scaling_table(frame: pd.DataFrame) -> str:
    """Ratios of our event-driven simulation's cost: steps, images, k."""
    medians = frame.groupby(["study", "steps", "count", "precision"])["seconds"].median()
    steps, images = (
        medians["steps"].droplevel(["count", "precision"]),
        medians["images"].droplevel(["steps", "precision"]),
    )
    rows = [f"{s} steps take {steps[s] / steps[20]:.2f} times 20 steps" for s in STEPS]
    rows += [f"{n:,} images take {images[n] / images[1000]:.2f} times 1,000 images" for n in IMAGES]
    levels = medians["k"].droplevel(["steps", "count"])
    rows += [f"{k} takes {levels[k] / levels['k1']:.2f} times k1" for k in levels.index]
    return "\n".join(f"- {row}" for row in rows)


def deep_table(frame: pd.DataFrame) -> str:
    """Seconds an image of the large network, simulated."""
    seconds = (frame["seconds"] / frame["count"]).groupby(frame["precision"])
    return "\n".join(
        f"- {frame['experiment'].iloc[0]}, {precision}, {DEEP_STEPS} steps: {each.median():.3f} s an image "
        f"({each.min():.3f} to {each.max():.3f})"
        for precision, each in seconds
    )


def training_table(frame: pd.DataFrame, convolution: pd.DataFrame) -> pd.DataFrame:
    """Seconds for a training epoch of 50,000 images, a row an experiment and way to use the cores.

    The arithmetic of an epoch is compared with what `convolution`, a large one, does in that time.
    """
    names = {"threads": "threads of a job", "jobs": "jobs at once"}
    frame, convolution = frame.rename(columns=names), convolution.rename(columns=names)
    way = ["experiment", *names.values()]
    epoch = (frame["seconds"] * EPOCH / frame["count"]).groupby([frame[name] for name in way], sort=False)
    table = pd.DataFrame({"seconds an epoch (median)": epoch.median(), "min": epoch.min(), "max": epoch.max()})
    table = table.reset_index()
    table["seconds for each epoch done"] = table["seconds an epoch (median)"] / table["jobs at once"]
    channels, others, side = CONVOLUTION
    operations = 2 * BATCH * 9 * channels * others * side**2
    speed = operations / convolution.groupby([*names.values()])["seconds"].median()
    fastest = table["experiment"].map(training_operations) / pd.Series(
        [speed[job] for job in zip(*(table[name] for name in names.values()), strict=True)]
    )
    table["speed (% of a large convolution's)"] = 100 * fastest / table["seconds an epoch (median)"]
    return table


def training_operations(experiment: str) -> int:
    """Arithmetic operations of an epoch: forward, gradients of weights, and of inputs of all but the first layer."""
    first, *others = (layer.macs for layer in load_experiment(experiment).layers)
    return 2 * EPOCH * (2 * first + 3 * sum(others))


def machine() -> str:
    """The processor, in a few words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__.split('+')[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/quick"), help="where the networks are")
    parser.add_argument("--peers-python", default=".venv-peers/bin/python")
    parser.add_argument("--published", help="a checkout of the published code's repository, to be measured too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments)
    trained = {
        name: path
        for name in TRAINED
        if (path := arguments.results / name / "checkpoints/k1/seed0.safetensors").exists()
    }
    try:
        with TemporaryDirectory() as scratch:
            measure_all(bench, arguments, trained, Path(scratch))
    except LosslessError as error:
        sys.exit(f"bench: {error}")
    report(pd.DataFrame(bench.rows), arguments)


def stored(dataset: str, count: int, folder: Path) -> Path:
    """The first test images of a data set as a file that contenders read, peers too."""
    test, path = load(dataset, "test"), folder / f"{dataset}.npz"
    np.savez(path, pixels=test.pixels[:count], labels=test.labels[:count])
    return path


def measure_all(bench: Bench, arguments: argparse.Namespace, trained: dict[str, Path], scratch: Path) -> None:
    """All studies, in turn, so often; `trained` are the networks at k = 1 that there are."""
    lenet = arguments.results / "mnist-lenet" / "checkpoints"
    checkpoint = {k: lenet / k / "seed0.safetensors" for k in ("k0", "k1", "k2")}
    datasets = {name: load_experiment(name).dataset for name in trained}
    test_images = {dataset: stored(dataset, max(IMAGES), scratch) for dataset in set(datasets.values())}
    images = test_images["mnist"]
    if absent := [name for name in TRAINED if name not in trained]:
        print(f"bench: left out, because not trained here at k = 1: {', '.join(absent)}", file=sys.stderr)
    deep = next((name for name in DEEP if name in trained), None)
    contenders = [name for name in TITLES if arguments.published or name not in PUBLISHED]
    for repetition in tqdm(range(arguments.repetitions), "repetitions"):
        k1 = (repetition, checkpoint["k1"], images)
        for name in contenders:
            bench.measure("compare", name, *k1)
        for name, path in trained.items():
            for threads, jobs in TRAINING_JOBS:
                place = (repetition, path, test_images[datasets[name]])
                bench.measure("training", "training", *place, jobs, count=TRAINED[name], threads=threads)
        for threads, jobs in TRAINING_JOBS:
            bench.measure("limit", "convolution", *k1, jobs, count=BATCH, threads=threads)
        for steps in STEPS:
            bench.measure("steps", "event", *k1, steps=steps)
        for count in IMAGES:
            bench.measure("images", "event", *k1, count=count)
        for k in checkpoint:
            bench.measure("k", "event", repetition, checkpoint[k], images, steps=40)
        if deep:
            place = (repetition, trained[deep], test_images[datasets[deep]])
            bench.measure("deep", "event", *place, steps=DEEP_STEPS, count=DEEP_IMAGES)


def report(frame: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Write and print tables and figure."""
    caption = f"{machine()}, {arguments.threads} threads, {arguments.repetitions} repetitions"
    table = comparison_table(frame[frame.study == "compare"])
    training = training_table(frame[frame.study == "training"], frame[frame.study == "limit"])
    training = training.to_markdown(index=False, floatfmt=".1f")
    training = f"Training, {EPOCH:,} images an epoch, without validation:\n\n{training}"
    title = f"mnist-lenet, k = 1, 1,000 test images, 20 steps; {caption}."
    deep = [deep_table(frame[frame.study == "deep"])] if "deep" in set(frame.study) else []
    text = "\n\n".join([title, table.to_markdown(floatfmt=".2f"), scaling_table(frame), *deep, training]) + "\n"
    style = FigureStyle(height=5.6)
    figure = render(lambda style: draw(frame, table, TITLES, caption, style), style, "bench", ["svg", "png"])
    write_together(arguments.out, {"bench.csv": frame.to_csv(index=False), "bench.md": text, **figure})
    print(text)


if __name__ == "__main__":
    main()
