"""What there is in results/ to be shown, by experiment and budget: whatever lies there, no list names it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from lossless_snn.analysis.published import published_experiments
from lossless_snn.config.values import BudgetName
from lossless_snn.provenance.jobs import RESULTS

ALL = "all experiments"
_SHOWN = (".svg", ".md", ".csv", ".html")
_NOT_SHOWN = {"checkpoints", "logs", "jobs", "sources"}
# The published recipe first, and last what only shows that everything works.
_BUDGETS = tuple(sorted(get_args(BudgetName), key=("paper", "fast", "quick").index))


@dataclass(frozen=True)
class ResultSet:
    """Figures and tables that belong together.

    Attributes:
        experiment: Their experiment; `ALL` for what compares several, the folder's name for what has none.
        budget: Their budget; empty for what has none.
        figures: As SVG.
        tables: For people, as Markdown.
        data: For programs, as CSV.
        pages: Pages of their own, as HTML.
    """

    experiment: str
    budget: str
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    data: tuple[Path, ...]
    pages: tuple[Path, ...]

    @property
    def title(self) -> str:
        """Experiment and budget, for a heading."""
        if self.budget in _BUDGETS:
            return f"{self.experiment}, {self.budget} budget"
        return f"{self.experiment}, {self.budget}" if self.budget else self.experiment


def result_sets(folder: Path = RESULTS) -> list[ResultSet]:
    """All that stands in `folder` now: comparisons first, then experiments in published order, then others."""
    files: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in _SHOWN and len(parts) > 1 and not _NOT_SHOWN & set(parts):
            files.setdefault(_belongs_to(parts), []).append(path)
    return [_result_set(*key, files[key]) for key in sorted(files, key=_order(files))]


def _belongs_to(parts: tuple[str, ...]) -> tuple[str, str]:
    if parts[0] in _BUDGETS and parts[1] == "sweeps":
        return f"sweep {parts[2]}", parts[0]
    if parts[0] in _BUDGETS:
        return (parts[1] if len(parts) > 2 else ALL), parts[0]
    return parts[0], parts[1] if len(parts) > 2 else ""


def _order(keys: Iterable[tuple[str, str]]):
    names = [ALL, *published_experiments()]
    names += sorted({name for name, budget in keys if budget in _BUDGETS} - set(names))

    def place(key: tuple[str, str]) -> tuple:
        name, budget = key
        return (
            names.index(name) if name in names else len(names),
            name,
            _BUDGETS.index(budget) if budget in _BUDGETS else len(_BUDGETS),
            budget,
        )

    return place


def _result_set(experiment: str, budget: str, files: list[Path]) -> ResultSet:
    figures, tables, data, pages = (tuple(path for path in files if path.suffix == kind) for kind in _SHOWN)
    return ResultSet(experiment, budget, figures, tables, data, pages)
