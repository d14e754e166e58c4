# The files are fixed by their SHA-256, whatever source they came from: no code or setting makes them stale.
for name, dataset in DATASETS.items():

    rule:
        name:
            f"fetch_{name.replace('-', '_')}"
        output:
            list(dataset.paths().values()),
        log:
            f"data/{dataset.folder}/fetch.log",
        threads: 1
        resources:
            mem_mb=500,
            runtime=30,
        message:
            f"Fetch {dataset.title}"
        shell:
            f"lossless-snn fetch {name} > {{log}} 2>&1"
