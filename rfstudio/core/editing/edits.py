"""Edits: pure functions from one architecture to another.

An edit preserves what every `from` means: names follow renamed and moved layers, and layers that
read a deleted one read what that one read.  An edit that cannot preserve it, or that gives a name
twice, raises `EditError` with a sentence.  A place for new items is the `Location` that the first
of them will have; it may be one after the last item.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args

from rfstudio.core.editing.bound_tree import (
    as_kind,
    as_layer,
    called,
    changed,
    item_at_bound,
    with_item,
)
from rfstudio.core.editing.rearranging import (
    Direction,
    Wrapping,
    after,
    check_move,
    delete,
    duplicate,
    insert,
    landing,
    move,
    outermost,
    step,
    unwrap,
    wrap,
)
from rfstudio.core.editing.references import (
    Bound,
    Items,
    bind,
    named,
    nearest_name,
    readable_names,
    tag_of,
    tags_in,
)
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import (
    INPUT,
    Architecture,
    Branch,
    Input,
    Item,
    Layer,
    Location,
    MergeKind,
    Parallel,
    Repeat,
    item_at,
    walk,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.growth import Scale, factor_fault, growing_words
from rfstudio.core.network.physical import Axis
from rfstudio.core.ops import Op, parameters

__all__ = [
    "Direction",
    "Wrapping",
    "after",
    "check_move",
    "delete",
    "duplicate",
    "insert",
    "landing",
    "move",
    "outermost",
    "readable",
    "rename",
    "set_branches",
    "set_inputs",
    "set_merge",
    "set_network",
    "set_op",
    "set_parameter",
    "set_scale",
    "set_times",
    "set_weights_of",
    "step",
    "unwrap",
    "wrap",
]

# --- what an item is -----------------------------------------------------------------------------


def set_op(architecture: Architecture, location: Location, op: Op) -> Architecture:
    """Return the document with the operation of a layer replaced."""
    old = item_at(architecture, location)
    if not isinstance(old, Layer):
        raise EditError(f"{called(old)} is a container, so it has no operation")

    def exchange(item: Item) -> Item:
        return replace(as_layer(item), op=op)

    if old.name or type(old.op) is type(op):
        return with_item(architecture, location, exchange)
    # An unnamed layer is named after its operation, so names in `from` may have to follow.
    bound = bind(architecture)
    return bound.release(changed(bound.layers, location, exchange))


def set_parameter(
    architecture: Architecture, location: Location, name: str, value: Any
) -> Architecture:
    """Return the document with one parameter of a layer, or of a container, changed.

    Parameters
    ----------
    architecture
        The document.
    location
        The layer; or a `repeat` for its ``times`` or ``scale``, a `parallel` for its ``merge``.
    name
        Name of the parameter as in a file.
    value
        Its new value.

    Raises
    ------
    EditError, OpError
        If there is no such parameter, or the value does not fit.
    """
    item = item_at(architecture, location)
    if isinstance(item, Repeat) and name == "times":
        return set_times(architecture, location, value)
    if isinstance(item, Repeat) and name == "scale":
        return set_scale(architecture, location, value)
    if isinstance(item, Parallel) and name == "merge":
        return set_merge(architecture, location, value)
    if not isinstance(item, Layer):
        raise EditError(f"{called(item)} has no parameter '{name}'")
    known = tuple(x.name for x in parameters(type(item.op)))
    if name not in known:
        raise EditError(f"{item.op.keyword} has no '{name}'{nearest_name(name, known)}")
    change: dict[str, Any] = {name: value}
    return set_op(architecture, location, replace(item.op, **change))


def set_times(architecture: Architecture, location: Location, times: int) -> Architecture:
    """Return the document with the number of turns of a `repeat` changed."""
    item = item_at(architecture, location)
    if not isinstance(item, Repeat):
        raise EditError(f"{called(item)} is not a repeat")
    if times < 1:
        raise EditError("a repeat needs at least one turn; delete it to have none")
    bound = bind(architecture)
    return bound.release(
        changed(bound.layers, location, lambda x: replace(as_kind(Repeat, x), times=times))
    )


def set_scale(architecture: Architecture, location: Location, scale: Scale) -> Architecture:
    """Return the document with what a `repeat` multiplies at each turn changed.

    Raises
    ------
    EditError
        If no operation has a parameter of such a word, or a factor is out of range.
    """
    item = item_at(architecture, location)
    if not isinstance(item, Repeat):
        raise EditError(f"{called(item)} is not a repeat")
    words = growing_words()
    for word, factor in scale:
        if word not in words:
            raise EditError(f"no layer has a '{word}' that can grow{nearest_name(word, words)}")
        if expected := factor_fault(factor):
            raise EditError(f"the factor of {word} must be {expected}, not {factor!r}")
    if len(dict(scale)) < len(scale):
        raise EditError("a parameter has one factor")
    return with_item(
        architecture, location, lambda x: replace(as_kind(Repeat, x), scale=tuple(scale))
    )


def set_merge(architecture: Architecture, location: Location, merge: MergeKind) -> Architecture:
    """Return the document with the way in which a `parallel` joins its branches changed."""
    item = item_at(architecture, location)
    if not isinstance(item, Parallel):
        raise EditError(f"{called(item)} is not a parallel")
    if merge not in get_args(MergeKind):
        raise EditError(f"branches are joined by concat, add or multiply, not by '{merge}'")
    bound = bind(architecture)
    return bound.release(
        changed(bound.layers, location, lambda x: replace(as_kind(Parallel, x), merge=merge))
    )


def set_branches(
    architecture: Architecture, location: Location, names: Iterable[tuple[int | None, str]]
) -> Architecture:
    """Return the document with the branches of a `parallel` renamed, reordered, added or removed.

    Parameters
    ----------
    architecture
        The document.
    location
        The `parallel`.
    names
        For each branch the index that it has now, None for a new one, and its name, which may be
        empty.
    """
    item = item_at(architecture, location)
    if not isinstance(item, Parallel):
        raise EditError(f"{called(item)} is not a parallel")
    wanted = tuple(names)
    if not wanted:
        raise EditError("a parallel needs at least one branch; delete it to have none")
    for _, name in wanted:
        _check_name(name)
    bound = bind(architecture)

    old = item_at_bound(bound, location)
    assert isinstance(old, Parallel)
    branches = tuple(
        Branch((), named(name, bound.fresh_tag()))
        if index is None
        else replace(old.branches[index], name=named(name, tag_of(old.branches[index])))
        for index, name in wanted
    )
    layers = changed(bound.layers, location, lambda _: replace(old, branches=branches))
    return _release_without(bound, layers, old)


def rename(architecture: Architecture, location: Location, name: str) -> Architecture:
    """Return the document with an item renamed; names in `from` follow.

    With an empty name, a layer is named after its operation, with a number.
    """
    name = name.strip()
    _check_name(name)
    bound = bind(architecture)
    return bound.release(
        changed(bound.layers, location, lambda x: replace(x, name=named(name, tag_of(x))))
    )


def set_inputs(
    architecture: Architecture, location: Location, names: Iterable[str]
) -> Architecture:
    """Return the document with what a layer reads (`from`) changed; no names: the item before.

    Raises
    ------
    EditError
        If a name is not that of something before the layer.
    """
    item = item_at(architecture, location)
    if not isinstance(item, Layer):
        raise EditError(f"{called(item)} is a container; set what its first layers read instead")
    wanted = tuple(names)
    if len(wanted) > 1 and not (item.op.merges or item.op.may_join):
        raise EditError(
            f"{item.op.keyword} reads one layer, not {len(wanted)}; join them with add or concat"
        )
    known = readable(architecture, location)
    for name in wanted:
        if name not in known and not _is_readable(architecture, location, name):
            raise EditError(
                f"there is no layer '{name}' before {called(item)}{nearest_name(name, known)}"
            )
    return with_item(architecture, location, lambda x: replace(as_layer(x), inputs=wanted))


def readable(architecture: Architecture, location: Location) -> tuple[str, ...]:
    """Return the names that a layer may have in `from`: those of everything before it."""
    bound = bind(architecture)
    return readable_names(bound, tag_of(item_at_bound(bound, location)))


def set_network(
    architecture: Architecture,
    *,
    name: str | None = None,
    description: str | None = None,
    reference: str | None = None,
    input_size: tuple[int, ...] | None = None,
    channels: int | None = None,
    input_axes: tuple[Axis, ...] | None = None,
    further_inputs: tuple[Input, ...] | None = None,
) -> Architecture:
    """Return the document with facts about the network changed; None leaves one as it is.

    With another number of axes nothing is known of what they measure.

    Raises
    ------
    EditError
        If the input would be empty or have more than three axes, or if what is said of axes or of
        further inputs does not fit it, or if an input that is dropped is read by a layer.
    """
    if input_size is not None and not (1 <= len(input_size) <= 3 and min(input_size) >= 1):
        raise EditError("the input needs one to three sizes of at least 1")
    if channels is not None and channels < 1:
        raise EditError("the input needs at least one channel")
    axes = len(architecture.input_size if input_size is None else input_size)
    if input_axes is None and architecture.input_axes and len(architecture.input_axes) != axes:
        input_axes = ()
    if input_axes and len(input_axes) != axes:
        raise EditError(f"the input has {axes} axes, not {len(input_axes)}")
    if further_inputs is not None:
        _check_inputs(architecture, further_inputs, axes)
    changes = {
        "input_axes": input_axes,
        "further_inputs": further_inputs,
        "name": name,
        "description": description,
        "reference": reference,
        "input_size": input_size,
        "channels": channels,
    }
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return replace(architecture, **given)


def _check_inputs(architecture: Architecture, inputs: tuple[Input, ...], axes: int) -> None:
    names = [x.name for x in inputs]
    for given in inputs:
        _check_name(given.name)
        if names.count(given.name) > 1 or given.name == architecture.input_name:
            raise EditError(f"two inputs are called '{given.name}'; give one another name")
        if len(given.size) != axes:
            raise EditError(f"'{given.name}' needs {axes} sizes, as the first input has")
        if min(*given.size, given.channels) < 1:
            raise EditError(f"'{given.name}' needs sizes and channels of at least 1")
    dropped = {x.name for x in architecture.further_inputs} - set(names)
    for _, item in walk(architecture):
        for name in item.names_read if isinstance(item, Layer) else ():
            if name in dropped:
                raise EditError(f"'{name}' is read by {called(item)}; change that first")


def set_weights_of(architecture: Architecture, location: Location, name: str) -> Architecture:
    """Return the document with a layer that has the weights of another one; empty: its own.

    Raises
    ------
    EditError
        If there is no such layer before it, or it has other parameters.
    """
    item = item_at(architecture, location)
    if not isinstance(item, Layer):
        raise EditError(f"{called(item)} is a container; its layers have weights of their own")
    known = readable(architecture, location)
    if name and name not in known and not _is_readable(architecture, location, name):
        raise EditError(
            f"there is no layer '{name}' before {called(item)}{nearest_name(name, known)}"
        )
    after = with_item(architecture, location, lambda x: replace(as_layer(x), weights_of=name))
    old = {x.message for x in expand(architecture).faults}
    for fault in expand(after).faults:
        if fault.parameter == "weights_of" and fault.message not in old:
            raise EditError(fault.message)
    return after


def _release_without(bound: Bound, layers: Items, old: Item) -> Architecture:
    """Return the document without deleted branches and their items, which no layer may read."""
    left = {tag for item in layers for tag in tags_in(item)}
    gone = set(tags_in(old)) - left
    used = {
        link.thing.tag: link.written
        for item in layers
        for key in _keys(item)
        if (link := bound.links.get(key)) is not None
    }
    for tag in gone & set(used):
        raise EditError(f"'{used[tag]}' in that branch is read from elsewhere; change that first")
    return bound.release(layers)


def _keys(item: Item) -> Iterable[str]:
    if isinstance(item, Layer):
        yield from item.names_read
    for body in item.bodies:
        for inner in body:
            yield from _keys(inner)


def _check_name(name: str) -> None:
    if name == INPUT:
        raise EditError("'input' is the name of the network's input; choose another one")
    if "." in name:
        raise EditError("a name must not hold a dot, which separates the parts of a path")
    if any(not x.isprintable() for x in name):
        raise EditError("a name must not hold line breaks or other control characters")


def _is_readable(architecture: Architecture, location: Location, name: str) -> bool:
    """Whether a name, in its short or full form, means something before the layer."""
    trial = with_item(architecture, location, lambda x: replace(as_layer(x), inputs=(name,)))
    bound = bind(trial)
    return as_layer(item_at_bound(bound, location)).inputs[0] in bound.links
