"""Edits that rearrange items: insert, delete, duplicate, move, wrap, unwrap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Literal, TypeAlias

from rfstudio.core.editing.bound_tree import bound_item, called, changed_body, item_at_bound
from rfstudio.core.editing.references import (
    Bound,
    Items,
    Link,
    Thing,
    bind,
    have_same_items,
    name_of,
    named,
    tag_of,
    tags_in,
)
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import (
    MAX_NESTED,
    Architecture,
    Branch,
    Container,
    Item,
    Layer,
    Location,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    body_at,
    item_at,
    with_bodies,
)
from rfstudio.core.work import give_way

Wrapping: TypeAlias = Literal["sequence", "residual", "parallel", "repeat"]
Direction: TypeAlias = Literal["up", "down", "out", "in"]

_MAX_TIMES = 2
"""How often a layer may be read instead of deleted merges that read it, directly or through others.

Twice, since two deleted layers that read it may have been added or compared.
"""

_MAX_SOURCES = 1000
"""How many layers one may read instead of deleted merges."""

_MAX_PASSED_ON = 20_000
"""How many more layers all may read, together, once merges are deleted."""


# --- which items there are -----------------------------------------------------------------------


def insert(architecture: Architecture, location: Location, items: Iterable[Item]) -> Architecture:
    """Return the document with items spliced in; names that are taken get a number."""
    new = tuple(items)
    bound = bind(architecture)
    _check_slot(architecture, location)
    _check_depth(location, new)
    return _release_inserted(bound, location, bound.tagged(new))


def delete(architecture: Architecture, locations: Iterable[Location]) -> Architecture:
    """Return the document without some items; their readers read what they read.

    A merge reads all that a deleted merge read, in order and none of it more than twice, and any
    other layer the first.

    Raises
    ------
    EditError
        If a merge would read more than a thousand layers in this way.
    """
    places = outermost(locations)
    bound = bind(architecture)
    layers = bound.layers
    gone = [bound_item(layers, place) for place in places]
    # Bodies in other containers first, since their places are those before anything is deleted.
    by_body = sorted(_by_body(places).items(), key=lambda pair: -len(pair[0]))
    for body, numbers in by_body:
        layers = changed_body(layers, (*body, numbers[0]), partial(_without, numbers=numbers))
    return bound.release(_rewired(bound, layers, gone))


def duplicate(architecture: Architecture, locations: Iterable[Location]) -> Architecture:
    """Return the document with copies of some items of one body after the last of them."""
    places = _siblings(locations)
    bound = bind(architecture)
    copies = bound.copied(tuple(bound_item(bound.layers, place) for place in places))
    return _release_inserted(bound, after(places[-1]), copies)


def move(
    architecture: Architecture, locations: Iterable[Location], target: Location
) -> Architecture:
    """Return the document with some items, in their order, moved to before `target`.

    `target` is a location in the present document; `landing` returns the new place of the first
    item.  Names that are taken there get a number.
    """
    places = outermost(locations)
    check_move(architecture, places, target)
    bound = bind(architecture)
    moved = tuple(bound_item(bound.layers, place) for place in places)
    prefix, tags = _prefix(bound, target), {tag for item in moved for tag in tags_in(item)}
    taken = _Taken({path for path, thing in bound.paths.items() if thing.tag not in tags})
    moved = tuple(_uniquely_named(item, prefix, taken) for item in moved)
    layers = bound.layers
    for place in reversed(places):
        layers = changed_body(layers, place, partial(_dropped, at=place[-1]))
    goal = landing(places, target)
    layers = changed_body(layers, goal, lambda body: body[: goal[-1]] + moved + body[goal[-1] :])
    return bound.release(layers)


def check_move(architecture: Architecture, locations: Iterable[Location], target: Location) -> None:
    """Refuse a place to which items cannot be moved, whatever they read and are called.

    Raises
    ------
    EditError
        If the place is in one of them, does not exist, or is too deep in other containers.
    """
    places = list(locations)
    for place in places:
        if target[: len(place)] == place and len(target) > len(place):
            gone = called(item_at(architecture, place))
            raise EditError(f"{gone} cannot be moved into itself")
    _check_slot(architecture, target)
    _check_depth(target, [item_at(architecture, place) for place in places])


def wrap(architecture: Architecture, locations: Iterable[Location], kind: Wrapping) -> Architecture:
    """Return the document with neighbouring items put into a new container.

    A `residual` gets the identity as its shortcut, a `parallel` the items as its first and the
    identity as its second branch, a `repeat` two turns.
    """
    places = _siblings(locations)
    first, count = places[0], len(places)
    if places[-1][-1] - first[-1] != count - 1:
        raise EditError("only neighbouring layers can be put into a container together")
    _check_depth((*first, 0, 0), [item_at(architecture, place) for place in places])
    bound = bind(architecture)
    inner = tuple(bound_item(bound.layers, place) for place in places)
    container = _container(bound, kind, inner, _prefix(bound, first))
    start = first[-1]
    return bound.release(
        changed_body(
            bound.layers, first, lambda body: (*body[:start], container, *body[start + count :])
        )
    )


def unwrap(architecture: Architecture, location: Location) -> Architecture:
    """Return the document with a container replaced by one copy of the layers in it.

    Raises
    ------
    EditError
        If that would drop layers: those of a shortcut or of a second branch.
    """
    item = item_at(architecture, location)
    if isinstance(item, Layer):
        raise EditError(f"{called(item)} is not a container")
    full = [b for b, body in enumerate(item.bodies) if body]
    if len(full) > 1:
        what = "a shortcut" if isinstance(item, Residual) else "several branches"
        raise EditError(f"{called(item)} has {what} with layers; delete or move those layers first")
    which = full[0] if full else 0
    bound = bind(architecture)
    gone = item_at_bound(bound, location)
    inner = gone.bodies[which] if gone.bodies else ()
    at = location[-1]
    layers = changed_body(bound.layers, location, lambda body: (*body[:at], *body[at + 1 :]))
    hollow = with_bodies(gone, tuple(() for _ in gone.bodies))
    if inner:
        bound.sources[tag_of(gone)] = Thing(tag_of(inner[-1]))
    layers = _rewired(bound, layers, [hollow])
    inner = _rewired(bound, inner, [hollow])
    tags = set(tags_in(gone))
    bound.paths = {path: thing for path, thing in bound.paths.items() if thing.tag not in tags}
    return _release_inserted(replace(bound, layers=layers), location, inner)


# --- places --------------------------------------------------------------------------------------


def after(location: Location) -> Location:
    """Return the place after an item."""
    return (*location[:-1], location[-1] + 1)


def outermost(locations: Iterable[Location]) -> list[Location]:
    """Return locations in the order of the file, without those inside another one of them."""
    kept: list[Location] = []
    for place in sorted(set(locations)):
        if not kept or place[: len(kept[-1])] != kept[-1]:
            kept.append(place)
    return kept


def landing(locations: Iterable[Location], target: Location) -> Location:
    """Return the new place of the first item when items are moved to before `target`."""
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
        Up and down move past a neighbour, and out of the container at its ends; out moves to after
        the container, in to the end of the container above.
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


def _dropped(body: Items, at: int) -> Items:
    return body[:at] + body[at + 1 :]


def _by_body(places: Iterable[Location]) -> dict[Location, list[int]]:
    """Return the numbers of items in each body, by the beginning of their locations."""
    found: dict[Location, list[int]] = {}
    for place in places:
        found.setdefault(place[:-1], []).append(place[-1])
    return found


def _without(body: Items, numbers: list[int]) -> Items:
    """Return a body without items; the next layers still read what they read through the items."""
    wanted = set(numbers)
    kept: list[Item] = []
    read: tuple[str, ...] = ()
    for i, item in enumerate(body):
        if i in wanted:
            # What the item before it read is read through this one, unless it says otherwise.
            if isinstance(item, Layer) and item.inputs:
                read = item.inputs[:1]
            continue
        if read and isinstance(item, Layer) and not item.inputs:
            item = replace(item, inputs=read)
        read = ()
        kept.append(item)
    return tuple(kept)


def _rewired(bound: Bound, layers: Items, gone: Iterable[Item]) -> Items:
    """Return the items with every link to deleted items redirected to what those read."""
    by_tag = {tag: item for item in gone for tag in tags_in(item)}
    instead = _Instead(bound, by_tag)
    return tuple(map(instead.visit, layers))


@dataclass
class _Instead:
    """What is read instead of deleted items.

    A nested function that calls itself would be a cycle, with all items of the document in it.

    Attributes
    ----------
    bound
        The document.
    gone
        The deleted items, by their tags and those of all in them.
    first
        What a layer that reads one thing reads instead of things in them, where that was found.
    known
        What a merge reads instead of them: cut off after one more than it may be.
    passed
        How many more sources layers read than before.
    """

    bound: Bound
    gone: Mapping[int, Item]
    first: dict[Thing, str] = field(default_factory=dict)
    known: dict[Thing, tuple[str, ...]] = field(default_factory=dict)
    passed: int = 0

    def visit(self, item: Item) -> Item:
        """Return an item with its links to deleted ones redirected."""
        give_way()
        if not isinstance(item, Layer):
            bodies = tuple([tuple(map(self.visit, body)) for body in item.bodies])
            return item if have_same_items(item, bodies) else with_bodies(item, bodies)
        read = item.names_read
        if not any(map(self._to_gone, read)):
            return item
        inputs = len(item.inputs)
        if item.op.merges or item.op.may_join:
            found = self._joined(item, item.inputs)
        else:
            found = tuple(map(self._first_instead_of, item.inputs))
        return item.reading((*found, *map(self._first_instead_of, read[inputs:])))

    def _joined(self, layer: Layer, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return what a merge reads instead of its sources."""
        found = self._not_too_often(map(self._instead_of, keys))
        more = len(found) - len(keys)
        self.passed += max(more, 0)
        if more > 0 and (len(found) > _MAX_SOURCES or self.passed > _MAX_PASSED_ON):
            raise EditError(
                f"'{name_of(layer.name) or layer.op.keyword}' would read what all these merges "
                f"read: more than {_MAX_SOURCES:,} layers, or {_MAX_PASSED_ON:,} with other such "
                "readers; delete it too, or first change what it reads"
            )
        return found

    def _instead_of(self, key: str) -> tuple[str, ...]:
        """Return what a merge reads instead of a key; itself, if that means nothing deleted."""
        waiting = [key]
        while waiting:
            link = self._to_gone(waiting[-1])
            if link is None or link.thing in self.known:
                waiting.pop()
                continue
            # What it read may be deleted, too, and so on, through thousands of layers.
            keys = self._read_by(link)
            unknown = [x for x in keys if (y := self._to_gone(x)) and y.thing not in self.known]
            if unknown:
                waiting += unknown
                continue
            found = self._not_too_often(map(self._found, keys))
            self.known[link.thing] = found[: _MAX_SOURCES + 1]
            waiting.pop()
        return self._found(key)

    def _not_too_often(self, instead: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        """Return all that is read instead of some keys, without what deleted merges would repeat.

        A layer may be read twice: two deleted layers that read it may have been added.  More often,
        what merges pass on to merges would double with each of them.
        """
        found: list[str] = []
        times: Counter[Thing | str] = Counter()
        for names in instead:
            for name in names:
                link = self.bound.links.get(name)
                meaning = name if link is None else link.thing
                times[meaning] += 1
                if len(names) == 1 or times[meaning] <= _MAX_TIMES:
                    found.append(name)
        return tuple(found)

    def _found(self, key: str) -> tuple[str, ...]:
        link = self._to_gone(key)
        return (key,) if link is None else self.known[link.thing]

    def _first_instead_of(self, key: str) -> str:
        """Return what a layer that reads one thing reads instead of a key."""
        passed: list[Thing] = []
        while (link := self._to_gone(key)) is not None:
            known = self.first.get(link.thing)
            passed.append(link.thing)
            key = self._read_by(link)[0] if known is None else known
        self.first.update(dict.fromkeys(passed, key))
        return key

    def _to_gone(self, key: str) -> Link | None:
        """Return the link of a key, if it leads to something that is deleted."""
        link = self.bound.links.get(key)
        return None if link is None or link.thing.tag not in self.gone else link

    def _read_by(self, link: Link) -> tuple[str, ...]:
        """Return the keys of what a deleted item read: by name, or by its place."""
        item = self.gone[link.thing.tag]
        if isinstance(item, Layer) and item.inputs:
            return item.inputs
        source = self.bound.sources.get(tag_of(item), Thing(0))
        return (self.bound.link(_relative(source, link)),)


def _relative(source: Thing, link: Link) -> Thing:
    """Return what a deleted item read, in the same turns of repeats as the link to the item."""
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
    taken = _Taken(set(bound.paths))
    items = tuple(_uniquely_named(item, prefix, taken) for item in items)
    at = location[-1]
    layers = changed_body(bound.layers, location, lambda body: (*body[:at], *items, *body[at:]))
    return bound.release(layers)


@dataclass
class _Taken:
    """The paths that are taken in a document, to which an edit adds.

    Attributes
    ----------
    paths
        All of them.
    beyond
        For paths that end in a number the next number that may be free: thousands of copies would
        try all numbers before theirs.
    """

    paths: set[str]
    beyond: dict[str, int] = field(default_factory=dict)

    def free(self, name: str, prefix: str) -> str:
        """Return a name that nothing has after a prefix: with a number, if it is taken."""
        if prefix + name not in self.paths:
            return name
        stem = name.rstrip("0123456789")
        number = int(name[len(stem) :] or 2)
        passed: list[str] = []
        while (path := f"{prefix}{stem}{number}") in self.paths:
            passed.append(path)
            number = self.beyond.get(path, number + 1)
        self.beyond.update(dict.fromkeys(passed, number))
        return f"{stem}{number}"


def _uniquely_named(item: Item, prefix: str, taken: _Taken) -> Item:
    give_way()
    name = name_of(item.name)
    if name:
        name = taken.free(name, prefix)
        taken.paths.add(prefix + name)
        return replace(item, name=named(name, tag_of(item)))
    if isinstance(item, Layer):
        return item
    if isinstance(item, Repeat):
        prefix += "0."
    # Names in an unnamed container belong to the scope around it.
    bodies = tuple(tuple(_uniquely_named(x, prefix, taken) for x in body) for body in item.bodies)
    return with_bodies(item, bodies)


def _prefix(bound: Bound, location: Location) -> str:
    """Return the prefix of names at a place."""
    if len(location) == 1:
        return ""
    container = bound_item(bound.layers, location[:-2])
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
            free = _Taken(set(bound.paths)).free("repeat1", prefix)
            return Repeat(2, inner, named(free, bound.fresh_tag()))


def _siblings(locations: Iterable[Location]) -> list[Location]:
    places = sorted(set(locations))
    if not places:
        raise EditError("no layer is chosen")
    if len(list(groupby(places, key=lambda place: place[:-1]))) > 1:
        raise EditError("choose layers that are side by side, not in different containers")
    return places


def _check_depth(location: Location, items: Iterable[Item]) -> None:
    """Refuse items that would be in too many containers: while tagged they have no names to say."""
    for item in items:
        height = len(location) // 2 + item.height
        if height > MAX_NESTED:
            raise EditError(
                f"at most {MAX_NESTED} containers may be in each other, not {height} with "
                f"{called(item)}"
            )


def _check_slot(architecture: Architecture, location: Location) -> None:
    if not location or not 0 <= location[-1] <= len(body_at(architecture, location)):
        raise EditError(f"there is no place {location}")
