def simulation(wildcards):
    """Time steps, images a line of the log files, and images in all, as the command's options."""
    steps, batch_size = simulation_options(wildcards)
    return f"--steps {steps} --batch-size {batch_size} {limit(wildcards)}".rstrip()


simulation_options = of_experiment(parameters.simulation_options, "experiment", "budget")


rule simulate:
    input:
        data_files,
        spiking=SPIKING,
        checkpoint=trained,
    output:
        [f"{LOGS}/{name}" for name in [*STEP_LOGS, "snn.json", "certificate.json"]],
    log:
        JOB_LOG % "simulate",
    wildcard_constraints:
        precision="k[0-9]+",
    group:
        scheduled_with
    threads: settings.threads.simulate
    resources:
        **GPU,
        mem_mb=megabytes("simulate"),
        runtime=minutes("simulate"),
    params:
        **recorded("simulate", options=simulation, dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Simulate {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} simulate {input.spiking} --against {input.checkpoint}"
        " --logs {params.folder} {params.options} --threads {settings.threads.simulate} 2>&1 | tee -a {log}"


# The same results by NeuroBench's names: made when asked for by path.
rule neurobench:
    input:
        data_files,
        spiking=SPIKING,
        snn=LOGS + "/snn.json",
    output:
        LOGS + "/neurobench.json",
    log:
        JOB_LOG % "neurobench",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        **recorded("neurobench", dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Name the results as NeuroBench does at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} neurobench {input.spiking} --logs {params.folder} --out {output}"
        " >> {log} 2>&1"
