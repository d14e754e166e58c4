WIDTHS = LOGS + "/widths.csv"

width_logs = of_first_seed(WIDTHS)


rule widths:
    input:
        data_files,
        spiking=SPIKING,
    output:
        WIDTHS,
    log:
        JOB_LOG % "widths",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: settings.threads.simulate
    resources:
        mem_mb=growing(4000, 1.5),
        runtime=growing(12 * 60, 2),
    params:
        **recorded("widths", options=activity_options_of, dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Simulate with few bits at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} widths {input.spiking} --out {params.folder} {params.options}"
        " --threads {settings.threads.simulate} 2>&1 | tee -a {log}"
