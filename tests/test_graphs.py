"""Networks that are graphs: branches, poolings, strides, groups, biases, upper stops, against plain loops."""

import dataclasses
import json
import re
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import reference
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_networks import assert_same_bytes, assert_same_record, random_parameters

from lossless_snn.config.experiment import load_experiment
from lossless_snn.conversion import convert_parameters
from lossless_snn.conversion.spiking_network import GraphMetadata, InputIntegers, SpikingNetwork
from lossless_snn.errors import LosslessError
from lossless_snn.files.typed import validate
from lossless_snn.networks.builder import GraphBuilder
from lossless_snn.networks.graph import IMAGE, Convolution, Graph, Identity, Pooling, Quantiser, parameter_shapes
from lossless_snn.networks.named import NAMED
from lossless_snn.networks.quantised import QuantisedNetwork
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certificate import grid_activations

PIXELS = InputIntegers(bits=8, peak=255, signed=False)
SHAPES = [(1, 4, 4), (2, 6, 6), (3, 5, 5), (2, 5, 6)]
ENGINES = ("event", "dense")
MOST_STEPS = 400
EXPERIMENTS = "config/experiments"


def spiking_network(graph, parameters, k, inputs=PIXELS):
    converted = convert_parameters(graph, parameters, k, inputs)
    metadata = {"graph": graph, "inputs": inputs, "k": k, "source": "test", "source_sha256": "0" * 64}
    metadata = GraphMetadata(**metadata, readout_exponent=converted.readout_exponent)
    return SpikingNetwork(converted.hidden, converted.readout, metadata, converted.readout_offset)


def reference_nodes(snn):
    """The network's grid as the plain loop's nodes, in twice the unit, so that bases are whole."""
    graph, nodes, shapes = snn.graph, [], {IMAGE: snn.graph.input_shape}
    for index in range(len(graph.nodes) + 1):
        node = graph.nodes[index] if index < len(graph.nodes) else None
        weights, constants, kind = [snn.grid_readout.astype(object)], {}, "output"
        if node is not None:
            kind = {"average": "sum"}.get(node.pooling, node.pooling) if isinstance(node, Pooling) else "neurons"
            weights = [None] if kind != "neurons" else [2 * w.astype(object) for w in snn.layer(index).grid_weights]
        synapses = []
        for part, weight in zip(graph.inputs(index), weights, strict=True):
            layer = geometry(part, shapes[part.source])
            synapses.append([(o, i, 1 if weight is None else weight[p]) for o, i, p in layer.connections()])
            shapes[index] = layer.out_shape
        if kind == "neurons":
            spiking, (_, height, width) = snn.layer(index), shapes[index]
            theta, base = 2 * spiking.grid_threshold.astype(object), 2 * spiking.grid_offset.astype(object) - 1
            constants = {"theta": theta.repeat(height * width), "base": base.repeat(height * width)}
            constants["stop"] = spiking.upper_stop
        elif kind == "output":
            offset = np.zeros(len(snn.readout), dtype=object) if snn.readout_offset is None else snn.readout_offset
            constants["offset"] = offset.tolist()
        sources = [part.source for part in graph.inputs(index)]
        nodes.append(reference.Node(kind, sources, synapses, int(np.prod(shapes[index])), **constants))
    return nodes


def geometry(part, shape):
    """An input's synapses as the plain loop's, with sizes of maps as PyTorch's documentation gives them."""
    if isinstance(part, Identity):
        return reference.Convolution(shape, shape, (1, 1), groups=shape[0])
    size = [
        (length + before + after - window) // stride + 1
        for length, (before, after), window, stride in zip(
            shape[1:], part.padding, part.kernel, part.stride, strict=True
        )
    ]
    before = tuple(pads[0] for pads in part.padding)
    filters, groups = (part.filters, part.groups) if isinstance(part, Convolution) else (shape[0], shape[0])
    return reference.Convolution(shape, (filters, *size), part.kernel, part.stride, before, groups)


def random_input(draw, build, source, last):
    """Some convolution of a node that fits it."""
    channels, height, width = build.shape(source)
    if last or draw(st.integers(0, 5)) == 0:
        return build.linear(source, draw(st.integers(1, 4)), bias=draw(st.booleans()), batch_norm=draw(st.booleans()))
    kernel = (draw(st.integers(1, min(3, height))), draw(st.integers(1, min(3, width))))
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3) if channels % g == 0]))
    return build.convolution(
        source,
        groups * draw(st.integers(1, 2)),
        kernel,
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 2))),
        padding=tuple(draw(st.integers(0, size - 1)) for size in kernel),
        groups=groups,
        bias=draw(st.booleans()),
        batch_norm=draw(st.booleans()),
    )


def matching_input(draw, build, part, sources):
    """Another input of the same map: an identity, a convolution like `part`, or one of 1 x 1; None if none fits."""
    made = geometry(part, build.shape(part.source)).out_shape
    choices = [Identity(source=s) for s in sources if s != IMAGE and build.shape(s) == made]
    choices += [build.convolution(s, made[0], 1, batch_norm=False) for s in sources if build.shape(s)[1:] == made[1:]]
    if isinstance(part, Convolution):
        same = [s for s in sources if build.shape(s) == build.shape(part.source)]
        choices += [part.model_copy(update={"source": s, "bias": True}) for s in same]
    return draw(st.sampled_from(choices)) if choices else None


@st.composite
def graphs(draw, steps=(0.25, 0.5, 1.0, 0.3)):
    """A graph of up to seven nodes, whose last layer receives from all that nothing else does."""
    build = GraphBuilder(draw(st.sampled_from(SHAPES)))
    quantisers = st.one_of(
        st.none(),
        st.builds(
            Quantiser,
            step=st.sampled_from(steps),
            levels=st.sampled_from([None, 1, 2, 5]),
            shift=st.sampled_from([0.0, -0.5, 1e-5]),
        ),
    )
    unused = set()
    for number in range(draw(st.integers(1, 6))):
        sources = [IMAGE, *range(number)]
        source = draw(st.sampled_from(sources))
        kind = (
            draw(st.sampled_from(["neurons", "neurons", "residual", "max", "sum", "average"])) if number else "neurons"
        )
        _, height, width = build.shape(source)
        if kind in ("max", "sum", "average") and source != IMAGE:
            kernel = (draw(st.integers(1, min(3, height))), draw(st.integers(1, min(3, width))))
            padding = tuple(draw(st.integers(0, size - 1)) for size in kernel)
            node = build.pooling(kind, source, kernel, stride=draw(st.integers(1, 3)), padding=padding)
            inputs = [source]
        else:
            first = random_input(draw, build, source, last=False)
            if kind == "residual" and source != IMAGE and draw(st.booleans()):
                first = Identity(source=source)
            parts = [first]
            while draw(st.booleans()) and len(parts) < 3:
                other = matching_input(draw, build, first, sources)
                parts += [other] if other else []
            inputs = [part.source for part in parts]
            node = build.neurons(*parts, quantiser=draw(quantisers))
        unused = (unused | {node}) - set(inputs)
    units = draw(st.integers(1, 3))
    last = build.neurons(*(build.linear(s, units, batch_norm=draw(st.booleans())) for s in sorted(unused)))
    return build.graph(
        build.linear(last, 3, bias=draw(st.booleans())), upper_bound=draw(st.sampled_from([None, None, 1.0, 2.0]))
    )


@st.composite
def cases(draw, **kinds):
    """A converted graph, its parameters, and two images."""
    graph, k = draw(graphs(**kinds)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    parameters = random_parameters(rng, graph)
    pixels = rng.integers(0, 256, (2, *graph.input_shape)) // draw(st.sampled_from([1, 255]))
    return spiking_network(graph, parameters, k), parameters, pixels.astype(np.int32)


EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def settling_bound(nodes, activations):
    """max T over the nodes: T = u + max(A, u), with u the last step at which a source may emit; sums pass on."""
    bounds = {IMAGE: 1}
    for index, node in enumerate(nodes[:-1]):
        u = max(max(bounds[source] - 1, 0) for source in node.sources)
        bounds[index] = u + 1 if node.kind == "sum" else u + max(*activations[index], u)
    return max(bounds.values())


@EXAMPLES
@given(cases(), st.sampled_from([1, 7, None]))
def test_engines_against_the_plain_loop_and_nothing_lost_at_rest(case, steps):
    """Spikes, operations, predictions, counts; at rest the activations; rest within the bound of docs/lossless.md."""
    snn, _, pixels = case
    nodes = reference_nodes(snn)
    exact = [reference.graph_activations(nodes, image.ravel().tolist()) for image in pixels]
    bounds = [settling_bound(nodes, activations) for activations in exact]
    steps = steps or min(max(bounds), MOST_STEPS)
    traces = [simulator(snn, engine).run(pixels, steps) for engine in ENGINES]
    assert_same_bytes(*traces)
    certified = list(grid_activations(snn, pixels))
    for image, activations in enumerate(exact):
        loop_steps = min(steps, 40)
        trace = traces[0] if loop_steps == steps else simulator(snn, "event").run(pixels, loop_steps)
        assert_same_record_of_lists(
            trace, image, reference.simulate_graph(nodes, pixels[image].ravel().tolist(), loop_steps)
        )
        for index, values in zip(snn.graph.spiking, certified, strict=False):
            assert values[image].ravel().tolist() == activations[index]
        assert certified[-1][image].tolist() == activations[len(nodes) - 1]
        if bounds[image] <= steps:
            assert 0 <= traces[0].settled_step[image] <= bounds[image]
        if traces[0].settled_step[image] >= 0:
            for index, count in zip(snn.graph.spiking, traces[0].counts, strict=True):
                assert count[image].ravel().tolist() == activations[index]
            logits = activations[len(nodes) - 1]
            assert traces[0].predictions[image, -1] == logits.index(max(logits))


def assert_same_record_of_lists(trace, image, record):
    assert_same_record(trace, image, dataclasses.replace(record, counts=[np.array(count) for count in record.counts]))


@EXAMPLES
@given(cases(steps=(0.25, 0.5, 1.0)))
def test_the_grid_has_the_activations_of_the_network_in_pytorch(case):
    """The same parameters in 64-bit floats, with PyTorch's own layers: each activation, and the arg max."""
    snn, parameters, pixels = case
    network = QuantisedNetwork(snn.graph, snn.metadata.k).double().eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})
    with torch.inference_mode():
        maps = [values.numpy() for _, values in network.run(torch.from_numpy(pixels / 256))]
    on_grid = list(grid_activations(snn, pixels))
    for index, counts in zip(snn.graph.spiking, on_grid, strict=False):
        source = index
        divisor = 1
        while isinstance(node := snn.graph.nodes[source], Pooling):
            divisor *= int(np.prod(node.kernel)) if node.pooling == "average" else 1
            source = node.source
        step = snn.graph.quantiser(source, snn.metadata.k).step / divisor
        np.testing.assert_allclose(maps[index], counts * step, rtol=1e-12)
    assert maps[-1].argmax(1).tolist() == on_grid[-1].argmax(1).tolist()


@EXAMPLES
@given(cases())
def test_a_file_gives_the_network_back(tmp_path_factory, case):
    snn, _, pixels = case
    path = tmp_path_factory.mktemp("graph") / "snn"
    snn.save(path)
    loaded = SpikingNetwork.load(path)
    loaded.save(path.with_suffix(".again"))
    assert path.read_bytes() == path.with_suffix(".again").read_bytes()
    assert loaded.metadata == snn.metadata
    assert_same_bytes(*(simulator(network, "event").run(pixels, 9) for network in (snn, loaded)))


def unit(count, name, **quantiser):
    """Parameters of a single neuron that is due `count` spikes at pixel 255 of the image, thresholds being 1."""
    return {f"{name}.weight": np.full((1, 1, 1, 1), count * 256 / 255, np.float32)}


def plain(build, source, **options):
    return build.convolution(source, 1, 1, batch_norm=False, **options)


def test_an_upper_stop_by_hand():
    """Due 7, stopped at 3; the next neuron takes 2 a spike, less 5 by its bias: 1."""
    build = GraphBuilder((1, 1, 1))
    first = build.neurons(plain(build, IMAGE), quantiser=Quantiser(step=1.0, levels=3))
    second = build.neurons(plain(build, first, bias=True))
    graph = build.graph(build.linear(second, 2))
    parameters = unit(7, 0) | {"1.weight": np.full((1, 1, 1, 1), 2, np.float32), "1.bias": np.array([-5], np.float32)}
    parameters["2.weight"] = np.array([1, -1], np.float32).reshape(2, 1, 1, 1)
    snn = spiking_network(graph, parameters, 0)
    for engine in ENGINES:
        trace = simulator(snn, engine).run(np.full((1, 1, 1, 1), 255, np.int32), 6)
        assert [count.item() for count in trace.counts] == [3, 1]
        assert trace.positive.tolist() == [[1, 1, 2, 0, 0, 0]]
        assert trace.negative.sum() == 0
        assert trace.settled_step.tolist() == [3]


def test_an_upper_stop_gives_back_what_it_has_not_emitted():
    """The second neuron is due 9 at step 0 and has 2 at its stop when the first one's third spike takes 9 away."""
    build = GraphBuilder((1, 1, 1))
    first = build.neurons(plain(build, IMAGE))
    second = build.neurons(plain(build, first, bias=True), quantiser=Quantiser(step=1.0, levels=2))
    graph = build.graph(build.linear(second, 2))
    parameters = unit(3, 0) | {"1.weight": np.full((1, 1, 1, 1), -3.1, np.float32), "1.bias": np.array([9], np.float32)}
    parameters["2.weight"] = np.array([1, -1], np.float32).reshape(2, 1, 1, 1)
    snn = spiking_network(graph, parameters, 0)
    for engine in ENGINES:
        trace = simulator(snn, engine).run(np.full((1, 1, 1, 1), 255, np.int32), 6)
        assert (trace.positive - trace.negative).tolist() == [[2, 2, 0, -1, 0, 0]]
        assert [count.item() for count in trace.counts] == [3, 0]


def test_max_pooling_by_hand():
    """Two neurons due 1 and 3 spikes: the unit follows the larger; its state is their two counts and its own."""
    build = GraphBuilder((1, 1, 2))
    first = build.neurons(plain(build, IMAGE))
    pool = build.pooling("max", first, (1, 2))
    graph = build.graph(build.linear(pool, 2))
    parameters = unit(3, 0) | {"2.weight": np.array([1, -1], np.float32).reshape(2, 1, 1, 1)}
    snn = spiking_network(graph, parameters, 0)
    for engine in ENGINES:
        trace = simulator(snn, engine).run(np.array([85, 255], np.int32).reshape(1, 1, 1, 2), 5)
        assert [count.ravel().tolist() for count in trace.counts] == [[1, 3], [3]]
        assert trace.positive.tolist() == [[3, 2, 2, 0, 0]]
        # a neuron's spike crosses into the pooling, the unit's into two classes
        assert trace.operations.tolist() == [[4, 3, 3, 0, 0]]
    assert graph.max_pooling == (1, 3)
    assert graph.neuron_count == 2


@pytest.mark.parametrize("divisor", [1, 4, 9])
def test_an_identity_weighs_a_threshold_or_the_share_of_an_average(divisor):
    """Exactly: on the grid of any batch norm, an average of d counts n adds their sum's d-th part of a threshold."""
    rng, side = np.random.default_rng(divisor), int(divisor**0.5)
    build = GraphBuilder((2, 2 * side, 2 * side))
    first = build.neurons(build.convolution(IMAGE, 3, 1))
    pooled = build.pooling("average", first, side)
    second = build.neurons(build.convolution(pooled, 3, 1), Identity(source=pooled))
    graph = build.graph(build.linear(second, 2))
    snn = spiking_network(graph, random_parameters(rng, graph), 2)
    layer = snn.layer(second)
    assert (layer.branches[0].ravel() * divisor == layer.grid_threshold).all()


def test_names_of_networks_have_published_sizes():
    """ResNet-20 with projections has 272,474 parameters, VGG-16 convolutions of 313,196,544 products on 32 x 32."""
    resnet, vgg = (NAMED[name]((3, 32, 32), 10) for name in ("resnet20", "vgg16"))
    trained = sum(
        int(np.prod(shape))
        for name, shape in parameter_shapes(resnet).items()
        if not name.endswith(("mean", "variance"))
    )
    assert trained == 272_474
    assert sum(isinstance(part, Convolution) for i in vgg.neurons for part in vgg.inputs(i)) == 15
    macs = sum(layer.macs for index in vgg.neurons for layer in vgg.geometry[index]) + vgg.readout.macs
    assert macs == 313_196_544 + 2 * 512 * 512 + 512 * 10


def content(graph, **changes):
    return {**graph.model_dump(mode="json"), **changes}


def small_graph():
    build = GraphBuilder((1, 4, 4))
    first = build.neurons(build.convolution(IMAGE, 2, 3), name="block.first")
    second = build.neurons(build.convolution(first, 2, 1), Identity(source=first), name="block.second")
    pool = build.pooling("max", second, 2, name="pool")
    return build.graph(build.linear(pool, 3))


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (0, {"name": "not a name"}, "name"),
        (
            1,
            {"inputs": [{"source": 0, "filters": 3, "kernel": [1, 1]}, {"source": 0}]},
            "block.second: adds maps of diff",
        ),
        (1, {"inputs": [{"source": 1, "filters": 2, "kernel": [1, 1]}]}, "block.second: receives from node 1"),
        (1, {"inputs": [{"source": -1, "filters": 2, "kernel": [3, 3]}]}, "block.first: nothing receives from it"),
        (1, {"inputs": [{"source": 0, "filters": 3, "kernel": [1, 1], "groups": 3}]}, "block.second: 3 groups do not"),
        (0, {"inputs": [{"source": -1, "filters": 2, "kernel": [5, 5]}]}, "block.first: its kernel .* larger"),
        (0, {"inputs": [{"source": -1, "filters": 2, "kernel": [3, 3], "padding": [[3, 0], [0, 0]]}]}, "as wide as"),
        (2, {"source": -1}, "pool: pools the image"),
        (2, {"pooling": "median"}, "pooling"),
        (2, {"kernel": [0, 2]}, "kernel"),
    ],
)
def test_a_graph_that_cannot_be_is_refused_in_one_line_that_names_the_node(place, change, message):
    nodes = content(small_graph())["nodes"]
    nodes[place] |= change
    with pytest.raises(LosslessError, match=message) as error:
        validate(Graph, content(small_graph(), nodes=nodes), "graph")
    assert "\n" not in str(error.value)


def test_an_output_that_is_no_linear_layer_is_refused():
    for change, message in (
        ({"batch_norm": True}, "without batch norm"),
        ({"source": -1}, "receives from the image"),
        ({"source": 1}, "has to cover the map|nothing receives"),
    ):
        output = content(small_graph())["output"] | change
        with pytest.raises(LosslessError, match=message):
            validate(Graph, content(small_graph(), output=output), "graph")


def test_an_upper_bound_between_two_steps_is_refused():
    graph = small_graph().model_copy(update={"upper_bound": 1.5})
    assert graph.quantiser(0, 1).levels == 3
    with pytest.raises(LosslessError, match=re.escape("upper bound 1.5: no multiple of the step 2^-0")):
        graph.quantiser(0, 0)


def test_what_is_for_chains_alone_says_so():
    with pytest.raises(LosslessError, match="faithful arithmetic is for networks in the paper's notation only"):
        simulator(spiking_network(small_graph(), random_parameters(np.random.default_rng(0), small_graph()), 1),
                  arithmetic="faithful")  # fmt: skip


EXPERIMENT = """\
dataset: digits
network: {factory: "my_networks:residual"}
upper_bound: 2
training:
  batch_size: 100
  validation_images: 97
  budgets: {quick: {phases: [{epochs: 2, learning_rate: 1.0e-2}]}}
simulation: {steps: 60, batch_size: 32}
"""


@pytest.fixture
def own_network(digits_root, tmp_path, monkeypatch):
    """A project whose experiment names the function that docs/own.md shows."""
    (tmp_path / "data").symlink_to(digits_root / "data")
    (tmp_path / "config" / "experiments").mkdir(parents=True)
    (tmp_path / "config" / "experiments" / "own.yaml").write_text(EXPERIMENT)
    page = (Path(__file__).parents[1] / "docs" / "own.md").read_text()
    code = page[page.index("    from lossless_snn.networks.builder") : page.index("The experiment names it:")]
    (tmp_path / "my_networks.py").write_text(dedent(code))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return tmp_path


def test_a_network_of_ones_own_from_experiment_to_certificate(own_network, command_line):
    """Trained, converted, simulated and certified by the commands of any experiment; its files name no code."""
    checkpoint, snn = own_network / "k1.safetensors", own_network / "k1.snn.safetensors"
    assert command_line("train", "own", "--precision", "k1", "--out", checkpoint) == 0
    assert b"my_networks" not in checkpoint.read_bytes()
    (own_network / "my_networks.py").unlink()
    assert command_line("convert", checkpoint, "--out", snn) == 0
    assert command_line("simulate", snn, "--against", checkpoint, "--logs", own_network / "logs") == 0
    certificate, record = (
        json.loads((own_network / "logs" / f"{name}.json").read_text()) for name in ("certificate", "snn")
    )
    assert certificate["mismatches_in_settled_images"] == 0
    assert certificate["bound_to_checkpoint"]
    assert list(certificate["mismatches_by_layer"]) == ["1:neurons1", "2:max2", "3:neurons3"]
    # two maps of 8 x 28 x 28 and 8 x 14 x 14 neurons; units of pooling with a count for each input and their own
    assert (record["neurons"], record["max_pooling_units"]) == (8 * 28 * 28 + 8 * 14 * 14, 8 * 14 * 14)
    assert record["max_pooling_state"] == 8 * 28 * 28 + 8 * 14 * 14
    # k = 1, at most 2: four levels
    loaded = SpikingNetwork.load(snn)
    assert [layer.upper_stop for layer in loaded.hidden] == [4, 4]
    assert record["accuracy"] == certificate["grid_ann_accuracy"]
    assert min(record["positive_spikes_per_image"], record["negative_spikes_per_image"]) > 0
    said = command_line("export", checkpoint, "--out", own_network / "model.npz")
    assert "for networks in the paper's notation only" in said


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "factory my_networks:residual: AttributeError"),
        ("def residual(shape, classes): return 3", "gave int, expected a Graph"),
        ("def residual(shape, classes): raise KeyError(1)", "factory my_networks:residual: KeyError: 1"),
        (
            "from lossless_snn.networks.named import resnet20\ndef residual(s, c): return resnet20(s, 7)",
            "7 classes, digits has",
        ),
    ],
)
def test_a_factory_that_gives_no_network_is_one_line(own_network, code, message):
    (own_network / "my_networks.py").write_text(code)
    with pytest.raises(LosslessError, match=re.escape(message)) as error:
        load_experiment("own")
    assert "\n" not in str(error.value)


def test_a_variant_of_an_experiment_names_another_network():
    variant = load_experiment("cifar10-cnn1-jpeg@network=vgg16,upper_bound=8", Path(__file__).parents[1] / EXPERIMENTS)
    assert variant.graph == NAMED["vgg16"]((3, 24, 24), 10).model_copy(update={"upper_bound": 8.0})
    assert (variant.recipe("quick", "k1").network, variant.recipe("quick", "k1").upper_bound) == ("vgg16", 8.0)
    with pytest.raises(LosslessError, match="width: for networks in the paper's notation only"):
        load_experiment("cifar10-cnn1-jpeg@network=vgg16,width=0.5", Path(__file__).parents[1] / EXPERIMENTS)


def test_a_chain_without_an_upper_bound_is_recorded_as_before():
    """The recipe of a shipped experiment has neither new keys nor a graph: checkpoints and fingerprints stay."""
    experiment = load_experiment("digits-lenet", Path(__file__).parents[1] / EXPERIMENTS)
    assert experiment.architecture == {"dataset": "digits", "network": "20C5-P2-50C5-P2-500", "padding": "valid"}
    recorded = experiment.recipe("quick", "k1").recorded()
    assert "upper_bound" not in recorded
    bounded = experiment.model_copy(update={"upper_bound": 2.0})
    assert bounded.recipe("quick", "k1").recorded() == recorded | {"upper_bound": 2.0}
    assert bounded.graph.quantiser(0, 1).levels == 4
