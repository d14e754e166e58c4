rule evaluate:
    input:
        data_files,
        checkpoint=trained,
    output:
        LOGS + "/ann.json",
    log:
        JOB_LOG % "evaluate",
    group:
        scheduled_with
    threads: settings.threads.evaluate
    resources:
        **GPU,
        mem_mb=megabytes("evaluate"),
        runtime=minutes("evaluate"),
    params:
        **recorded("evaluate", limit=limit, dataset=dataset),
    message:
        "Test the ANN at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} evaluate {input.checkpoint} --out {output} {params.limit}"
        " --threads {settings.threads.evaluate} --device {settings.device} >> {log} 2>&1"
