"""Names that authors gave within a scope, which automatic names must not repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rfstudio.core.network.architecture import Item, Layer, Parallel, Repeat


class GivenNames:
    """The given names of each scope, noted when the scope is entered.

    An unnamed layer is its operation and a running number; numbers that an author used in the
    same scope, also further down, are passed over.

    Attributes
    ----------
    of_scope
        The names of each scope.
    numbers
        The last number that an operation got in a scope.
    """

    def __init__(self, name_of: Callable[[str], str] = str) -> None:
        self._name_of = name_of
        self.of_scope: dict[str, set[str]] = {}
        self._of_body: dict[int, frozenset[str]] = {}
        self.numbers: dict[str, int] = {}

    def enter(self, scope: str, *bodies: tuple[Item, ...]) -> None:
        """Note the names in bodies whose items have `scope` as the prefix of their paths."""
        for body in bodies:
            # The copies of a repeat share their body.
            names = self._of_body.get(id(body))
            if names is None:
                names = frozenset(self._in(body))
                self._of_body[id(body)] = names
            if names:
                self.of_scope.setdefault(scope, set()).update(names)

    def enter_container(self, scope: str, item: Item) -> None:
        """Note the names in a container; `scope` is its own path and a dot."""
        if isinstance(item, Parallel):
            self.of_scope.setdefault(scope, set()).update(self._of_branches(item))
        elif not isinstance(item, Repeat):
            self.enter(scope, *item.bodies)

    def numbered(self, scope: str, keyword: str) -> str:
        """Return the next automatic name in a scope, without the scope."""
        key = scope + keyword
        number = self.numbers.get(key, 0) + 1
        given = self.of_scope.get(scope, ())
        while f"{keyword}{number}" in given:
            number += 1
        self.numbers[key] = number
        return f"{keyword}{number}"

    def _in(self, items: Iterable[Item]) -> Iterable[str]:
        for item in items:
            name = self._name_of(item.name)
            if name:
                yield name
            elif isinstance(item, Parallel):
                yield from self._of_branches(item)
            elif not isinstance(item, Layer | Repeat):
                for body in item.bodies:
                    yield from self._in(body)

    def _of_branches(self, item: Parallel) -> Iterable[str]:
        for branch in item.branches:
            name = self._name_of(branch.name)
            if name:
                yield name
            else:
                yield from self._in(branch.layers)
