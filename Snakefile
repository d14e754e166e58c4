# Plain `snakemake` in this folder runs the workflow; workflow/Snakefile is its table of contents.


include: "workflow/Snakefile"


# What an included file says of the default target does not count.
workflow.default_target = "all"
