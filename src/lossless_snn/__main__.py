"""The program `lossless-snn`, or `python -m lossless_snn` where it is not installed and run from src/.

What is here and not where commands are is in no fingerprint: how a refusal is worded changes no result.
"""

import sys

from .cli.main import cli, main
from .cli.usage import Context


def run() -> None:
    """Run the command line of this process."""
    cli.context_class = Context
    try:
        main()
    except AttributeError as error:
        from .conversion.spiking_network import GraphMetadata

        # What commands ask a network for that was trained here, and a person's own module has not got.
        if not isinstance(error.obj, GraphMetadata):
            raise
        sys.exit(
            f"lossless-snn: a network that was converted from a module has no {error.name}, which this command needs: "
            "use it in Python (docs/interface.md)"
        )


if __name__ == "__main__":
    run()
