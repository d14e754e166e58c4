"""Constants of the method that training and conversion share."""

# Batch norm: sigma = sqrt(variance + this).
BATCH_NORM_EPS = 1e-5
# The quantiser is round(2^k a + this) / 2^k: an activation a rounding error below a half still passes it.
ROUNDING_SHIFT = 1e-5

# No simulation may take more steps: conversion proves that sums fit for counts up to this.
MOST_STEPS = 2**20

# Integer weights, their sign aside.
WEIGHT_BITS = 30
# No membrane, and no partial sum of one, may ever leave this range.
MEMBRANE_BITS = 62
