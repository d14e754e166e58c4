"""`python -m lossless_snn`: the command line where it is not installed, run from src/."""

from .cli.main import main

main()
