rule table:
    input:
        measures,
        histories,
        published=local(PUBLISHED),
    output:
        TRACKED,
        csv=report(
            TABLE + ".csv",
            caption="../report/results_table.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "table of results"},
        ),
        md=TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded("table", runs=run_folders, energies=energies, dataset=dataset, compared_with=compared_with),
    message:
        "Tabulate the results ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} table {params.words} --out {output.csv}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"


# Every step of our simulations beside published logs: made when asked for by path.
STEP_TABLE = "results/{budget}/{experiment}/tables/steps"


rule table_steps:
    input:
        measures,
        published_logs,
        published=local(PUBLISHED),
    output:
        csv=STEP_TABLE + ".csv",
        md=STEP_TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table-steps.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded("table-steps", runs=run_folders, dataset=dataset, compared_with=compared_with),
    message:
        "Tabulate all steps beside the published ones ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} table-steps {params.words} --out {output.csv}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"


SUMMARY = "results/{budget}/summary"


def summarised(wildcards):
    """The experiments that configuration lists for the summary of a budget, in its order."""
    if not settings.summary.get(wildcards.budget):
        sys.exit(f"snakemake: config/config.yaml: summary.{wildcards.budget}: lists no experiments to compare")
    return settings.summary[wildcards.budget]


def over_all(collect):
    """An input or param: what `collect` gives for each of the experiments that the summary compares."""
    return lambda wildcards: [
        path for name in summarised(wildcards) for path in collect({"budget": wildcards.budget, "experiment": name})
    ]


def datasets(wildcards):
    """A param: the data set of each experiment in the summary, as JSON."""
    return of_each(lambda place: json.loads(dataset(place)), wildcards)


def all_compared_with(wildcards):
    """A param: whose published values stand beside those of each experiment in the summary, as JSON."""
    return of_each(compared_with, wildcards)


def of_each(parameter, wildcards):
    return json.dumps(
        {name: parameter({"budget": wildcards.budget, "experiment": name}) for name in summarised(wildcards)}
    )


rule summary:
    input:
        over_all(measures),
        published=local(PUBLISHED),
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
        others=[SUMMARY + "." + format for format in FORMATS if format != "svg"],
    log:
        "results/{budget}/jobs/summary.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded(
            "summary",
            runs=over_all(run_folders),
            energies=energies,
            datasets=datasets,
            compared_with=all_compared_with,
            style=settings.figures.summary.model_dump_json(),
        ),
    message:
        "Summarise all experiments ({wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} summary {params.words} --out {output.csv} --style {params.style:q}"
        " {FORMAT_OPTIONS} --published {input.published} --energy {ENERGY} >> {log} 2>&1"
