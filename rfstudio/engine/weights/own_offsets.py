"""Offsets of deformable convolutions that a file of weights has beside the layer's own weights.

Code with deformable convolutions has the convolution that computes offsets inside of it or next to
it, under one of few names.  A network in which a deformable convolution reads one map has no layer
for that, so it is found by name and shape:

- mmcv [1]_: ``X.conv_offset`` inside of ``X``; detectron2 [2]_: ``conv2_offset`` beside ``conv2``;
  the first code of DCNv2 [3]_: ``X.conv_offset_mask``.  With three channels for each tap, the last
  third are masks before their sigmoid.
- Modules around torchvision's: ``offset_conv``, and for the mask ``modulator_conv`` or another with
  such a name.  The widely copied one of ``regular_conv`` has twice a sigmoid as its mask.

References
----------
.. [1] OpenMMLab, mmcv.ops: DeformConv2dPack, ModulatedDeformConv2dPack.
.. [2] Wu et al., detectron2, modeling.backbone.resnet: DeformBottleneckBlock.
.. [3] Zhu et al., "Deformable ConvNets v2", CVPR 2019, arXiv:1811.11168.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.network.graph import Node
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.layers.deformable import DeformConvModule

_OFFSET = re.compile("offset")
_MASK = re.compile("modulat|mask")
_USUAL = re.compile(r"offset|modulat(or|ion)?|mask|regular|deform(able)?|dcn(v2)?|conv(2d)?|_")
"""Words that say nothing of which of several layers a name is about."""

_TWICE = ("regular_conv", "modulator_conv")
"""Names of a convolution and its mask that is twice a sigmoid."""


class Moved(NamedTuple):
    """What a file has for the offsets of one layer.

    Attributes
    ----------
    layer
        The path of the layer.
    offset, mask
        The layers of the file that compute offsets and mask; empty: there is none of its own.
    channels
        Those of the offsets; further ones of `offset` are the mask.
    factor
        Factor of the sigmoid of the mask.
    has_mask
        Whether there is a mask.
    """

    layer: str
    offset: str
    mask: str
    channels: int
    factor: float
    has_mask: bool


class Offsets(NamedTuple):
    """The offsets that the deformable convolutions of a network have got.

    Attributes
    ----------
    moved
        What each layer with offsets has.
    still
        The paths of those whose taps stay where they are.
    used
        Names of the tensors that were used.
    """

    moved: tuple[Moved, ...] = ()
    still: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()

    def sentences(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the same in words, each time with the layers or tensors that it is about."""
        moved = tuple(f"{x.layer} from {x.offset}" for x in self.moved)
        masks = [
            f"{x.layer} from {x.mask or x.offset}" + (", twice a sigmoid" * (x.factor == 2))
            for x in self.moved
            if x.has_mask
        ]
        return [
            ("offsets of deformable convolutions are those of the file", moved),
            ("masks of deformable convolutions are those of the file", tuple(masks)),
            ("no offsets in the file, so taps of deformable convolutions stay still", self.still),
        ]


def with_own_offsets(module: GraphModule) -> dict[str, tuple[Node, DeformConvModule]]:
    """Return the deformable convolutions that read no offsets, by their names in a state dict."""
    nodes, names = module.graph.nodes, {id(x): name for name, x in module.named_modules()}
    return {
        names[id(layer)]: (nodes[index], layer)
        for index, layer in module.by_index.items()
        if isinstance(layer, DeformConvModule) and not layer.has_sources
    }


def set_aside(module: GraphModule, known: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return the tensors of a file that may be of offsets which no layer of a network computes.

    Parameters
    ----------
    module
        The network.
    known
        The names that its weights have, here or in files.
    names
        Those of the tensors of the file.
    """
    if not with_own_offsets(module):
        return set()
    own = {_layer_of(x) for x in known}
    return {x for x in names if _is_of_offsets(_layer_of(x)) and _layer_of(x) not in own}


def _layer_of(name: str) -> str:
    """Return the name of the layer of a tensor, without those of the containers around it."""
    return name.rpartition(".")[0].rpartition(".")[2]


def _is_of_offsets(layer: str) -> bool:
    """Whether a layer has the name of one that computes offsets or masks."""
    return bool(_OFFSET.search(layer.lower()) or _MASK.search(layer.lower()))


def take_offsets(
    module: GraphModule, found: Mapping[str, str], state: Mapping[str, Tensor]
) -> Offsets:
    """Give deformable convolutions the offsets that a file has for them.

    Parameters
    ----------
    module
        The network.
    found
        For weights of the network their names in the file.
    state
        The tensors of the file.
    """
    layers = with_own_offsets(module)
    owners = {x: found[f"{x}.weight"].rpartition(".")[0] for x in layers if f"{x}.weight" in found}
    scopes = Counter(x.rpartition(".")[0] for x in owners.values())
    taken = set(found.values())
    files = {
        x.rpartition(".")[0]: weight
        for x, weight in state.items()
        if x.endswith(".weight") and x not in taken and _is_of_offsets(_layer_of(x))
    }
    files = {x: y for x, y in files.items() if _has_its_bias(y, state.get(f"{x}.bias"))}
    moved, still, used = [], [], set()
    for name, (node, layer) in layers.items():
        what = None
        if name in owners:
            is_alone = scopes[owners[name].rpartition(".")[0]] == 1
            near = _near(owners[name], [*files], is_alone)
            what = _moved(layer, owners[name], {x: files[x] for x in near})
        if what is None:
            still.append(layer.label)
            continue
        given = {x: (state[f"{x}.weight"], state.get(f"{x}.bias")) for x in what[1:3] if x}
        layer.take_offsets(
            node, what.channels, given[what.offset], given.get(what.mask), what.factor
        )
        moved.append(what)
        used |= {f"{x}.{part}" for x in given for part in ("weight", "bias")} & {*state}
    return Offsets(tuple(moved), tuple(still), frozenset(used))


def _has_its_bias(weight: Tensor, bias: Tensor | None) -> bool:
    """Whether a bias has a number for each channel that a weight makes, if there is one."""
    return bias is None or bias.shape == weight.shape[:1]


def _near(owner: str, names: Sequence[str], is_alone: bool) -> list[str]:
    """Return the layers of a file that belong to one, nearest first.

    Parameters
    ----------
    owner
        Its name in the file.
    names
        Those of layers that may compute offsets or masks.
    is_alone
        Whether no other deformable convolution is next to it.
    """
    scope, _, leaf = owner.rpartition(".")
    inside = [x for x in names if x.rpartition(".")[0] == owner]
    beside = [x for x in names if x.rpartition(".")[0] == scope]
    own = [x for x in beside if _which(x.rpartition(".")[2]) == _which(leaf)]
    return inside or own or (beside if is_alone else [])


def _which(leaf: str) -> str:
    """Return what tells a layer from its like: ``conv2_offset`` and ``conv2`` have "2"."""
    return _USUAL.sub("", leaf.lower())


def _moved(layer: DeformConvModule, owner: str, near: Mapping[str, Tensor]) -> Moved | None:
    """Return which of the layers of a file compute the offsets of one, if it is clear."""
    fitting = {x: w for x, w in near.items() if _fits(layer, w)}
    offsets = [x for x in fitting if _OFFSET.search(x.rpartition(".")[2].lower())]
    masks = [x for x in fitting if x not in offsets]
    if len(offsets) != 1 or len(masks) > 1:
        return None
    offset, mask = offsets[0], masks[0] if masks else ""
    made = len(fitting[offset])
    joint = bool(_MASK.search(offset.rpartition(".")[2].lower()))
    wanted = [] if joint else [made]
    if made % 3 == 0 and not mask:
        wanted.append(made // 3 * 2)
    counts = {x: groups for x in wanted if (groups := _groups(layer, x))}
    if mask:
        per_group = prod(layer.taps)
        counts = {x: n for x, n in counts.items() if len(fitting[mask]) == n * per_group}
    if not counts:
        return None
    # Of two numbers of groups that fit, the smaller one is the usual one.
    count = min(counts, key=counts.__getitem__)
    leaves = (owner.rpartition(".")[2], mask.rpartition(".")[2])
    factor = 2.0 if leaves == _TWICE else 1.0
    return Moved(layer.label, offset, mask, count, factor, bool(mask) or count < made)


def _fits(layer: DeformConvModule, weight: Tensor) -> bool:
    """Whether a weight reads the map of a layer, with windows of the same centres."""
    if weight.dim() != 2 + len(layer.taps) or weight.shape[1] != layer.channels:
        return False
    op = layer.op
    dilations = ops.per_axis(op.dilation, len(layer.taps))
    spare = [
        d * (own - n) for own, n, d in zip(layer.taps, weight.shape[2:], dilations, strict=True)
    ]
    return all(x >= 0 and x % 2 == 0 for x in spare) and 0 not in weight.shape


def _groups(layer: DeformConvModule, channels: int) -> int:
    """Return how many groups so many channels of offsets are for; 0: they are none."""
    assert isinstance(layer.op, ops.DeformConv)
    try:
        return layer.op.offset_groups(layer.channels, channels, len(layer.taps))
    except OpError:
        return 0
