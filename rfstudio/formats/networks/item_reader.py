"""Reads the items of a network, layers and containers, from YAML nodes.

An item with a problem is replaced by a stand-in with the same name and place in the tree, so that
the problems of all other items are found in the same pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, get_args

from rfstudio.core.errors import GraphError, OpError
from rfstudio.core.network.architecture import (
    CONTAINERS,
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
)
from rfstudio.core.network.expansion import MAX_LAYERS
from rfstudio.core.network.growth import Scale, factor_fault, growing_words
from rfstudio.core.ops import OPS, Identity, Op, Parameter
from rfstudio.core.work import give_way
from rfstudio.formats.networks.bounded_yaml import Listing, Mapping, Mark, Node, Problems, Scalar
from rfstudio.formats.networks.scalars import Value
from rfstudio.formats.networks.values import described, name_fault, plain, quotes, value_fault
from rfstudio.formats.networks.wording import (
    nearest,
    parameters_by_word,
    rendered,
    short,
    suggestion,
)

MERGES: tuple[MergeKind, ...] = get_args(MergeKind)

_CONTAINER_KEYS = {
    "sequence": ("name", "layers"),
    "residual": ("name", "layers", "shortcut"),
    "parallel": ("name", "merge", "branches"),
    "repeat": ("name", "times", "scale", "layers"),
}
OTHER_SPELLINGS = {"scale": "layer_scale"}
"""Words that are read as operations whose own word is another one, which is written."""

_KEYWORDS = (*OPS, *(x.keyword for x in CONTAINERS))

Fields = dict[str, tuple[Scalar, Node]]


@dataclass(slots=True)
class Place:
    """The place of an item in the file.

    Attributes
    ----------
    mark
        Its op or container word.
    fields
        Its keys with their nodes.
    mistyped
        Missing keys that some other key was probably meant to be.
    is_stand_in
        Whether it has a problem, so that its shape is unknown.
    """

    mark: Mark
    fields: Fields = field(default_factory=dict)
    mistyped: set[str] = field(default_factory=set)
    is_stand_in: bool = False


class ItemReader:
    """Reads items and records the place of each.

    Attributes
    ----------
    places
        The place of every item by its location in the tree.
    """

    def __init__(self, problems: Problems, axes: int | None) -> None:
        self.places: dict[Location, Place] = {}
        self._lost_names: set[str] = set()
        self._lost_layers = False
        self._problems = problems
        self._axes = axes
        self._operations: dict[Op, Op] = {}
        self._operations_by_text: dict[tuple[type[Op], str], Op] = {}
        self._in_order: set[tuple[int, type, Value]] = set()

    def is_certain(self, wanted: str) -> bool:
        """Return whether a layer is missing for certain, and not because of another problem."""
        parts = wanted.split(".")
        words = {*parts, *(x.rstrip("0123456789") for x in parts)}
        return not self._lost_layers and words.isdisjoint(self._lost_names)

    def items(self, node: Node, prefix: Location = (), key: str = "layers") -> tuple[Item, ...]:
        """Return the items of a list; `prefix` is the location of its container and its body."""
        if not isinstance(node, Listing):
            self._add(node.mark, f"{key} must be a list of layers, not {rendered(node)}")
            self._lost_layers = True
            return ()
        return tuple(self._item(x, (*prefix, i)) for i, x in enumerate(node.items))

    def _add(self, mark: Mark, message: str) -> None:
        self._problems.add(mark, message)

    def _item(self, node: Node, location: Location) -> Item:
        give_way()
        keyword, body = self._keyword_and_body(node)
        if keyword is None:
            self.places[location] = Place(node.mark, is_stand_in=True)
            return Layer(Identity())
        place = self.places[location] = Place(keyword.mark)
        word = OTHER_SPELLINGS.get(keyword.text, keyword.text)
        if word not in _KEYWORDS:
            near = suggestion(word, _KEYWORDS)
            # A network with an op that is unknown here is not refused for good: the op can be
            # declared.
            remedy = near or f"; declare it by hand, as in custom: {{label: {short(word)}}}"
            self._add(keyword.mark, f"unknown op '{short(word)}'{remedy}")
            place.is_stand_in = True
            word = nearest(word, _KEYWORDS)
            if not word:
                self._lost_names.add(keyword.text)
        if word in _CONTAINER_KEYS:
            return self._container(word, body, place, location)
        return self._layer(word, body, place)

    def _keyword_and_body(self, node: Node) -> tuple[Scalar | None, Node]:
        """Return the op or container word of an item and its parameters."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node, Mapping(node.mark, ())
        if isinstance(node, Mapping) and node.entries:
            (keyword, body), *others = node.entries
            if others:
                self._add(
                    others[0][0].mark,
                    f"an item has one key, its op, but here '{short(others[0][0].text)}' follows"
                    f" '{short(keyword.text)}'; indent what belongs to '{short(keyword.text)}',"
                    " or start a new item with '-'",
                )
                self._lose_names(node)
                return None, node
            return keyword, body
        self._add(
            node.mark,
            "a layer must be an op, as in relu, or an op with its parameters, as in"
            f" conv: {{kernel_size: 3}}, not {described(node)}",
        )
        return None, node

    def _lose_names(self, node: Mapping) -> None:
        """Note the names that an item would have had; its op replaces a running number."""
        for key, value in node.entries:
            if isinstance(value, Scalar):
                self._lost_names.update((key.text, value.text))
            else:
                self._lost_layers |= not isinstance(value, Listing) or key.text != "from"

    # --- layers ----------------------------------------------------------------------------------

    def _layer(self, keyword: str, body: Node, place: Place) -> Layer:
        op_type: type[Op] = OPS.get(keyword, Identity)
        known = parameters_by_word(op_type)
        is_known_op = keyword in OPS
        older = op_type.other_words
        words = ("name", "from", "weights_of", *known, *older)
        self._read_fields(keyword, body, words, place, report=is_known_op)
        values = {
            known[key].name: self._value(known[key], node, place)
            for key, (_, node) in place.fields.items()
            if key in known
        }
        values |= {key: plain(node) for key, (_, node) in place.fields.items() if key in older}
        if is_known_op:
            self._note_missing(keyword, known, place)
        op = self._operation(op_type, values, place)
        return Layer(op, self._name(place), self._sources(place), self._weights_of(place))

    def _note_missing(self, keyword: str, known: dict[str, Parameter], place: Place) -> None:
        for word, parameter in known.items():
            is_there = word in place.fields or word in place.mistyped
            if parameter.required and not is_there:
                self._fail(place, place.mark, f"{keyword} needs {word}")

    def _operation(self, op_type: type[Op], values: dict[str, Any], place: Place) -> Op:
        if place.is_stand_in:
            return _stand_in(op_type)
        # Most layers of long files are written as one before them; the text tells 1 from 1.0.
        key = op_type, repr(values)
        if known := self._operations_by_text.get(key):
            return known
        try:
            op = op_type(**values)
        except OpError as error:
            message = str(error)
            about = place.fields.get(message.split(maxsplit=1)[0])
            mark = about[1].mark if about else place.mark
            self._fail(place, mark, message)
            return _stand_in(op_type)
        # Equal ones are one object, since results for an operation are cached by identity.
        op = self._operations_by_text[key] = self._operations.setdefault(op, op)
        return op

    def _value(self, parameter: Parameter, node: Node, place: Place) -> Any:
        value = plain(node)
        key = id(parameter), type(value), value if isinstance(node, Scalar) else None
        if key in self._in_order:
            return value
        message = value_fault(parameter, node, self._axes)
        if not message and isinstance(node, Scalar):
            self._in_order.add(key)
        if message:
            self._fail(place, node.mark, message)
        return value

    def _weights_of(self, place: Place) -> str:
        if "weights_of" not in place.fields:
            return ""
        _, node = place.fields["weights_of"]
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return node.value
        message = f"weights_of must be the name of a layer, not {rendered(node)}{quotes((node,))}"
        self._fail(place, node.mark, message)
        return ""

    def _sources(self, place: Place) -> tuple[str, ...]:
        if "from" not in place.fields:
            return ()
        _, node = place.fields["from"]
        entries = node.items if isinstance(node, Listing) else (node,)
        texts = [x.value for x in entries if isinstance(x, Scalar) and isinstance(x.value, str)]
        if not texts or len(texts) != len(entries):
            expected = "from must be the name of a layer or a list of names"
            self._fail(place, node.mark, f"{expected}, not {rendered(node)}{quotes(entries)}")
        return tuple(texts)

    # --- containers ------------------------------------------------------------------------------

    def _container(self, keyword: str, body: Node, place: Place, location: Location) -> Item:
        try:
            return self._made(keyword, body, place, location)
        except GraphError as error:  # too many in each other: those inside were read
            self._fail(place, place.mark, str(error))
            self._lost_layers = True
            return Sequence()

    def _made(self, keyword: str, body: Node, place: Place, location: Location) -> Container:
        self._read_fields(keyword, body, _CONTAINER_KEYS[keyword], place)
        name = self._name(place)
        if keyword == "parallel":
            branches = self._branches(place, location)
            return Parallel(branches, self._merge(place), name)
        layers = self._body("layers", keyword, place, (*location, 0))
        if keyword == "repeat":
            return Repeat(self._times(place), layers, name, self._scale(place))
        if keyword == "residual":
            shortcut: tuple[Item, ...] = ()
            if "shortcut" in place.fields:
                shortcut = self._body("shortcut", keyword, place, (*location, 1))
            return Residual(layers, shortcut, name)
        return Sequence(layers, name)

    def _body(self, key: str, owner: str, place: Place, prefix: Location) -> tuple[Item, ...]:
        if key not in place.fields:
            if key not in place.mistyped:
                self._fail(place, place.mark, f"{owner} needs {key}")
            self._lost_layers = True
            return ()
        return self.items(place.fields[key][1], prefix, key)

    def _branches(self, place: Place, location: Location) -> tuple[Branch, ...]:
        if "branches" not in place.fields:
            if "branches" not in place.mistyped:
                self._fail(place, place.mark, "parallel needs branches")
            self._lost_layers = True
            return ()
        node = place.fields["branches"][1]
        if not isinstance(node, Listing):
            expected = "branches must be a list, each entry with layers"
            self._fail(place, node.mark, f"{expected}, not {rendered(node)}")
            return ()
        return tuple(self._branch(x, (*location, i)) for i, x in enumerate(node.items))

    def _branch(self, node: Node, prefix: Location) -> Branch:
        if isinstance(node, Listing) and not node.items:
            return Branch()
        place = Place(node.mark)
        self._read_fields("a branch", node, ("name", "layers"), place)
        name = self._name(place)
        return Branch(self._body("layers", "a branch", place, prefix), name)

    def _merge(self, place: Place) -> MergeKind:
        if "merge" not in place.fields:
            return "concat"
        node = place.fields["merge"][1]
        for merge in MERGES:
            if isinstance(node, Scalar) and node.value == merge:
                return merge
        words = ", ".join(MERGES)
        near = suggestion(node.text, MERGES) if isinstance(node, Scalar) else ""
        self._fail(place, node.mark, f"merge must be one of {words}, not {rendered(node)}{near}")
        return "concat"

    def _times(self, place: Place) -> int:
        if "times" not in place.fields:
            if "times" not in place.mistyped:
                self._fail(place, place.mark, "repeat needs times")
            self._lost_layers = True
            return 1
        node = place.fields["times"][1]
        value = plain(node)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LAYERS:
            return value
        self._lost_layers = True
        expected = f"times must be a whole number from 1 to {MAX_LAYERS}"
        self._fail(place, node.mark, f"{expected}, not {rendered(node)}")
        return 1

    def _scale(self, place: Place) -> Scale:
        if "scale" not in place.fields:
            return ()
        node = place.fields["scale"][1]
        if not isinstance(node, Mapping):
            expected = "scale must be parameters with their factors, as in {dilation: 2}"
            self._fail(place, node.mark, f"{expected}, not {rendered(node)}")
            return ()
        found = []
        for key, value in node.entries:
            factor = plain(value)
            if key.text not in growing_words():
                near = suggestion(key.text, growing_words())
                message = f"no layer has a '{short(key.text)}' that can grow{near}"
                self._fail(place, key.mark, message)
            elif expected := factor_fault(factor):
                message = f"the factor of {key.text} must be {expected}, not {rendered(value)}"
                self._fail(place, value.mark, message)
            else:
                found.append((key.text, factor))
        return tuple(found)

    # --- what both have --------------------------------------------------------------------------

    def _fail(self, place: Place, mark: Mark, message: str) -> None:
        place.is_stand_in = True
        self._add(mark, message)

    def _read_fields(
        self, owner: str, body: Node, known: Iterable[str], place: Place, *, report: bool = True
    ) -> None:
        """Put the keys of `body` that `owner` knows into `place`, and note the others."""
        if isinstance(body, Scalar) and body.value is None:
            return
        words = tuple(known)
        if not isinstance(body, Mapping):
            if report:
                # What is there was meant to hold them, so do not also report that they are missing.
                place.mistyped.update(words)
                expected = f"the parameters of {owner} must be a mapping, as in {{name: value}}"
                self._fail(place, body.mark, f"{expected}, not {rendered(body)}")
            return
        for key, value in body.entries:
            if key.text in words:
                place.fields[key.text] = (key, value)
            elif report:
                place.mistyped.add(nearest(key.text, words))
                self._fail(place, key.mark, _unknown_key(owner, key.text, words))

    def _name(self, place: Place) -> str:
        if "name" not in place.fields:
            return ""
        node = place.fields["name"][1]
        message = name_fault(node)
        if message:
            self._fail(place, node.mark, message)
            self._lost_names.update(node.text.split(".") if isinstance(node, Scalar) else ())
            return ""
        assert isinstance(node, Scalar)
        return node.text


def _stand_in(op_type: type[Op]) -> Op:
    """Return an op of the same word, so that unnamed layers keep their numbers."""
    least: dict[str, Any] = {x.name: 1 for x in parameters_by_word(op_type).values() if x.required}
    try:
        return op_type(**least)
    except OpError:
        return Identity()


def _unknown_key(owner: str, key: str, known: tuple[str, ...]) -> str:
    message = f"{owner} has no '{short(key)}'"
    near = suggestion(key, known)
    if near:
        return message + near
    if key == "from":
        return f"{message}; a container reads the item before it, only its layers have 'from'"
    return f"{message}; it has {', '.join(known)}"
