"""New layers and containers, with the parameters that they start with."""

from __future__ import annotations

import re
from typing import NamedTuple

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


class Kind(NamedTuple):
    """Something that can be added.

    Attributes
    ----------
    keyword
        As in a file: ``conv``, ``residual``.
    title
        In words: "Convolution".
    others
        Names that it has elsewhere, or what it is set up as: "deconv", "dilated".
    """

    keyword: str
    title: str
    others: tuple[str, ...] = ()

    def other_name(self, words: str) -> str:
        """Return the other name that a search has found; empty: it is found by its own name."""
        wanted = _plain(words)
        own = (_plain(self.keyword), _plain(self.title))
        if not wanted or any(wanted in x for x in own):
            return ""
        found = (x for x in self.others if wanted in _plain(x))
        together = (x for x in self.others if _is_in_one_word(words, x))
        return next(found, "") or next(together, "")


OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "conv": (
        "conv1d",
        "conv2d",
        "conv3d",
        "dilated convolution",
        "atrous convolution",
        "depthwise convolution",
        "grouped convolution",
        "pointwise convolution",
        "1x1 convolution",
        "conv1x1",
        "depthwise separable",
        "strided",
    ),
    "deform_conv": ("deformconv", "dcn"),
    "max_pool": ("maxpool", "maxpool2d", "downsample"),
    "avg_pool": ("avgpool", "mean pool", "average pool", "subsampling"),
    "lp_pool": ("lppool",),
    "conv_transpose": (
        "deconv",
        "deconvolution",
        "transposed conv",
        "up-convolution",
        "fractionally strided",
    ),
    "adaptive_avg_pool": ("adaptiveavgpool", "spatial pyramid"),
    "adaptive_max_pool": ("adaptivemaxpool",),
    "upsample": ("interpolate", "resize", "bilinear", "nearest", "unpool"),
    "pixel_shuffle": ("depth to space", "sub-pixel convolution"),
    "pixel_unshuffle": ("space to depth", "focus", "patch merging"),
    "pad": ("zero padding", "reflection padding"),
    "slice": ("strided slice", "subsample"),
    "roll": ("cyclic shift",),
    "window_attention": ("swin", "shifted windows"),
    "global_avg_pool": ("gap", "globalavgpool", "squeeze", "mean"),
    "global_max_pool": ("globalmaxpool",),
    "flatten": ("reshape",),
    "linear": ("dense", "fc", "fully-connected", "mlp", "inner product", "classifier"),
    "instance_norm": ("instancenorm", "instance normalization"),
    "group_norm": ("groupnorm", "gn", "group normalization"),
    "squeeze_excite": ("se block", "senet", "channel attention", "gate"),
    "attention": ("transformer", "mhsa", "multi-head", "non-local"),
    "recurrent": ("lstm", "gru", "rnn"),
    "relu": ("rectifier", "activation"),
    "gelu": ("activation",),
    "silu": ("swish", "activation"),
    "sigmoid": ("logistic", "gate"),
    "dropout": ("drop path", "stochastic depth"),
    "layer_norm": ("layernorm", "ln", "layer normalization"),
    "affine": ("multiply by a number", "add a number", "rescale", "constant"),
    "local_response_norm": ("lrn",),
    "batch_norm": ("batchnorm", "bn", "batch normalization"),
    "add": ("sum", "plus", "skip connection", "shortcut", "merge"),
    "multiply": ("gate", "product", "hadamard"),
    "concat": ("cat", "merge", "join"),
}
"""Names under which operations are known elsewhere, and in which people look for them."""


def _plain(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def in_one_word(text: str) -> str:
    """Return a name in one word, as classes of libraries are called: ``pixelshuffle``."""
    return re.sub(r"[\W_]+", "", text.lower())


def _is_in_one_word(words: str, name: str) -> bool:
    """Whether what is searched for is in a name written in one word.

    The number of axes at the end of a class does not count, as in ``BatchNorm2d``.
    """
    wanted = re.sub(r"(?<=[a-z])[123]d$", "", in_one_word(words))
    return len(wanted) >= _SHORTEST and wanted in in_one_word(name)


_SHORTEST = 3
"""Letters from which on a search may be across the words of a name."""


_CONTAINERS = (
    Kind("sequence", "Group of layers", ("block", "sequential", "module", "stage")),
    Kind(
        "residual",
        "Residual block",
        ("resblock", "resnet block", "skip connection", "shortcut", "bottleneck"),
    ),
    Kind("parallel", "Parallel branches", ("inception", "split", "aspp", "pyramid")),
    Kind("repeat", "Repeated layers", ("loop", "stack", "times")),
)


def kinds() -> tuple[Kind, ...]:
    """Return everything that can be added: the operations, then the containers."""
    operations = (
        Kind(x.keyword, x.title, OTHER_NAMES.get(x.keyword, ())) for x in ops.OPS.values()
    )
    return (*operations, *_CONTAINERS)


def matching_kinds(words: str) -> list[Kind]:
    """Return what a search finds, the best first.

    An exact keyword, a beginning, any part, then the same of its other names, and of all names in
    one word.
    """
    wanted = _plain(words)
    if not wanted:
        return list(kinds())

    def rank(kind: Kind) -> int:
        title, others = _plain(kind.title), [_plain(x) for x in kind.others]
        found = (
            kind.keyword == wanted,
            kind.keyword.startswith(wanted),
            title.startswith(wanted),
            wanted in others,
            wanted in kind.keyword or wanted in title,
            any(x.startswith(wanted) for x in others),
            any(wanted in x for x in others),
            any(_is_in_one_word(words, x) for x in (kind.keyword, kind.title, *kind.others)),
        )
        return found.index(True) if any(found) else len(found)

    ranked = [(rank(x), x) for x in kinds()]
    return [kind for place, kind in sorted(ranked, key=lambda x: x[0]) if place < _NOTHING]


_NOTHING = 8
"""Rank of what a search does not find."""


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
    return Layer(ops.OPS[keyword].usual())
