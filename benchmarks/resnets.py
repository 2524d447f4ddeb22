"""The ResNets of the presets, made without reading a file, for machines that have torch alone."""

from __future__ import annotations

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual, Sequence

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Blocks of each stage, by depth: He et al. 2015, arXiv:1512.03385, table 1."""


def resnet(depth: int) -> Architecture:
    """Return ResNet-50, -101 or -152 for images of 224 × 224, with layer1 to layer4."""
    stem: tuple[Item, ...] = (
        Layer(_conv(7, 64, stride=2), "conv1"),
        Layer(ops.BatchNorm(), "bn1"),
        Layer(ops.Relu()),
        Layer(ops.MaxPool(kernel_size=3, stride=2, padding=1), "maxpool"),
    )
    stages = tuple(
        Sequence(
            name=f"layer{i + 1}",
            layers=tuple(
                item
                for block in range(count)
                for item in _block(64 * 2**i, stride=2 if i and not block else 1, first=not block)
            ),
        )
        for i, count in enumerate(BLOCKS[depth])
    )
    return Architecture(name=f"ResNet-{depth}", input_size=(224, 224), layers=(*stem, *stages))


def _block(width: int, *, stride: int, first: bool) -> tuple[Item, ...]:
    layers: tuple[Item, ...] = (
        Layer(_conv(1, width)),
        Layer(ops.BatchNorm()),
        Layer(ops.Relu()),
        Layer(_conv(3, width, stride=stride)),
        Layer(ops.BatchNorm()),
        Layer(ops.Relu()),
        Layer(_conv(1, 4 * width)),
        Layer(ops.BatchNorm()),
    )
    shortcut: tuple[Item, ...] = ()
    if first:
        shortcut = (Layer(_conv(1, 4 * width, stride=stride)), Layer(ops.BatchNorm()))
    return (Residual(layers, shortcut), Layer(ops.Relu()))


def _conv(kernel: int, channels: int, *, stride: int = 1) -> ops.Conv:
    return ops.Conv(
        kernel_size=kernel,
        stride=stride,
        padding=kernel // 2,
        out_channels=channels,
        bias=False,
    )
