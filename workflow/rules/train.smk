# A killed training goes on after its last finished epoch: its state lies beside the checkpoint, and no rule
# declares it, so that Snakemake leaves it alone. The command refuses a state made with other settings or code.
rule train:
    input:
        data_files,
        initial=initial,
    output:
        checkpoint=CHECKPOINT,
        history=LOGS + "/history.csv",
    log:
        JOB_LOG % "train",
    group:
        trained_with
    threads: settings.threads.train
    resources:
        **GPU,
        mem_mb=megabytes("train"),
        runtime=minutes("train"),
    params:
        **recorded("train", recipe=recipe, dataset=dataset),
        start=lambda wildcards, input: f" --initial {input.initial}" if input.initial else "",
    message:
        "Train {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} train {wildcards.experiment} --precision {wildcards.precision}"
        " --seed {wildcards.seed} --budget {wildcards.budget} --out {output.checkpoint} --history {output.history}"
        " --resume{params.start}"
        " --threads {settings.threads.train} --device {settings.device} 2>&1 | tee -a {log}"
