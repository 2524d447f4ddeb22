"""What a newly added layer or container looks like before anybody has edited it."""

from __future__ import annotations

from typing import Any, NamedTuple

from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)

# The usual choice, which keeps the size of the map where that is usual.
_START: dict[type[Any], dict[str, Any]] = {
    ops.Conv: {"kernel_size": 3, "padding": 1},
    ops.ConvTranspose: {"kernel_size": 2, "stride": 2},
    ops.DeformConv: {"kernel_size": 3, "padding": 1},
    ops.MaxPool: {"kernel_size": 2},
    ops.AvgPool: {"kernel_size": 2},
    ops.Custom: {"label": "custom"},
    ops.AdaptiveAvgPool: {"output_size": 7},
    ops.AdaptiveMaxPool: {"output_size": 7},
    ops.Upsample: {"scale_factor": 2},
    ops.PixelShuffle: {"upscale_factor": 2},
    ops.PixelUnshuffle: {"downscale_factor": 2},
    ops.Pad: {"padding": 1},
    ops.Crop: {"margins": 1},
    ops.Linear: {"out_features": 1000},
    ops.GroupNorm: {"num_groups": 1},
    ops.WindowAttention: {"window_size": 7},
}


class Kind(NamedTuple):
    """Something that can be added.

    Attributes
    ----------
    keyword
        As in a file: ``conv``, ``residual``.
    title
        In words: "Convolution".
    """

    keyword: str
    title: str


_CONTAINERS = (
    Kind("sequence", "Group of layers"),
    Kind("residual", "Residual block"),
    Kind("parallel", "Parallel branches"),
    Kind("repeat", "Repeated layers"),
)


def kinds() -> tuple[Kind, ...]:
    """Return everything that can be added: the operations, then the containers."""
    return (*(Kind(x.keyword, x.title) for x in ops.OPS.values()), *_CONTAINERS)


def matching_kinds(words: str) -> list[Kind]:
    """Return what a search finds, the best first: an exact keyword, a beginning, any part."""
    wanted = words.strip().lower().replace(" ", "_")
    if not wanted:
        return list(kinds())

    def rank(kind: Kind) -> int:
        title = kind.title.lower().replace(" ", "_")
        if kind.keyword == wanted:
            return 0
        if kind.keyword.startswith(wanted):
            return 1
        if title.startswith(wanted):
            return 2
        return 3 if wanted in kind.keyword or wanted in title else 4

    return sorted((x for x in kinds() if rank(x) < 4), key=rank)


def new_item(keyword: str) -> Item:
    """Return a new layer or container.

    Raises
    ------
    KeyError
        If there is no such keyword.
    """
    match keyword:
        case "sequence":
            return Sequence()
        case "residual":
            return Residual()
        case "parallel":
            return Parallel((Branch(name="a"), Branch(name="b")), "concat")
        case "repeat":
            return Repeat(2, (), "repeat1")
    op_type = ops.OPS[keyword]
    return Layer(op_type(**_START.get(op_type, {})))
