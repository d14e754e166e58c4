"""The library in Python: a module of one's own in, a spiking network out, simulated, looked at, certified.

    import lossless_snn as ls

    network = ls.convert(module, example_input)
    run = ls.simulate(network, images)
    run.accuracy(labels)[-1], run.spikes("features.2"), run.operations
    ls.certify(run)

Tensors go in, and tensors come out. N are images, T time steps, C, H, W a map's channels, rows and columns.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .conversion.convert import convert_parameters
from .conversion.modules import module_graph
from .conversion.spiking_network import GraphMetadata, InputIntegers, SpikingMetadata, SpikingNetwork
from .errors import LosslessError, did_you_mean, quoted
from .exchange.neurobench import neurobench_results
from .files.tensors import tensors_sha256
from .files.typed import validate
from .networks.activations import ClippedQuantiser, RoundingQuantiser
from .networks.graph import Pooling
from .networks.maps import require_possible_maps
from .networks.quantiser import MOST_STEPS
from .simulation import ENGINES, Trace, simulator
from .simulation.batches import at_rest, joined, of_steps, part_of
from .simulation.certificate import Certificate
from .simulation.recording import Spikes, record_spikes, thresholds_passed

__all__ = [
    "Certification",
    "ClippedQuantiser",
    "LosslessError",
    "RoundingQuantiser",
    "Run",
    "SpikingNetwork",
    "certify",
    "convert",
    "load",
    "simulate",
]

# Images simulated and compared at once.
_BATCH = 100
# As files of networks have it, see `spiking_network.GraphMetadata`.
MOST_LEVEL = 99


def convert(
    module: nn.Module,
    example_input: Tensor,
    *,
    k: int | None = None,
    input_bits: int = 16,
    input_range: float | None = None,
) -> SpikingNetwork:
    """The spiking network of a quantised module.

    The module is traced by torch.fx, in evaluation mode. Convolutions, linear layers, batch norm, ReLU, quantisers,
    additions, flattening, max and average pooling are converted; a quantiser is any module of one's own, of Brevitas or
    others that is found to be a uniform staircase (rounding or flooring, with a clip or without, learned step).

    Args:
        module: The trained module, from images to one tensor of logits.
        example_input: A batch of inputs, as the module takes them.
        k: Level of the quantiser q_k that is put behind ReLUs which have none; without it they are refused.
        input_bits: Images are rounded to multiples of 2^-input_bits, which is exact for pixels / 256 and for pixels.
        input_range: The largest absolute value of an input; twice the example's if not given.

    Shape:
        example_input: float (N, C, H, W) or (N, F).

    Returns:
        The network, on its grid of integers: `simulate` runs it, its method `save` writes it to a file.

    Raises:
        LosslessError: Something in the module cannot be converted without loss; one line names its path, and why. Or
            the example is no batch of inputs, or a number is out of range.

    Example:
        >>> module = nn.Sequential(nn.Linear(4, 8), ClippedQuantiser(levels=3), nn.Linear(8, 2))
        >>> convert(module, torch.rand(1, 4)).graph.neuron_count
        8
        >>> convert(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)), torch.rand(1, 4))
        Traceback (most recent call last):
        lossless_snn.errors.LosslessError: 1 (GELU): GELU is none of the layers that spikes can carry
    """
    _require_tensor(example_input, "example_input")
    if not example_input.numel():
        raise LosslessError(f"example_input: of shape {tuple(example_input.shape)}; one input at the least is needed")
    if k is not None and not 0 <= k <= MOST_LEVEL:
        raise LosslessError(f"k {k}: from 0 to {MOST_LEVEL}")
    graph, parameters = module_graph(module, example_input, k)
    largest = input_range or 2 * example_input.abs().max().item() or 1.0
    if not 0 < largest < inf:
        raise LosslessError(f"input_range {largest:g}: the largest absolute value of an input, above 0")
    described = {"bits": input_bits, "peak": ceil(largest * 2.0**input_bits), "signed": True}
    inputs = validate(InputIntegers, described, f"input_bits {input_bits}, input_range {largest:g}")
    converted = convert_parameters(graph, parameters, k, inputs)
    metadata = GraphMetadata(
        graph=graph,
        inputs=inputs,
        k=k,
        source=type(module).__name__,
        source_sha256=tensors_sha256("module", parameters, {"graph": graph.model_dump(mode="json")}),
        readout_exponent=converted.readout_exponent,
    )
    return SpikingNetwork(converted.hidden, converted.readout, metadata, converted.readout_offset)


def load(path: str | Path) -> SpikingNetwork:
    """A spiking network from the file that its method `save`, or `lossless-snn convert`, wrote.

    Args:
        path: The file.

    Returns:
        The network.

    Raises:
        LosslessError: The file is missing, damaged or altered, or its maps are larger than those of any network.
    """
    network = SpikingNetwork.load(path)
    require_possible_maps(network.graph, path)
    return network


def simulate(
    network: SpikingNetwork, images: Tensor, steps: int | None = None, *, engine: str = "auto", threads: int = 1
) -> "Run":
    """Simulate images in time steps.

    Args:
        network: The spiking network.
        images: What the module takes. For a network of a data set, its 8-bit pixels as stored, too.
        steps: Time steps, 1 or more; without it as many as the last of the images needs to come to rest.
        engine: "event" does work where spikes are, "dense" at every neuron, "auto" chooses; all give the same.
        threads: Threads of the simulation.

    Shape:
        images: float (N, C, H, W) or (N, F); uint8 (N, C, H, W).

    Returns:
        What happened.

    Raises:
        LosslessError: The images have another shape, or values beyond the network's range; there is no such engine.

    Example:
        >>> module = nn.Sequential(nn.Linear(4, 8), ClippedQuantiser(levels=3), nn.Linear(8, 2))
        >>> images = torch.rand(5, 4)
        >>> run = simulate(convert(module, images), images)
        >>> bool((run.settled_step >= 0).all())
        True
        >>> bool((run.predictions[:, -1] == module(images).argmax(1)).all())
        True
        >>> simulate(convert(module, images), images, steps=16).predictions.shape
        torch.Size([5, 16])
    """
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise LosslessError(f"steps {steps}: from 1 to {MOST_STEPS:,} can be simulated")
    if engine not in ENGINES:
        raise LosslessError(f"engine '{engine}': expected one of {', '.join(ENGINES)}{did_you_mean(engine, ENGINES)}")
    pixels = _integers(network, images)
    run = simulator(network, engine, threads).run
    batches = [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
    if steps is not None:
        traces = [run(batch, steps) for batch in batches]
    else:
        settled = [at_rest(run, batch) for batch in batches]
        steps = max(1, *(trace.settled_step.max() for trace in settled))
        traces = [of_steps(trace, steps) for trace in settled]
    return Run(network, pixels, joined(traces), flat=images.ndim == 2)


@dataclass(frozen=True, repr=False)
class Run:
    """Images, simulated: what `simulate` gives.

    Layers are named as in the module, by the path of their quantiser: `layers` lists them; their numbers in that list
    will do, too.

    Attributes:
        network: The spiking network.
        pixels: The images as the integers that the network received, int32 array (N, C, H, W).
        trace: The record that the tensors below are of.
        flat: Whether the module takes images as (N, F).
    """

    network: SpikingNetwork
    pixels: np.ndarray
    trace: Trace
    flat: bool = False

    def __repr__(self) -> str:
        images, steps = self.predictions.shape
        settled = int((self.settled_step >= 0).sum())
        spikes = (self.positive_spikes + self.negative_spikes).sum().item() / images
        return f"Run({images:,} images, {steps} steps: {settled:,} settled, {spikes:,.1f} spikes an image)"

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that spike: layers of neurons, and max poolings."""
        graph = self.network.graph
        return tuple(graph.nodes[index].name for index in graph.spiking)

    @property
    def predictions(self) -> Tensor:
        """The class with the greatest logit after each step, the first of equals, int64 (N, T)."""
        return torch.from_numpy(self.trace.predictions)

    def accuracy(self, labels: Tensor) -> Tensor:
        """Share of the images that are predicted right after each step.

        Args:
            labels: Classes.

        Shape:
            labels: int64 (N,). Returned: float64 (T,).

        Raises:
            LosslessError: There is not one label an image.
        """
        _require_tensor(labels, "labels")
        if labels.shape != (len(self.pixels),):
            raise LosslessError(
                f"labels: of shape {tuple(labels.shape)}, but {len(self.pixels):,} images were simulated"
            )
        return (self.predictions == labels[:, None].cpu()).double().mean(0)

    @property
    def settled_step(self) -> Tensor:
        """Steps until no neuron spikes any more, int64 (N,); -1 where one still can after the last step."""
        return torch.from_numpy(self.trace.settled_step)

    @property
    def positive_spikes(self) -> Tensor:
        """Positive spikes of all layers in each step, int64 (N, T)."""
        return torch.from_numpy(self.trace.positive)

    @property
    def negative_spikes(self) -> Tensor:
        """Negative spikes of all layers in each step, int64 (N, T)."""
        return torch.from_numpy(self.trace.negative)

    @property
    def operations(self) -> Tensor:
        """Synaptic operations in each step, int64 (N, T): every spike counts once for each synapse that it crosses."""
        return torch.from_numpy(self.trace.operations)

    def neurobench(self, labels: Tensor) -> dict[str, Any]:
        """The run's results by NeuroBench's names and definitions, see `exchange.neurobench`.

        Args:
            labels: Classes.

        Shape:
            labels: int64 (N,).

        Example:
            >>> module = nn.Sequential(nn.Linear(4, 8), ClippedQuantiser(levels=3), nn.Linear(8, 2))
            >>> images = torch.ones(5, 4)
            >>> simulate(convert(module, images), images, steps=16).neurobench(torch.zeros(5))["Footprint"]
            264
        """
        images, steps = self.predictions.shape
        spikes = (self.positive_spikes + self.negative_spikes).sum().item()
        return neurobench_results(
            self.network,
            self.pixels,
            steps=steps,
            accuracy=self.accuracy(labels)[-1].item(),
            spikes_per_image=spikes / images,
            operations_per_image=self.operations.sum().item() / images,
        )

    def counts(self, layer: str | int) -> Tensor:
        """Net spike counts of a layer after the last step, int32 (N, C, H, W): at rest, the ANN's activations."""
        return torch.from_numpy(np.ascontiguousarray(self.trace.counts[self._place(layer)]))

    def spikes(self, layer: str | int, image: int = 0) -> Tensor:
        """The raster of one image in a layer.

        Args:
            layer: Name or number of the layer, see `layers`.
            image: Number of the image.

        Returns:
            int64 (S, 3): a row a spike, in the order of time, with its time step (from 0), the neuron (its place in the
            flattened map C, H, W) and its sign, +1 or -1.

        Raises:
            LosslessError: There is no such layer or image.

        Example:
            >>> module = nn.Sequential(nn.Linear(1, 1), ClippedQuantiser(levels=7), nn.Linear(1, 2))
            >>> _ = module[0].weight.data.fill_(2.0), module[0].bias.data.fill_(0.5)
            >>> run = simulate(convert(module, torch.ones(1, 1)), torch.ones(1, 1), steps=8)
            >>> run.spikes("1").tolist()
            [[0, 0, 1], [1, 0, 1], [2, 0, 1]]
        """
        emitted = self._emitted(image)[self._node(layer)][:, 0]
        raster = torch.from_numpy(emitted.reshape(len(emitted), -1))
        times, neurons = raster.nonzero(as_tuple=True)
        return torch.stack([times, neurons, raster[times, neurons].long()], dim=1)

    def membrane(self, layer: str | int, neuron: int | None = None, image: int = 0) -> Tensor:
        """Membranes after each step, in thresholds above the base: (V - b) / theta.

        Where it is not below 0, its floor is the net count that the neuron is due: it is at rest where it has that.

        Args:
            layer: Name or number of the layer, see `layers`; a max pooling has no membranes.
            neuron: The neuron, its place in the flattened map; all if not given.
            image: Number of the image.

        Returns:
            float64 (T,), or (T, C, H, W) of all neurons.

        Raises:
            LosslessError: There is no such layer, neuron or image.
        """
        node = self._node(layer)
        if isinstance(self.network.graph.nodes[node], Pooling):
            raise LosslessError(f"{layer}: a max pooling, which has counts and no membranes")
        pixels = self.pixels[image : image + 1]
        passed = torch.from_numpy(thresholds_passed(self.network, pixels, self._emitted(image), node)[:, 0])
        if neuron is None:
            return passed
        flat = passed.flatten(1)
        if not 0 <= neuron < flat.shape[1]:
            raise LosslessError(f"neuron {neuron}: layer {layer} has {flat.shape[1]:,}, from 0")
        return flat[:, neuron]

    def _place(self, layer: str | int) -> int:
        """The place of a layer among those that spike."""
        names = self.layers
        if layer in names:
            return names.index(layer)
        if isinstance(layer, int) and 0 <= layer < len(names):
            return layer
        raise LosslessError(f"no layer {layer!r}; there are {', '.join(names)}")

    def _node(self, layer: str | int) -> int:
        return self.network.graph.spiking[self._place(layer)]

    def _emitted(self, image: int) -> Spikes:
        if not 0 <= image < len(self.pixels):
            raise LosslessError(f"image {image}: {len(self.pixels):,} were simulated, from 0")
        return self._recorded(image)

    @cached_property
    def _recorded(self) -> Callable[[int], Spikes]:
        """Spikes of one image, those of the last ones kept: the simulation itself keeps counts alone."""
        steps = self.trace.predictions.shape[1]
        return lru_cache(maxsize=4)(lambda image: record_spikes(self.network, self.pixels[image : image + 1], steps))


@dataclass(frozen=True)
class Certification:
    """Every neuron of a run beside the ANN's activation on the same grid, computed by products without spikes.

    Attributes:
        images: Images compared.
        settled: Those of which no neuron can spike any more.
        neurons_compared: Net counts compared, of all images.
        mismatches: Counts that differ in settled images: 0, or a bug.
        mismatches_not_settled: Counts that differ in the others, which have not come to rest.
        predictions_that_differ: Images of which the two predict another class.
        predictions_unlike_module: Images of which the module, in 64-bit floats, predicts another class than the spiking
            network; None where no module was given.
        first_offender: The first count or prediction of a settled image that differs, in words.
    """

    images: int
    settled: int
    neurons_compared: int
    mismatches: int
    mismatches_not_settled: int
    predictions_that_differ: int
    predictions_unlike_module: int | None
    first_offender: str | None

    @property
    def lossless(self) -> bool:
        """Whether every image has settled, and every neuron and prediction is the ANN's."""
        return self.settled == self.images and self.first_offender is None


def certify(run: Run, module: nn.Module | None = None) -> Certification:
    """Compare every neuron of a run with the ANN on the same grid of integers.

    Args:
        run: What `simulate` gave.
        module: The module that the network was converted from, to count predictions that the grid itself changes.

    Returns:
        What was compared, and what differs.

    Raises:
        LosslessError: The module does not take the run's images.

    Example:
        >>> module = nn.Sequential(nn.Linear(4, 8), ClippedQuantiser(levels=3), nn.Linear(8, 2))
        >>> images = torch.rand(5, 4)
        >>> certification = certify(simulate(convert(module, images), images, steps=16), module)
        >>> certification.neurons_compared, certification.mismatches, certification.lossless
        (40, 0, True)
    """
    certificate, labels = Certificate(run.network), np.zeros(len(run.pixels), np.int64)
    for start in range(0, len(run.pixels), _BATCH):
        part = slice(start, start + _BATCH)
        certificate.add(run.pixels[part], labels[part], part_of(run.trace, part))
    found = certificate.summary()
    return Certification(
        images=found["images"],
        settled=found["images"] - found["images_not_settled"],
        neurons_compared=found["neurons_compared"],
        mismatches=found["mismatches_in_settled_images"],
        mismatches_not_settled=found["mismatches"] - found["mismatches_in_settled_images"],
        predictions_that_differ=found["predictions_that_differ"],
        predictions_unlike_module=None if module is None else _unlike(run, module),
        first_offender=found["first_offender"],
    )


def _integers(network: SpikingNetwork, images: Tensor) -> np.ndarray:
    """Images as the network's integer inputs, int32 (N, C, H, W)."""
    _require_tensor(images, "images")
    if images.dtype == torch.uint8:
        if not isinstance(network.metadata, SpikingMetadata):
            raise LosslessError("images: 8-bit pixels; the network takes floats, as its module does")
        return network.data.encoding.integers(images.cpu().numpy())
    shape, inputs = network.graph.input_shape, network.inputs
    values = images.detach().cpu().double()
    values = values[:, :, None, None] if images.ndim == 2 else values
    if values.shape[1:] != shape or not len(values):
        expected = ", ".join(map(str, shape))
        raise LosslessError(f"images: of shape {tuple(images.shape)}, but the network takes (N, {expected})")
    integers = torch.round(values * 2.0**inputs.bits)
    least = -inputs.peak if inputs.signed else 0
    if not ((integers >= least) & (integers <= inputs.peak)).all():
        raise LosslessError(
            f"images: from {values.min():g} to {values.max():g}, but the network was converted for values from "
            f"{least / 2.0**inputs.bits:g} to {inputs.peak / 2.0**inputs.bits:g}; convert with another input_range"
        )
    return integers.int().numpy()


def _require_tensor(value: object, name: str) -> None:
    if not isinstance(value, Tensor):
        raise LosslessError(f"{name}: expected a tensor, found {type(value).__name__}; torch.as_tensor makes one")


@torch.no_grad()
def _unlike(run: Run, module: nn.Module) -> int:
    """Images of which the module predicts another class, in 64-bit floats, from what the network received."""
    exact = copy.deepcopy(module).double().cpu().eval()
    inputs = torch.from_numpy(run.pixels).double() / 2.0**run.network.inputs.bits
    inputs = inputs.flatten(1) if run.flat else inputs
    try:
        predicted = torch.cat([exact(part).argmax(1) for part in inputs.split(_BATCH)])
    except Exception as error:  # whatever a person's own code raises
        raise LosslessError(
            f"module: does not take the run's images: {type(error).__name__}: {quoted(error)}"
        ) from error
    return int((predicted != run.predictions[:, -1]).sum())
