"""One module a figure, each with a function `draw(results, style)`; `options` and `style` are for all of them."""

FIGURES = (
    "accuracy_speed",
    "sparsity",
    "sops",
    "energy",
    "training_curves",
    "noise",
    "negative_spikes",
    "certified_peers",
    "energy_breakdown",
    "energy_time",
    "layer_rates",
    "widths",
)
