"""What many results cost: dry run, `make verify`, `make restore` of simulated runs, whose files are a few bytes each.

`python benchmarks/many_results.py [FOLDER]` prints a table; in FOLDER, or a temporary one, the results stay.
Processor seconds and memory do not depend on what else the machine does; seconds do.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from lossless_snn.files.atomic import write_json
from lossless_snn.files.digests import sha256
from lossless_snn.provenance.recording import compared_versions
from lossless_snn.provenance.records import FORMAT
from lossless_snn.provenance.sources import keep_sources
from lossless_snn.provenance.verdicts import in_order, published_data
from lossless_workflow.chain import chain

ROOT = Path(__file__).parents[1]
PARTS = ["Snakefile", "config", "workflow", "profiles", "src"]
EXPERIMENTS = ["mnist-lenet", "fashion-mlp", "fashion-lenet", "cifar10-cnn1", "cifar10-cnn2", "mnist-lenet@width=2"]
PRECISIONS = ["fp32", *(f"k{k}" for k in range(6))]
PLANNED_SEEDS = 50
MADE_SEEDS = 27  # 63 files each of six experiments: 10,206
MADE = "simulate"  # the argument that has this program make the results


def main(folder: Path) -> None:
    for part in PARTS:
        subprocess.run(["cp", "--recursive", "--preserve", str(ROOT / part), str(folder)], check=True)
    print("| what | seconds | processor seconds | memory (MB) |", "| --- | ---: | ---: | ---: |", sep="\n")
    lists = {"experiments": EXPERIMENTS, "precisions": PRECISIONS, "seeds": range(PLANNED_SEEDS)}
    settings = [f"{name}=[{','.join(map(str, values))}]" for name, values in lists.items()]
    dry_run = ["snakemake", "--dry-run", "--quiet", "--config", "budget=paper", *settings]
    measure(folder, f"dry run, {PLANNED_SEEDS} seeds", *dry_run)
    subprocess.run([sys.executable, __file__, MADE], cwd=folder, env=environment(folder), check=True)
    for name in ("verify", "restore"):
        measure(folder, f"first {name}", f"lossless_workflow.{name}")
        measure(folder, f"{name} again", f"lossless_workflow.{name}")
        measure(folder, f"{name} --full", f"lossless_workflow.{name}", "--full")


def environment(folder: Path) -> dict[str, str]:
    """That of the copied sources."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def measure(folder: Path, what: str, *words: str) -> None:
    """Print a row of what `python -m WORDS...` costs in `folder`."""
    began = time.monotonic()
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        command = [sys.executable, "-m", *words]
        process = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        sys.exit(f"{what}: status {status}\n{(folder / 'output.txt').read_text(encoding='utf-8')[-2000:]}")
    cost = usage.ru_utime + usage.ru_stime
    print(f"| {what} | {seconds:.0f} | {cost:.0f} | {usage.ru_maxrss / 1024:.0f} |", flush=True)


def make() -> None:
    """Files and records of all runs, as if their jobs had run here."""
    names = ["history.csv", "ann.json", "accuracy.txt"]
    targets = [
        f"results/paper/{experiment}/logs/{precision}/seed{seed}/{name}"
        for experiment in EXPERIMENTS
        for precision in PRECISIONS
        for seed in range(MADE_SEEDS)
        for name in names[: 2 if precision == "fp32" else 3]
    ]
    with chain(targets) as found:
        jobs = in_order(found.jobs.values())
    versions, data, described = compared_versions(), published_data(), {}
    unknown = 64 * "0"  # of raw data that the catalogue knows by another digest
    records = defaultdict(dict)
    for job in jobs:
        for path in job.outputs:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(path, encoding="utf-8")
            described[path] = {"sha256": sha256(path), "size": Path(path).stat().st_size}
        for path in job.inputs:
            described.setdefault(path, {"sha256": data.get(path, unknown), "size": 0})
        files = {kind: {path: described[path] for path in getattr(job, kind)} for kind in ("inputs", "outputs")}
        said = {name: getattr(job, name) for name in ("rule", "wildcards", "params", "command", "code")}
        records[job.place.file][job.place.name] = {**said, **files, "versions": versions}
    for code, command in {job.code: job.command for job in jobs}.items():
        keep_sources(code, command)
    for file, of_jobs in records.items():
        write_json(file, {"format": FORMAT, "jobs": of_jobs})
    print(f"| made: {sum(len(job.outputs) for job in jobs):,} artifacts of {len(jobs):,} jobs | | | |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == [MADE]:
        make()
    elif sys.argv[1:]:
        main(Path(sys.argv[1]).resolve())
    else:
        with TemporaryDirectory() as scratch:
            main(Path(scratch))
