NEURONS = LOGS + "/neurons.csv"
NEURON_TABLE = "results/{budget}/{experiment}/tables/negative_spikes"


def neuron_logs(wildcards):
    """Comparisons of neurons for all spiking runs that are asked for."""
    return of_runs(NEURONS, wildcards, spiking_precisions)


def negative_spikes(budget, experiment):
    """What negative spikes buy: figure and table of one experiment at one budget."""
    place = {"budget": budget, "experiment": experiment}
    return [
        *expand(FIGURE + ".{format}", figure="negative_spikes", format=FORMATS, **place),
        *expand(NEURON_TABLE + ".{format}", format=["csv", "md"], **place),
    ]


def comparison(wildcards):
    """Time steps, test images, and images simulated at once, as the command's options."""
    return "--steps {} --limit {} --batch-size {}".format(*comparison_options(wildcards))


comparison_options = of_experiment(parameters.comparison_options, "experiment")


rule compare_neurons:
    input:
        data_files,
        spiking=SPIKING,
    output:
        NEURONS,
    log:
        JOB_LOG % "compare-neurons",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: settings.threads.simulate
    resources:
        mem_mb=growing(4000, 1.5),
        runtime=growing(12 * 60, 2),
    params:
        **recorded("compare-neurons", options=comparison, dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Compare neurons at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} compare-neurons {input.spiking} --out {params.folder} {params.options}"
        " --threads {settings.threads.simulate} 2>&1 | tee -a {log}"


rule table_neurons:
    input:
        measures,
        neuron_logs,
        published=local(PUBLISHED),
    output:
        csv=report(
            NEURON_TABLE + ".csv",
            caption="../report/negative_spikes_table.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "table of what negative spikes buy"},
        ),
        md=NEURON_TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table-neurons.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded("table-neurons", runs=run_folders, dataset=dataset, compared_with=compared_with),
    message:
        "Tabulate what negative spikes buy ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} table-neurons {params.words} --out {output.csv}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"
