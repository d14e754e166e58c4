"""`python -m lossless_workflow.run ARGUMENTS...`: Snakemake, past the locks of one that was killed."""

import os
import sys

from lossless_snn.cli.reporting import reporting

from .processes import free_locks


def main() -> None:
    """Become Snakemake, with the arguments of this program."""
    free_locks("make")
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *sys.argv[1:]])


if __name__ == "__main__":
    with reporting("make"):
        main()
