"""Targets of Snakemake's command line that no rule makes: one line that says what they may have been meant to be."""

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

from snakemake.cli import get_argument_parser

from lossless_snn.config.experiment import EXPERIMENT_FOLDER
from lossless_snn.config.values import BudgetName
from lossless_snn.files.configuration import configured_names

_PATHS = "paths are results/BUDGET/EXPERIMENT/..., see docs/results.md"


def require_makers(workflow) -> None:
    """End the program, where Snakemake's command line names a target that no rule of `workflow` makes.

    Snakemake itself has no more to say of it than MissingRuleException, and reads its targets after the Snakefile.
    """
    if "snakemake" not in Path(sys.argv[0]).parts[-2:]:
        return  # another program, by Snakemake's interface
    if workflow.storage_settings.default_storage_provider:
        return  # rules make what is in the storage, and Snakemake has not yet put targets there
    options, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    rules = list(workflow.rules)
    for target in options.targets or ():
        names = [rule.name for rule in rules]
        if target in names or Path(target).exists() or any(rule.is_producer(target) for rule in rules):
            continue
        meant = closest(target, names, [str(path) for rule in rules for path in rule.output])
        end = f"did you mean {meant}?" if meant else _PATHS
        sys.exit(f"snakemake: {target}: no rule makes that; {end}")


def closest(target: str, names: Iterable[str], patterns: Iterable[str]) -> str | None:
    """The rule's name or the path most like `target`, None where none is; paths have the target's own wildcards.

    Args:
        target: What was asked for.
        names: Names of rules.
        patterns: Paths that rules make, with wildcards.
    """
    if "/" not in target:
        return next(iter(get_close_matches(target, names, n=1)), None)
    said = _said(target)

    def value(wildcard: re.Match) -> str:
        """What may stand in the wildcard's place: a constraint that is a single word, or what the target says."""
        constraint = wildcard[2] or ""
        return constraint if re.fullmatch(r"\w+", constraint) else said.get(wildcard[1], "")

    paths = {re.sub(r"\{(\w+)(?:,([^{}]*))?\}", value, path) for path in patterns}
    return next(iter(get_close_matches(target, sorted(paths), n=1, cutoff=0.7)), None)


def _said(target: str) -> dict[str, str]:
    """The wildcards that a path, right or wrong, tells by the places of its parts."""
    _, budget, experiment, *rest = [*target.split("/"), "", "", ""]
    known = configured_names(EXPERIMENT_FOLDER)
    said = {"precision": "k1", "seed": "0"}
    said["budget"] = next(iter(get_close_matches(budget, get_args(BudgetName), n=1)), "quick")
    said["experiment"] = next(iter(get_close_matches(experiment, known, n=1)), experiment)
    for part in rest:
        if found := re.fullmatch(r"(?i)(fp32|k\d+)", part):
            said["precision"] = found[1].lower()
        if found := re.match(r"seed(\d+)", part):
            said["seed"] = found[1]
    return said
