def histories(wildcards):
    """The training histories of all runs that are asked for."""
    return expand(LOGS + "/history.csv", precision=settings.precisions, seed=seeds(wildcards), **wildcards)


rule table:
    input:
        measures,
        histories,
        published=PUBLISHED,
    output:
        TRACKED,
        csv=report(
            TABLE + ".csv",
            caption="../report/table.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "table of results"},
        ),
        md=TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        runs=run_folders,
        energies=energies,
        dataset=dataset,
        code=code("cli.commands.table"),
    message:
        "Tabulate the results ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn table {params.runs} --out {output.csv} --published {input.published} --energy {ENERGY} > {log} 2>&1"


SUMMARY = "results/{budget}/summary"


def summarised(wildcards):
    """Experiments that are asked for or were made before here, the published ones first, in their order."""
    made = {name for budget, name in made_before() if budget == wildcards.budget} | set(settings.experiments)
    order = [*PUBLISHED_EXPERIMENTS, *sorted(made)]
    return [name for name in dict.fromkeys(order) if name in made]


def over_all(collect):
    """An input or param: what `collect` gives for each of the experiments in the summary."""
    return lambda wildcards: [
        path for name in summarised(wildcards) for path in collect({"budget": wildcards.budget, "experiment": name})
    ]


rule summary:
    input:
        over_all(measures),
        published=PUBLISHED,
    output:
        csv=report(
            SUMMARY + ".csv",
            caption="../report/summary.rst",
            category="all experiments",
            subcategory="{budget}",
            labels={"what": "table of results"},
        ),
        md=SUMMARY + ".md",
        svg=report(
            SUMMARY + ".svg",
            caption="../report/summary.rst",
            category="all experiments",
            subcategory="{budget}",
            labels={"what": "summary"},
        ),
        png=SUMMARY + ".png",
    log:
        "results/{budget}/jobs/summary.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        runs=over_all(run_folders),
        energies=energies,
        code=code("cli.commands.summary"),
    message:
        "Summarise all experiments ({wildcards.budget})"
    shell:
        "lossless-snn summary {params.runs} --out {output.csv} --published {input.published} --energy {ENERGY} > {log} 2>&1"
