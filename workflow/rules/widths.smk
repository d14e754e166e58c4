WIDTHS = LOGS + "/widths.csv"


def width_logs(wildcards):
    """Simulations at few bits of all spiking networks that are asked for, of the first seed."""
    precisions = [precision for precision in settings.precisions if precision != "fp32"]
    return expand(WIDTHS, precision=precisions, seed=seeds(wildcards)[0], **wildcards)


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
        mem_mb=4000,
        runtime=12 * 60,
    params:
        **recorded("widths", options=activity_options_of, dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Simulate with few bits at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} widths {input.spiking} --out {params.folder} {params.options}"
        " --threads {settings.threads.simulate} 2>&1 | tee {log}"
