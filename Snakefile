# Plain `snakemake` in this folder runs the workflow; workflow/Snakefile is its table of contents.


include: "workflow/Snakefile"
