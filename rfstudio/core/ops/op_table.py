"""Tables of functions of operations, one for each type, by which other parts support operations.

An entry is made by a decorator and typed: the function of `ops.Conv` is given an `ops.Conv`.  An
entry of a base class is that of all its operations without one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from rfstudio.core.errors import OpError
from rfstudio.core.ops.operation import Operation

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=Operation)
B = TypeVar("B", bound=Operation)
C = TypeVar("C", bound=Operation)
F = TypeVar("F", bound=Callable[..., Any])


class OpTable(Generic[P, R]):
    """Functions whose first argument is an operation; calling the table calls that of its type.

    Parameters
    ----------
    name
        What the functions do, for errors: "modules", "PyTorch source".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: dict[object, Callable[..., R]] = {}
        self._found: dict[type[Operation], Callable[..., R]] = {}

    @overload
    def entry(
        self, a: type[A], /
    ) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]: ...
    @overload
    def entry(
        self, a: type[A], b: type[B], /
    ) -> Callable[[Callable[Concatenate[A | B, P], R]], Callable[Concatenate[A | B, P], R]]: ...
    @overload
    def entry(
        self, a: type[A], b: type[B], c: type[C], /
    ) -> Callable[
        [Callable[Concatenate[A | B | C, P], R]], Callable[Concatenate[A | B | C, P], R]
    ]: ...
    def entry(self, *types: type[Operation]) -> Callable[[Any], Any]:
        """Return the decorator of a function (or class) for operations of these types."""
        return partial(self._enter, types)

    def family(
        self, base: Callable[..., A], /
    ) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
        """Return the decorator for all operations of a base class without an entry of their own."""
        return partial(self._enter, (base,))

    def _enter(self, types: tuple[object, ...], function: F) -> F:
        for op_type in types:
            if op_type in self._entries:
                raise TypeError(f"{self.name} have two entries for {op_type}")
            self._entries[op_type] = function
        return function

    def __call__(self, op: Operation, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function for an operation's type returns.

        Raises
        ------
        OpError
            If there is no such function.
        """
        function = self.find(type(op))
        if function is None:
            raise OpError(f"{op.keyword} has no entry in the table of {self.name}")
        return function(op, *args, **kwargs)

    def find(self, op_type: type[Operation]) -> Callable[..., R] | None:
        """Return the function for a type of operation; None: there is none."""
        known = self._found.get(op_type)
        if known is None:
            known = next((self._entries[x] for x in op_type.__mro__ if x in self._entries), None)
            if known is not None:
                self._found[op_type] = known
        return known

    def missing(self, op_types: Iterable[type[Operation]]) -> tuple[str, ...]:
        """Return the keywords of the operations that have no entry."""
        return tuple(x.keyword for x in op_types if self.find(x) is None)
