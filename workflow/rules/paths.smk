# Where things lie, and what a rule needs to know of the experiment that its wildcards name.

from dataclasses import asdict
from functools import cache
from typing import get_args

from lossless_snn.analysis.published import published_experiments
from lossless_snn.config.experiment import experiment_file
from lossless_snn.config.figure_style import FIGURES, FIGURES_ALWAYS
from lossless_snn.config.values import BudgetName
from lossless_snn.config.variants import VARIANT_NAME

RUN = "results/{budget}/{experiment}/%s/{precision}/seed{seed}"
CHECKPOINT = RUN % "checkpoints" + ".safetensors"
SPIKING = RUN % "checkpoints" + ".snn.safetensors"
LOGS = RUN % "logs"
JOB_LOG = "results/{budget}/{experiment}/jobs/%s-{precision}-seed{seed}.log"
FIGURE = "results/{budget}/{experiment}/figures/{figure}"
TABLE = "results/{budget}/{experiment}/tables/results"
# What dvc.yaml declares as metrics and plots.
TRACKED = [
    "results/{budget}/{experiment}/tables/" + name for name in ["metrics.json", "accuracy_by_step.csv", "training.csv"]
]

PUBLISHED = "config/published.csv"
FORMATS = list(settings.figure_formats)
FORMAT_OPTIONS = " ".join(f"--format {name}" for name in FORMATS)
# One line for each batch and time step (see simulate); FP32 has none.
STEP_LOGS = ["accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt"]


wildcard_constraints:
    budget="|".join(get_args(BudgetName)),
    experiment=VARIANT_NAME,
    precision=r"fp32|k(0|[1-9]\d?)",
    seed=r"0|[1-9]\d*",
    figure="|".join(FIGURES),


def of_experiment(parameter, *wildcard_names):
    """What a function of `config.parameters` gives, as it was when this run began to need it."""

    @cache
    def read(*values):
        return parameter(*values)

    def of_job(wildcards):
        experiment(wildcards)  # if it is wrong, it says so
        return read(*(wildcards[name] for name in wildcard_names))

    return of_job


def recipe(wildcards):
    """A param: all that decides what training gives, as JSON."""
    return json.dumps(training_recipe_of(wildcards), sort_keys=True)


training_recipe_of = of_experiment(parameters.training_recipe, "experiment", "budget", "precision")
# A param: whose published values stand beside ours.
compared_with = of_experiment(parameters.compared_with, "experiment")


@cache
def trained_as(name, budget, precision):
    """The experiment whose training is this one's: variants that are trained alike are trained once."""
    experiment({"experiment": name, "budget": budget})  # if it is wrong, it says so
    return parameters.trained_as(name, budget, precision)


def trained(wildcards):
    """The checkpoint that a run is of."""
    return trained_at(wildcards["precision"], wildcards)


def trained_at(precision, wildcards, made=CHECKPOINT):
    """What the trainings of an experiment's runs at one precision make, their checkpoints if not told otherwise."""
    name = trained_as(wildcards["experiment"], wildcards["budget"], precision)
    return expand(made, **{**wildcards, "experiment": name, "precision": precision})


def initial(wildcards):
    """The checkpoint that a network is trained on from; none where it starts anew."""
    start = training_recipe_of(wildcards).get("initial")
    return trained_at(start, wildcards) if start else []


def experiment(wildcards):
    return read_once(wildcards["experiment"], wildcards["budget"])


@cache
def read_once(name, budget):
    """The experiment as it was when this run began to need it, whatever is edited meanwhile."""
    try:
        return requested_experiment(name, budget)
    except LosslessError as error:
        sys.exit(f"snakemake: {error}")


def precisions(wildcards):
    try:
        return settings.precisions_of(experiment(wildcards), wildcards["budget"])
    except LosslessError as error:
        sys.exit(f"snakemake: {wildcards['experiment']}: {error}")


def spiking_precisions(wildcards):
    return [precision for precision in precisions(wildcards) if precision != "fp32"]


def seeds(precision, wildcards):
    return settings.seeds_of(experiment(wildcards), wildcards["budget"], precision)


def of_runs(path, wildcards, chosen=precisions):
    """`path` of all runs that are asked for, of one experiment at one budget, at the `chosen` precisions."""
    return [
        file
        for precision in chosen(wildcards)
        for file in expand(path, precision=precision, seed=seeds(precision, wildcards), **wildcards)
    ]


def dataset(wildcards):
    """A param: shape, encoding and digests of the data set, as JSON."""
    return json.dumps(asdict(experiment(wildcards).data))


def data_files(wildcards):
    return list(map(str, experiment(wildcards).data.paths().values()))


def run_logs(precision):
    """Names of the files that the runs at one precision are compared by."""
    return ["ann.json"] if precision == "fp32" else ["ann.json", "snn.json", "certificate.json", *STEP_LOGS]


def limit(wildcards):
    """The test images of a budget that does not take all of them, as the commands' option."""
    images = experiment(wildcards).test_images(wildcards.budget)
    return f"--limit {images}" if images else ""


def measures(wildcards):
    """Logs of all runs that are asked for, of one experiment at one budget."""
    return [f"{folder}/{name}" for folder in run_folders(wildcards) for name in run_logs(Path(folder).parent.name)]


def histories(wildcards):
    """The training histories of all runs that are asked for; none where a variant is not trained anew."""
    name, budget = wildcards["experiment"], wildcards["budget"]

    def anew(wildcards):
        return [precision for precision in precisions(wildcards) if trained_as(name, budget, precision) == name]

    return of_runs(LOGS + "/history.csv", wildcards, anew)


def of_first_seed(path):
    """An input: `path` of all spiking precisions that are asked for, each of its first seed."""

    def of_experiment_and_budget(wildcards):
        return [
            path.format(precision=precision, seed=seeds(precision, wildcards)[0], **wildcards)
            for precision in spiking_precisions(wildcards)
        ]

    return of_experiment_and_budget


def run_folders(wildcards):
    return of_runs(LOGS, wildcards)


def artifacts(budget, experiment):
    """All that there is to make for one experiment at one budget."""
    place = {"budget": budget, "experiment": experiment}
    trainings = [
        (precision, {**place, "precision": precision, "seed": seeds(precision, place)})
        for precision in precisions(place)
    ]
    return [
        *[path for precision, runs in trainings for path in trained_at(precision, runs)],
        *of_runs(SPIKING, place, spiking_precisions),
        *[path for precision, runs in trainings for path in trained_at(precision, runs, LOGS + "/history.csv")],
        *measures(place),
        *figures_and_tables(place),
    ]


def figures_and_tables(place):
    """What there is to look at for one experiment at one budget, made from its logs."""
    return [
        *expand(FIGURE + ".{format}", figure=FIGURES_ALWAYS, format=FORMATS, **place),
        *expand(TABLE + ".{format}", format=["csv", "md"], **place),
        *expand(TRACKED, **place),
    ]


def there_is(name):
    """Whether an experiment has its file still."""
    return experiment_file(name).is_file()


# Read while planning: where its outputs exist, Snakemake takes a rule that lacks an input for one that is not needed.
try:
    PUBLISHED_EXPERIMENTS = [name for name in published_experiments(PUBLISHED) if there_is(name)]
except LosslessError as error:
    sys.exit(f"snakemake: {error}")


def shown(budget, name, requested):
    """What the report shows of an experiment. Nobody asked for its networks, so that its logs must be here."""
    place = {"budget": budget, "experiment": name}
    if lacking := [path for path in measures(place) if not Path(path).is_file()]:
        sys.exit(
            f"snakemake: {lacking[0]}: not here, and the report trains nothing; `make restore` if it is shipped, "
            f"or make it, or take {name} off report.{budget} in config/config.yaml"
        )
    more = negative_spikes(budget, name) if "negative_spikes" in requested else []
    more += expand(VIEWER, **place) if "viewer" in requested else []
    figures = [figure for figure in requested if figure in FIGURES]
    return figures_and_tables(place) + more + expand(FIGURE + ".svg", figure=figures, **place)
