rule table:
    input:
        measures,
        published=PUBLISHED,
    output:
        csv=report(
            TABLE + ".csv",
            caption="../report/table.rst",
            category="{experiment}",
            subcategory="{budget}",
            labels={"what": "table of results"},
        ),
        md=TABLE + ".md",
    log:
        "results/{budget}/{experiment}/jobs/table.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        runs=run_folders,
        energies=energies,
        dataset=dataset,
        code=code("commands.table"),
    message:
        "Tabulate the results ({wildcards.experiment}, {wildcards.budget})"
    shell:
        "lossless-snn table {params.runs} --out {output.csv} --published {input.published} --energy {ENERGY} > {log} 2>&1"
