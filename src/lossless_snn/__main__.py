"""The program `lossless-snn`, or `python -m lossless_snn` where it is not installed and run from src/."""

from .cli.main import cli, main
from .cli.usage import Context


def run() -> None:
    """Run the command line of this process."""
    # Not where `cli` is defined: that is part of every fingerprint, and how a refusal is worded changes no result.
    cli.context_class = Context
    main()


if __name__ == "__main__":
    run()
