"""Accuracy and energy against time steps, one above the other."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..costs import (
    DISCLAIMER,
    load_activities,
    quantised_cost,
    required_hardware,
    spiking_cost,
    step_of_most,
    total,
)
from ..results import Results
from .curves import errors_axis, steps_axis
from .style import add_legend, line_styles, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """Above, accuracy after each step; below, energy so far with the smallest memory, and the ANN's as thin lines.

    A mark stands at the step within which 99 % of the images have settled, if so many have.
    """
    records, hardware = load_activities(results), required_hardware(results)
    memory, access = min(hardware.memory.items(), key=lambda item: item[1])
    first = next(iter(records.values()))
    notes = [
        f"{DISCLAIMER} The first {first.images:,} test images; {memory} of memory, {access:g} pJ an access. Thin: the "
        "quantised ANN, zeros skipped. Marks: 99 % of the images have settled; none where fewer have."
    ]
    figure = new_figure(style, "Energy and accuracy in time", captions.first_seed_subtitle(results), notes)
    above, below = figure.subplots(2, 1, sharex=True)
    lines, handles, highest = line_styles(list(records), style.palette), [], 0.0
    for precision, record in records.items():
        line = {key: value for key, value in lines[precision].items() if key != "marker"}
        steps = range(1, record.steps + 1)
        accuracy = [100 * correct / record.images for correct in record.correct]
        highest = max(highest, *accuracy)
        energy = [1e6 * total(spiking_cost(record, hardware, step)).joules(access) for step in steps]
        (handle,) = above.plot(steps, accuracy, linewidth=1.8, label=captions.precision_title(precision), **line)
        handles.append(handle)
        below.plot(steps, energy, linewidth=1.8, **line)
        below.axhline(1e6 * total(quantised_cost(record, hardware)).joules(access), linewidth=0.8, **line)
        settled = step_of_most(record)
        if settled is None:
            continue
        for axes, values in ((above, accuracy), (below, energy)):
            axes.plot(
                [settled], [values[settled - 1]], marker=lines[precision]["marker"], color=line["color"], clip_on=False
            )
    most = max(record.steps for record in records.values())
    errors_axis(above, highest, first.images)
    steps_axis(below, most, style)
    below.set_ylim(0, None)
    above.set_ylabel("accuracy (%)")
    below.set(xlabel="time step", ylabel="energy so far (µJ)")
    add_legend(above, handles, style)
    return figure
