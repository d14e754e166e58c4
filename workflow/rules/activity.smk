ACTIVITY = LOGS + "/activity.json"
ACTIVITY_TABLES = "results/{budget}/{experiment}/tables/"

# Beside what `energies` has: what integers and memory cost.
hardware = operation_energies.hardware
hardware_energies = json.dumps([json.loads(energies), hardware and hardware.model_dump()])

activity_logs = of_first_seed(ACTIVITY)


def activity_options_of(wildcards):
    """Time steps of the simulation and test images, as the command's options."""
    return f"--steps {simulation_options(wildcards)[0]} --limit {comparison_options(wildcards)[1]}"


rule activity:
    input:
        data_files,
        spiking=SPIKING,
    output:
        ACTIVITY,
    log:
        JOB_LOG % "activity",
    wildcard_constraints:
        precision="k[0-9]+",
    threads: settings.threads.simulate
    resources:
        mem_mb=growing(4000, 1.5),
        runtime=growing(12 * 60, 2),
    params:
        **recorded("activity", options=activity_options_of, dataset=dataset),
        folder=subpath(output[0], parent=True),
    message:
        "Count activity at {wildcards.precision}, seed {wildcards.seed} ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} activity {input.spiking} --out {params.folder} {params.options}"
        " --threads {settings.threads.simulate} 2>&1 | tee -a {log}"


rule table_activity:
    input:
        measures,
        activity_logs,
        published=local(PUBLISHED),
    output:
        report(
            expand(
                ACTIVITY_TABLES + "{name}.csv",
                name=["energy_breakdown", "layer_rates"],
                allow_missing=True,
            ),
            caption="../report/energy_breakdown.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "tables of energy and activity"},
        ),
        expand(ACTIVITY_TABLES + "{name}.md", name=["energy_breakdown", "layer_rates"], allow_missing=True),
    log:
        "results/{budget}/{experiment}/jobs/table-activity.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        **recorded(
            "table-activity",
            runs=run_folders,
            energies=hardware_energies,
            dataset=dataset,
            compared_with=compared_with,
        ),
        folder=subpath(output[0], parent=True),
    message:
        "Tabulate energy and activity ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn record {params.job:q} table-activity {params.words} --out {params.folder}"
        " --published {input.published} --energy {ENERGY} >> {log} 2>&1"
