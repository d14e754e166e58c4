"""What stands between this project's records and the tools that run and store it: Snakemake and DVC.

The only package that imports the inside of either (their releases are pinned); the library decides, and knows
neither. `python -m lossless_workflow.restore` and `.verify` are `make restore` and `make verify`.
"""
