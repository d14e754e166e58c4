"""config/config.yaml as a typed model: what to run, and how."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from .errors import LosslessError
from .experiments import (
    EXPERIMENT_FOLDER,
    BudgetName,
    Count,
    Experiment,
    Precision,
    Strict,
    load_experiment,
    validate,
)
from .figures.options import FigureStyle

Item = TypeVar("Item")


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("empty (list one at least)")
    if repeated := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return items


def _folder(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError(f"'{value}' is no folder")
    return value


Several = Annotated[tuple[Item, ...], AfterValidator(_each_once)]
Seed = Annotated[int, Field(ge=0)]


class Data(Strict):
    """Where to look for data sets before anything is downloaded."""

    root: Annotated[Path | None, AfterValidator(_folder)] = None


class Threads(Strict):
    """Threads of one job of each step: fixed here, because results may depend on them in the last bits."""

    train: Count = 1
    evaluate: Count = 1
    simulate: Count = 1


class Figures(Strict):
    """The style of each figure."""

    accuracy_speed: FigureStyle = FigureStyle()
    sparsity: FigureStyle = FigureStyle()
    sops: FigureStyle = FigureStyle()


class Settings(Strict):
    """What to run: every combination of the lists, at one budget; and how."""

    budget: BudgetName
    experiments: Several[str]
    precisions: Several[Precision]
    seeds: Several[Seed]
    data: Data = Data()
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    threads: Threads = Threads()
    figures: Figures = Figures()


def read_settings(
    content: Any, source: str | Path, folder: Path = EXPERIMENT_FOLDER
) -> tuple[Settings, dict[str, Experiment]]:
    """The settings in `content`, as read from `source`, and the experiments that they name.

    Raises LosslessError, one line naming file and key, where either is wrong.
    """
    settings = validate(Settings, content, source)
    experiments = {}
    for name in settings.experiments:
        if not (folder / f"{name}.yaml").is_file():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            raise LosslessError(f"{source}: experiments: '{name}' has no file in {folder}/ (found: {known})")
        experiments[name] = load_experiment(name, folder)
        try:
            experiments[name].recipe(settings.budget)
        except LosslessError as error:
            raise LosslessError(f"{folder / name}.yaml: training.budgets: {error}") from None
    return settings, experiments
