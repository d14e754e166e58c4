"""The quantised network, before conversion, as ONNX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files.atomic import replacing
from ..networks.graph import BATCH_NORM_PARAMETERS, IMAGE, Convolution, Graph, Neurons, Pooling, parameter_prefix
from ..networks.quantiser import BATCH_NORM_EPS, ROUNDING_SHIFT
from .optional import required

# Operators of this version say all that is needed, and every runtime since 2022 knows it.
OPSET, IR_VERSION = 17, 8


def write_onnx(graph: Graph, parameters: Mapping[str, np.ndarray], k: int | None, path: str | Path) -> None:
    """Write a network as ONNX, atomically: input `image` (N, C, H, W), output `logits` (N, classes), float32.

    Args:
        graph: The network.
        parameters: Its parameters, by the names that `networks.graph.parameter_shapes` gives.
        k: Level of the quantiser of layers that have none of their own; None leaves them without.
        path: The file.

    Raises:
        LosslessError: The package onnx is missing, or the file cannot be written.
    """
    onnx = required("onnx")
    model = _Model(onnx, graph, parameters, k).proto()
    onnx.checker.check_model(model)
    with replacing(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


class _Model:
    """Collects operators and constants; the map of node i is called `map<i>`, the image `image`."""

    def __init__(self, onnx: Any, graph: Graph, parameters: Mapping[str, np.ndarray], k: int | None) -> None:
        self._onnx, self._graph, self._parameters, self._k = onnx, graph, parameters, k
        self._operators: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}

    def proto(self) -> Any:
        """The model."""
        for index, node in enumerate(self._graph.nodes):
            (self._neurons if isinstance(node, Neurons) else self._pooling)(index)
        last = self._convolution(len(self._graph.nodes), 0)
        self._add("Flatten", [last], "logits", axis=1)
        helper, numpy_helper = self._onnx.helper, self._onnx.numpy_helper
        float32 = self._onnx.TensorProto.FLOAT
        content = helper.make_graph(
            self._operators,
            "lossless_snn",
            [helper.make_tensor_value_info("image", float32, ["N", *self._graph.input_shape])],
            [helper.make_tensor_value_info("logits", float32, ["N", self._graph.output.filters])],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(content, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lossless-snn")

    def _neurons(self, index: int) -> None:
        summed, *others = (
            self._convolution(index, number) if isinstance(part, Convolution) else _map(part.source)
            for number, part in enumerate(self._graph.inputs(index))
        )
        for number, other in enumerate(others, 1):
            summed = self._add("Add", [summed, other], f"sum{index}.{number}")
        rectified = self._add("Relu", [summed], f"rectified{index}")
        self._quantise(index, rectified)

    def _convolution(self, index: int, number: int) -> str:
        """A convolution with its batch norm, if it has one; returns the name of what it gives."""
        part, prefix = self._graph.inputs(index)[number], parameter_prefix(index, number)
        (top, bottom), (left, right) = part.padding
        inputs = [_map(part.source), self._parameter(f"{prefix}weight")]
        inputs += [self._parameter(f"{prefix}bias")] if part.bias else []
        given = self._add(
            "Conv", inputs, f"{prefix}convolved", kernel_shape=part.kernel, strides=part.stride,
            pads=[top, left, bottom, right], group=part.groups,
        )  # fmt: skip
        if not part.batch_norm:
            return given
        normal = [self._parameter(f"{prefix}{name}") for name in BATCH_NORM_PARAMETERS]
        return self._add("BatchNormalization", [given, *normal], f"{prefix}normalised", epsilon=BATCH_NORM_EPS)

    def _quantise(self, index: int, activation: str) -> None:
        """What `networks.quantised.QuantisedLayer` does after its ReLU."""
        own, bound = self._graph.nodes[index].quantiser, self._graph.upper_bound
        if own is not None:
            steps = self._add("Div", [activation, self._number(own.step)], f"steps{index}")
            shifted = self._add("Add", [steps, self._number(0.5 + own.shift)], f"shifted{index}")
            level = self._add("Floor", [shifted], f"level{index}")
            if own.levels is not None:
                level = self._add("Min", [level, self._number(own.levels)], f"clipped{index}")
            self._add("Mul", [level, self._number(own.step)], _map(index))
            return
        if bound is not None:
            activation = self._add("Min", [activation, self._number(bound)], f"bounded{index}")
        if self._k is None:
            self._add("Identity", [activation], _map(index))
            return
        steps = self._add("Mul", [activation, self._number(2.0**self._k)], f"steps{index}")
        shifted = self._add("Add", [steps, self._number(ROUNDING_SHIFT)], f"shifted{index}")
        # Half to even, as the method rounds.
        level = self._add("Round", [shifted], f"level{index}")
        self._add("Mul", [level, self._number(2.0**-self._k)], _map(index))

    def _pooling(self, index: int) -> None:
        node: Pooling = self._graph.nodes[index]
        (top, bottom), (left, right) = node.padding
        window = {"kernel_shape": node.kernel, "strides": node.stride, "pads": [top, left, bottom, right]}
        if node.pooling == "max":
            self._add("MaxPool", [_map(node.source)], _map(index), **window)
            return
        name = _map(index) if node.pooling == "average" else f"average{index}"
        self._add("AveragePool", [_map(node.source)], name, count_include_pad=1, **window)
        if node.pooling == "sum":
            self._add("Mul", [name, self._number(node.kernel[0] * node.kernel[1])], _map(index))

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._operators.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _parameter(self, name: str) -> str:
        self._constants[name] = np.ascontiguousarray(self._parameters[name])
        return name

    def _number(self, value: float) -> str:
        name = f"number{value:.9g}"
        self._constants[name] = np.array(value, np.float32)
        return name


def _map(index: int) -> str:
    return "image" if index == IMAGE else f"map{index}"
