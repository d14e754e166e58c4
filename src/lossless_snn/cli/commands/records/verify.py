"""`lossless-snn verify`."""

import json
import os
import sys
from pathlib import Path

import click

from ....provenance.jobs import RESULTS
from ....provenance.verification import report, verify
from ...options import full_option, json_option, strict_option


@click.command()
@click.argument("places", nargs=-1, type=click.Path(path_type=Path))
@strict_option
@full_option
@json_option
def command(places: tuple[Path, ...], strict: bool, full: bool, as_json: bool) -> None:
    """Hash again all that the records at or below PLACES (results/ if none is given) name.

    A line for each file that is missing, altered, or made by other code. Whether parameters are
    those of the present configuration only the workflow can tell: `make verify` asks it. The exit status is 1 if
    there is any fault.

    \b
    Example:
        lossless-snn verify results/paper/mnist-lenet
    """
    faults, checked = verify([Path(os.path.relpath(place)) for place in places] or (RESULTS,), strict=strict, full=full)
    click.echo(json.dumps({"faults": faults, "checked": checked}, indent=2) if as_json else report(faults, checked))
    sys.exit(bool(faults))
