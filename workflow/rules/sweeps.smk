# Sweeps, config/sweeps/*.yaml: `snakemake sweep_NAME` makes every point of one, its table and its figures.
# Points are experiments like all others, made by the same rules, so that what is made already is not made again.

from lossless_snn.analysis.quantities import QUANTITIES
from lossless_snn.config.sweep import SWEEP_FOLDER, load_sweep, sweep_points
from lossless_snn.errors import did_you_mean

SWEEP = "results/{budget}/sweeps/{sweep}/"


wildcard_constraints:
    sweep=r"[\w-]+",
    quantity="|".join(quantity.name for quantity in QUANTITIES),
    axis=r"\w+(\.\w+)*",


@cache
def points_of(name):
    """A sweep and its points, as they were when this run began to need them."""
    try:
        sweep, points = load_sweep(name), sweep_points(name)
    except LosslessError as error:
        sys.exit(f"snakemake: {error}")
    known = [quantity.name for quantity in QUANTITIES]
    for figure in sweep.figures:
        if figure.y not in known:
            sys.exit(
                f"snakemake: config/sweeps/{name}.yaml: figures: no column '{figure.y}' to draw (there are "
                f"{', '.join(known)}){did_you_mean(figure.y, known)}"
            )
    return sweep, points


def point_folders(wildcards):
    """Run directories of all points and seeds."""
    sweep, points = points_of(wildcards.sweep)
    if wildcards.budget != sweep.budget:
        sys.exit(f"snakemake: config/sweeps/{wildcards.sweep}.yaml: budget: {sweep.budget}, not {wildcards.budget}")
    return [
        folder
        for point in points
        for folder in expand(
            LOGS, budget=sweep.budget, experiment=point.experiment, precision=point.precision, seed=point.seeds
        )
    ]


def point_measures(wildcards):
    """Logs that a sweep's table is made from."""
    return [
        f"{folder}/{name}"
        for folder in point_folders(wildcards)
        for name in run_logs(Path(folder).parent.name)
        if name not in STEP_LOGS
    ]


def described_sweep(wildcards):
    """A param: the points, as JSON, in the sweep's order."""
    return json.dumps({"points": [point.model_dump() for point in points_of(wildcards.sweep)[1]]})


def sweep_style(wildcards):
    return points_of(wildcards.sweep)[0].style.model_dump_json()


def sweep_datasets(wildcards):
    """A param: the data set of each experiment in the sweep, as JSON."""
    sweep, points = points_of(wildcards.sweep)
    names = dict.fromkeys(point.experiment for point in points)
    return json.dumps({name: json.loads(dataset({"budget": sweep.budget, "experiment": name})) for name in names})


rule table_sweep:
    input:
        point_measures,
    output:
        csv=SWEEP + "results.csv",
        parquet=SWEEP + "results.parquet",
        md=SWEEP + "results.md",
    log:
        "results/{budget}/jobs/table-sweep-{sweep}.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        **recorded("sweep", sweep=described_sweep, energies=energies, datasets=sweep_datasets),
    message:
        "Tabulate the sweep ({wildcards.sweep}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} sweep {wildcards.sweep} --out {output.csv} --energy {ENERGY} >> {log} 2>&1"


rule figure_sweep:
    input:
        point_measures,
    output:
        [SWEEP + "{quantity}-{axis}." + format for format in FORMATS],
    log:
        "results/{budget}/jobs/figure-sweep-{sweep}-{quantity}-{axis}.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        **recorded("sweep", sweep=described_sweep, energies=energies, datasets=sweep_datasets, style=sweep_style),
        stem=lambda wildcards, output: os.path.splitext(output[0])[0],
    message:
        "Draw {wildcards.quantity} by {wildcards.axis} ({wildcards.sweep}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} sweep {wildcards.sweep} --figure {params.stem} --y {wildcards.quantity}"
        " --x {wildcards.axis} {FORMAT_OPTIONS} --energy {ENERGY} >> {log} 2>&1"


def made_by_sweep(name):
    """Table and figures of a sweep."""

    def paths(_):
        sweep, _ = points_of(name)
        place = {"budget": sweep.budget, "sweep": name}
        figures = [f"{figure.name}.{format}" for figure in sweep.figures for format in FORMATS]
        tables = ["results.csv", "results.parquet", "results.md"]
        return [expand(SWEEP, **place)[0] + file for file in tables + figures]

    return paths


for path in sorted(SWEEP_FOLDER.glob("*.yaml")):

    rule:
        name:
            "sweep_" + re.sub(r"\W", "_", path.stem)
        input:
            made_by_sweep(path.stem),
        message:
            f"Sweep {path.stem} is in results/*/sweeps/{path.stem}/"
