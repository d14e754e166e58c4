"""One contender of `make bench`: runs through test images once, and prints seconds, memory and accuracy as JSON.

Ours run in the project's environment, the peers in one of their own: each imports only what it needs.
All get the same trained LeNet and the same images, in batches of 200 at most. The peers have no neuron with
negative spikes; they run what they are made for, an integrate-and-fire neuron with reset by
subtraction, a 20th of the image presented at each of 20 steps, on the same layers with batch norm
folded in: a dense simulation of the same size, not the same result.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

BATCH = 200
CONVOLUTION = (96, 256, 24)  # channels in and out, side of the map
# The LeNet's spiking layers, and the parameters of each.
STRIDES = (1, 2, 1, 2, 1)
LAYER = ("weight", "gamma", "beta", "mean", "variance")
# A contender takes pixels (N, C, H, W) uint8 and returns the predicted classes (N,).
Contender = Callable[[np.ndarray], np.ndarray]


def ann(arguments: argparse.Namespace) -> Contender:
    """One forward pass of the quantised network, single precision, by PyTorch as it comes."""
    import torch

    torch.set_num_threads(arguments.threads)
    return _forward(arguments)


def ann_kept(arguments: argparse.Namespace) -> Contender:
    """The same, set up as for training: freed memory stays with the process."""
    from lossless_snn.networks.device import prepare

    prepare("cpu", arguments.threads)
    return _forward(arguments)


def _forward(arguments: argparse.Namespace) -> Contender:
    import torch

    from lossless_snn.checkpoints.checkpoint import Checkpoint
    from lossless_snn.evaluation.accuracy import build, encode

    checkpoint = Checkpoint.load(arguments.checkpoint)
    network = build(checkpoint, torch.device("cpu"))

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(encode(pixels, checkpoint.data, torch.device("cpu"))).argmax(1).numpy()

    return run


def training(arguments: argparse.Namespace) -> Contender:
    """Training steps, a batch each."""
    import torch

    from lossless_snn.checkpoints.checkpoint import Checkpoint
    from lossless_snn.evaluation.accuracy import build, encode
    from lossless_snn.networks.device import prepare
    from lossless_snn.training.adam import Adam

    prepare("cpu", arguments.threads)
    checkpoint = Checkpoint.load(arguments.checkpoint)
    trained = build(checkpoint, torch.device("cpu")).train()
    optimiser = Adam(trained.parameters())

    def run(pixels: np.ndarray) -> np.ndarray:
        logits = trained(encode(pixels, checkpoint.data, torch.device("cpu")))
        # What the labels are does not matter for the time.
        torch.nn.functional.cross_entropy(logits, logits.argmax(1)).backward()
        optimiser.step(1e-4)
        return logits.argmax(1).numpy()

    return run


def convolution(arguments: argparse.Namespace) -> Contender:
    """One 3 x 3 convolution that fills the registers: the most that a network's arithmetic reaches here.

    A product of large matrices would not do: MKL keeps to half of the vector width of some processors, oneDNN does not.
    """
    import torch

    torch.set_num_threads(arguments.threads)
    channels, others, side = CONVOLUTION
    layer = torch.nn.Conv2d(channels, others, 3, padding=1).to(memory_format=torch.channels_last)
    maps = torch.randn(BATCH, channels, side, side).contiguous(memory_format=torch.channels_last)

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            layer(maps)
        return np.full(len(pixels), -1)  # predicts nothing

    return run


def _ours(arguments: argparse.Namespace, engine: str) -> Contender:
    from lossless_snn.checkpoints.checkpoint import Checkpoint
    from lossless_snn.conversion.convert import convert
    from lossless_snn.simulation import simulator

    network = convert(Checkpoint.load(arguments.checkpoint))
    engine, encoded = simulator(network, engine, arguments.threads), network.data.encoding.integers
    return lambda pixels: engine.run(encoded(pixels), arguments.steps).predictions[:, -1]


def event(arguments: argparse.Namespace) -> Contender:
    """Ours, event-driven, all counts included."""
    return _ours(arguments, "event")


def dense(arguments: argparse.Namespace) -> Contender:
    """Ours, plain PyTorch in 64-bit floats, all counts included."""
    return _ours(arguments, "dense")


def _parameters(arguments: argparse.Namespace, framework: str) -> tuple[dict, float]:
    """The LeNet's parameters by their names, and 2^k."""
    from safetensors import safe_open

    with safe_open(arguments.checkpoint, framework=framework) as file:
        precision = json.loads(file.metadata()["lossless_snn"])["precision"]
        return {name: file.get_tensor(name) for name in file.keys()}, 2.0 ** int(precision[1:])  # noqa: SIM118


def published(arguments: argparse.Namespace) -> Contender:
    """The published NumPy code: the layers of --published, a checkout of its repository, all counts included."""
    sys.path.insert(0, str(arguments.published / "MNIST"))
    from spiking_ulils import Conv2d, Linear

    parameters, level = _parameters(arguments, "numpy")
    layers = []
    for index, stride in enumerate(STRIDES):
        weight, gamma, beta, mean, variance = (parameters[f"{index}.{name}"] for name in LAYER)
        filters, channels, *kernel = weight.shape
        layer = Conv2d(channels, filters, tuple(kernel), padding=0, stride=stride, use_ternary=False)
        layer.W[:] = weight
        layer.diff[:] = np.sqrt(variance + 1e-5) / gamma
        layer.bound[:] = (0.5 / level - beta) * level * layer.diff + level * mean - layer.diff
        layers.append(layer)
    readout = Linear(500, 10, use_ternary=False)
    readout.weight[:] = parameters["5.weight"].reshape(10, 500).T

    def run(pixels: np.ndarray) -> np.ndarray:
        image = level * pixels / 256
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
        ):  # it prints a line a layer and step
            for step in range(arguments.steps):
                spikes = image if step == 0 else np.zeros_like(image)
                for layer in layers:
                    spikes, counts, *_ = layer(spikes, step)
                logits = readout(counts.reshape(len(pixels), -1), step)
        return logits.argmax(1)

    return run


def _folded(arguments: argparse.Namespace) -> tuple[list, "torch.Tensor"]:  # noqa: F821
    """(convolution, its inputs scaled so that every threshold is 1) for each layer, and output weights."""
    import torch

    torch.set_num_threads(arguments.threads)
    (parameters, level), convolutions = _parameters(arguments, "pt"), []
    for index, stride in enumerate(STRIDES):
        weight, gamma, beta, mean, variance = (parameters[f"{index}.{name}"] for name in LAYER)
        scale = gamma / (variance + 1e-5).sqrt()
        convolution = torch.nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride)
        image_scale = level / arguments.steps if index == 0 else 1.0
        convolution.weight.data = weight * scale[:, None, None, None] * image_scale
        convolution.bias.data = (beta - mean * scale) * level / arguments.steps
        convolutions.append(convolution)
    return convolutions, parameters["5.weight"].flatten(1)


def _stepwise(arguments: argparse.Namespace, make_neuron: Callable) -> Contender:
    """Step by step over all layers; `make_neuron` gives functions of (current, membrane) to (spikes, membrane)."""
    import torch

    convolutions, readout = _folded(arguments)
    neurons = [make_neuron() for _ in convolutions]

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            image = torch.from_numpy(pixels).float() / 256
            membranes, logits = [None] * len(neurons), 0
            for _ in range(arguments.steps):
                spikes = image
                for index, (convolution, neuron) in enumerate(zip(convolutions, neurons, strict=True)):
                    current = convolution(spikes)
                    membrane = torch.full_like(current, 0.5) if membranes[index] is None else membranes[index]
                    spikes, membranes[index] = neuron(current, membrane)
                logits = logits + spikes.flatten(1) @ readout.T
            return logits.argmax(1).numpy()

    return run


def loop(arguments: argparse.Namespace) -> Contender:
    """A direct PyTorch loop with an integrate-and-fire neuron."""

    def neuron(current, membrane):
        membrane = membrane + current
        spikes = (membrane > 1).float()
        return spikes, membrane - spikes

    return _stepwise(arguments, lambda: neuron)


def snntorch(arguments: argparse.Namespace) -> Contender:
    """snnTorch's Leaky with beta 1: an integrate-and-fire neuron with reset by subtraction."""
    from snntorch import Leaky

    return _stepwise(arguments, lambda: Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract"))


def spikingjelly(arguments: argparse.Namespace) -> Contender:
    """SpikingJelly's IFNode, layer by layer over all steps, the first convolution once."""
    import torch
    from spikingjelly.activation_based import functional, neuron

    convolutions, readout = _folded(arguments)
    nodes = [neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m") for _ in convolutions]

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            spikes = None
            for convolution, node in zip(convolutions, nodes, strict=True):
                if spikes is None:
                    current = convolution(torch.from_numpy(pixels).float() / 256)[None]
                    current = current.expand(arguments.steps, *current.shape[1:])
                else:
                    current = convolution(spikes.flatten(0, 1)).unflatten(0, (arguments.steps, -1))
                functional.reset_net(node)
                node.v = torch.full_like(current[0], 0.5)
                spikes = node(current)
            return (spikes.flatten(2) @ readout.T).sum(0).argmax(1).numpy()

    return run


def sinabs(arguments: argparse.Namespace) -> Contender:
    """sinabs' IAF, layer by layer over all steps."""
    import torch
    from sinabs.activation import MembraneSubtract, SingleSpike
    from sinabs.layers import IAFSqueeze

    convolutions, readout = _folded(arguments)

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            image = torch.from_numpy(pixels).float() / 256
            spikes = image[:, None].expand(-1, arguments.steps, -1, -1, -1).flatten(0, 1)
            for convolution in convolutions:
                current = convolution(spikes)
                layer = IAFSqueeze(
                    batch_size=len(pixels),
                    spike_fn=SingleSpike,
                    reset_fn=MembraneSubtract(),
                    spike_threshold=torch.ones(()),
                )
                layer.init_state_with_shape((len(pixels), *current.shape[1:]))
                layer.v_mem.fill_(0.5)
                spikes = layer(current)
            logits = spikes.flatten(1) @ readout.T
            return logits.unflatten(0, (-1, arguments.steps)).sum(1).argmax(1).numpy()

    return run


OURS = (ann, ann_kept, event, dense, training)
OTHERS = (convolution, published, loop, snntorch, spikingjelly, sinabs)
CONTENDERS = {contender.__name__: contender for contender in OURS + OTHERS}


def peak_memory() -> float:
    """Largest resident memory of this process, in MiB; Linux's getrusage would count its parent's before exec."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help=".npz with pixels and labels")
    parser.add_argument("--published", type=Path, help="a checkout of the published code, for `published`")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = str(arguments.threads)
    with np.load(arguments.images) as file:
        pixels, labels = file["pixels"][: arguments.count], file["labels"][: arguments.count]
    contender = CONTENDERS[arguments.name](arguments)
    contender(pixels[:BATCH])  # compiles, allocates, warms caches
    started = time.perf_counter()
    predictions = np.concatenate([contender(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)])
    seconds = time.perf_counter() - started
    result = {
        "seconds": seconds,
        "peak_mib": peak_memory(),
        "accuracy": float((predictions == labels).mean()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
