"""Names as links, which keep the meaning of `from` while the tree is rearranged.

An edit binds the document first: every item gets a tag, and every name in `from` becomes a link to
the tag that it means.  Then the tree may be rearranged freely.  Releasing it writes names again,
the old one wherever it still means the same.  Names are resolved as in
`rfstudio.core.network.expansion`: in the own scope first, then outwards, and only among what comes
before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, partial
from operator import is_
from typing import NamedTuple, TypeAlias

from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import (
    INPUT,
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    with_bodies,
)
from rfstudio.core.network.expansion import MAX_LAYERS
from rfstudio.core.network.given_names import GivenNames
from rfstudio.core.ops import Split
from rfstudio.core.work import give_way

_MARK = "\0"
_INPUT_TAG = 0
_PART = "part"

Items: TypeAlias = tuple[Item, ...]


class Thing(NamedTuple):
    """The meaning of a name.

    Attributes
    ----------
    tag
        The item or branch; 0 is the network's input.
    turns
        For each repeat around it, outermost first, its tag and the turn; None: the reader's own
        turn.
    part
        Empty: the item's output; "merge": the node that joins it; "part" and a number: that part
        of a split; otherwise a turn of a repeat.
    """

    tag: int
    turns: tuple[tuple[int, int | None], ...] = ()
    part: str = ""


class Link(NamedTuple):
    """A resolved name: what it means and how it was written."""

    thing: Thing
    written: str


def named(name: str, tag: int) -> str:
    """Return a name with a tag."""
    return f"{name}{_MARK}{tag}"


def name_of(text: str) -> str:
    """Return the name without its tag, which is after the last mark: names may have marks."""
    return text.rpartition(_MARK)[0]


def tag_of(item: Item | Branch) -> int:
    """Return the tag of an item or branch of a bound document."""
    return int(item.name.rpartition(_MARK)[2])


def tags_in(item: Item) -> Iterator[int]:
    """Yield the tags of an item and of everything in it, branches too."""
    yield tag_of(item)
    if isinstance(item, Parallel):
        for branch in item.branches:
            yield tag_of(branch)
    for body in item.bodies:
        for inner in body:
            yield from tags_in(inner)


@dataclass
class Bound:
    """A document whose names are links; make one with `bind`, edit `layers`, then `release`.

    Attributes
    ----------
    layers
        The items; names carry tags, and names of other layers are keys of `links` where they
        could be resolved.
    links
        What the keys in `inputs` mean.
    sources
        For each tag what was before the item: its source, unless it names another.
    prefixes
        For each container's tag and body the prefix of the names in it; (0, 0) is the file.
    paths
        All paths of the document and what they mean.
    twice
        Paths that occurred twice before any edit.
    known
        The items of the document by their tags.
    """

    architecture: Architecture
    layers: Items = ()
    links: dict[str, Link] = field(default_factory=dict)
    sources: dict[int, Thing] = field(default_factory=dict)
    prefixes: dict[tuple[int, int], str] = field(default_factory=dict)
    paths: Mapping[str, Thing] = field(default_factory=dict)
    twice: frozenset[str] = frozenset()
    known: dict[int, Item] = field(default_factory=dict)
    _tags: int = 0

    def fresh_tag(self) -> int:
        """Return a tag that nothing has."""
        self._tags += 1
        return self._tags

    def tagged(self, items: Items) -> Items:
        """Return plain items with fresh tags; their names in `from` stay as written."""
        return tuple(_mapped(item, self._with_fresh_tag) for item in items)

    def _with_fresh_tag(self, name: str) -> str:
        self._tags += 1
        return f"{name}{_MARK}{self._tags}"

    def copied(self, items: Items) -> Items:
        """Return bound items with fresh tags; links among them lead to the copies."""
        new = {tag: self.fresh_tag() for item in items for tag in tags_in(item)}

        def retag(name: str) -> str:
            plain, _, tag = name.rpartition(_MARK)
            return named(plain, new[int(tag)])

        def relink(key: str) -> str:
            link = self.links.get(key)
            if link is None:
                return key
            turns = tuple((new.get(tag, tag), turn) for tag, turn in link.thing.turns)
            tag = new.get(link.thing.tag, link.thing.tag)
            return self.link(link.thing._replace(tag=tag, turns=turns), link.written)

        return tuple(_mapped(item, retag, relink) for item in items)

    def link(self, thing: Thing, written: str = "") -> str:
        """Return a key for `inputs` that means a thing."""
        key = f"{_MARK}{len(self.links)}"
        self.links[key] = Link(thing, written)
        return key

    def release(self, layers: Items) -> Architecture:
        """Return the document with these bound items, names written again.

        Raises
        ------
        EditError
            If a layer would come before what it reads, or a path would be used twice.
        """
        walk = _Walk(self._write, self.architecture, partial(_turns_named, layers, self.links))
        plain = walk.all(layers)
        news = sorted(walk.twice - self.twice)
        if news:
            raise EditError(f"the name '{news[0]}' is taken; choose another one")
        return replace(self.architecture, layers=tuple(map(self._released, plain)))

    def _released(self, item: Item) -> Item:
        """Return an item without tags: that of the document itself where it is as it was.

        The versions of a network in the history share what an edit left alone, and whoever follows
        a document sees at once what that is.
        """
        give_way()
        name, _, tag = item.name.rpartition(_MARK)
        known = self.known.get(int(tag))
        if not isinstance(item, Layer):
            bodies = tuple([tuple(map(self._released, body)) for body in item.bodies])
            if known is not None and _is_still(known, item, name, bodies):
                return known
            return _renamed(item, name_of, bodies)
        if (
            isinstance(known, Layer)
            and (known.op is item.op or known.op == item.op)
            and (known.name, known.inputs, known.weights_of) == (name, item.inputs, item.weights_of)
        ):
            return known
        return Layer(item.op, name, item.inputs, item.weights_of)

    def _write(self, walk: _Walk, layer: Layer, place: _Place) -> Layer:
        read = layer.names_read
        if not read:
            return layer
        names = tuple(self._written(walk, layer, x, place) for x in read)
        return layer if names == read else layer.reading(names)

    def _written(self, walk: _Walk, layer: Layer, key: str, place: _Place) -> str:
        link = self.links.get(key)
        if link is None:
            return key
        thing = walk.seen_from(link.thing, place.turns)
        if thing is not None and link.written and walk.resolve(link.written, place.scopes) == thing:
            return link.written
        reader = name_of(layer.name) or layer.op.keyword
        path = None if thing is None else walk.names.get(thing)
        if path is None or thing is None:
            what = f"'{link.written}', which it reads" if link.written else "what it reads"
            raise EditError(f"'{reader}' would no longer come after {what}; move that first")
        for name in _short_names(path, place.scopes):
            if name and walk.resolve(name, place.scopes) == thing:
                return name
        raise EditError(f"'{reader}' reads '{path}', which another layer's name would now hide")


def bind(architecture: Architecture) -> Bound:
    """Return a document whose names in `from` are links; names without meaning stay texts."""
    bound = Bound(architecture)
    tagged = bound.tagged(architecture.layers)
    _note(bound.known, tagged, architecture.layers)

    def resolve(walk: _Walk, layer: Layer, place: _Place) -> Layer:
        read = layer.names_read
        if not read:
            return layer
        keys = []
        for name in read:
            thing = walk.resolve(name, place.scopes)
            if thing is None:
                keys.append(name)
                continue
            if thing.turns:
                around = dict(place.turns)
                turns = tuple((t, None if around.get(t) == n else n) for t, n in thing.turns)
                thing = thing._replace(turns=turns)
            keys.append(bound.link(thing, name))
        return layer.reading(tuple(keys))

    # Before the walk no name is a link, whatever it looks like.
    walk = _Walk(resolve, architecture, partial(_turns_named, tagged, {}))
    bound.layers = walk.all(tagged)
    bound.sources = walk.sources
    bound.prefixes = walk.prefixes
    bound.paths = walk.paths
    bound.twice = frozenset(walk.twice)
    return bound


def readable_names(bound: Bound, tag: int) -> tuple[str, ...]:
    """Return the shortest name of everything that the layer with that tag may read."""
    found: list[str] = []

    def collect(walk: _Walk, layer: Layer, place: _Place) -> Layer:
        if tag_of(layer) == tag:
            for path, thing in walk.paths.items():
                for name in _short_names(path, place.scopes):
                    if walk.resolve(name, place.scopes) == thing:
                        found.append(name)
                        break
        return layer

    turns = partial(_turns_named, bound.layers, bound.links)
    _Walk(collect, bound.architecture, turns).all(bound.layers)
    return tuple(found)


def nearest_name(name: str, names: tuple[str, ...]) -> str:
    """Return a hint with the most similar name, or an empty text."""
    near = get_close_matches(name, names, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


_ALL_TURNS = 64
"""Turns of a repeat up to which each is gone through; of more, the first and the last, and those
whose numbers are in a name that is read or given.

Nobody else can tell one turn from another, and there may be a hundred thousand.
"""


def _turns_named(items: Items, links: Mapping[str, Link]) -> Iterator[int]:
    """Yield the numbers in the names that layers read or items have, which may be those of turns.

    An item whose name is such a number may have the path of a turn of a repeat without a name.
    """
    for item in items:
        branches = item.branches if isinstance(item, Parallel) else ()
        yield from (
            int(x) for x in (name_of(each.name) for each in (item, *branches)) if _is_turn(x)
        )
        if not isinstance(item, Layer):
            for body in item.bodies:
                yield from _turns_named(body, links)
            continue
        for name in item.names_read:
            link = links.get(name)
            if link is not None:
                yield from (turn for _, turn in link.thing.turns if turn is not None)
            words = [name] if link is None else [link.thing.part, link.written]
            yield from (int(x) for word in words for x in word.split(".") if _is_turn(x))


def _is_turn(word: str) -> bool:
    return word.isdecimal() and len(word) <= len(str(MAX_LAYERS))


class _Place(NamedTuple):
    """The place of a reader: its scopes, innermost first, and the turns of repeats around it."""

    scopes: tuple[str, ...] = ("",)
    turns: tuple[tuple[int, int], ...] = ()


_Visit: TypeAlias = "Callable[[_Walk, Layer, _Place], Layer]"


class _Walk:
    """Walks through a bound tree in the order of the network and names everything.

    `visit` is called once per layer, in the first turn of the repeats around it, and returns the
    item that replaces the layer.  `turns` finds those of long repeats that are named as well, which
    is asked for where there is a long repeat.
    """

    def __init__(
        self, visit: _Visit, architecture: Architecture, turns: Callable[[], Iterable[int]]
    ) -> None:
        self._visit = visit
        self._find_turns = turns
        self._given = GivenNames(name_of)
        self._steps = 4 * MAX_LAYERS
        self._times: dict[int, int] = {}
        self._around: dict[int, tuple[int, ...]] = {_INPUT_TAG: ()}
        self.paths: dict[str, Thing] = {INPUT: Thing(_INPUT_TAG)}
        self.names: dict[Thing, str] = {Thing(_INPUT_TAG): INPUT}
        self.twice: set[str] = set()
        if architecture.input_name:
            self.paths.setdefault(architecture.input_name, Thing(_INPUT_TAG))
        for given in architecture.further_inputs:
            self._name(Thing(_INPUT_TAG, part=f"{INPUT} {given.name}"), given.name)
        self.sources: dict[int, Thing] = {}
        self.prefixes: dict[tuple[int, int], str] = {(0, 0): ""}

    @cached_property
    def _read(self) -> frozenset[int]:
        return frozenset(self._find_turns())

    def all(self, layers: Items) -> Items:
        """Visit the whole document."""
        self._given.enter("", layers)
        return self._body(layers, _Place(), Thing(_INPUT_TAG))[0]

    def resolve(self, name: str, scopes: tuple[str, ...]) -> Thing | None:
        """Return what a name means to a reader in these scopes."""
        if name == INPUT:
            return Thing(_INPUT_TAG)
        for prefix in scopes:
            thing = self.paths.get(prefix + name)
            if thing is not None:
                return thing
        return None

    def seen_from(self, thing: Thing, turns_around: tuple[tuple[int, int], ...]) -> Thing | None:
        """Return a link in the turns that a reader in the turns around it means.

        A reader inside a repeat reads its own turn, one outside reads the last.
        """
        repeats = self._around.get(thing.tag)
        if repeats is None:
            return None
        if not (repeats or thing.turns or thing.part):
            return thing
        around = dict(turns_around)
        wanted = dict(thing.turns)
        turns = []
        for repeat in repeats:
            last = self._times[repeat] - 1
            turn = wanted.get(repeat)
            turns.append((repeat, min(around.get(repeat, last) if turn is None else turn, last)))
        part = thing.part
        if part.isdigit():
            part = str(min(int(part), self._times.get(thing.tag, 1) - 1))
        return Thing(thing.tag, tuple(turns), part)

    def _body(self, items: Items, place: _Place, source: Thing) -> tuple[Items, Thing]:
        scope, turns = place.scopes[0], place.turns
        around = tuple([repeat for repeat, _ in turns])
        is_first_turn = not any(turn for _, turn in turns)
        numbered = self._given.numbered
        result: list[Item] = []
        # Written out, since there may be thousands of layers, and each edit comes here twice.
        for item in items:
            self._steps -= 1
            if self._steps < 0:
                result.append(item)
                continue
            give_way()
            name, _, number = item.name.rpartition(_MARK)
            tag = int(number)
            self._around[tag] = around
            self.sources.setdefault(tag, source)
            if isinstance(item, Layer):
                op = item.op
                if is_first_turn:
                    item = self._visit(self, item, place)
                source = Thing(tag, turns)
                path = f"{scope}{name or numbered(scope, op.keyword)}"
                self._name(source, path)
                if isinstance(op, Split):
                    self._name_parts(op, source, path)
            else:
                item, source = self._container(item, tag, name, place, source)
            result.append(item)
        return tuple(result), source

    def _name_parts(self, op: Split, thing: Thing, path: str) -> None:
        for number in range(min(op.count, MAX_LAYERS)):
            self._name(thing._replace(part=f"{_PART}{number}"), f"{path}.{number}")

    def _container(
        self, item: Item, tag: int, name: str, place: _Place, source: Thing
    ) -> tuple[Item, Thing]:
        inside = place
        if name:
            inside = place._replace(scopes=(f"{place.scopes[0]}{name}.", *place.scopes))
            self._given.enter_container(inside.scopes[0], item)
        match item:
            case Repeat():
                bodies, output = self._repeat(item, tag, inside, source)
            case Residual():
                self._prefix(tag, 0, inside)
                self._prefix(tag, 1, inside)
                layers, _ = self._body(item.layers, inside, source)
                shortcut, _ = self._body(item.shortcut, inside, source)
                bodies = (layers, shortcut)
                output = self._merge("add", tag, name, inside)
            case Parallel():
                bodies = tuple(
                    self._branch(branch, tag, b, inside, source)
                    for b, branch in enumerate(item.branches)
                )
                output = self._merge(item.merge, tag, name, inside) if bodies else source
            case _:
                self._prefix(tag, 0, inside)
                layers, output = self._body(item.bodies[0], inside, source)
                bodies = (layers,)
        if name:
            output = Thing(tag, place.turns)
            self._name(output, inside.scopes[0][:-1])
        return (item if have_same_items(item, bodies) else with_bodies(item, bodies)), output

    def _repeat(
        self, item: Repeat, tag: int, place: _Place, source: Thing
    ) -> tuple[tuple[Items, ...], Thing]:
        self._times[tag] = max(item.times, 1)
        layers = item.layers
        for turn in self._turns(item.times):
            self._steps -= 1
            if self._steps < 0:
                break
            prefix = f"{place.scopes[0]}{turn}."
            inside = _Place((prefix, *place.scopes), (*place.turns, (tag, turn)))
            self._given.enter(prefix, item.layers)
            self._prefix(tag, 0, inside)
            visited, source = self._body(item.layers, inside, source)
            if turn == 0:
                layers = visited
            if name_of(item.name):
                self._name(Thing(tag, place.turns, str(turn)), prefix[:-1])
        return (layers,), source

    def _turns(self, times: int) -> Iterable[int]:
        if times <= _ALL_TURNS:
            return range(times)
        return sorted({0, times - 1, *(x for x in self._read if x < times)})

    def _branch(
        self, branch: Branch, container: int, body: int, place: _Place, source: Thing
    ) -> Items:
        tag = tag_of(branch)
        name = name_of(branch.name)
        self._around[tag] = tuple(repeat for repeat, _ in place.turns)
        self.sources.setdefault(tag, source)
        inside = place
        if name:
            inside = place._replace(scopes=(f"{place.scopes[0]}{name}.", *place.scopes))
            self._given.enter(inside.scopes[0], branch.layers)
        self._prefix(container, body, inside)
        layers, _ = self._body(branch.layers, inside, source)
        if name:
            self._name(Thing(tag, place.turns), inside.scopes[0][:-1])
        return layers

    def _merge(self, keyword: str, tag: int, name: str, place: _Place) -> Thing:
        thing = Thing(tag, place.turns, "merge")
        path = keyword if name else self._given.numbered(place.scopes[0], keyword)
        self._name(thing, place.scopes[0] + path)
        return thing

    def _prefix(self, container: int, body: int, place: _Place) -> None:
        self.prefixes.setdefault((container, body), place.scopes[0])

    def _name(self, thing: Thing, path: str) -> None:
        if path in self.paths:
            self.twice.add(path)
            return
        self.paths[path] = thing
        self.names[thing] = path


def _short_names(path: str, scopes: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of a path relative to each scope, the shortest first."""
    for prefix in scopes:
        if path.startswith(prefix):
            yield path[len(prefix) :]


def _mapped(
    item: Item, name: Callable[[str], str], link: Callable[[str], str] | None = None
) -> Item:
    """Return an item with all names in it, and all its links, replaced."""
    give_way()
    if isinstance(item, Layer):
        if link is not None:
            item = item.reading(tuple(map(link, item.names_read)))
        # Written out, since there may be thousands of layers and `replace` takes five times longer.
        return Layer(item.op, name(item.name), item.inputs, item.weights_of)
    bodies = tuple([tuple([_mapped(x, name, link) for x in body]) for body in item.bodies])
    return _renamed(item, name, bodies)


def _renamed(item: Item, name: Callable[[str], str], bodies: tuple[Items, ...]) -> Item:
    """Return a container with other items, and with its name and those of its branches replaced."""
    match item:
        case Residual():
            return Residual(bodies[0], bodies[1], name(item.name))
        case Parallel():
            own = name(item.name)
            pairs = zip(item.branches, bodies, strict=True)
            branches = tuple([Branch(body, name(x.name)) for x, body in pairs])
            return Parallel(branches, item.merge, own)
        case _:
            return replace(with_bodies(item, bodies), name=name(item.name))


def have_same_items(item: Item, bodies: tuple[Items, ...]) -> bool:
    """Whether the very same items are in a container."""
    own = item.bodies
    return len(own) == len(bodies) and all(
        len(a) == len(b) and all(map(is_, a, b)) for a, b in zip(own, bodies, strict=True)
    )


def _is_still(known: Item, item: Item, name: str, bodies: tuple[Items, ...]) -> bool:
    """Whether a bound container is that of the document, if it has this name and these items."""
    if type(known) is not type(item) or known.name != name or not have_same_items(known, bodies):
        return False
    if isinstance(known, Repeat) and isinstance(item, Repeat):
        return known.times == item.times and known.scale == item.scale
    if isinstance(known, Parallel) and isinstance(item, Parallel):
        names = [name_of(x.name) for x in item.branches]
        return known.merge == item.merge and [x.name for x in known.branches] == names
    return True


def _note(known: dict[int, Item], tagged: Items, plain: Items) -> None:
    """Note which item of a document each tag is of."""
    for item, original in zip(tagged, plain, strict=True):
        known[tag_of(item)] = original
        for body, inside in zip(item.bodies, original.bodies, strict=True):
            _note(known, body, inside)
