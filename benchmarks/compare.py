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

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from tqdm import tqdm

from lossless_snn.datasets import load

CONTENDER = Path(__file__).with_name("contender.py")
OURS = {"ann": "one ANN forward pass", "event": "lossless-snn, event-driven", "dense": "lossless-snn, plain PyTorch"}
OURS_ELSEWHERE = {"loop": "direct PyTorch loop"}
PEERS = {"snntorch": "snnTorch", "spikingjelly": "SpikingJelly", "sinabs": "sinabs"}
TITLES = OURS | OURS_ELSEWHERE | PEERS
STEPS, IMAGES = (10, 20, 40, 100), (500, 1000, 2000, 4000)


class Bench:
    """Runs contenders and keeps a row for each measurement."""

    def __init__(self, arguments: argparse.Namespace, images: Path) -> None:
        self._arguments, self._images = arguments, images
        self.rows: list[dict] = []

    def measure(self, study: str, name: str, repetition: int, checkpoint: Path, **options: int) -> None:
        """One process; `options` are the contender's --steps and --count."""
        python = self._arguments.peers_python if name in PEERS else sys.executable
        command = [python, str(CONTENDER), name, "--checkpoint", str(checkpoint), "--images", str(self._images)]
        options = {"steps": 20, "count": 1000, "threads": self._arguments.threads, **options}
        command += [part for key, value in options.items() for part in (f"--{key}", str(value))]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._arguments.threads)}
        environment["NUMBA_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = environment["OMP_NUM_THREADS"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"bench: {name} failed; its messages stand above")
        result = json.loads(done.stdout.splitlines()[-1])
        precision = checkpoint.parent.name
        self.rows.append(
            {"study": study, "contender": name, "precision": precision, "repetition": repetition, **options, **result}
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


def training_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds for an epoch of 50,000 images, a row a number of threads."""
    epoch = (frame["seconds"] * 50_000 / frame["count"]).groupby(frame["threads"])
    return pd.DataFrame({"training: seconds an epoch (median)": epoch.median(), "min": epoch.min(), "max": epoch.max()})


def draw(frame: pd.DataFrame, stem: Path, caption: str) -> None:
    """The comparison as bars, and the cost of ours against steps, images and k."""
    sns.set_theme(style="whitegrid", font_scale=0.8)
    figure, axes = plt.subplot_mosaic([["all"] * 3, ["steps", "images", "k"]], figsize=(8, 6), layout="constrained")
    compared = frame[frame.study == "compare"].assign(title=lambda f: f.contender.map(TITLES))
    sns.barplot(
        compared, x="seconds", y="title", order=[TITLES[n] for n in TITLES if n in set(compared.contender)],
        estimator="median", errorbar=("pi", 100), color="#5a7d9a", ax=axes["all"],
    )  # fmt: skip
    axes["all"].bar_label(axes["all"].containers[0], fmt="%.2f s", padding=12)
    axes["all"].set(xlabel="seconds for 1,000 images, 20 steps, k = 1 (median, whole range)", ylabel="", title=caption)
    for name, column, label in (
        ("steps", "steps", "time steps"),
        ("images", "count", "images"),
        ("k", "precision", "k"),
    ):
        chosen = frame[frame.study == name].sort_values(column)
        sns.lineplot(chosen, x=column, y="seconds", estimator="median", errorbar=("pi", 100), marker="o", ax=axes[name])
        axes[name].set(xlabel=label, ylabel="seconds", ylim=(0, None))
    for suffix in ("svg", "png"):
        figure.savefig(stem.with_suffix(f".{suffix}"), dpi=200)


def machine() -> str:
    """The processor, in a few words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__.split('+')[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, default=Path("results/quick/mnist-lenet/checkpoints"))
    parser.add_argument("--peers-python", default=".venv-peers/bin/python")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    images = arguments.out / "images.npz"
    test = load("mnist", "test")
    np.savez(images, pixels=test.pixels[: max(IMAGES)], labels=test.labels[: max(IMAGES)])
    bench = Bench(arguments, images)
    checkpoint = {k: arguments.checkpoints / k / "seed0.safetensors" for k in ("k0", "k1", "k2")}
    for repetition in tqdm(range(arguments.repetitions), "repetitions"):
        for name in TITLES:
            bench.measure("compare", name, repetition, checkpoint["k1"])
        for threads in (1, 2):
            bench.measure("training", "training", repetition, checkpoint["k1"], count=max(IMAGES), threads=threads)
        for steps in STEPS:
            bench.measure("steps", "event", repetition, checkpoint["k1"], steps=steps)
        for count in IMAGES:
            bench.measure("images", "event", repetition, checkpoint["k1"], count=count)
        for k in checkpoint:
            bench.measure("k", "event", repetition, checkpoint[k], steps=40)
    images.unlink()
    frame = pd.DataFrame(bench.rows)
    frame.to_csv(arguments.out / "bench.csv", index=False)
    caption = f"{machine()}, {arguments.threads} threads, {arguments.repetitions} repetitions"
    table = comparison_table(frame[frame.study == "compare"]).to_markdown(floatfmt=".2f")
    training = training_table(frame[frame.study == "training"]).to_markdown(floatfmt=".1f")
    title = f"mnist-lenet, k = 1, 1,000 test images, 20 steps; {caption}."
    text = "\n\n".join([title, table, scaling_table(frame), training]) + "\n"
    (arguments.out / "bench.md").write_text(text)
    draw(frame, arguments.out / "bench", caption)
    print(text)


if __name__ == "__main__":
    main()
