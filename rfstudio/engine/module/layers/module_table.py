"""Tables of the module that computes each operation; the other files of this folder fill them."""

from __future__ import annotations

from collections.abc import Sequence

from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op, OpTable
from rfstudio.engine.module.layers.base import LayerModule

LAYERS: OpTable[[Node, Sequence[Node]], LayerModule[Op]] = OpTable("modules")
"""Makes the module of a node from its operation, the node and those that it reads."""

POSITIVE: OpTable[[Node, Sequence[Node]], LayerModule[Op]] = OpTable("positive linear modules")
"""The same for the positive linear network, in which all that is read counts."""

layer_for = LAYERS.entry
positive_for = POSITIVE.entry
