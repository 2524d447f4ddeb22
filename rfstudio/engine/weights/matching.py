"""Matches the tensors of a file with the weights of a network, by names as far as these are known.

Files name weights after the code that wrote them.  A document may know those names; then they alone
decide.  Otherwise what a file shares with a document is the order of the layers and the shapes, so
weights are matched by these: the first weight of a kind and shape is the first one of the file, and
so on.  If their numbers differ, names, neighbours in the same layer and the order between layers
that are already matched decide; what remains ambiguous stays unmatched.

Two things are known beside order and shape.  A norm right after a convolution, in the same
container, belongs to it, so it follows the convolution and is not counted among all norms of its
size.  And code registers the shortcut of a block before or after its other layers, as it likes, so
weights with the name of a shortcut in both are counted apart.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise, takewhile
from math import prod
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = Mapping[str, Shape]

_KINDS = {
    "running_mean": "mean",
    "running_var": "variance",
    "weight": "weight",
    "bias": "bias",
    "scale": "scale",
    "gamma": "scale",  # layer scale in timm and in the code of ConvNeXt's authors
}


_SHORTCUT = re.compile(r"downsample|shortcut|skip|identity|residual_?conv")

_NAMED_SHARE = 0.5
"""Share of a network's weights from which on a file counts as one that uses its names."""


class _Class(NamedTuple):
    """The kind and shape of a weight; only weights with equal ones can match."""

    kind: str
    shape: Shape


def match_by_name(own: Shapes, names: Mapping[str, str], file: Shapes) -> dict[str, str] | None:
    """Return the names in a file for the weights of a network by the names that it knows for them.

    Parameters
    ----------
    own
        Shapes of all weights of the network.
    names
        For each weight the name that files have for it; several may be parts of one tensor.
    file
        Shapes of the tensors of the file.

    Returns
    -------
    dict or None
        None if the file has other names.  Otherwise all weights that it has; whether their shapes
        fit is not said.
    """
    prefix = _prefix({names[x]: shape for x, shape in own.items()}, file)
    found = {x: prefix + name for x, name in names.items() if prefix + name in file}
    return found if own and len(found) >= _NAMED_SHARE * len(own) else None


def match(own: Shapes, file: Shapes) -> dict[str, str]:
    """Return the names in a file for the weights of a network.

    Parameters
    ----------
    own
        Shapes of all weights of the network, in its order.
    file
        Shapes of the tensors of the file, in its order.
    """
    prefix = _prefix(own, file)
    there = {x.removeprefix(prefix): x for x in file}
    if prefix and len(there) == len(file):
        found = match(own, {short: file[x] for short, x in there.items()})
        return {name: there[short] for name, short in found.items()}
    if all(name in file and _agree(shape, file[name]) for name, shape in own.items()):
        return {name: name for name in own}
    same = [name for name, shape in own.items() if name in file and _agree(shape, file[name])]
    # Names that a few layers share by chance, such as conv1, say nothing.
    pairs = {name: name for name in same} if len(same) >= _NAMED_SHARE * len(own) else {}
    doubtful: set[str] = set()
    # A fully connected layer may be a convolution as large as its map: same numbers, other shape.
    for classify in (_exact_class, _loose_class):
        _Matching(own, file, pairs, doubtful, classify).run()
    return pairs


def match_all_or_part(own: Shapes, file: Shapes) -> dict[str, str]:
    """Return the names in a file for weights, which may be those of one of its networks only."""
    found = match(own, file)
    if len(found) == len(own):
        return found
    parts: dict[str, dict[str, Shape]] = {}
    for name, shape in file.items():
        parts.setdefault(name.partition(".")[0], {})[name] = shape
    large = [x for x in parts.values() if len(x) >= len(own)]
    fitting = [x for part in large if len(x := match(own, part)) == len(own)]
    return fitting[0] if len(fitting) == 1 else found


def _prefix(own: Shapes, file: Shapes) -> str:
    """Return the prefix of most of the network's own names in a file, often an empty one.

    Code that wraps a network in another module names all its weights ``model.…`` or ``module.…``.
    """
    fitting: Counter[str] = Counter()
    for name, shape in file.items():
        parts = name.split(".")
        for i in range(len(parts)):
            short = ".".join(parts[i:])
            if short in own and _agree(own[short], shape):
                fitting[".".join([*parts[:i], ""]) if i else ""] += 1
    best = max(fitting.values(), default=0)
    most = [x for x, count in fitting.items() if count == best]
    return "" if "" in most or not most else most[0]


def _agree(a: Shape, b: Shape) -> bool:
    return _trimmed(a) == _trimmed(b)


def _exact_class(name: str, shape: Shape) -> _Class:
    return _Class(_kind(name), _trimmed(shape))


def _loose_class(name: str, shape: Shape) -> _Class:
    return _Class(_kind(name), (*shape[:1], prod(shape)))


def _kind(name: str) -> str:
    last = name.rpartition(".")[2]
    if last in _KINDS:
        return _KINDS[last]
    return next((kind for end, kind in _KINDS.items() if last.endswith(end)), "other")


def _trimmed(shape: Shape) -> Shape:
    """Return a shape without axes of length 1 at its end: a 1×1 convolution is a matrix."""
    result = tuple(shape)
    while len(result) > 1 and result[-1] == 1:
        result = result[:-1]
    return result


class _Matching:
    """One pass over what is unmatched.

    What is doubtful, of both sides, is left unmatched for good.
    """

    def __init__(
        self,
        own: Shapes,
        file: Shapes,
        pairs: dict[str, str],
        doubtful: set[str],
        classify: Callable[[str, Shape], _Class],
    ) -> None:
        self._pairs = pairs
        self._used = set(pairs.values())
        self._doubtful = doubtful
        self._order = list(own)
        self._place = {name: i for i, name in enumerate(file)}
        self._own = {name: classify(name, shape) for name, shape in own.items()}
        self._file = {name: classify(name, shape) for name, shape in file.items()}
        self._own_groups = _Groups(own)
        self._file_groups = _Groups(file)

    def run(self) -> None:
        """Match weights that are certain, then those that follow from them."""
        before = set(self._pairs)
        self._by_order(self._own_groups.heads, self._file_groups.heads)
        self._set_doubtful_apart([x for x in self._pairs if x not in before])
        self._by_layer()
        self._by_group()
        self._by_order(self._own, self._file)
        for step in (self._by_name, self._by_layer, self._by_place):
            step()

    def _by_order(self, own: Collection[str], file: Collection[str]) -> None:
        """Match some weights of each kind and shape in order, if they are equally many."""
        ours, theirs = self._open()
        for kind, all_names in ours.items():
            names = [x for x in all_names if x in own]
            there = [x for x in theirs[kind] if x in file]
            if len(names) != len(there):
                continue
            shortcuts, others = _apart(names)
            their_shortcuts, their_others = _apart(there)
            if len(shortcuts) == len(their_shortcuts):
                self._pair(shortcuts, their_shortcuts)
                self._pair(others, their_others)
            else:
                self._pair(names, there)

    def _set_doubtful_apart(self, names: Iterable[str]) -> None:
        """Take pairs back where a file has layers in another order and their shapes say too little.

        Layers of one shape are matched in order, so the order has to be the same.  Where it is not,
        pairs of layers cross, and of several layers of one shape there nobody knows which is which.
        """
        wanted = {x for x in names if not (_is_shortcut(x) and _is_shortcut(self._pairs[x]))}
        row = [x for x in self._order if x in wanted]
        known: set[_Class] = set()
        inside, end = "", 0
        for start, stop in _tangles([self._place[self._pairs[x]] for x in row]):
            kinds = {self._own[x] for x in row[start:stop]}
            block = _parent(_common_container(row[start:stop]))
            if stop <= end and block == inside and kinds <= known:
                continue  # all of it was taken back with the one before
            while start > 0 and self._own[row[start - 1]] in kinds and _in(row[start - 1], block):
                start -= 1
            while stop < len(row) and self._own[row[stop]] in kinds and _in(row[stop], block):
                stop += 1
            count = Counter(self._own[x] for x in row[start:stop])
            for name in row[start:stop]:
                if count[self._own[name]] > 1 and name in self._pairs:
                    there = self._pairs.pop(name)
                    self._used.discard(there)
                    self._doubtful |= self._own_groups.members(name)
                    self._doubtful |= self._file_groups.members(there)
            known, inside, end = kinds, block, stop

    def _by_group(self) -> None:
        """Match the norms right after matched layers."""
        ours, theirs = self._own_groups, self._file_groups
        for name, there in list(self._pairs.items()):
            own_norm, norm = ours.norm_after.get(name), theirs.norm_after.get(there)
            if own_norm is None or norm is None:
                continue
            places = {self._file[x]: x for x in theirs.layers[norm] if x not in self._used}
            for x in ours.layers[own_norm]:
                if x not in self._pairs and self._own[x] in places:
                    self._pair([x], [places.pop(self._own[x])])

    def _open(self) -> tuple[dict[_Class, list[str]], defaultdict[_Class, list[str]]]:
        known, used = {*self._pairs, *self._doubtful}, self._used | self._doubtful
        return (
            _grouped(self._own, (x for x in self._own if x not in known)),
            _grouped(self._file, (x for x in self._file if x not in used)),
        )

    def _pair(self, ours: Iterable[str], theirs: Sequence[str]) -> None:
        self._pairs.update(zip(ours, theirs, strict=True))
        self._used.update(theirs)

    def _by_name(self) -> None:
        for kind, names in self._open()[0].items():
            same = [x for x in names if self._file.get(x) == kind and x not in self._used]
            self._pair(same, same)

    def _by_layer(self) -> None:
        """Match weights of layers that have another matched weight."""
        layers = {_layer(a): _layer(b) for a, b in self._pairs.items()}
        ours, theirs = self._open()
        open_in: defaultdict[tuple[_Class, str | None], list[str]] = defaultdict(list)
        for kind, names in theirs.items():
            for name in names:
                open_in[kind, _layer(name)].append(name)
        for kind, names in ours.items():
            for name in names:
                there = open_in[kind, layers.get(_layer(name))]
                if len(there) == 1:
                    self._pair([name], there)
                    there.clear()

    def _by_place(self) -> None:
        """Match a weight that is the only one between two matched weights."""
        ends = [-1, *(i for i, x in enumerate(self._order) if x in self._pairs), len(self._order)]
        places = _Places(self._open()[1], self._place)
        for start, stop in pairwise(ends):
            low = self._place[self._pairs[self._order[start]]] if start >= 0 else -1
            high = (
                self._place[self._pairs[self._order[stop]]]
                if stop < len(self._order)
                else len(self._place)
            )
            left = [x for x in self._order[start + 1 : stop] if x not in self._doubtful]
            anchor = self._pairs[self._order[start]] if start >= 0 else ""
            for kind, names in _grouped(self._own, left).items():
                there = places.nearest(kind, (low, high), len(names), anchor)
                if there:
                    self._pair(names, there)
                    places.remove(kind, there)


class _Places:
    """Where weights that are still open are in a file, by class and by leading parts of names."""

    def __init__(self, names: Mapping[_Class, Sequence[str]], place: Mapping[str, int]) -> None:
        self._place = place
        self._names = list(place)
        self._rising: defaultdict[tuple[_Class, str], list[int]] = defaultdict(list)
        for kind, some in names.items():
            for name in some:
                for start in _starts(name):
                    self._rising[kind, start].append(place[name])

    def nearest(self, kind: _Class, between: tuple[int, int], count: int, anchor: str) -> list[str]:
        """Return so many names between two places; none if they are not to be told from others.

        If there are more, those that share more containers with `anchor` than all others do.
        """
        low, high = between
        for start in reversed(_starts(anchor)) if anchor else [""]:
            rising = self._rising.get((kind, start), [])
            first, last = bisect_right(rising, low), bisect_left(rising, high)
            if last - first >= count:
                found = [self._names[i] for i in rising[first : first + count]]
                return found if last - first == count else []
        return []

    def remove(self, kind: _Class, names: Iterable[str]) -> None:
        """Take names out that are not open any more."""
        for name in names:
            for start in _starts(name):
                rising = self._rising[kind, start]
                del rising[bisect_left(rising, self._place[name])]


class _Groups:
    """Which weights belong together: those of a layer, and those of the norm right after it.

    Attributes
    ----------
    layers
        For each layer its weights.
    heads
        The weights that are at least matrices.
    norm_after
        For some of these the layer that is the norm right after them, in the same container or in
        one around it.
    """

    def __init__(self, shapes: Shapes) -> None:
        self.layers: defaultdict[str, list[str]] = defaultdict(list)
        for name in shapes:
            self.layers[_layer(name)].append(name)
        self.heads = {x for x in shapes if _kind(x) == "weight" and len(shapes[x]) > 1}
        self.norm_after: dict[str, str] = {}
        for layer, norm in pairwise(self.layers):
            heads = [x for x in self.layers[layer] if x in self.heads]
            if len(heads) != 1 or not _in(layer, _layer(norm)):
                continue
            channels, kinds = shapes[heads[0]][:1], {_kind(x) for x in self.layers[norm]}
            if "scale" not in kinds and all(shapes[x] == channels for x in self.layers[norm]):
                self.norm_after[heads[0]] = norm

    def members(self, head: str) -> set[str]:
        """Return all weights that belong to a layer."""
        norm = self.norm_after.get(head)
        return {*self.layers[_layer(head)], *(self.layers[norm] if norm is not None else ())}


def _is_shortcut(name: str) -> bool:
    """Whether a weight has the name of a shortcut."""
    parts = name.lower().split(".")
    # As a layer, a `proj` is the end of an attention or the patches of a transformer.
    return "proj" in parts[:-2] or any(_SHORTCUT.search(x) for x in parts)


def _apart(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the weights of shortcuts and all others."""
    result: tuple[list[str], list[str]] = ([], [])
    for name in names:
        result[not _is_shortcut(name)].append(name)
    return result


def _tangles(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return the shortest stretches of different numbers outside of which these are in order.

    Examples
    --------
    >>> _tangles([0, 2, 1, 3, 6, 4, 5])
    [(1, 3), (4, 7)]
    """
    result = []
    start, highest = 0, -1
    lowest_after = list(accumulate(reversed(places), min))[::-1][1:]
    for i, place in enumerate(places):
        highest = max(highest, place)
        if i + 1 == len(places) or highest < lowest_after[i]:
            if i > start:
                result.append((start, i + 1))
            start = i + 1
    return result


def _common_container(names: Sequence[str]) -> str:
    """Return the innermost container that several weights share."""
    split = [_layer(x).split(".")[:-1] for x in names]
    levels = zip(*split, strict=False)
    return ".".join(x[0] for x in takewhile(lambda x: len(set(x)) == 1, levels))


def _parent(container: str) -> str:
    return container.rpartition(".")[0]


def _in(name: str, container: str) -> bool:
    """Whether a weight or layer is in a container, at any depth."""
    return not container or name.startswith(f"{container}.")


def _grouped(classes: Mapping[str, _Class], names: Iterable[str]) -> defaultdict[_Class, list[str]]:
    result: defaultdict[_Class, list[str]] = defaultdict(list)
    for name in names:
        result[classes[name]].append(name)
    return result


def _starts(name: str) -> list[str]:
    """Return the leading parts of a name, from none to all.

    Examples
    --------
    >>> _starts("a.b.c")
    ['', 'a', 'a.b', 'a.b.c']
    """
    return ["", *accumulate(name.split("."), "{}.{}".format)]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
