"""Attention between maps, and among what comes before a position in the order of rows.

When a network is expanded, the keys become channels of layers of their own: of the whole map for
cross-attention, of what comes before a position for causal attention over several axes.  What
attends to them reads position by position, so that each layer has one rule of what it reads.

References
----------
.. [1] Vaswani et al., "Attention is all you need", NIPS 2017, arXiv:1706.03762.
.. [2] Chen et al., "Generative pretraining from pixels" (image GPT), ICML 2020.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Whole, Window, as_mean
from rfstudio.core.errors import OpError
from rfstudio.core.initialisations import HE_NORMAL, Initialisation, fans_of_matrix
from rfstudio.core.layer_models.autocorrelation import dropped
from rfstudio.core.layer_models.backward import PASS, spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, concentration, random_sums
from rfstudio.core.ops.attention import EQUAL_TOKENS, squares_of_attention
from rfstudio.core.ops.merge import Merge
from rfstudio.core.ops.operation import Context, Costs, Demands, Free
from rfstudio.core.ops.some_axes import axes_of
from rfstudio.core.ops.values import Kind, parameter

_HEADS = "Number of attention heads."


class Attending(Merge):
    """Attention whose first map asks, and whose other maps hold the keys.

    Attributes
    ----------
    heads
        Number of attention heads.
    """

    __slots__ = ()

    weighted: ClassVar[bool] = True
    joins_channels: ClassVar[bool] = True
    is_free: ClassVar[bool] = False

    heads: int

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.heads:
            raise OpError(f"{self.heads} heads do not divide {channels[0]} channels")
        return channels[0]

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        return self.attending_model(sources, HE_NORMAL)

    @abstractmethod
    def attending_model(self, sources: Sequence[Runs], init: Initialisation) -> Layer:
        """Return the same as `joint_model` for weights of any law."""

    def attended(
        self,
        asking: Moments,
        keys: Moments,
        tokens: float,
        channels: int,
        key_channels: int,
        init: Initialisation,
    ) -> tuple[float, float, Moments]:
        """Return factors of energy to what asks and to one key, and the moments of the map.

        (E38) Of logits of variance λ = a a′ s (s′ − k′), of what asks and of the keys: to what asks
        a a′² o (s′ − k′)² l/T · M, to each key C/C′ · (a′ o v + a′ o λ l)/T² · M, v and l from
        (E25), the (I1) a, a′ and o of the weights of queries, keys and results 2 of He's.
        """
        count = max(tokens, 1.0)
        of_keys, after = squares_of_attention(init, channels, key_channels)
        of_asking = of_keys
        if key_channels != channels:
            of_asking = init.squares(fans_of_matrix(channels, channels))
        both = of_keys * after
        logits = of_asking * of_keys * asking.square * keys.variance
        width = max(channels // self.heads, 1)
        peaked, moved = concentration(count, float(f"{logits:.3g}"), width)
        mixed = keys.shared + keys.variance * min(peaked / count, 1.0)
        of_key = both * (peaked + logits * moved) / count**2 * channels / max(key_channels, 1)
        of_query = of_asking * of_keys * both * keys.variance**2 * moved / count
        return of_query, of_key, random_sums(Moments(mixed, keys.shared), both)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossAttention(Attending):
    """Attention [1]_ in which the positions of one map ask, and those of another are the keys.

    Its sources are the map that asks and the map that has the keys and the values, of any size and
    any number of channels.
    """

    keyword: ClassVar[str] = "cross_attention"
    title: ClassVar[str] = "Cross-attention"

    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return self.to(channels, prod(sizes)).costs(channels, out_channels, sizes, out_sizes)

    def to(self, key_channels: int, keys: int) -> CrossAttending:
        """Return what it becomes beside a map of so many channels and positions."""
        return CrossAttending(self.heads, key_channels, (keys,))

    def attending_model(self, sources: Sequence[Runs], init: Initialisation) -> Layer:
        # Only where its sources are at fault does a graph hold it.
        return Layer(PASS, tuple(sources[0]), EQUAL_TOKENS)


@dataclass(frozen=True, slots=True)
class CrossAttending(Attending):
    """Attention beside a map that holds all keys in the channels of each position.

    Attributes
    ----------
    key_channels
        Channels of the keys.
    parts
        Numbers of keys of the maps whose keys follow each other.
    keys_known
        Whether another layer of the same weights computes keys and values already.
    """

    keyword: ClassVar[str] = "cross_attention"
    title: ClassVar[str] = "Cross-attention"
    expanded_only: ClassVar[bool] = True

    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)
    key_channels: int = parameter(Kind.INTEGER, "Channels of the keys.", 1, minimum=1)
    parts: tuple[int, ...] = parameter(Kind.INTEGERS, "Numbers of keys.", (1,), minimum=1)
    keys_known: bool = parameter(Kind.BOOLEAN, "Whether another layer computes the keys.", False)

    @property
    def keys(self) -> int:
        """Number of keys."""
        return sum(self.parts)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        queries = prod(sizes)
        weights = 2 * channels**2 + 2 * channels * self.key_channels
        projected = 0 if self.keys_known else self.keys
        macs = 2 * queries * channels**2 + 2 * projected * channels * self.key_channels
        return Costs(weights + 4 * channels, macs + 2 * queries * self.keys * channels)

    def attending_model(self, sources: Sequence[Runs], init: Initialisation) -> Layer:
        asking, keys = (average(x) for x in sources)
        channels = sum(n for n, _ in sources[0])
        to_query, to_key, out = self.attended(
            asking, keys, float(self.keys), channels, self.key_channels, init
        )
        return Layer(
            PASS, ((channels, out),), EQUAL_TOKENS, correlates=True, edges=(to_query, to_key)
        )


@dataclass(frozen=True, slots=True)
class Before(Free):
    """The samples before each position along an axis, with all along some others, as channels.

    Attributes
    ----------
    axis
        The axis; a position holds what is not after it.
    whole
        Axes along which it holds all, and one position is left.
    outermost
        Whether it is along the outermost of all axes of an attention.
    """

    keyword: ClassVar[str] = "before"
    title: ClassVar[str] = "What comes before"
    context: ClassVar[Context] = Context.WHOLE
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = True

    axis: int = parameter(Kind.INTEGER, "The axis, from 0.", 0, minimum=0)
    whole: tuple[int, ...] | None = parameter(
        Kind.INTEGERS, "Axes along which it holds all.", None, minimum=0
    )
    outermost: bool = parameter(Kind.BOOLEAN, "Whether no axis is further out.", False)

    def along(self, axes: int) -> tuple[int, ...]:
        """Return the axes whose samples become channels, in order."""
        return (self.axis, *(axes_of(self.whole, axes) if self.whole else ()))

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for axis, n in enumerate(sizes):
            if axis == self.axis:
                rules.append(Whole(n, n, side="before"))
            elif axis in self.along(len(sizes)):
                rules.append(Whole(n, min(n, 1)))
            else:
                rules.append(Window(n, n))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(0, 0)] * len(sizes)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] * prod([sizes[x] for x in self.along(len(sizes))])

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E39) M_in = Σ N²/4n² M over positions that hold n of N samples; of inner axes Σ M.

        So an attention of N/2 tokens in the mean gives each key 1/n² where there are n of them;
        along inner axes, of which a few tokens are, the mean has to do.
        """
        times = place.channels // max(place.channels_in, 1)
        out = tuple([(n * times, x) for n, x in runs])
        if not self.outermost:
            return Layer(spreading(place.rules, correlation=dropped), out)
        means = tuple([as_mean(x) for x in place.rules])
        return Layer(spreading(means, times**2 / 4, power=2, correlation=dropped), out)


@dataclass(frozen=True, slots=True)
class CausalAttending(Attending):
    """Causal attention in the order of rows [2]_ beside maps of what comes before each position.

    Attributes
    ----------
    axes
        The axes, the outermost first.  Its sources are what asks and, for each of them, what comes
        before a position along it where all outer ones agree: strictly before, of the last not.
    """

    keyword: ClassVar[str] = "attention"
    title: ClassVar[str] = "Self-attention"
    expanded_only: ClassVar[bool] = True

    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)
    axes: tuple[int, ...] = parameter(Kind.INTEGERS, "Its axes.", (0, 1), minimum=0)
    keys: int = parameter(Kind.INTEGER, "Number of keys.", 1, minimum=1)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        tokens = prod(sizes)
        return Costs(
            4 * channels**2 + 4 * channels,
            4 * tokens * channels**2 + 2 * tokens * self.keys * channels,
        )

    def attending_model(self, sources: Sequence[Runs], init: Initialisation) -> Layer:
        x = average(sources[0])
        channels = sum(n for n, _ in sources[0])
        to_query, to_key, out = self.attended(x, x, self.keys / 2, channels, channels, init)
        edges = (to_query, *[to_key] * len(self.axes))
        return Layer(PASS, ((channels, out),), EQUAL_TOKENS, correlates=True, edges=edges)
