CERTIFIED = LOGS + "/certified.csv"
CERTIFIED_TABLE = "results/{budget}/{experiment}/tables/certified_peers"

certified_logs = of_first_seed(CERTIFIED)


judged = of_experiment(parameters.judged, "experiment")


rule certify_peers:
    input:
        data_files,
        # The libraries, and their versions.
        peers=local("requirements/peers.lock"),
        spiking=SPIKING,
    output:
        CERTIFIED,
    log:
        JOB_LOG % "certify-peers",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: settings.threads.simulate
    resources:
        mem_mb=growing(6000, 1.5),
        runtime=growing(12 * 60, 2),
    params:
        **recorded(
            "certify-peers",
            steps=lambda wildcards: judged(wildcards)[0],
            images=lambda wildcards: judged(wildcards)[1],
            dataset=dataset,
        ),
        folder=subpath(output[0], parent=True),
    message:
        "Judge implementations at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} certify-peers {input.spiking} --out {params.folder} --steps {params.steps}"
        " --limit {params.images} --threads {settings.threads.simulate} 2>&1 | tee -a {log}"


rule table_certified:
    input:
        measures,
        certified_logs,
        published=local(PUBLISHED),
    output:
        csv=report(
            CERTIFIED_TABLE + ".csv",
            caption="../report/certified_peers.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "table of implementations judged"},
        ),
        md=CERTIFIED_TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table-certified.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded("table-certified", runs=run_folders, dataset=dataset, compared_with=compared_with),
    message:
        "Tabulate the implementations judged ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} table-certified {params.words} --out {output.csv}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"
