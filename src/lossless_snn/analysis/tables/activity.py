"""Activity as tables: energy_breakdown and layer_rates, each as .csv for programs and .md for people."""

from pathlib import Path

import pandas as pd

from ...files.atomic import write_together
from .. import captions
from ..costs import (
    DISCLAIMER,
    QUANTISED,
    SPIKING,
    break_even,
    breakdown,
    layer_rates,
    layer_sums,
    load_activities,
    quantised_cost,
    required_hardware,
    settled_percentiles,
    spiking_cost,
    total,
)
from ..results import Results
from .column import MICROJOULES, PERCENT, Column, markdown, tenths, three_digits, whole

_RATES = (
    Column("neurons", "neurons"),
    Column("dense_operations", "dense synapses"),
    Column("operations", "operations"),
    Column("operations_share", "share", three_digits, PERCENT),
    Column("active_operations", "of the quantised ANN, zeros skipped"),
    Column("positive_spikes", "positive spikes", tenths),
    Column("negative_spikes", "negative spikes", tenths),
    Column("rate", "spikes a neuron", three_digits),
    Column("updates", "neuron updates"),
)


def write_activity_tables(results: Results, folder: Path) -> None:
    """Write energy_breakdown.{csv,md} and layer_rates.{csv,md} to `folder`, all or none."""
    energy, rates = breakdown(results), layer_rates(results)
    texts = {
        "energy_breakdown.csv": _with_identity(energy, results).to_csv(index=False),
        "energy_breakdown.md": _readable_energy(energy, results),
        "layer_rates.csv": _with_identity(rates, results).to_csv(index=False),
        "layer_rates.md": _readable_rates(results),
    }
    write_together(folder, texts)


def _with_identity(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    for key in ("dataset", "budget", "experiment"):
        table.insert(0, key, getattr(results.first, key))
    return table


def _readable_energy(table: pd.DataFrame, results: Results) -> str:
    hardware = required_hardware(results)
    columns = [
        Column("operations", "operations", whole),
        Column("accesses", "accesses to memory", whole),
        Column("arithmetic_joules", "arithmetic", three_digits, MICROJOULES),
        *(Column(f"joules_{name}", f"with {name}", three_digits, MICROJOULES) for name in hardware.memory),
    ]
    rows = [
        ({"precision": captions.precision_title(r["precision"]), "network": r["network"], "part": r["part"]}, r)
        for _, r in table.iterrows()
    ]
    lines = []
    for precision, record in load_activities(results).items():
        spiking, quantised = total(spiking_cost(record, hardware)), total(quantised_cost(record, hardware))
        at = break_even(spiking, quantised)
        even = "at no cost of memory" if at is None else f"at {at:.3g} pJ an access to memory"
        mean, percentile, most = settled_percentiles(record)
        lines.append(
            f"- {captions.precision_title(precision)}: {SPIKING} and {QUANTISED} break even {even}; settled after "
            f"{mean:.1f} steps (mean), {percentile} (99th percentile), {most} (maximum)"
            f"{'' if sum(record.settled) == record.images else f'; {sum(record.settled):,} images had settled'}"
        )
    caption = f"**{DISCLAIMER}** {captions.experiment(results)}; the first {record.images:,} test images, one each."
    return f"{caption}\n\n{markdown(columns, rows)}\n\n" + "\n".join(lines) + "\n"


def _readable_rates(results: Results) -> str:
    rows = []
    for precision, record in load_activities(results).items():
        for _, row in layer_sums(record).iterrows():
            rows.append(({"precision": captions.precision_title(precision), "layer": row["layer"]}, row))
    caption = f"{captions.experiment(results)}; the first {record.images:,} test images, an image each, all steps."
    return f"{caption}\n\n{markdown(_RATES, rows)}\n"
