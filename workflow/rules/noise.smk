NOISE = LOGS + "/noise.csv"


def noise_logs(wildcards):
    """Tests under noise of all runs that are asked for."""
    return of_runs(NOISE, wildcards)


rule noise:
    input:
        data_files,
        checkpoint=trained,
    output:
        NOISE,
    log:
        JOB_LOG % "noise",
    threads: settings.threads.evaluate
    resources:
        **GPU,
        mem_mb=megabytes("evaluate"),
        runtime=minutes("evaluate", 6 * settings.noise.seeds),  # a test at each of six ratios
    params:
        **recorded("noise", seeds=settings.noise.seeds, dataset=dataset),
    message:
        "Test under noise {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} noise {input.checkpoint} --out {output} --seeds {params.seeds}"
        " --threads {settings.threads.evaluate} --device {settings.device} >> {log} 2>&1"
