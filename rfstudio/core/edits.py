"""Edits: pure functions from one architecture to another.

An edit keeps what every `from` means: it follows renamed and moved layers, and layers that read a
deleted one read what that one read.  An edit that cannot keep it, or that gives a name twice,
raises `EditError` with a sentence.  A place where items go is the `Location` that the first of
them will have; it may be one behind the last item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any, Literal, TypeAlias

from rfstudio.core import ops
from rfstudio.core.architecture import (
    INPUT,
    Architecture,
    Branch,
    Container,
    Item,
    Layer,
    Location,
    MergeKind,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    body_at,
    item_at,
    with_bodies,
)
from rfstudio.core.errors import EditError
from rfstudio.core.ops import Op, parameters
from rfstudio.core.references import (
    Bound,
    Items,
    Link,
    Thing,
    bind,
    name_of,
    named,
    nearest_name,
    readable_names,
    tag_of,
    tags_in,
)

Wrapping: TypeAlias = Literal["sequence", "residual", "parallel", "repeat"]
Direction: TypeAlias = Literal["up", "down", "out", "in"]


# --- what an item is -----------------------------------------------------------------------------


def set_op(architecture: Architecture, location: Location, op: Op) -> Architecture:
    """Return the document with the operation of a layer exchanged."""
    old = item_at(architecture, location)
    if not isinstance(old, Layer):
        raise EditError(f"{_called(old)} is a container, so it has no operation")

    def exchange(item: Item) -> Item:
        return replace(_layer(item), op=op)

    if old.name or type(old.op) is type(op):
        return _with_item(architecture, location, exchange)
    # An unnamed layer is called by its operation, so names in `from` may have to follow.
    bound = bind(architecture)
    return bound.release(_changed(bound.layers, location, exchange))


def set_parameter(
    architecture: Architecture, location: Location, name: str, value: Any
) -> Architecture:
    """Return the document with one parameter of a layer, or of a container, exchanged.

    Parameters
    ----------
    architecture
        The document.
    location
        The layer; or a `repeat` for its ``times``, a `parallel` for its ``merge``.
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
    if isinstance(item, Parallel) and name == "merge":
        return set_merge(architecture, location, value)
    if not isinstance(item, Layer):
        raise EditError(f"{_called(item)} has no parameter '{name}'")
    known = tuple(x.name for x in parameters(type(item.op)))  # type: ignore[arg-type]
    if name not in known:
        raise EditError(f"{item.op.keyword} has no '{name}'{nearest_name(name, known)}")
    change: dict[str, Any] = {name: value}
    return set_op(architecture, location, replace(item.op, **change))


def set_times(architecture: Architecture, location: Location, times: int) -> Architecture:
    """Return the document with the number of turns of a `repeat` exchanged."""
    item = item_at(architecture, location)
    if not isinstance(item, Repeat):
        raise EditError(f"{_called(item)} is no repeat")
    if times < 1:
        raise EditError("a repeat needs at least one turn; delete it to have none")
    bound = bind(architecture)
    return bound.release(
        _changed(bound.layers, location, lambda x: replace(_of(Repeat, x), times=times))
    )


def set_merge(architecture: Architecture, location: Location, merge: MergeKind) -> Architecture:
    """Return the document with the way a `parallel` joins its branches exchanged."""
    item = item_at(architecture, location)
    if not isinstance(item, Parallel):
        raise EditError(f"{_called(item)} is no parallel")
    if merge not in ("concat", "add", "multiply"):
        raise EditError(f"branches are joined by concat, add or multiply, not by '{merge}'")
    bound = bind(architecture)
    return bound.release(
        _changed(bound.layers, location, lambda x: replace(_of(Parallel, x), merge=merge))
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
        raise EditError(f"{_called(item)} is no parallel")
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
    layers = _changed(bound.layers, location, lambda _: replace(old, branches=branches))
    return _release_without(bound, layers, old)


def rename(architecture: Architecture, location: Location, name: str) -> Architecture:
    """Return the document with an item renamed; names in `from` follow.

    An empty name lets a layer be called by its operation and a number.
    """
    name = name.strip()
    _check_name(name)
    bound = bind(architecture)
    return bound.release(
        _changed(bound.layers, location, lambda x: replace(x, name=named(name, tag_of(x))))
    )


def set_inputs(
    architecture: Architecture, location: Location, names: Iterable[str]
) -> Architecture:
    """Return the document with what a layer reads (`from`) exchanged; no names: the item before.

    Raises
    ------
    EditError
        If a name is not that of something in front of the layer.
    """
    item = item_at(architecture, location)
    if not isinstance(item, Layer):
        raise EditError(
            f"{_called(item)} is a container; its first layers can be told what to read"
        )
    wanted = tuple(names)
    if len(wanted) > 1 and not isinstance(item.op, ops.MERGES):
        raise EditError(
            f"{item.op.keyword} reads one layer, not {len(wanted)}; join them with add or concat"
        )
    known = readable(architecture, location)
    for name in wanted:
        if name not in known and not _is_readable(architecture, location, name):
            raise EditError(
                f"no layer '{name}' stands in front of {_called(item)}{nearest_name(name, known)}"
            )
    return _with_item(architecture, location, lambda x: replace(_layer(x), inputs=wanted))


def readable(architecture: Architecture, location: Location) -> tuple[str, ...]:
    """Return the names that a layer may have in `from`: all that stands in front of it."""
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
) -> Architecture:
    """Return the document with facts about the whole network exchanged; None keeps one.

    Raises
    ------
    EditError
        If the input would be empty or have more than three axes.
    """
    if input_size is not None and not (1 <= len(input_size) <= 3 and min(input_size) >= 1):
        raise EditError("the input needs one to three sizes of at least 1")
    if channels is not None and channels < 1:
        raise EditError("the input needs at least one channel")
    changes = {
        "name": name,
        "description": description,
        "reference": reference,
        "input_size": input_size,
        "channels": channels,
    }
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return replace(architecture, **given)


# --- which items there are -----------------------------------------------------------------------


def insert(architecture: Architecture, location: Location, items: Iterable[Item]) -> Architecture:
    """Return the document with items spliced in; names that are taken get a number."""
    bound = bind(architecture)
    _check_slot(architecture, location)
    return _release_inserted(bound, location, bound.tagged(tuple(items)))


def delete(architecture: Architecture, locations: Iterable[Location]) -> Architecture:
    """Return the document without some items; their readers read what they read."""
    places = outermost(locations)
    bound = bind(architecture)
    layers = bound.layers
    for place in reversed(places):
        gone = _item(layers, place)
        layers = _changed_body(layers, place, partial(_without, at=place[-1]))
        layers = _rewired(bound, layers, gone)
    return bound.release(layers)


def duplicate(architecture: Architecture, locations: Iterable[Location]) -> Architecture:
    """Return the document with copies of some items of one body behind the last of them."""
    places = _siblings(locations)
    bound = bind(architecture)
    copies = bound.copied(tuple(_item(bound.layers, place) for place in places))
    return _release_inserted(bound, after(places[-1]), copies)


def move(
    architecture: Architecture, locations: Iterable[Location], target: Location
) -> Architecture:
    """Return the document with some items, in their order, moved in front of `target`.

    `target` is a location in the present document; `landing` says where the first item arrives.
    """
    places = outermost(locations)
    for place in places:
        if target[: len(place)] == place and len(target) > len(place):
            raise EditError("an item cannot be moved into itself")
    _check_slot(architecture, target)
    bound = bind(architecture)
    moved = tuple(_item(bound.layers, place) for place in places)
    layers = bound.layers
    for place in reversed(places):
        layers = _changed_body(layers, place, partial(_dropped, at=place[-1]))
    goal = landing(places, target)
    layers = _changed_body(layers, goal, lambda body: body[: goal[-1]] + moved + body[goal[-1] :])
    return bound.release(layers)


def wrap(architecture: Architecture, locations: Iterable[Location], kind: Wrapping) -> Architecture:
    """Return the document with neighbouring items put into a new container.

    A `residual` gets the identity as its shortcut, a `parallel` the items as its first and the
    identity as its second branch, a `repeat` two turns.
    """
    places = _siblings(locations)
    first, count = places[0], len(places)
    if places[-1][-1] - first[-1] != count - 1:
        raise EditError("only neighbouring layers can be put into a container together")
    bound = bind(architecture)
    inner = tuple(_item(bound.layers, place) for place in places)
    container = _container(bound, kind, inner, _prefix(bound, first))
    start = first[-1]
    return bound.release(
        _changed_body(
            bound.layers, first, lambda body: (*body[:start], container, *body[start + count :])
        )
    )


def unwrap(architecture: Architecture, location: Location) -> Architecture:
    """Return the document with a container exchanged for the layers in it, once.

    Raises
    ------
    EditError
        If that would drop layers: those of a shortcut or of a second branch.
    """
    item = item_at(architecture, location)
    if isinstance(item, Layer):
        raise EditError(f"{_called(item)} is no container")
    full = [b for b, body in enumerate(item.bodies) if body]
    if len(full) > 1:
        what = "a shortcut" if isinstance(item, Residual) else "several branches"
        raise EditError(
            f"{_called(item)} has {what} with layers; delete or move those layers first"
        )
    which = full[0] if full else 0
    bound = bind(architecture)
    gone = item_at_bound(bound, location)
    inner = gone.bodies[which] if gone.bodies else ()
    at = location[-1]
    layers = _changed_body(bound.layers, location, lambda body: (*body[:at], *body[at + 1 :]))
    hollow = with_bodies(gone, tuple(() for _ in gone.bodies))
    if inner:
        bound.sources[tag_of(gone)] = Thing(tag_of(inner[-1]))
    layers = _rewired(bound, layers, hollow)
    inner = _rewired(bound, inner, hollow)
    bound.paths = {
        path: thing for path, thing in bound.paths.items() if thing.tag not in set(tags_in(gone))
    }
    return _release_inserted(replace(bound, layers=layers), location, inner)


# --- places --------------------------------------------------------------------------------------


def after(location: Location) -> Location:
    """Return the place behind an item."""
    return (*location[:-1], location[-1] + 1)


def outermost(locations: Iterable[Location]) -> list[Location]:
    """Return locations in the order of the file, without those inside another one of them."""
    kept: list[Location] = []
    for place in sorted(set(locations)):
        if not kept or place[: len(kept[-1])] != kept[-1]:
            kept.append(place)
    return kept


def landing(locations: Iterable[Location], target: Location) -> Location:
    """Return where the first item arrives when items are moved in front of `target`."""
    goal = list(target)
    for place in outermost(locations):
        depth = len(place)
        if target[: depth - 1] == place[:-1] and len(target) >= depth:
            goal[depth - 1] -= place[-1] < target[depth - 1]
    return tuple(goal)


def step(
    architecture: Architecture, locations: Iterable[Location], direction: Direction
) -> Location | None:
    """Return the target of `move` for one step of neighbouring items; None: there is none.

    Parameters
    ----------
    architecture
        The document.
    locations
        Items of one body.
    direction
        Up and down go past a neighbour, and out of the container at its ends; out goes behind
        the container, in goes to the end of the container above.
    """
    places = _siblings(locations)
    first, last = places[0], places[-1]
    outer = first[:-2]
    siblings = body_at(architecture, first)
    match direction:
        case "up":
            if first[-1] > 0:
                return (*first[:-1], first[-1] - 1)
            return outer or None
        case "down":
            if last[-1] + 1 < len(siblings):
                return (*last[:-1], last[-1] + 2)
            return after(outer) if outer else None
        case "out":
            return after(outer) if outer else None
        case "in":
            if first[-1] == 0:
                return None
            above = siblings[first[-1] - 1]
            if not above.bodies:
                return None
            return (*first[:-1], first[-1] - 1, 0, len(above.bodies[0]))


# --- inside --------------------------------------------------------------------------------------


def item_at_bound(bound: Bound, location: Location) -> Item:
    """Return the item at a location of a bound document."""
    return _item(bound.layers, location)


def _item(layers: Items, location: Location) -> Item:
    return item_at(Architecture(layers=layers), location)


def _with_item(
    architecture: Architecture, location: Location, exchange: Callable[[Item], Item]
) -> Architecture:
    return replace(architecture, layers=_changed(architecture.layers, location, exchange))


def _changed(layers: Items, location: Location, exchange: Callable[[Item], Item]) -> Items:
    item_at(Architecture(layers=layers), location)
    at = location[-1]
    return _changed_body(
        layers, location, lambda body: (*body[:at], exchange(body[at]), *body[at + 1 :])
    )


def _changed_body(layers: Items, location: Location, change: Callable[[Items], Items]) -> Items:
    """Return the items with the body exchanged in which `location` lies."""
    if len(location) == 1:
        return change(layers)
    index, which, *rest = location
    try:
        item = layers[index]
        body = item.bodies[which]
    except IndexError:
        raise EditError(f"there is no item at {location}") from None
    bodies = list(item.bodies)
    bodies[which] = _changed_body(body, tuple(rest), change)
    return (*layers[:index], with_bodies(item, tuple(bodies)), *layers[index + 1 :])


def _dropped(body: Items, at: int) -> Items:
    return body[:at] + body[at + 1 :]


def _without(body: Items, at: int) -> Items:
    """Return a body without an item; the next layer keeps reading what it got through it."""
    gone, rest = body[at], body[at + 1 :]
    if isinstance(gone, Layer) and gone.inputs and rest:
        follower = rest[0]
        if isinstance(follower, Layer) and not follower.inputs:
            rest = (replace(follower, inputs=gone.inputs[:1]), *rest[1:])
    return body[:at] + rest


def _rewired(bound: Bound, layers: Items, gone: Item) -> Items:
    """Return the items with every link into a deleted item led to what that item read."""
    tags = set(tags_in(gone))
    source = bound.sources.get(tag_of(gone), Thing(0))
    explicit = gone.inputs if isinstance(gone, Layer) else ()

    def visit(item: Item) -> Item:
        if not isinstance(item, Layer):
            return with_bodies(item, tuple(tuple(map(visit, body)) for body in item.bodies))
        inputs: list[str] = []
        for key in item.inputs:
            link = bound.links.get(key)
            if link is None or link.thing.tag not in tags:
                inputs.append(key)
                continue
            instead = explicit or (bound.link(_relative(source, link)),)
            inputs += instead if isinstance(item.op, ops.MERGES) else instead[:1]
        return item if tuple(inputs) == item.inputs else replace(item, inputs=tuple(inputs))

    for tag, thing in list(bound.sources.items()):
        if thing.tag in tags and tag not in tags:
            # Deleting several: whoever goes next must not lead here.
            bound.sources[tag] = source
    return tuple(map(visit, layers))


def _relative(source: Thing, link: Link) -> Thing:
    """Return what a deleted thing read, in the turns in which the thing itself was meant."""
    turns = dict(link.thing.turns)
    around = {tag for tag, _ in source.turns}
    if any(turn is None and tag not in around for tag, turn in turns.items()):
        raise EditError(
            f"'{link.written}' is the first layer of a repeat and is read by name in it; "
            "change what its readers read first"
        )
    return source._replace(turns=tuple((tag, turns.get(tag, turn)) for tag, turn in source.turns))


def _release_inserted(bound: Bound, location: Location, items: Items) -> Architecture:
    """Return the document with bound items spliced in under names that are free."""
    prefix = _prefix(bound, location)
    taken = set(bound.paths)
    items = tuple(_uniquely_named(item, prefix, taken) for item in items)
    at = location[-1]
    layers = _changed_body(bound.layers, location, lambda body: (*body[:at], *items, *body[at:]))
    return bound.release(layers)


def _uniquely_named(item: Item, prefix: str, taken: set[str]) -> Item:
    name = name_of(item.name)
    if name:
        name = _free_name(name, prefix, taken)
        taken.add(prefix + name)
        return replace(item, name=named(name, tag_of(item)))
    if isinstance(item, Layer):
        return item
    if isinstance(item, Repeat):
        prefix += "0."
    # Names in an unnamed container are names of the scope around it.
    bodies = tuple(tuple(_uniquely_named(x, prefix, taken) for x in body) for body in item.bodies)
    return with_bodies(item, bodies)


def _free_name(name: str, prefix: str, taken: set[str]) -> str:
    if prefix + name not in taken:
        return name
    stem = name.rstrip("0123456789")
    number = int(name[len(stem) :] or 2)
    while f"{prefix}{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def _prefix(bound: Bound, location: Location) -> str:
    """Return the prefix of names at a place."""
    if len(location) == 1:
        return ""
    container = _item(bound.layers, location[:-2])
    return bound.prefixes.get((tag_of(container), location[-2]), "")


def _container(bound: Bound, kind: Wrapping, inner: Items, prefix: str) -> Container:
    name = named("", bound.fresh_tag())
    match kind:
        case "sequence":
            return Sequence(inner, name)
        case "residual":
            return Residual(inner, (), name)
        case "parallel":
            branches = (
                Branch(inner, named("", bound.fresh_tag())),
                Branch((), named("", bound.fresh_tag())),
            )
            return Parallel(branches, "concat", name)
        case "repeat":
            # Two repeats without a name in one scope would give their turns the same paths.
            free = _free_name("repeat1", prefix, set(bound.paths))
            return Repeat(2, inner, named(free, bound.fresh_tag()))


def _release_without(bound: Bound, layers: Items, old: Item) -> Architecture:
    """Return the document after branches, and all in them, went away; nobody may read those."""
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
        yield from item.inputs
    for body in item.bodies:
        for inner in body:
            yield from _keys(inner)


def _siblings(locations: Iterable[Location]) -> list[Location]:
    places = sorted(set(locations))
    if not places:
        raise EditError("no layer is chosen")
    if len(list(groupby(places, key=lambda place: place[:-1]))) > 1:
        raise EditError("choose layers that stand side by side, not in different containers")
    return places


def _check_slot(architecture: Architecture, location: Location) -> None:
    if not location or not 0 <= location[-1] <= len(body_at(architecture, location)):
        raise EditError(f"there is no place {location}")


def _check_name(name: str) -> None:
    if name == INPUT:
        raise EditError("'input' is the name of the network's input; choose another one")
    if "." in name:
        raise EditError("a name must not hold a dot, which separates the parts of a path")
    if any(not x.isprintable() for x in name):
        raise EditError("a name must not hold line breaks or other control characters")


def _is_readable(architecture: Architecture, location: Location, name: str) -> bool:
    """Whether a name, however long it is written, means something in front of the layer."""
    trial = _with_item(architecture, location, lambda x: replace(_layer(x), inputs=(name,)))
    bound = bind(trial)
    return _layer(item_at_bound(bound, location)).inputs[0] in bound.links


def _called(item: Item) -> str:
    keyword = item.op.keyword if isinstance(item, Layer) else item.keyword
    return f"'{item.name}'" if item.name else f"this {keyword}"


def _layer(item: Item) -> Layer:
    assert isinstance(item, Layer)
    return item


def _of(kind: Any, item: Item) -> Any:
    assert isinstance(item, kind)
    return item
