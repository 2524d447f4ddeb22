"""The base of every operation: words, parameters, traits, positions, channels, costs and energy.

An operation is a class of its family's module, and this base says what it has to answer.  A class
that leaves out one of the answers is refused when it is defined, and by mypy where it is made.
What runs operations or writes them as source is a table of functions, one for each type of
operation: see `rfstudio.core.ops.op_table`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import MISSING, dataclass, fields, replace
from enum import Enum
from functools import cache
from inspect import get_annotations
from typing import ClassVar, NamedTuple, Self, TypeAlias

from rfstudio.core.axes.axis_rule import AxisRules, Whole, Window
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.memo import remembered
from rfstudio.core.ops.values import COLLAPSIBLE, Kind, Parameter, collapsed, fault


class Context(Enum):
    """What one position of the output reads, in the order in which operations are offered."""

    WINDOW = "a window that slides over the map"
    PATTERN = "positions by a rule of its own"
    WHOLE = "the whole map"
    POSITION = "its own position"
    STATISTICS = "its own position; in training the whole map"
    MAPS = "its own position in several maps"


class Costs(NamedTuple):
    """Learned parameters and multiply-adds of one layer, for one image.

    They are counted as PyTorch counts: parameters as `Module.parameters()` has them, multiply-adds
    as half of what `torch.utils.flop_counter` counts (products of convolutions and matrices; a
    bias, a norm and an activation cost none).
    """

    parameters: int
    macs: int


NO_COSTS = Costs(0, 0)

Demands: TypeAlias = list[tuple[int, int]]
"""For each axis the side of the output map, and the reads until its pattern repeats."""


@dataclass(frozen=True)
class Operation:
    """What all operations have in common; not an operation itself.

    Attributes
    ----------
    keyword
        Its word in a file: ``conv``.
    title
        Its name in menus: "Convolution".
    context
        What one position of its output reads.
    weighted
        Whether learned weights mix its channels.
    keeps_weights
        Whether its taps have fixed weights, as those of a mean, which a count of paths uses;
        otherwise every tap counts 1.
    merges
        Whether it joins several maps.
    may_join
        Whether it may read several maps, but need not.
    slides
        Whether it slides a kernel over its input or its output; such layers count as depth.
    is_pool
        Whether it pools.
    keeps_map
        Whether size and channels of its map are those of what it reads, whatever they are.
    mixes_in_training
        Whether its outputs read the whole map while a network is trained.
    does_nothing
        Whether it leaves all values as they are, at inference.
    is_free
        Whether it has no learned parameters and no multiply-adds.
    followed_apart
        Whether gradients that come to it from several layers are to be followed apart from each
        other when energy is measured: it is a gate, or preserves channels and places.  Weights mix
        channels, after which it does not matter.
    expanded_only
        Whether no document holds it: an item becomes it when a network is expanded.
    alternatives
        Groups of parameters of which one excludes the others.
    other_words
        Words that older files have, which its constructor takes and turns into a parameter.
    """

    __slots__ = ()

    keyword: ClassVar[str]
    title: ClassVar[str]
    context: ClassVar[Context]
    weighted: ClassVar[bool]
    keeps_weights: ClassVar[bool]
    merges: ClassVar[bool] = False
    may_join: ClassVar[bool] = False
    slides: ClassVar[bool] = False
    is_pool: ClassVar[bool] = False
    keeps_map: ClassVar[bool] = False
    mixes_in_training: ClassVar[bool] = False
    does_nothing: ClassVar[bool] = False
    is_free: ClassVar[bool] = False
    followed_apart: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = False
    alternatives: ClassVar[tuple[frozenset[str], ...]] = ()
    other_words: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Refuse an operation, which is a class with a keyword, that leaves out an answer."""
        super().__init_subclass__()
        if "keyword" in cls.__dict__ and (missing := _missing(cls)):
            raise TypeError(f"{cls.__name__} is no operation without its {', '.join(missing)}")

    def __post_init__(self) -> None:
        for parameter in parameters(type(self)):
            value = getattr(self, parameter.name)
            if parameter.kind in COLLAPSIBLE:
                value = collapsed(value)
                if value == "valid":
                    value = 0
                object.__setattr__(self, parameter.name, value)
            elif parameter.kind in (Kind.INTEGERS, Kind.SOURCES) and isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, parameter.name, value)
            message = fault(parameter, value)
            if message:
                raise OpError(f"{parameter.name} must be {message}, not {value!r}")
        self._check()

    def _check(self) -> None:
        """Raise `OpError` if parameters contradict each other."""

    # --- words -----------------------------------------------------------------------------------

    @classmethod
    def usual(cls) -> Self:
        """Return what a newly added layer has: the usual one, with the same sizes if possible."""
        return cls()

    def text(self, axes: int) -> str:
        """Return it with the parameters that shape what it reads: ``conv 3×3 /2 dil 2``."""
        return self.keyword

    # --- positions -------------------------------------------------------------------------------

    @abstractmethod
    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        """Return for each axis which inputs an output reads.

        Call `rfstudio.core.ops.geometry.axis_rules` instead, which refuses what would take hours.

        Parameters
        ----------
        sizes
            Size of its input map along each axis, in samples; of a merge, of each of its inputs.
        """

    def training_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        """Return the same while a network is trained."""
        return self.axis_rules(sizes)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        """Return `rules` as if it read one position where it reads a whole axis and has as many.

        The same object if nothing is to be replaced: see `rfstudio.core.fields.local`.
        """
        return rules

    @abstractmethod
    def demands(self, sizes: tuple[int, ...]) -> Demands:
        """Return for each axis the side of the output map and the reads until its pattern repeats.

        Both are 0 where the pattern is one window, which takes no work.
        """

    def misfit(self, sizes: tuple[int, ...]) -> str:
        """Return why it cannot run on a map of that size, or an empty text.

        What PyTorch refuses although the geometry has an answer; an empty output is not meant.
        """
        return ""

    # --- channels and costs ----------------------------------------------------------------------

    @abstractmethod
    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        """Return the number of output channels.

        Parameters
        ----------
        channels
            Number of channels of each input.
        sizes
            Size of the input map along each axis, in samples.

        Raises
        ------
        OpError
            If the operation does not fit that many channels.
        """

    @abstractmethod
    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        """Return learned parameters and multiply-adds for one image.

        Parameters
        ----------
        channels, out_channels
            Number of channels of its (first) input and of its output.
        sizes, out_sizes
            Size of these maps along each axis, in samples.
        """

    # --- energy ----------------------------------------------------------------------------------

    @abstractmethod
    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return what it does to the energy of gradients and to the moments of values.

        Derivations are in docs/expected-erf.md.  Formulas have the energy M of gradients, the
        mean square s of a value, the mean product k of two distant ones of one channel, the mean
        m, and the share f of the taps of a layer that are on the map.

        Parameters
        ----------
        place
            How it reads, and its channels.
        runs
            The values that it reads.
        """

    def fixed_rules(self, rules: AxisRules) -> AxisRules:
        """Return its rules with the fixed weights of their taps, if it has such weights."""
        return rules


Op: TypeAlias = Operation
"""Any operation of a network."""


def _missing(cls: type[Operation]) -> list[str]:
    """Return the names of the answers that a type of operation does not give."""
    declared = [
        name
        for base in cls.__mro__
        for name, hint in get_annotations(base).items()
        if str(hint).startswith("ClassVar") and not hasattr(cls, name)
    ]
    abstract = [x for x in dir(cls) if getattr(getattr(cls, x, 0), "__isabstractmethod__", False)]
    return declared + abstract


def parameters(op_type: type[Operation]) -> tuple[Parameter, ...]:
    """Return the parameters of a type of operation, in the order of the file format."""
    # mypy mistakes the class for one of its instances when it checks for a hash.
    return _parameters(op_type)  # type: ignore[arg-type]


@cache
def _parameters(op_type: type[Operation]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=x.name,
            kind=x.metadata["kind"],
            default=None if x.default is MISSING else x.default,
            required=x.default is MISSING,
            minimum=x.metadata["minimum"],
            maximum=x.metadata["maximum"],
            choices=x.metadata["choices"],
            description=x.metadata["description"],
            word=x.metadata["word"] or x.name,
        )
        for x in fields(op_type)
    )


def layers_named(op: Operation) -> tuple[str, ...]:
    """Return the names of layers that are parameters of an operation, as `size_of`."""
    naming = _naming(type(op))  # type: ignore[arg-type]
    return tuple([x for name in naming if (x := getattr(op, name)) is not None]) if naming else ()


def with_layers_named(op: Operation, names: tuple[str, ...]) -> Operation:
    """Return an operation with other names for those that `layers_named` gives."""
    given = [x for x in _naming(type(op)) if getattr(op, x) is not None]  # type: ignore[arg-type]
    if not given:
        return op
    changes: dict[str, str] = dict(zip(given, names, strict=True))
    return replace(op, **changes)


@cache
def _naming(op_type: type[Operation]) -> tuple[str, ...]:
    return tuple([x.name for x in parameters(op_type) if x.kind is Kind.LAYER])


# --- answers that many operations share ----------------------------------------------------------


class FollowsSize(Operation):
    """An operation that may take the size of its map from another one.

    When a network is expanded it becomes one with that size in numbers, so all other answers are
    those of an operation with numbers; before that it is taken to keep the size.

    Attributes
    ----------
    size_of
        The layer whose map gives the size; None: it is given in another way.
    """

    __slots__ = ()

    size_of: str | None

    @abstractmethod
    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Operation:
        """Return the operation with its size in numbers.

        Parameters
        ----------
        sizes
            Size of its input map along each axis, in samples.
        other
            Size of the map that `size_of` names.
        """


class Free(Operation):
    """An operation without learned parameters and multiply-adds."""

    __slots__ = ()

    is_free: ClassVar[bool] = True

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return NO_COSTS


class KeepsChannels(Operation):
    """An operation whose map has as many channels as the (first) one that it reads."""

    __slots__ = ()

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0]


class Patternless(Operation):
    """An operation whose pattern is one window, or the whole map."""

    __slots__ = ()

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(0, 0)] * len(sizes)


def is_patternless(op: Operation) -> bool:
    """Whether an operation lists no reads, of whatever map."""
    return type(op).demands is Patternless.demands


class Pointwise(Patternless, KeepsChannels):
    """An operation whose output at a position reads that position alone, of any map."""

    __slots__ = ()

    context: ClassVar[Context] = Context.POSITION
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    keeps_map: ClassVar[bool] = True

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return identity_rules(sizes)


class ToOne(Patternless):
    """An operation that makes one position of the whole map."""

    __slots__ = ()

    context: ClassVar[Context] = Context.WHOLE

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return tuple(Whole(n, min(n, 1)) for n in sizes)


class Mixing(Patternless, KeepsChannels):
    """An operation that leaves the size of the map, and of which each position reads all of it."""

    __slots__ = ()

    context: ClassVar[Context] = Context.WHOLE
    keeps_weights: ClassVar[bool] = False

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return whole_rules(sizes)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)


@remembered(4096)
def identity_rules(sizes: tuple[int, ...]) -> AxisRules:
    """Return the rules of an operation that works position by position."""
    return tuple(Window(n, n) for n in sizes)


def whole_rules(sizes: tuple[int, ...]) -> AxisRules:
    """Return the rules of an operation that keeps the map's size and reads all of it."""
    return tuple(Whole(n, n) for n in sizes)


def by_position(rules: AxisRules) -> AxisRules:
    """Return rules with those that read a whole axis, and keep its size, reading one position."""
    if not any(type(x) is Whole and x.n_in == x.n_out for x in rules):
        return rules
    return tuple(
        [Window(x.n_in, x.n_out) if type(x) is Whole and x.n_in == x.n_out else x for x in rules]
    )
