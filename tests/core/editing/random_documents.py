"""Random documents in which everything reads everything by every kind of name."""

from __future__ import annotations

import random

from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)

_NAMES = ("a", "b", "c", "conv1", "conv2", "relu3", "x", "0", "1", "", "", "", "")

_READ = (
    *("a", "b", "c", "conv1", "conv2", "conv3", "relu1", "relu2", "x", "add1", "x.conv1", "b.a"),
    *("input", "split1.0", "x.0.conv1", "x.1", "concat1", "nowhere", "a.1", "0.conv1", "img"),
)


def random_document(chance: random.Random) -> Architecture:
    """Return a document; most of what layers read is there, and some is not."""
    items = tuple(_item(chance, 3) for _ in range(chance.randrange(1, 12)))
    name = chance.choice(["", "img"])
    return Architecture(input_size=(32, 32), layers=items, input_name=name)


def _item(chance: random.Random, depth: int) -> Item:
    if not depth or chance.random() < 0.7:
        return _layer(chance)

    def body() -> tuple[Item, ...]:
        return tuple(_item(chance, depth - 1) for _ in range(chance.randrange(4)))

    name = chance.choice(_NAMES)
    match chance.randrange(4):
        case 0:
            return Sequence(body(), name)
        case 1:
            return Residual(body(), body() if chance.random() < 0.4 else (), name)
        case 2:
            branches = range(chance.randrange(1, 4))
            return Parallel(
                tuple(Branch(body(), chance.choice(_NAMES)) for _ in branches), "concat", name
            )
        case _:
            return Repeat(chance.choice([1, 2, 3, 70]), body(), name)


def _layer(chance: random.Random) -> Layer:
    op = chance.choice(
        [
            *[ops.Conv(out_channels=3, kernel_size=3, padding=1)] * 4,
            *[ops.Relu()] * 2,
            *[ops.Add()] * 2,
            ops.Concat(),
            ops.Split(parts=2),
            ops.Upsample(size_of=chance.choice(_READ)),
        ]
    )
    inputs: tuple[str, ...] = ()
    if chance.random() < (0.9 if op.merges else 0.25):
        count = chance.randrange(1, 4) if op.merges else 1
        inputs = tuple(chance.choices(_READ, k=count))
    shares = isinstance(op, ops.Conv) and chance.random() < 0.15
    return Layer(op, chance.choice(_NAMES), inputs, chance.choice(_READ) if shares else "")
