"""Training: which images, varied how, by which optimiser, and the loop over epochs."""
