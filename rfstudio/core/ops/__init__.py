"""The operations of a network: frozen values that are valid by construction.

A family of operations is one module, which says all about them: parameters, words, what they do to
positions and channels, what they cost, and the traits from which sets of operations follow.  A new
operation is a class in its family's module, and a new family a module in the list below.

Parameter names are those of `torch.nn`, as the file format has them.  A size that is the same
on all axes is stored as one integer, so most operations do not depend on the number of spatial
axes; a tuple has one entry per axis, in the order of the tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from rfstudio.core.ops import (
    activation,
    attention,
    blocks,
    border,
    broadcast,
    channels,
    convolution,
    custom,
    deformable,
    dense,
    dot_attention,
    gate,
    merge,
    moves,
    norm,
    patches,
    plain,
    pool,
    recurrent,
    resample,
    several_maps,
    tokens,
)
from rfstudio.core.ops.activation import *
from rfstudio.core.ops.attention import *
from rfstudio.core.ops.blocks import *
from rfstudio.core.ops.border import *
from rfstudio.core.ops.broadcast import *
from rfstudio.core.ops.channels import *
from rfstudio.core.ops.convolution import *
from rfstudio.core.ops.custom import *
from rfstudio.core.ops.deformable import *
from rfstudio.core.ops.dense import *
from rfstudio.core.ops.dot_attention import *
from rfstudio.core.ops.further_input import *
from rfstudio.core.ops.gate import *
from rfstudio.core.ops.merge import *
from rfstudio.core.ops.moves import *
from rfstudio.core.ops.norm import *
from rfstudio.core.ops.op_table import OpTable as OpTable
from rfstudio.core.ops.operation import *
from rfstudio.core.ops.patches import *
from rfstudio.core.ops.plain import *
from rfstudio.core.ops.pool import *
from rfstudio.core.ops.recurrent import *
from rfstudio.core.ops.resample import *
from rfstudio.core.ops.several_maps import *
from rfstudio.core.ops.sliding_window import *
from rfstudio.core.ops.tokens import *
from rfstudio.core.ops.values import *

_FAMILIES = (
    *(convolution, deformable, pool, custom, resample, patches, border, broadcast, moves, blocks),
    *(
        activation,
        plain,
        channels,
        dense,
        norm,
        gate,
        attention,
        dot_attention,
        recurrent,
        merge,
        several_maps,
        tokens,
    ),
)


def _defined_in(family: ModuleType) -> Iterator[type[Op]]:
    """Yield the operations of a family, which are its classes with a keyword."""
    for thing in vars(family).values():
        is_op = (
            isinstance(thing, type) and issubclass(thing, Operation) and "keyword" in vars(thing)
        )
        if is_op and not thing.expanded_only and thing.__module__ == family.__name__:
            yield thing


def _operations() -> list[type[Op]]:
    """Return every operation: by context, and of one context by families, as they are defined."""
    order = list(Context)
    found = [x for family in _FAMILIES for x in _defined_in(family)]
    return sorted(found, key=lambda x: order.index(x.context))


OPS: Mapping[str, type[Op]] = MappingProxyType({x.keyword: x for x in _operations()})
"""Every type of operation by its keyword in a file, in the order in which they are offered."""

ELEMENTWISE = tuple(x for x in OPS.values() if x.context is Context.POSITION)
"""Operations whose output at a position reads that position alone."""

MERGES = tuple(x for x in OPS.values() if x.merges)
"""Operations that join several maps."""

GLOBAL = tuple(x for x in OPS.values() if x.context is Context.WHOLE)
"""Operations in which every output position reads the whole map."""
