"""One module a figure, each with a function `draw(results, style)`; `options` and `style` are for all of them."""
