# Whether quantisation costs accuracy, over seeds and image by image: made when asked for by path.

PREDICTIONS = LOGS + "/predictions.csv"
SIGNIFICANCE = "results/{budget}/{experiment}/tables/significance"


def predictions(wildcards):
    """What all networks that are asked for take the test images for."""
    return of_runs(PREDICTIONS, wildcards)


rule predict:
    input:
        data_files,
        checkpoint=trained,
    output:
        PREDICTIONS,
    log:
        JOB_LOG % "predict",
    group:
        scheduled_with
    threads: settings.threads.evaluate
    resources:
        **GPU,
        mem_mb=megabytes("evaluate"),
        runtime=minutes("evaluate"),
    params:
        **recorded("predict", limit=limit, dataset=dataset),
    message:
        "Predict with {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} predict {input.checkpoint} --out {output} {params.limit}"
        " --threads {settings.threads.evaluate} --device {settings.device} >> {log} 2>&1"


rule significance:
    input:
        measures,
        predictions,
        published=local(PUBLISHED),
    output:
        csv=SIGNIFICANCE + ".csv",
        md=SIGNIFICANCE + ".md",
        mcnemar="results/{budget}/{experiment}/tables/mcnemar.csv",
    log:
        "results/{budget}/{experiment}/jobs/significance.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded("significance", runs=run_folders, dataset=dataset, compared_with=compared_with),
    message:
        "Test whether quantisation costs accuracy ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} significance {params.words} --out {output.csv}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"
