"""One network with three kinds of neuron, step by step: what `runs.neurons` stores."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..files.atomic import replacing
from ..runs.neurons import COLUMNS
from .metrics import Measures


def write_comparison(
    path: Path, by_neuron: Mapping[str, Measures], images: int, ann_accuracy: float, unquantised_accuracy: float
) -> None:
    """Write neurons.csv: a row for each neuron and time step (from 1), over all `images`."""
    curves = []
    for neuron, measures in by_neuron.items():
        totals = (measures.accuracy, measures.spike_num, measures.sop_num)
        values = np.sum(totals, axis=1) / images
        curve = pd.DataFrame(dict(zip(COLUMNS[2:5], values, strict=True)))
        curves.append(curve.assign(neuron=neuron, time_step=curve.index + 1))
    constants = {"images": images, "ann_accuracy": ann_accuracy, "unquantised_accuracy": unquantised_accuracy}
    with replacing(path) as partial:
        pd.concat(curves).assign(**constants)[COLUMNS].to_csv(partial, index=False)
