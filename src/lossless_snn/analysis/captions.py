"""What tables and figures say of their results in words: names of precisions, captions, footnotes."""

from ..datasets.catalogue import find
from .comparison import TOLERANCE
from .results import Results, largest_deviations

MARK = "†"
"""Stands beside a precision that has a footnote."""
ABSENT = "–"

# By budget, how its training differs from the published one: beside its epochs, and by itself.
_UNLIKE_PUBLISHED = {
    "quick": (", fewer than published", "trained for less than published"),
    "fast": ("; our recipe (fast), not the published one", "our recipe, not the published one"),
}


def precision_title(precision: str) -> str:
    """What tables and figures call a precision: "FP32", "k = 1"."""
    return "FP32" if precision == "fp32" else f"k = {precision[1:]}"


def marked_title(results: Results, precision: str) -> str:
    """The precision's title, marked where it has a footnote."""
    return precision_title(precision) + (f" {MARK}" if precision in notes(results) else "")


def experiment(results: Results) -> str:
    """Experiment, data set, budget and training, and how that differs from the published one."""
    epochs = "/".join(f"{n:,}" for n in sorted({run.ann.epochs for run in results.runs}))
    unlike = ""
    if results.first.budget in _UNLIKE_PUBLISHED and len(results.published):
        unlike, _ = _UNLIKE_PUBLISHED[results.first.budget]
    return (
        f"{results.first.experiment} ({find(results.first.dataset).title}), {results.first.budget} budget "
        f"({epochs} epochs of {results.first.training_images:,} images{unlike})"
    )


def test_images(results: Results) -> str:
    """The images that the networks were tested on."""
    images, test_set = results.first.images, results.first.test_set
    return f"{images:,} test images" if images == test_set else f"the first {images:,} of {test_set:,} test images"


def budget(results: Results) -> str:
    """The budget, and how its training differs from the published one."""
    name = results.first.budget
    return f"{name} budget" + (f" ({_UNLIKE_PUBLISHED[name][1]})" if name in _UNLIKE_PUBLISHED else "")


def number_of_seeds(results: Results) -> str:
    """How many seeds the precisions have, such as "1 seed" or "1 to 3 seeds"."""
    least, most = results.by_precision["seeds"].min(), results.by_precision["seeds"].max()
    return f"{f'{least} to ' if least < most else ''}{most} seed{'s' if most > 1 else ''}"


def seeds(results: Results) -> str:
    """The seeds, and what stands behind ± where there are several."""
    numbers = sorted({run.ann.seed for run in results.runs})
    spread = " (mean ± standard deviation)" if results.has_spread else ""
    return f"seed{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}{spread}"


DEVIATION = "mean ± standard deviation"
RANGE = "mean and range"
INTERVAL = "mean and its 95 % interval (Student's t)"


def spread(seeds: int, shown: str = DEVIATION) -> str:
    """What is `shown` of several seeds, to follow other words; nothing for a single one."""
    return f"; {shown} of {seeds} seeds" if seeds > 1 else ""


def notes(results: Results) -> dict[str, str]:
    """By precision, what a reader must know beside its numbers: not settled, not all test images."""
    found = {}
    for precision, runs in results.by_run.groupby("precision", sort=False):
        images, settled = int(runs["snn_images"].sum()), int(runs["settled_images"].sum())
        sentences = []
        if precision in results.unsettled:
            sentences.append(
                f"not settled within {runs['simulated_steps'].max():.0f} steps "
                f"({settled:,} of {images:,} images were); values at the last step"
            )
            if runs["mismatches"].sum() and not runs["mismatches_settled"].sum():
                sentences.append("neurons differ from the ANN's in the other images alone")
        if "faithful" in set(runs["arithmetic"]):
            sentences.append("simulated in the published code's arithmetic, which is not exact")
        if images and images < runs["images"].sum():
            sentences.append(f"spiking network tested on {images:,} of {int(runs['images'].sum()):,} images only")
        if sentences:
            found[precision] = "; ".join(sentences)
    return found


def footnotes(results: Results, named: bool = False) -> list[str]:
    """The notes as lines to stand below a table or figure; `named`, with the experiment that they are of."""
    of = f"{results.first.experiment}, " if named else ""
    return [f"{MARK} {of}{precision_title(precision)}: {note}." for precision, note in notes(results).items()]


def figure_subtitle(results: Results, shown: str = DEVIATION) -> str:
    """What a figure's numbers are of, below its title; `shown` as in `spread`."""
    fewer = f"; {test_images(results)}" if results.first.images < results.first.test_set else ""
    return experiment(results) + spread(int(results.by_precision["seeds"].max()), shown) + fewer


def first_seed_subtitle(results: Results) -> str:
    """The same for a figure of one seed, the first."""
    return f"{experiment(results)}; seed {min(run.ann.seed for run in results.spiking)}"


def results_table(results: Results) -> str:
    """The caption of results.md."""
    return (
        f"**{experiment(results)}**; {seeds(results)}; {test_images(results)}; "
        f"the ANN takes {results.first.ann_operations:,} operations an image, "
        f"{1e6 * results.energies.of_ann(results.first.ann_operations):,.3f} µJ. Energies are estimates "
        f"({results.energies.terms})."
    )


def summary_entry(results: Results) -> str:
    """What summary.md says of one experiment."""
    return f"{experiment(results)}; {seeds(results)}; {test_images(results)}"


def negative_spikes_table(results: Results, images: int, steps: int, seeds: int) -> str:
    """The caption of negative_spikes.md, for a comparison over so many images, time steps and seeds."""
    return (
        f"**What negative spikes buy**: {experiment(results)}{spread(seeds)}; the first {images:,} test images, "
        f"{steps} time steps. *Time steps to the ANN's*: from which the accuracy stays no more "
        f"than {100 * TOLERANCE:g} points below the ANN's on the same images ({ABSENT}: not within these steps)."
    )


def step_table(results: Results) -> str:
    """The caption of the table of ours beside published logs."""
    return (
        f"**{experiment(results)}**, beside published logs; {seeds(results)}; {test_images(results)}. "
        "Of all time steps that both simulated, the one where the two are furthest apart."
    )


def accuracy_deviations(results: Results) -> list[str]:
    """A line below the accuracy's curve: how far published logs are from ours; none where there are no such logs."""
    if results.steps_beside_published.empty:
        return []
    largest = largest_deviations(results.steps_beside_published).query("quantity == 'accuracy'")
    found = (
        f"{precision_title(row.precision)} {100 * row.difference:+.2f} points at step {row.time_step}"
        for row in largest.itertuples()
    )
    return [f"Thin lines: published logs. Largest deviation of ours from them: {', '.join(found)}."]
