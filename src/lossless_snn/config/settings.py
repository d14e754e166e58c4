"""config/config.yaml as a typed model: what to run, and how."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from ..errors import LosslessError, did_you_mean
from ..files.configuration import configured_names
from ..files.keys import validate_keys
from ..files.typed import Strict, read_yaml
from .experiment import EXPERIMENT_FOLDER, Experiment, experiment_file, load_experiment, merged
from .figure_style import FIGURES, FIGURES_ON_REQUEST, FigureFormat, FigureStyle
from .values import BudgetName, Count, Distinct, ExperimentName, Precision, Seed, ThreadCount

SETTINGS_FILE = Path("config/config.yaml")
PUBLISHED = Path("config/published.csv")
CHANGES = "--config"
"""Where keys come from that are not the file's: the command line, or a file that it names by --configfile."""

ImageIndex = Annotated[int, Field(ge=0)]
OnRequest = Literal[*FIGURES_ON_REQUEST, "viewer"]
"""What is made of an experiment only where it is asked for."""


def _folder(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError(f"'{value}' is no folder")
    return value


class Data(Strict):
    """Where to look for data sets before anything is downloaded."""

    root: Annotated[Path | None, AfterValidator(_folder)] = None


class Threads(Strict):
    """Threads of one job of each step: fixed here, because results may depend on them in the last bits."""

    train: ThreadCount = 1
    evaluate: ThreadCount = 1
    simulate: ThreadCount = 1


class Noise(Strict):
    """How robustness to input noise is tested."""

    seeds: Count = 5


class Viewer(Strict):
    """The test images that are shown step by step: `images`, by their places in the test set, or `count` of them."""

    count: Count = 6
    images: Distinct[ImageIndex] | None = None


Figures = create_model(
    "Figures",
    __base__=Strict,
    __doc__="The style of each figure, the summary's included.",
    **{name: (FigureStyle, FigureStyle()) for name in (*FIGURES, "summary")},
)


def _with_shown(formats: tuple[str, ...]) -> tuple[str, ...]:
    if lacking := {"svg", "png"}.difference(formats):
        raise ValueError(f"lacks {', '.join(sorted(lacking))} (report and pages show SVG and PNG)")
    return formats


class Settings(Strict):
    """What to run: every combination of the lists, at one budget; and how.

    Without `seeds`, each experiment has those that its budget names. `summary` lists the experiments that the
    summary of a budget compares, `report` what the report shows beside what is run: experiments by budget, each
    with what is made on request alone and that it shows, too.
    """

    budget: BudgetName
    experiments: Distinct[ExperimentName]
    precisions: Distinct[Precision]
    seeds: Distinct[Seed] | None = None
    data: Data = Data()
    store: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    threads: Threads = Threads()
    noise: Noise = Noise()
    viewer: Viewer = Viewer()
    figures: Figures = Figures()
    figure_formats: Annotated[Distinct[FigureFormat], AfterValidator(_with_shown)] = ("svg", "png")
    summary: dict[BudgetName, tuple[ExperimentName, ...]] = Field(default_factory=dict)
    report: dict[BudgetName, dict[ExperimentName, tuple[OnRequest, ...]]] = Field(default_factory=dict)

    def precisions_of(self, experiment: Experiment, budget: str) -> tuple[str, ...]:
        """The precisions that are asked for, as far as an experiment has them at one budget.

        Raises LosslessError where it has none of them.
        """
        found = experiment.precisions(budget, self.precisions)
        if not found:
            raise LosslessError(f"precisions: {', '.join(self.precisions)}: none that there is at the {budget} budget")
        return found

    def seeds_of(self, experiment: Experiment, budget: str, precision: str) -> tuple[int, ...]:
        """The seeds to run an experiment with at one budget and precision."""
        return self.seeds or experiment.seeds(budget, precision)


def read_settings(changes: Mapping[str, Any], path: Path = SETTINGS_FILE, folder: Path = EXPERIMENT_FOLDER) -> Settings:
    """The settings in the file at `path`, with the keys in `changes` changed, and checked.

    Raises LosslessError, one line naming the key and the file, or `CHANGES` where these have the key, where they or
    an experiment that they name are wrong.
    """
    content = read_yaml(path)
    settings = validate_keys(Settings, content, path)
    if changes:
        settings = validate_keys(Settings, merged(content, changes), CHANGES)
    for key, names in _listed(settings).items():
        source = CHANGES if key.partition(".")[0] in changes else path
        for name in names:
            if not experiment_file(name, folder).is_file():
                known = configured_names(folder)
                meant = did_you_mean(name, known)
                raise LosslessError(
                    f"{source}: {key}: '{name}' has no file in {folder}/ (found: {', '.join(known)}){meant}"
                )
            if key == "experiments":
                requested_experiment(name, settings.budget, folder)
    return settings


def _listed(settings: Settings) -> dict[str, Iterable[str]]:
    """Experiments by the key that names them, those to run first."""
    listed = {"experiments": settings.experiments}
    listed |= {f"summary.{budget}": names for budget, names in settings.summary.items()}
    return listed | {f"report.{budget}": names for budget, names in settings.report.items()}


def requested_experiment(name: str, budget: str, folder: Path = EXPERIMENT_FOLDER) -> Experiment:
    """The experiment `name`; raises LosslessError where it is wrong or does not have that budget."""
    experiment = load_experiment(name, folder)
    try:
        experiment.recipe(budget, "fp32")
    except LosslessError as error:
        raise LosslessError(f"{experiment_file(name, folder)}: training.budgets: {error}") from None
    return experiment
