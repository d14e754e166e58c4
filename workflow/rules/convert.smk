rule convert:
    input:
        trained,
    output:
        SPIKING,
    log:
        JOB_LOG % "convert",
    wildcard_constraints:
        precision="k[0-9]+",
    group:
        scheduled_with
    threads: 1
    resources:
        **PARTITION,
        mem_mb=megabytes("convert"),
        runtime=minutes("convert"),
    params:
        **recorded("convert", dataset=dataset),
    message:
        "Convert {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} convert {input} --out {output} >> {log} 2>&1"
