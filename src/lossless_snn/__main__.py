"""The program `lossless-snn`, or `python -m lossless_snn` where it is not installed and run from src/.

What is here and not where commands are is in no fingerprint: how a refusal is worded changes no result.
"""

import sys

import click

from .cli.main import main
from .cli.usage import Context


def run() -> None:
    """Run the command line of this process."""
    click.Command.context_class = Context  # of commands that are imported later, too
    try:
        main()
    except RecursionError:
        sys.exit("lossless-snn: something that was given is nested too deeply to be read; look at its brackets")
    except (MemoryError, RuntimeError) as error:
        # PyTorch has no class of its own for this.
        if not isinstance(error, MemoryError) and "can't allocate memory" not in str(error):
            raise
        sys.exit("lossless-snn: it takes more memory than there is; is the file sound, or a batch too large?")
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
