"""The document: an immutable tree of layers and containers.

A place in the tree is a `Location`: the index of an item, then, while going down, the index of
one of its bodies and the index of an item in it.  `(3,)` is the fourth item of the file,
`(3, 0, 2)` the third item in the first body of that container.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from fractions import Fraction
from operator import index
from typing import ClassVar, Literal, TypeAlias

from rfstudio.core.errors import EditError, GraphError, shown
from rfstudio.core.network.physical import Axis
from rfstudio.core.network.weight_names import WeightNames
from rfstudio.core.ops import Op, layers_named, with_layers_named
from rfstudio.core.shown import Shown

Location: TypeAlias = tuple[int, ...]
"""Path of indices from the file to one item; see the module's text."""

INPUT = "input"
"""The name of the network's input, wherever a layer's name is expected."""

MergeKind = Literal["concat", "add", "multiply"]

MAX_NESTED = 50
"""Containers in each other, at most: all that goes through a tree, as comparing and copying do in
Python itself, goes some calls deeper with each of them, and there may be a thousand calls."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation.

    Attributes
    ----------
    op
        What it does.
    name
        Its own name; empty: its op and a running number within its scope.
    inputs
        Names of what it reads (`from` in a file); empty: the item before it.
    weights_of
        The earlier layer whose weights it has; empty: weights of its own.
    """

    height: ClassVar[int] = 0

    op: Op
    name: str = ""
    inputs: tuple[str, ...] = ()
    weights_of: str = ""

    @property
    def bodies(self) -> tuple[tuple[Item, ...], ...]:
        """No bodies: a layer holds no items."""
        return ()

    @property
    def names_read(self) -> tuple[str, ...]:
        """All names of other layers in it: `inputs`, parameters, and that of `weights_of`."""
        read = self.inputs + layers_named(self.op)
        return (*read, self.weights_of) if self.weights_of else read

    def reading(self, names: tuple[str, ...]) -> Layer:
        """Return it with other names for those of `names_read`."""
        shared = names[-1] if self.weights_of else ""
        names = names[:-1] if self.weights_of else names
        count = len(names) - len(layers_named(self.op))
        op = with_layers_named(self.op, names[count:]) if count < len(names) else self.op
        # Written out, since there may be thousands of layers and `replace` takes five times longer.
        return Layer(op, self.name, names[:count], shared)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Layers one after the other, as a named group."""

    keyword: ClassVar[str] = "sequence"

    layers: tuple[Item, ...] = ()
    name: str = ""

    height: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", _checked_height(self))

    @property
    def bodies(self) -> tuple[tuple[Item, ...], ...]:
        """The layers."""
        return (self.layers,)


@dataclass(frozen=True, slots=True)
class Residual:
    """add(layers(x), shortcut(x)); an empty shortcut is the identity."""

    keyword: ClassVar[str] = "residual"

    layers: tuple[Item, ...] = ()
    shortcut: tuple[Item, ...] = ()
    name: str = ""

    height: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", _checked_height(self))

    @property
    def bodies(self) -> tuple[tuple[Item, ...], ...]:
        """The layers, then the shortcut."""
        return (self.layers, self.shortcut)


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of a `Parallel`; without layers it is the identity."""

    layers: tuple[Item, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that read the same map and are merged."""

    keyword: ClassVar[str] = "parallel"

    branches: tuple[Branch, ...] = ()
    merge: MergeKind = "concat"
    name: str = ""

    height: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", _checked_height(self))

    @property
    def bodies(self) -> tuple[tuple[Item, ...], ...]:
        """The layers of each branch."""
        return tuple(branch.layers for branch in self.branches)


@dataclass(frozen=True, slots=True)
class Repeat:
    """The layers, `times` over, one after the other.

    Attributes
    ----------
    scale
        Words of parameters with the factors by which they are multiplied at each turn, in all
        layers inside that have them: the turns of ``(("dilation", 2),)`` have dilations 1, 2, 4 …
    """

    keyword: ClassVar[str] = "repeat"

    times: int = 1
    layers: tuple[Item, ...] = ()
    name: str = ""
    scale: tuple[tuple[str, int], ...] = ()

    height: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", _checked_height(self))

    @property
    def bodies(self) -> tuple[tuple[Item, ...], ...]:
        """The layers, once."""
        return (self.layers,)


Container: TypeAlias = Sequence | Residual | Parallel | Repeat
Item: TypeAlias = Layer | Container


def _checked_height(item: Container) -> int:
    """Return how many containers are in each other in one, itself included.

    Raises
    ------
    GraphError
        If these are more than `MAX_NESTED`.
    """
    height = 1 + max([x.height for body in item.bodies for x in body], default=0)
    if height > MAX_NESTED:
        deepest: Item = item
        while not isinstance(deepest, Layer) and any(deepest.bodies):
            deepest = max((x for body in deepest.bodies for x in body), key=lambda x: x.height)
        raise GraphError(
            f"at most {MAX_NESTED} containers may be in each other, not {height} from "
            f"{_called(item)} down to {_called(deepest)}"
        )
    return height


def _called(item: Item) -> str:
    keyword = item.op.keyword if isinstance(item, Layer) else item.keyword
    return f"{keyword} '{shown(item.name)}'" if item.name else keyword


CONTAINERS: tuple[type[Container], ...] = (Sequence, Residual, Parallel, Repeat)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a network beside its first one.

    Attributes
    ----------
    name
        What layers call it in `from`.
    size
        Size along each spatial axis, at the network's own input size.
    channels
        Number of its channels.
    """

    name: str
    size: tuple[int, ...]
    channels: int


@dataclass(frozen=True, slots=True)
class Architecture(Shown):
    """A network as its author wrote it.

    Attributes
    ----------
    name, description, reference
        Texts about the network; a source for `reference`, such as an arXiv number.
    input_size
        Size of the input along each spatial axis, in pixels, in the order of the tensor.
    channels
        Number of input channels.
    layers
        The items, each reading the one before it unless it says otherwise.
    input_name
        A name of the input beside "input"; empty: it has none.
    further_inputs
        Inputs beside the first one, which is what the first item reads.
    input_axes
        What each axis of the input measures; empty: nothing is known of it.
    weight_names
        Names that files of weights have for layers in place of their paths, by patterns of these.
    """

    name: str = "untitled"
    description: str = ""
    reference: str = ""
    input_size: tuple[int, ...] = (224, 224)
    channels: int = 3
    layers: tuple[Item, ...] = ()
    input_name: str = ""
    further_inputs: tuple[Input, ...] = ()
    input_axes: tuple[Axis, ...] = ()
    weight_names: WeightNames = ()

    @property
    def axes(self) -> int:
        """Number of spatial axes: 1, 2 or 3."""
        return len(self.input_size)

    def sizes_of_inputs(self, size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Return the sizes of the further inputs where the first one has `size`: in proportion."""
        return tuple(
            tuple(
                max(round(Fraction(n * new, own)), 1)
                for n, new, own in zip(x.size, size, self.input_size, strict=True)
            )
            for x in self.further_inputs
        )


def with_bodies(item: Item, bodies: tuple[tuple[Item, ...], ...]) -> Item:
    """Return `item` holding other items; `bodies` as `item.bodies` gives them."""
    match item:
        case Layer():
            return item
        case Sequence() | Repeat():
            return replace(item, layers=bodies[0])
        case Residual():
            return replace(item, layers=bodies[0], shortcut=bodies[1])
        case Parallel():
            branches = zip(item.branches, bodies, strict=True)
            return replace(item, branches=tuple(replace(b, layers=x) for b, x in branches))


def body_at(architecture: Architecture, location: Location) -> tuple[Item, ...]:
    """Return the items among which `location` points to one.

    Raises
    ------
    EditError
        If there is no such place.
    """
    body = architecture.layers
    for item, which in zip(location[0:-1:2], location[1::2], strict=True):
        try:
            body = body[item].bodies[which]
        except IndexError:
            raise EditError(f"there is no item at {location}") from None
    return body


def item_at(architecture: Architecture, location: Location) -> Item:
    """Return the item at `location`.

    Raises
    ------
    EditError
        If there is no such place.
    """
    body = body_at(architecture, location)
    if not 0 <= location[-1] < len(body):
        raise EditError(f"there is no item at {location}")
    return body[location[-1]]


def walk(architecture: Architecture) -> Iterator[tuple[Location, Item]]:
    """Yield every item with its location, each container before what it holds."""
    stack: list[tuple[Location, Item]] = [
        ((i,), item) for i, item in reversed(list(enumerate(architecture.layers)))
    ]
    while stack:
        location, item = stack.pop()
        yield location, item
        inner = [
            ((*location, b, i), x) for b, body in enumerate(item.bodies) for i, x in enumerate(body)
        ]
        stack.extend(reversed(inner))


def checked_size(architecture: Architecture, size: SequenceOf[int]) -> tuple[int, ...]:
    """Return another input size for a network, one whole number per axis.

    Raises
    ------
    GraphError
        If the network has another number of axes, or an entry is no whole number from 1 on.
    """
    axes = len(architecture.input_size)
    try:
        found = tuple(map(index, size))
    except TypeError:
        raise GraphError(f"an input size has one whole number per axis, not {size!r}") from None
    if len(found) != axes or min(found, default=0) < 1:
        raise GraphError(
            f"an input size of '{architecture.name}' has {axes} whole "
            f"{'number' if axes == 1 else 'numbers'} from 1 on, not {list(found)}"
        )
    return found
