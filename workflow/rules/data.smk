# The files are fixed by their SHA-256, whatever source they came from: no code or setting makes them stale.
for name, spec in DATASETS.items():

    rule:
        name:
            f"fetch_{name.replace('-', '_')}"
        output:
            list(spec.paths().values()),
        log:
            f"data/{spec.folder}/fetch.log",
        threads: 1
        resources:
            mem_mb=500,
            runtime=30,
        params:
            dataset=name,
        message:
            "Fetch {params.dataset}"
        shell:
            "lossless-snn fetch {params.dataset} > {log} 2>&1"
