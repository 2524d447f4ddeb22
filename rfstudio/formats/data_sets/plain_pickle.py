"""Reads pickles that hold plain values and arrays of bytes, without running anything in them.

`pickle` calls what a file names, so it is not used at all: the operations of the file are listed by
`pickletools`, and the few that plain values need are carried out here.  The only things that may be
named are those with which numpy writes an array; they are recognised, never called.
"""

from __future__ import annotations

import pickletools
import warnings
from math import prod
from typing import Any

import numpy as np

from rfstudio.core.errors import RFStudioError

MAX_OPERATIONS = 1_000_000

_ARRAY_MAKERS = frozenset(
    f"{module} _reconstruct" for module in ("numpy.core.multiarray", "numpy._core.multiarray")
)
_DTYPE = frozenset({"numpy dtype"})
_CLASS = frozenset({"numpy ndarray"})
_ENCODE = frozenset({"_codecs encode"})
_MARK = object()


class PlainPickleError(RFStudioError):
    """A pickle is damaged, or holds something else than plain values."""


class _Name(str):
    """Something that a file names."""

    __slots__ = ()


class _Array:
    """An array that a file builds; its numbers follow."""

    def __init__(self) -> None:
        self.values: np.ndarray[Any, np.dtype[np.uint8]] | None = None


class _Type:
    """The type of the numbers of an array."""

    def __init__(self, word: object) -> None:
        self.is_bytes = word in ("u1", b"u1")


def read_plain_pickle(data: bytes) -> Any:
    """Return the value of a pickle of dictionaries, lists, texts, numbers and arrays of bytes.

    Texts of Python 2 are returned as bytes.

    Parameters
    ----------
    data
        The whole file, which the caller has bounded.

    Raises
    ------
    PlainPickleError
        If it holds or names anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd texts
            return _finished(_Machine().run(data), 0)
    except PlainPickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"the file is damaged, or no pickle of plain values: {error}"
        raise PlainPickleError(text[:300]) from None


def _finished(value: Any, depth: int) -> Any:
    """Return a value with its arrays in place of what built them."""
    if depth > 20:
        raise PlainPickleError("the file is nested too deeply")
    if isinstance(value, dict):
        return {key: _finished(x, depth + 1) for key, x in value.items()}
    if isinstance(value, list) and any(isinstance(x, _Array | list | dict) for x in value):
        return [_finished(x, depth + 1) for x in value]
    if isinstance(value, _Array):
        if value.values is None:
            raise PlainPickleError("an array of the file has no numbers")
        return value.values
    return value


class _Machine:
    """The stack of a pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        """Carry out all operations, and return the value."""
        for number, (operation, argument, _) in enumerate(pickletools.genops(data)):
            if number > MAX_OPERATIONS:
                raise PlainPickleError(f"the file has more than {MAX_OPERATIONS:,} operations")
            if operation.name == "STOP":
                break
            self._do(operation.name, argument)
        if len(self._stack) != 1:
            raise PlainPickleError("the file ends in the middle of a value")
        return self._stack[0]

    def _do(self, name: str, argument: Any) -> None:
        if not (self._put_value(name, argument) or self._put_container(name)):
            self._build_or_remember(name, argument)

    def _put_value(self, name: str, argument: Any) -> bool:
        """Carry out an operation that puts a value on the stack; False: it is another one."""
        stack = self._stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(name == "NEWTRUE")
            case "INT" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG" | "BINFLOAT":
                stack.append(argument)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "UNICODE":
                stack.append(argument)
            case "STRING" | "BINSTRING" | "SHORT_BINSTRING":
                stack.append(argument.encode("latin-1"))
            case "BINBYTES" | "SHORT_BINBYTES":
                stack.append(bytes(argument))
            case _:
                return False
        return True

    def _put_container(self, name: str) -> bool:
        """Carry out an operation that makes a container; False: it is another one."""
        stack = self._stack
        match name:
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(self._top(count))]
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "LIST":
                stack.append(self._since_mark())
            case "DICT":
                stack.append(_pairs(self._since_mark()))
            case _:
                return False
        return True

    def _build_or_remember(self, name: str, argument: Any) -> None:
        """Carry out an operation that fills a container, makes an array or uses the memo."""
        stack = self._stack
        match name:
            case "APPEND":
                value = stack.pop()
                _of(list, stack[-1]).append(value)
            case "APPENDS":
                values = self._since_mark()
                _of(list, stack[-1]).extend(values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _of(dict, stack[-1])[key] = value
            case "SETITEMS":
                pairs = _pairs(self._since_mark())
                _of(dict, stack[-1]).update(pairs)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[int(argument)] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[int(argument)])
            case "GLOBAL":
                stack.append(_allowed(argument))
            case "STACK_GLOBAL":
                word, module = stack.pop(), stack.pop()
                stack.append(_allowed(f"{module} {word}"))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_made(function, _of(tuple, arguments)))
            case "BUILD":
                state = stack.pop()
                _build(stack[-1], state)
            case _:
                raise PlainPickleError(f"the file needs the operation {name}, which is not allowed")

    def _top(self, count: int) -> list[Any]:
        found = self._stack[-count:]
        if len(found) != count or any(x is _MARK for x in found):
            raise PlainPickleError("the file takes more values than it has")
        return found

    def _since_mark(self) -> list[Any]:
        stack = self._stack
        place = max(i for i, x in enumerate(stack) if x is _MARK)
        found = stack[place + 1 :]
        del stack[place:]
        return found


def _of(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise PlainPickleError(f"the file takes a {type(value).__name__} for a {kind.__name__}")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _allowed(word: str) -> _Name:
    if word not in _ARRAY_MAKERS | _DTYPE | _CLASS | _ENCODE:
        shown = word.replace(" ", ".")[:100]
        raise PlainPickleError(f"the file names {shown}; only arrays and plain values are read")
    return _Name(word)


def _made(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what a call gives, of those with which numpy writes an array."""
    if not isinstance(function, _Name):
        raise PlainPickleError("the file calls something that is no name")
    if function in _ARRAY_MAKERS:
        return _Array()
    if function in _DTYPE:
        return _Type(arguments[0])
    if function in _ENCODE and arguments[1:] == ("latin1",):
        return _of(str, arguments[0]).encode("latin-1")
    raise PlainPickleError("the file makes something else than an array")


def _build(made: Any, state: Any) -> None:
    if isinstance(made, _Type):
        return  # byte order and the like, which mean nothing for bytes
    _, shape, kind, is_fortran, numbers = _of(tuple, state)
    if not isinstance(kind, _Type) or not kind.is_bytes or is_fortran:
        raise PlainPickleError("an array of the file holds something else than bytes")
    shape = tuple(int(x) for x in _of(tuple, shape))
    if min(shape, default=0) < 0 or prod(shape) != len(_of(bytes, numbers)):
        raise PlainPickleError("an array of the file has another size than its numbers")
    _of(_Array, made).values = np.frombuffer(bytearray(numbers), np.uint8).reshape(shape)
