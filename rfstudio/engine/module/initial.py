"""The weights of a network before any training: drawn from a seed, or all equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from rfstudio.core.initialisations import HE_NORMAL, Initialisation
from rfstudio.core.ops import Op
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.requests.request import check_seed


class Stream(IntEnum):
    """What random numbers are for; streams of one seed are independent of each other."""

    WEIGHTS = 0
    NOISE = 1
    SIGNS = 2
    WARMING = 3
    TRAINING = 4
    TESTING = 5


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return a generator for one purpose and one sample.

    It draws on the CPU whatever the device is, so that a seed means the same everywhere; numpy's
    draws normal numbers several times faster than torch's.

    Parameters
    ----------
    seed
        From 0 to 2**63 - 1; no two seeds share a stream.
    stream, index
        The purpose, and the number of the sample or group.

    Raises
    ------
    MeasurementError
        If the seed is another one.
    """
    check_seed(seed)
    words = [seed % 2**32, int(stream), index % 2**32, index >> 32, seed >> 32]
    # Those after the third are left out where they are 0: numpy fills up with zeros.
    while len(words) > 3 and words[-1] == 0:
        words.pop()
    sequence = np.random.SeedSequence(words)
    return np.random.Generator(np.random.SFC64(sequence))


def normal(source: np.random.Generator, shape: Sequence[int]) -> Tensor:
    """Return standard normal numbers in single precision."""
    return torch.from_numpy(source.standard_normal(tuple(shape), dtype=np.float32))


@torch.no_grad()
def draw_weights(
    layers: Iterable[LayerModule[Op]],
    seed: int,
    index: int = 0,
    init: Initialisation = HE_NORMAL,
) -> None:
    """Draw all weights from the law of an initialisation.

    Biases are zero, as are weights that are before any training; what a norm has learned and
    measured is as at the start of one.

    Parameters
    ----------
    layers
        Their weights are replaced.
    seed, index
        The same pair always gives the same weights, in either precision.
    init
        The law.
    """
    source = generator(seed, Stream.WEIGHTS, index)
    for layer in layers:
        for name, fans in layer.fans().items():
            weight = layer.get_parameter(name)
            if layer.rests:
                weight.zero_()
            elif layer.holds_values:
                weight.copy_(normal(source, weight.shape))
            else:
                weight.copy_(torch.from_numpy(init.draw(source, weight.shape, fans)))
        _reset_rest(layer)


@torch.no_grad()
def level_weights(layers: Iterable[LayerModule[Op]]) -> None:
    """Set every weight to 1 / fan-in: uniform, and no deep network overflows."""
    for layer in layers:
        for name, fan_in in layer.fan_in().items():
            layer.get_parameter(name).fill_(0.0 if layer.rests else 1 / fan_in)
        _reset_rest(layer)


@torch.no_grad()
def unit_weights(layers: Iterable[LayerModule[Op]]) -> None:
    """Set every weight to 1, for counting paths."""
    for layer in layers:
        for name in layer.fan_in():
            layer.get_parameter(name).fill_(0.0 if layer.rests else 1.0)
        _reset_rest(layer)


def _reset_rest(layer: LayerModule[Op]) -> None:
    """Zero the biases of weighted layers; set the statistics of a batch norm to their start."""
    weighted = layer.fan_in()
    for name, parameter in layer.named_parameters():
        if weighted and name not in weighted:
            parameter.zero_()
    for name, buffer in layer.named_buffers():
        _fresh(name, buffer)


def _fresh(name: str, buffer: Tensor) -> None:
    buffer.fill_(1 if name == "running_var" else 0)
