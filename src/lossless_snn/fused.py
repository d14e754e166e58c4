"""Batch norm, ReLU and quantiser of the CPU in two passes over memory each way, where PyTorch takes ten.

Arrays are (M, C): every position of every image a row, channels last. The rows are cut into blocks
of a fixed size, and what the blocks add up to is added in their order: the number of threads
changes no bit.
"""

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

BLOCK = 512


class BatchNormReluQuantise(torch.autograd.Function):
    """y = q_k(relu(gamma (x - mean) / sigma + beta)) on x (N, C, H, W), float32, channels last, on the CPU.

    With batch statistics when `training`, else with the running ones, `mean` and `variance`, which
    training updates in place. `k` None: no quantiser, whose gradient is the identity anyway.
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, mean, variance, k, training, momentum, eps, shift):
        rows = _rows(x)
        if training:
            batch_mean, batch_variance = np.empty((2, rows.shape[1]), dtype=np.float64)
            _statistics(rows, batch_mean, batch_variance)
            unbiased = batch_variance * (len(rows) / (len(rows) - 1))
            mean.lerp_(torch.from_numpy(batch_mean).float(), momentum)
            variance.lerp_(torch.from_numpy(unbiased).float(), momentum)
        else:
            batch_mean, batch_variance = mean.double().numpy(), variance.double().numpy()
        inverse_sigma = 1 / np.sqrt(batch_variance + eps)
        factor = gamma.detach().numpy() * inverse_sigma
        ctx.factor = factor.astype(np.float32)
        ctx.summand = (beta.detach().numpy() - batch_mean * factor).astype(np.float32)
        ctx.mean, ctx.inverse_sigma, ctx.training = batch_mean, inverse_sigma, training
        ctx.save_for_backward(x)
        y = torch.empty_like(x)
        if k is None:
            _normalise(rows, ctx.factor, ctx.summand, _rows(y))
        else:
            level = np.float32(2.0**k)
            _normalise_and_round(rows, ctx.factor, ctx.summand, level, np.float32(shift), _rows(y))
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,) = ctx.saved_tensors
        rows = _rows(x)
        gradient = _rows(gradient.contiguous(memory_format=torch.channels_last))
        along_x, plain = np.empty((2, rows.shape[1]), dtype=np.float64)
        mean = ctx.mean.astype(np.float32)
        _gradient_sums(rows, gradient, ctx.factor, ctx.summand, mean, along_x, plain)
        # dx = factor (g - mean(g) - xhat mean(g xhat)), as a factor of g, one of x, and a summand; running
        # statistics do not depend on x, and leave the first term alone.
        share = ctx.factor / len(rows) if ctx.training else np.zeros_like(plain)
        slope = share * ctx.inverse_sigma**2 * along_x
        summand = share * plain - slope * ctx.mean
        dx = torch.empty_like(x)
        _input_gradient(
            rows, gradient, ctx.factor, ctx.summand, slope.astype(np.float32), summand.astype(np.float32), _rows(dx)
        )
        dgamma, dbeta = (torch.from_numpy(a).float() for a in (along_x * ctx.inverse_sigma, plain))
        return dx, dgamma, dbeta, *(None,) * 7


def _rows(x: Tensor) -> np.ndarray:
    """(N, C, H, W) channels last as (M, C), without a copy."""
    return x.detach().permute(0, 2, 3, 1).view(-1, x.shape[1]).numpy()


@njit(parallel=True, cache=True)
def _statistics(x, mean, variance):
    """Mean and (biased) variance of each column, the blocks' own combined as Chan et al. (1983)."""
    rows, channels = x.shape
    blocks = (rows + BLOCK - 1) // BLOCK
    means = np.zeros((blocks, channels), dtype=np.float32)
    squares = np.zeros((blocks, channels), dtype=np.float32)
    for block in prange(blocks):
        first, last = block * BLOCK, min(rows, (block + 1) * BLOCK)
        block_mean, square = means[block], squares[block]
        for m in range(first, last):
            row = x[m]
            for c in range(channels):
                block_mean[c] += row[c]
        for c in range(channels):
            block_mean[c] /= np.float32(last - first)
        for m in range(first, last):
            row = x[m]
            for c in range(channels):
                distance = row[c] - block_mean[c]
                square[c] += distance * distance
    for c in range(channels):
        total = 0.0
        for block in range(blocks):
            total += np.float64(means[block, c]) * (min(rows, (block + 1) * BLOCK) - block * BLOCK)
        mean[c] = total / rows
        total = 0.0
        for block in range(blocks):
            distance = means[block, c] - mean[c]
            total += squares[block, c] + distance * distance * (min(rows, (block + 1) * BLOCK) - block * BLOCK)
        variance[c] = total / rows


@njit(parallel=True, cache=True)
def _normalise(x, factor, summand, y):
    rows, channels = x.shape
    for block in prange((rows + BLOCK - 1) // BLOCK):
        for m in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            row, out = x[m], y[m]
            for c in range(channels):
                out[c] = max(row[c] * factor[c] + summand[c], np.float32(0))


@njit(parallel=True, cache=True)
def _normalise_and_round(x, factor, summand, level, shift, y):
    rows, channels = x.shape
    step = np.float32(1) / level
    for block in prange((rows + BLOCK - 1) // BLOCK):
        for m in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            row, out = x[m], y[m]
            for c in range(channels):
                z = max(row[c] * factor[c] + summand[c], np.float32(0))
                out[c] = np.rint(z * level + shift) * step


@njit(parallel=True, cache=True)
def _gradient_sums(x, gradient, factor, summand, mean, along_x, plain):
    """Sums over the rows of g (x - mean) and of g, g being the gradient where the ReLU is open."""
    rows, channels = x.shape
    blocks = (rows + BLOCK - 1) // BLOCK
    along_x_by_block = np.zeros((blocks, channels), dtype=np.float32)
    plain_by_block = np.zeros((blocks, channels), dtype=np.float32)
    for block in prange(blocks):
        a, p = along_x_by_block[block], plain_by_block[block]
        for m in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            row, g_row = x[m], gradient[m]
            for c in range(channels):
                g = g_row[c] if row[c] * factor[c] + summand[c] > 0 else np.float32(0)
                p[c] += g
                a[c] += g * (row[c] - mean[c])
    for c in range(channels):
        along_x[c], plain[c] = 0.0, 0.0
        for block in range(blocks):
            along_x[c] += along_x_by_block[block, c]
            plain[c] += plain_by_block[block, c]


@njit(parallel=True, cache=True)
def _input_gradient(x, gradient, factor, summand, slope, offset, dx):
    rows, channels = x.shape
    for block in prange((rows + BLOCK - 1) // BLOCK):
        for m in range(block * BLOCK, min(rows, (block + 1) * BLOCK)):
            row, g_row, out = x[m], gradient[m], dx[m]
            for c in range(channels):
                g = g_row[c] if row[c] * factor[c] + summand[c] > 0 else np.float32(0)
                out[c] = g * factor[c] - row[c] * slope[c] - offset[c]
