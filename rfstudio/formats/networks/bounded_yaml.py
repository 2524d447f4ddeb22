"""Reads YAML within limits, even from hostile files, and records the place of every node.

The text is read as a stream of events, never by a loader: no tag creates an object, no merge key is
followed, and an alias is one node that is counted at every use.  Limited are bytes, nodes after the
expansion of aliases, nesting, the length of a scalar and the number of problems.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

from rfstudio.core.errors import FormatError, Problem
from rfstudio.core.network.architecture import MAX_NESTED
from rfstudio.core.work import give_way
from rfstudio.formats.networks.scalars import Value, resolved

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 5 * MAX_NESTED + 10
"""Lists and mappings in each other: all containers that a network may have, of five at most."""
MAX_SCALAR = 65_536
MAX_PROBLEMS = 200
MAX_MESSAGE = 500

_EVENTS_BETWEEN_WAYS = 64

# libyaml's parser is several times faster; both give the same events and marks.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = (None, "!")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_TEXT_TAG = "tag:yaml.org,2002:str"


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int = 1
    column: int = 1


class Scalar(NamedTuple):
    """A text, number, truth value or null, with its text in the file."""

    mark: Mark
    value: Value
    text: str


class Listing(NamedTuple):
    """A list of nodes."""

    mark: Mark
    items: tuple[Node, ...]


class Mapping(NamedTuple):
    """Keys and their nodes, in the order of the file; no key twice."""

    mark: Mark
    entries: tuple[tuple[Scalar, Node], ...]


Node: TypeAlias = Scalar | Listing | Mapping


class Problems:
    """Collects the problems of one file, up to a number beyond which a list helps nobody."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._found: dict[Problem, None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, mark: Mark, message: str) -> None:
        """Note a problem.

        Raises
        ------
        FormatError
            If there are so many that the file is probably not a network at all.
        """
        if len(message) > MAX_MESSAGE:
            message = f"{message[: MAX_MESSAGE - 1]}…"
        # Text from a file must not control the terminal.
        message = "".join(x if x.isprintable() else "�" for x in message)
        self._found[Problem(self.path, mark.line, mark.column, message)] = None
        if len(self._found) >= MAX_PROBLEMS:
            last = max(self._found)
            more = f"more than {MAX_PROBLEMS} problems; the rest is not listed"
            raise FormatError([*self._found, Problem(self.path, last.line, last.column, more)])

    def raise_if_any(self) -> None:
        """Raise a `FormatError` with all problems so far, if there are some."""
        if self._found:
            raise FormatError(list(self._found))

    def stop(self, mark: Mark, message: str) -> FormatError:
        """Return the error that ends the reading at once, with all problems so far."""
        return FormatError([*self._found, Problem(self.path, mark.line, mark.column, message)])


def parse(data: str | bytes, problems: Problems) -> Node:
    """Return the only document in `data`.

    Duplicate keys, tags and merge keys are noted in `problems` and skipped.

    Raises
    ------
    FormatError
        If `data` is not a YAML document or exceeds a limit.
    """
    text = _decoded(data, problems)
    return _Composer(problems).document(text)


def _decoded(data: str | bytes, problems: Problems) -> str:
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeEncodeError as error:
            mark = _mark_behind(str(error.object)[: error.start])
            raise problems.stop(mark, "half a surrogate pair is not text") from None
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; a network may have {MAX_BYTES:,}"
        raise problems.stop(Mark(), message)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_behind(data[: error.start].decode(errors="replace"))
        raise problems.stop(mark, "the file is not UTF-8 text; save it as UTF-8") from None


def _mark_behind(text: str) -> Mark:
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    mark: Mark
    anchor: str | None
    is_mapping: bool
    nodes: list[Node] = field(default_factory=list)
    count: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    count: int
    height: int


class _Composer:
    """Builds nodes from the events of one text, without recursion."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._root: Node | None = None

    def document(self, text: str) -> Node:
        try:
            loader = _LOADER(text)
            try:
                self._read(loader)
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            raise self._problems.stop(_place(error, text), _words(error)) from None
        except yaml.YAMLError as error:
            position = getattr(error, "position", 0)
            mark = _mark_behind(text[:position])
            raise self._problems.stop(mark, "the file holds a character that is not text") from None
        if self._root is None:
            raise self._problems.stop(Mark(), "the file is empty")
        return self._root

    def _read(self, loader: Any) -> None:
        documents = events = 0
        while (event := loader.get_event()) is not None:
            events += 1
            if events % _EVENTS_BETWEEN_WAYS == 0:
                give_way()
            start = event.start_mark
            mark = Mark(start.line + 1, start.column + 1)
            if events > 2 * MAX_NODES:
                raise self._problems.stop(mark, f"the file has more than {MAX_NODES:,} nodes")
            kind = type(event)  # the classes have no others below them, and this is a hot loop
            if kind is yaml.ScalarEvent:
                self._add_scalar(event, mark)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, mark)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end()
            elif kind is yaml.AliasEvent:
                self._add_alias(event, mark)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._problems.stop(mark, "the file holds a second document")
            elif kind is yaml.StreamEndEvent:
                return

    def _add_scalar(self, event: Any, mark: Mark) -> None:
        text = event.value
        if len(text) > MAX_SCALAR:
            message = f"a text of {len(text):,} characters; at most {MAX_SCALAR:,} are read"
            raise self._problems.stop(mark, message)
        if event.tag is not None:
            self._check_tag(event, mark)
        is_plain = not event.style and event.tag != _TEXT_TAG
        scalar = Scalar(mark, resolved(text) if is_plain else text, text)
        self._add(scalar, event.anchor, 1, 0)

    def _add_alias(self, event: Any, mark: Mark) -> None:
        name = event.anchor
        if any(x.anchor == name for x in self._open):
            raise self._problems.stop(mark, f"the alias '*{_short(name)}' is inside its own node")
        if name not in self._anchors:
            message = f"the alias '*{_short(name)}' has no '&' of that name before it"
            raise self._problems.stop(mark, message)
        target = self._anchors[name]
        self._add(target.node, None, target.count, target.height, mark)

    def _start(self, event: Any, mark: Mark) -> None:
        self._check_tag(event, mark)
        self._open.append(_Open(mark, event.anchor, isinstance(event, yaml.MappingStartEvent)))
        self._check_depth(mark, 0)

    def _end(self) -> None:
        done = self._open.pop()
        node: Node
        if done.is_mapping:
            node = Mapping(done.mark, self._entries(done.nodes))
        else:
            node = Listing(done.mark, tuple(done.nodes))
        self._add(node, done.anchor, done.count, done.height)

    def _add(
        self, node: Node, anchor: str | None, count: int, height: int, mark: Mark | None = None
    ) -> None:
        """Put a finished node where it belongs; `mark` is the place of an alias to it."""
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, count, height)
        if not self._open:
            self._root = node
            return
        if mark is not None:
            self._check_depth(mark, height)
        parent = self._open[-1]
        parent.nodes.append(node)
        parent.count += count
        parent.height = max(parent.height, height + 1)
        if parent.count > MAX_NODES:
            message = f"the file has more than {MAX_NODES:,} nodes, aliases written out"
            raise self._problems.stop(mark or node.mark, message)

    def _entries(self, nodes: Sequence[Node]) -> tuple[tuple[Scalar, Node], ...]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.add(key.mark, "a key must be a word, not a list or a mapping")
            elif key.text == "<<" and key.value == "<<":
                self._problems.add(key.mark, "merge keys ('<<') are not read; write the keys out")
            elif key.text in entries:
                first = entries[key.text][0].mark.line
                message = f"'{_short(key.text)}' is given twice; first in line {first}"
                self._problems.add(key.mark, message)
            else:
                entries[key.text] = (key, value)
        return tuple(entries.values())

    def _check_depth(self, mark: Mark, height: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise self._problems.stop(mark, f"nested more than {MAX_DEPTH} levels deep")

    def _check_tag(self, event: Any, mark: Mark) -> None:
        allowed = event.tag in _PLAIN_TAGS or (
            event.tag == _TEXT_TAG and isinstance(event, yaml.ScalarEvent)
        )
        if not allowed:
            message = f"the tag '{_short(event.tag)}' is not read; leave it out"
            self._problems.add(mark, message)


def _place(error: yaml.MarkedYAMLError, text: str) -> Mark:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Mark()
    lines = _LINE_BREAK.split(text)
    if mark.line >= len(lines):  # libyaml ends a last line that has no end
        return Mark(len(lines), len(lines[-1]) + 1)
    return Mark(mark.line + 1, mark.column + 1)


def _words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not readable"
    context = f" {error.context}" if error.context else ""
    hint = ""
    if "mapping values are not allowed" in problem:
        hint = "; a ':' inside a text needs quotes, or the indentation is wrong"
    elif "cannot start any token" in problem:
        hint = "; indent with spaces, not tabs, and quote texts that start with a special character"
    return f"this is not YAML:{context}{',' if context else ''} {problem}{hint}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
