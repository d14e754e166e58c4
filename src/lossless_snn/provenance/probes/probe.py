"""A probe of a recorded job, by the archived sources and by the present ones, and the equivalence that it shows."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...errors import LosslessError
from ..code.fingerprint import PACKAGE
from ..equivalence import SIMULATE, TRAIN, Equivalence, Equivalences, Probe, subject, write_equivalence
from ..jobs import Place
from ..recording import compared_versions
from ..records import Records, record_files, recorded_job
from ..sources import present_code, present_codes, require_own_folder, unpack_sources
from .simulations import simulation
from .trainings import training


def lacking_a_probe(records: Records) -> list[Place]:
    """The trainings and simulations that need a probe for the present code to stand for them, one seed of each.

    They were made by other code, and no equivalences lead from that to the present one.

    Args:
        records: All that there are are looked through.

    Returns:
        Where their records are, sorted.

    Raises:
        LosslessError: A file of records or of equivalences is damaged, or a record's command line.
    """
    equivalences, code_of = Equivalences(), present_codes()
    found: dict[str, Place] = {}
    for place in records.places(record_files()):
        record = records[place]
        if record["rule"] not in (TRAIN, SIMULATE):
            continue
        job = recorded_job(place, record, code_of)
        if job.code != record["code"] and equivalences.chain(job, record["code"]) is None:
            kind = json.dumps([job.rule, subject(job), job.params, record["code"]], sort_keys=True)
            found.setdefault(kind, place)
    return list(found.values())


def probe(
    place: Place, record: Mapping[str, Any], epochs: int, images: int | None, folder: Path
) -> tuple[Path, Equivalence]:
    """Run a part of a recorded job by its sources and by the present ones, and write what that shows.

    A network that a training started from and that is not here is trained by both as well, for as many epochs. One
    that was simulated and is not here is trained and converted by the present code, for both.

    Args:
        place: Where the record is.
        record: The record of a training or of a simulation.
        epochs: How many epochs to train, where something is trained.
        images: On how many images to train, and how many to simulate; None for as many as the recorded jobs.
        folder: Where to work. Probes that share it train each network once by each version.

    Returns:
        The file that the equivalence was written to, and the equivalence.

    Raises:
        LosslessError: The record is of something else, its sources, data or network cannot be had, one of the two
            fails, or what they give differs in a single byte; or this process runs another folder's code.
    """
    require_own_folder()
    job = recorded_job(place, record)
    if job.rule not in (TRAIN, SIMULATE):
        raise LosslessError(f"{place}: neither training nor simulation; what else there is, is made again in minutes")
    if job.code == record["code"]:
        raise LosslessError(f"{place}: made by the present code; there is nothing to probe")
    with TemporaryDirectory() as before:
        source = unpack_sources(place, record["code"], record["command"], Path(before))
        if job.rule == TRAIN:
            procedure = training(place, record, epochs, images)
        else:
            procedure = simulation(place, record, epochs, images, folder)
        versions = ((record["code"], Path(before, "src")), (job.code, PACKAGE.parent))
        given = [procedure.run(sources, folder / code) for code, sources in versions]
    if present_code(job.command) != job.code:
        raise LosslessError(f"{place}: the code was edited while the probe ran; probe again")
    execution = {name: record[name] for name in ("device", "threads") if name in record}
    done = Probe(**procedure.described, **execution, versions=compared_versions())
    if differing := [name for name in {**given[0], **given[1]} if given[0].get(name) != given[1].get(name)]:
        raise LosslessError(
            f"{place}: not equivalent: after {done.extent} by the code of {source} and by the present code "
            f"{_listed(differing)} differ; the present code has to {job.rule} it anew"
        )
    equivalence = Equivalence(
        rule=job.rule,
        wildcards=subject(job),
        params=job.params,
        codes=(record["code"], job.code),
        probe=done,
        digests=given[0],
    )
    return write_equivalence(job, equivalence), equivalence


def _listed(names: list[str]) -> str:
    shown, more = names[:5], len(names) - 5
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
