"""Networks that configuration knows by name."""

from collections.abc import Callable

from .builder import GraphBuilder
from .geometry import Shape
from .graph import IMAGE, Graph, Identity


def resnet20(shape: Shape, classes: int) -> Graph:
    """The residual network of 20 layers for images of CIFAR-10's size (He et al. 2016, section 4.2).

    Where a stage has more filters than the one before, its shortcut is a convolution 1 x 1 with batch norm of stride 2
    (their option B), in place of an identity padded with zeros. The output has a bias.
    """
    build = GraphBuilder(shape)
    last = build.neurons(build.convolution(IMAGE, 16, 3, padding=1), name="stem")
    for stage, filters in enumerate((16, 32, 64), 1):
        for block in range(1, 4):
            narrower = build.shape(last)[0] != filters
            stride = 2 if narrower else 1
            name = f"stage{stage}.block{block}"
            first = build.neurons(build.convolution(last, filters, 3, stride=stride, padding=1), name=f"{name}.first")
            shortcut = build.convolution(last, filters, 1, stride=stride) if narrower else Identity(source=last)
            last = build.neurons(build.convolution(first, filters, 3, padding=1), shortcut, name=f"{name}.second")
    pooled = build.pooling("average", last, build.shape(last)[1:], name="pool")
    return build.graph(build.linear(pooled, classes, bias=True))


def vgg16(shape: Shape, classes: int) -> Graph:
    """VGG's configuration D (Simonyan and Zisserman 2015) with batch norm, for images of CIFAR-10's size.

    Thirteen convolutions 3 x 3, max pooling 2 x 2 after each of five stages as far as the map is not 1 wide by then,
    and fully connected layers of 512, 512 and the classes in place of ImageNet's 4096, 4096 and 1000.
    """
    build = GraphBuilder(shape)
    last = IMAGE
    for stage, (filters, layers) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for layer in range(1, layers + 1):
            last = build.neurons(build.convolution(last, filters, 3, padding=1), name=f"conv{stage}_{layer}")
        if min(build.shape(last)[1:]) > 1:
            last = build.pooling("max", last, 2, name=f"pool{stage}")
    for layer in (6, 7):
        last = build.neurons(build.linear(last, 512, batch_norm=True), name=f"fc{layer}")
    return build.graph(build.linear(last, classes, bias=True))


NAMED: dict[str, Callable[[Shape, int], Graph]] = {"resnet20": resnet20, "vgg16": vgg16}
