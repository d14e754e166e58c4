"""A network as checkpoints and experiments name it."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..datasets.catalogue import find
from ..errors import LosslessError
from ..files.typed import Strict, validate
from ..networks import notation
from ..networks.geometry import Shape
from ..networks.graph import Graph, chain_graph
from ..networks.named import NAMED


class Factory(Strict):
    """A function (shape, classes) -> Graph of a person's own, which configuration names as `package.module:function`.

    It is looked for in the present folder, too. Only configuration names one: files have the graph that it gave.
    """

    factory: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=200)]

    def graph(self, shape: Shape, classes: int) -> Graph:
        """The graph for images of `shape` (C, H, W); raises LosslessError where the function gives none."""
        module, function = self.factory.split(":")
        search, sys.path = sys.path, [*sys.path, str(Path.cwd())]
        try:
            graph = getattr(import_module(module), function)(shape, classes)
        except LosslessError:
            raise
        except Exception as error:  # whatever a person's own code raises
            raise LosslessError(f"factory {self.factory}: {type(error).__name__}: {error}") from error
        finally:
            sys.path = search
        if not isinstance(graph, Graph):
            raise LosslessError(f"factory {self.factory}: gave {type(graph).__name__}, expected a Graph")
        return graph


def network_graph(architecture: Mapping[str, Any]) -> Graph:
    """The graph of the network of the keys `dataset`, `network`, `padding` and, where it is there, `upper_bound`.

    `network` is the paper's notation, the name of a network, or a graph, whose own inputs and classes have to be the
    data set's.

    Raises:
        LosslessError: The network does not fit the data set's inputs, or there is no such data set.
    """
    data, network = find(architecture["dataset"]), architecture["network"]
    bound = architecture.get("upper_bound")
    if isinstance(network, str):
        return _named(network, data.input_shape, data.classes, architecture["padding"], bound)
    graph = network if isinstance(network, Graph) else validate(Graph, network, "network")
    if (graph.input_shape, graph.output.filters) != (data.input_shape, data.classes):
        raise LosslessError(
            f"the network takes {graph.input_shape} and gives {graph.output.filters} classes, "
            f"{architecture['dataset']} has {data.input_shape} and {data.classes}"
        )
    return _bounded(graph, bound)


def _bounded(graph: Graph, upper_bound: float | None) -> Graph:
    return graph if upper_bound is None else graph.model_copy(update={"upper_bound": upper_bound})


@lru_cache
def _named(network: str, shape: Shape, classes: int, padding: str, upper_bound: float | None) -> Graph:
    if network in NAMED:
        return _bounded(NAMED[network](shape, classes), upper_bound)
    return chain_graph(notation.parse(network, shape, classes, padding), upper_bound)
