rule convert:
    input:
        CHECKPOINT,
    output:
        SPIKING,
    log:
        JOB_LOG % "convert",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        dataset=dataset,
        code=code("convert"),
    message:
        "Convert {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn convert {input} --out {output} > {log} 2>&1"
