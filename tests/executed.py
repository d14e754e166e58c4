"""The lines of the package's functions that commands execute, each on a tiny run, as JSON.

    python tests/executed.py FEW: FEW is 1 for some commands alone

Runs in an empty folder. What runs inside a boundary (`covered_by`) is left out: that a parameter says. So is what runs
while a module is imported: it defines what others use, or does not use.
"""

import inspect
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from conftest import TINY

from lossless_snn.cli.main import main
from lossless_snn.provenance.code.fingerprint import PACKAGE
from lossless_snn.provenance.code.namespaces import Package
from lossless_snn.provenance.code.syntax import MARK
from lossless_snn.simulation import compile_ahead

ROOT = Path(__file__).parents[1]
ENGINE = PACKAGE / "simulation" / "events"
RUN = "results/quick/tiny/{}/{}/seed0"
RUNS = [RUN.format("logs", precision) for precision in ("fp32", "k1")]
TABLES = "results/quick/tiny/tables"
BESIDE = f"--published {ROOT}/config/published.csv --energy {ROOT}/config/energy.yaml"
SPIKING = RUN.format("checkpoints", "k1") + ".snn.safetensors"


def lines(few: bool) -> dict[str, list[str]]:
    """Command lines by steps, in the order in which they need each other."""
    steps = defaultdict(list)
    for precision in ("fp32", "k1"):
        checkpoint, logs = (RUN.format(kind, precision) for kind in ("checkpoints", "logs"))
        checkpoint += ".safetensors"
        options = f"--precision {precision} --epochs 1 --out {checkpoint} --history {logs}/history.csv --device cpu"
        steps["train"].append(f"train tiny {options}")
        steps["evaluate"].append(f"evaluate {checkpoint} --out {logs}/ann.json --device cpu")
        if not few:
            steps["noise"].append(f"noise {checkpoint} --out {logs}/noise.csv --seeds 1 --device cpu")
    steps["convert"].append(f"convert {checkpoint} --out {SPIKING}")
    steps["simulate"].append(f"simulate {SPIKING} --logs {RUNS[1]} --steps 5 --batch-size 10 --limit 20")
    if few:
        return steps
    steps["compare-neurons"].append(f"compare-neurons {SPIKING} --out {RUNS[1]} --steps 4 --batch-size 10 --limit 10")
    runs = " ".join(RUNS)
    steps["table"].append(f"table {runs} --out {TABLES}/results.csv {BESIDE}")
    steps["table-neurons"].append(f"table-neurons {runs} --out {TABLES}/negative_spikes.csv {BESIDE}")
    steps["summary"].append(f"summary {runs} --out results/quick/summary.csv {BESIDE}")
    for figure in ("accuracy_speed", "sparsity", "sops", "energy", "noise", "negative_spikes"):
        steps[f"figure {figure}"].append(f"figure {figure} {runs} --out results/{figure} {BESIDE}")
    return steps


def boundaries() -> set[tuple[str, str]]:
    """(File, name) of every marked function."""
    package, found = Package(PACKAGE), set()
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for definition, statements in package[name].definitions.items():
            marks = [ast_name for s in statements for d in getattr(s, "decorator_list", ()) for ast_name in _names(d)]
            if MARK in marks:
                found.add((str(path), definition))
    return found


def _names(decorator) -> list[str]:
    return [getattr(getattr(decorator, "func", decorator), "id", "")]


class Tracer:
    """Collects the lines of functions that run outside of boundaries."""

    def __init__(self, marked: set[tuple[str, str]]) -> None:
        self.lines: dict[str, set[int]] = defaultdict(set)
        self._marked, self._inside = marked, 0

    def __call__(self, frame, event: str, argument) -> Callable | None:
        code = frame.f_code
        if code.co_name == "<module>" or (code.co_filename, code.co_name) in self._marked:
            self._inside += 1
            return self._leaving
        is_function = code.co_flags & inspect.CO_OPTIMIZED
        if self._inside or not is_function or not code.co_filename.startswith(str(PACKAGE)):
            return None
        self.lines[code.co_filename].add(frame.f_lineno)
        return self._line

    def _line(self, frame, event: str, argument) -> Callable:
        if event == "line":
            self.lines[frame.f_code.co_filename].add(frame.f_lineno)
        return self._line

    def _leaving(self, frame, event: str, argument) -> Callable:
        if event == "return":
            self._inside -= 1
        return self._leaving


def executed(few: bool) -> dict[str, dict[str, list[int]]]:
    Path("config/experiments").mkdir(parents=True)
    Path("config/experiments/tiny.yaml").write_text(TINY, encoding="utf-8")
    compile_ahead()
    marked, found = boundaries(), {}
    for step, commands in lines(few).items():
        tracer = Tracer(marked)
        for command in commands:
            sys.argv = ["lossless-snn", *command.split()]
            threading.settrace(tracer)
            sys.settrace(tracer)
            try:
                main()
            except SystemExit as stop:
                if stop.code:
                    raise SystemExit(f"{command}: {stop.code}") from None
            finally:
                sys.settrace(None)
                threading.settrace(None)
        if str(ENGINE / "simulator.py") in tracer.lines:  # compiled code is not traced: all of it may have run
            whole = len((ENGINE / "kernel.py").read_text().splitlines())
            tracer.lines[str(ENGINE / "kernel.py")] = set(range(whole + 1))
        found[step] = {path: sorted(numbers) for path, numbers in tracer.lines.items()}
    return found


if __name__ == "__main__":
    result = executed(few=sys.argv[1] == "1")
    print()
    print(json.dumps(result))
