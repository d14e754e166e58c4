# From raw data to figures: fetch -> train -> evaluate -> convert -> simulate -> figures and tables.
# Plain `snakemake` makes all that config/config.yaml asks for; any file of results/ can be asked for by its path.

import json
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

# The code of this folder, whatever environment Snakemake comes from; for the jobs, too.
SOURCES = str(Path(workflow.basedir, "src"))
sys.path.insert(0, SOURCES)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))

from lossless_snn.config import parameters
from lossless_snn.config.energy import ENERGY, read_energies
from lossless_snn.config.settings import read_settings, requested_experiment
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.errors import LosslessError
from lossless_snn.provenance.sources import require_own_folder
from lossless_workflow import slurm
from lossless_workflow.processes import enter
from lossless_workflow.targets import require_makers

min_version("9.27")


report: "workflow/report/workflow.rst"


# Not by `configfile:`, whose messages do not name the file. --config and --configfile change single keys of it.
try:
    require_own_folder(Path(workflow.basedir))
    settings = read_settings(config)
    energies = read_energies().model_dump_json()
except LosslessError as error:
    sys.exit(f"snakemake: {error}")

# The jobs run the commands of the environment that Snakemake runs in, activated or not.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
if settings.data.root:
    os.environ["LOSSLESS_SNN_DATA"] = str(settings.data.root)


include: "workflow/rules/paths.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/noise.smk"
include: "workflow/rules/negative_spikes.smk"
include: "workflow/rules/certified_peers.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/viewer.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/significance.smk"
include: "workflow/rules/sweeps.smk"


# A job on a node of a cluster is run by a Snakemake of its own there, which takes the plan that it was sent with.
if workflow.is_main_process:
    enter(Path())
    slurm.adapt()
    os.environ[VARIABLE] = str(make_plan(commands, Path(".snakemake/lossless_snn").resolve()))


envvars:
    VARIABLE,


# The summary compares what configuration lists; it is made where all of that is asked for.
listed = set(settings.summary.get(settings.budget, ()))


rule all:
    default_target: True
    input:
        lambda _: [path for name in settings.experiments for path in artifacts(settings.budget, name)],
        expand(SUMMARY + ".md", budget=settings.budget) if listed and listed <= set(settings.experiments) else [],
    message:
        "{settings.budget} results of {settings.experiments} are in results/{settings.budget}/"


rule demo:
    input:
        lambda _: artifacts("quick", "digits-lenet"),
    message:
        "Everything of digits-lenet is in results/quick/digits-lenet/"


rule reproduce:
    input:
        lambda _: artifacts("quick", "mnist-lenet"),
        negative_spikes("quick", "mnist-lenet"),
    message:
        "Everything of mnist-lenet is in results/quick/mnist-lenet/"


# The published experiments, and the embedded one beside them, for as long as published.
rule paper:
    input:
        lambda _: [
            path
            for name in ["digits-lenet", *PUBLISHED_EXPERIMENTS]
            for path in artifacts("paper", name) + negative_spikes("paper", name)
        ],
        expand(SUMMARY + ".md", budget="paper"),
    message:
        "Everything at the published budget is in results/paper/"


# What the report shows: what is asked for, and what else configuration lists.
rule shown:
    input:
        rules.all.input,
        lambda _: [
            path
            for budget, experiments in settings.report.items()
            for name, requested in experiments.items()
            for path in shown(budget, name, requested)
        ],
    message:
        "Everything that the report shows is up to date"


if workflow.is_main_process:
    require_makers(workflow)
