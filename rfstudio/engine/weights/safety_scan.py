"""Checks a file of weights before torch reads it: what it is, and how much it claims.

Eight bytes can make a pickle reserve 4 GB, a million nested tuples end the process, and 300,000
empty tensors take a minute.  So headers, archives and pickles are scanned here first: no objects
are created, only bytes are counted, within bounds far above those of any trained network.
"""

from __future__ import annotations

import json
import mmap
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from rfstudio.core.errors import shown
from rfstudio.engine.process.errors import WeightsError
from rfstudio.importing.reference import is_exported_program

MAX_BYTES = 16 * 2**30
"""Bytes of a file, and of what it holds."""

MAX_TENSORS = 20_000
"""Tensors of a file; the largest published networks have some thousands."""

MAX_HEADER = 8 * 2**20
"""Bytes of a header, a table of contents or a pickle."""

MAX_OPERATIONS = 500_000
"""Steps of all pickles of a file."""

MAX_DEPTH = 64
"""Nesting of objects; Python itself is limited only by the stack of the process."""

_MAX_DIGITS = 1_000
_PICKLES = 5
"""Pickles at the start of a file that torch wrote before version 1.6."""

_DTYPES = frozenset(
    (
        *("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"),
        *("F8_E4M3", "F8_E5M2", "F16", "BF16", "F32", "F64", "C64"),
    )
)


def checked_kind(path: Path) -> str:
    """Return what a file of weights is by its content: safetensors, zip, pickle or pt2.

    It is a matter of milliseconds, and does not need torch, which takes more than a second to
    be imported.

    Raises
    ------
    WeightsError
        If it is not such a file, is damaged, or claims more than it holds.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe may block forever
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise WeightsError(f"{path} cannot be read: it is {what}")
    size = status.st_size
    if size > MAX_BYTES:
        raise WeightsError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
    try:
        kind = kind_of(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if not kind:
        raise WeightsError(
            f"{path} is not a file of weights written by torch.save or safetensors; weights are "
            "read from .safetensors, .pt, .pth and other such files"
        )
    if kind == "zip" and is_exported_program(path):
        return "pt2"
    scan(path, kind)
    return kind


def kind_of(path: Path) -> str:
    """Return what a file is by its content: safetensors, zip, pickle, or an empty text."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[:2] == b"PK":
        return "zip"
    # The length of a header, which is JSON; that of a pickle would be beyond any file.
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return "safetensors"
    if path.suffix == ".safetensors":
        return "safetensors"  # damaged; `scan` says what is wrong with it
    return "pickle" if head[:1] == b"\x80" else ""


def scan(path: Path, kind: str) -> None:
    """Refuse a file that would need much more memory or time than its size suggests.

    Raises
    ------
    WeightsError
        With the reason; also for damaged files.
    """
    try:
        match kind:
            case "safetensors":
                _scan_safetensors(path)
            case "zip":
                _scan_zip(path)
            case _:
                _scan_pickles(path)
    except _Refused as error:
        raise WeightsError(f"{shown(str(path), 200)} was not read: {error}") from None
    except _DAMAGED as error:
        raise WeightsError(
            f"{shown(str(path), 200)} is damaged or not a file of weights: "
            f"{shown(str(error), 200)}; save the state_dict again, best as .safetensors"
        ) from None


_DAMAGED = (
    *(OSError, EOFError, ValueError, LookupError, struct.error),
    # Of archives: those of later versions, and those with a password.
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
)


class _Refused(Exception):  # noqa: N818 - an outcome within this module
    """A bound was passed; the text says which."""


# --- safetensors --------------------------------------------------------------------------------


def _scan_safetensors(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > size - 8:
            raise ValueError(
                f"not a valid safetensors file: a header of {length:,} bytes is incomplete"
            )
        if length > MAX_HEADER:
            raise _Refused(f"its header has {length:,} bytes; at most {MAX_HEADER:,} are read")
        text = file.read(length)
    if text.count(b'"data_offsets"') > MAX_TENSORS:
        raise _Refused(f"it holds more than {MAX_TENSORS:,} tensors")
    try:
        header: Any = json.loads(text)
    except RecursionError:
        raise ValueError("not a valid safetensors file: its header is nested too deeply") from None
    except ValueError:
        raise ValueError("not a valid safetensors file: its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("not a valid safetensors file: its header holds no tensors")  # noqa: TRY004
    for name, facts in header.items():
        if name == "__metadata__":
            continue
        dtype = facts.get("dtype") if isinstance(facts, dict) else None
        # Of a damaged file: anything, also what has no hash.
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise _Refused(
                f"'{shown(name)}' has numbers of the kind {shown(str(dtype), 20)}, which are not "
                "read; save it in float32 or float16"
            )


# --- archives -----------------------------------------------------------------------------------


def _scan_zip(path: Path) -> None:
    size = path.stat().st_size
    entries, length = contents_of(path, size)
    if entries > 2 * MAX_TENSORS or length > MAX_HEADER:
        raise _Refused(f"its table of contents has {entries:,} entries and {length:,} bytes")
    budget = [MAX_OPERATIONS]
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        if any(x.compress_type != zipfile.ZIP_STORED for x in found):
            raise _Refused("it is packed in a way that torch.save never uses")
        if sum(x.file_size for x in found) > size:
            raise _Refused("its parts overlap, which torch.save never does")
        for entry in found:
            if not entry.filename.endswith(".pkl"):
                continue
            if entry.file_size > MAX_HEADER:
                raise _Refused(f"its pickle has {entry.file_size:,} bytes")
            with archive.open(entry) as file:
                _scan_pickle(file.read(MAX_HEADER + 1), 0, budget)


class _End(NamedTuple):
    """How many entries the table of contents of an archive has, and how many bytes."""

    entries: int
    length: int


def contents_of(path: Path, size: int) -> _End:
    """Return the size of an archive's table of contents, from the archive's end."""
    with path.open("rb") as file:
        start = max(size - 65_557 - 20, 0)
        file.seek(start)
        tail = file.read(65_557 + 20)
        place = tail.rfind(b"PK\5\6")
        if place < 0:
            raise ValueError("the end of the archive is missing")
        entries, length = struct.unpack_from("<HI", tail, place + 10)
        if place >= 20 and tail[place - 20 : place - 16] == b"PK\6\7":
            (where,) = struct.unpack_from("<Q", tail, place - 20 + 8)
            file.seek(min(where, size))
            record = file.read(56)
            entries, length = struct.unpack_from("<QQ", record, 32)
    return _End(entries, length)


# --- pickles ------------------------------------------------------------------------------------


def _scan_pickles(path: Path) -> None:
    """Scan the pickles at the start of a file in torch's old format."""
    budget = [MAX_OPERATIONS]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        head = data[: MAX_HEADER * 2]
    place = 0
    for _ in range(_PICKLES):
        if place >= len(head):
            break
        place = _scan_pickle(head, place, budget)


_FIXED = {
    # Arguments of so many bytes: numbers, memo places, protocol.
    **dict.fromkeys(b"K\x80hq", 1),
    **dict.fromkeys(b"M", 2),
    **dict.fromkeys(b"Jjr", 4),
    **dict.fromkeys(b"G\x95", 8),
}
_COUNTED = {
    # How many bytes hold the length of what follows.
    **dict.fromkeys(b"U\x8cC\x8a", 1),
    **dict.fromkeys(b"XTB\x8b", 4),
    **dict.fromkeys(b"\x8d\x8e\x96", 8),
}
_LINES = b"FILSVgpP"
_PUSHES = frozenset(b"NKMJG\x88\x89]}IFLSUTVX\x8cCB\x8d\x8e\x96\x8a\x8b)\x8f")
_GATHERS = frozenset(b"ltd\x91")
_WRAPS = {ord(x): n for x, n in (("\x85", 1), ("\x86", 2), ("\x87", 3))}
_REFUSED = frozenset(b"\x82\x83\x84\x97\x98")
"""Registered extensions, and buffers outside the pickle."""


class _Depths:
    """The stack of an unpickler, of which only the depth of every object is known."""

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.memo: dict[int, int] = {}

    def push(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _Refused(f"objects are nested more than {MAX_DEPTH} deep")
        self.stack.append(depth)

    def wrap(self, count: int) -> None:
        """Put one object in the place of the last ones, which are inside it."""
        inside = [self.stack.pop() for _ in range(count)]
        self.push(1 + max(inside, default=0))

    def put_in(self, count: int) -> None:
        """Put the last objects into the one below them."""
        inside = [self.stack.pop() for _ in range(count)]
        self.push(max(self.stack.pop(), 1 + max(inside)))

    def gather(self, *, into: bool) -> None:
        """Put what is above the last mark into an object: a new one, or the one below."""
        start = self.marks.pop()
        inside = self.stack[start:]
        del self.stack[start:]
        below = self.stack.pop() if into else 0
        self.push(max(below, 1 + max(inside, default=0)))


def _scan_pickle(data: bytes, place: int, budget: list[int]) -> int:
    """Scan one pickle; return where it ends."""
    depths = _Depths()
    size = len(data)
    while True:
        budget[0] -= 1
        if budget[0] < 0:
            raise _Refused(f"its pickles take more than {MAX_OPERATIONS:,} steps")
        code = data[place]
        place += 1
        start = place
        if code in _FIXED:
            place += _FIXED[code]
        elif code in _COUNTED:
            width = _COUNTED[code]
            length = int.from_bytes(data[place : place + width], "little")
            place += width + length
            if code in b"\x8a\x8b" and length > _MAX_DIGITS:
                raise _Refused("it holds a number of thousands of digits")
        elif code in _LINES:
            place = data.index(b"\n", place) + 1
            if code in b"IL" and place - start > _MAX_DIGITS:
                raise _Refused("it holds a number of thousands of digits")
        elif code in b"ci":
            place = data.index(b"\n", data.index(b"\n", place) + 1) + 1
        if place > size:
            raise ValueError("a pickle is cut off")
        if code == 0x2E:  # the end
            return place
        _follow(code, data[start:place] if code in b"qrhjpg" else b"", depths)


def _follow(code: int, argument: bytes, depths: _Depths) -> None:
    """Apply an operation on objects to their depths."""
    stack = depths.stack
    if code in _PUSHES:
        depths.push(1 if code in b"]})\x8f" else 0)
    elif code in b"qrp\x94":
        number = _memo_place(code, argument, depths)
        if number > MAX_OPERATIONS:
            raise _Refused(f"it remembers an object in place {number:,}")
        depths.memo[number] = stack[-1]
    elif code in b"hjg":
        depths.push(depths.memo.get(_memo_place(code, argument, depths), 0))
    elif code == 0x28:
        depths.marks.append(len(stack))
    elif code == 0x30:  # drop
        stack.pop()
    elif code == 0x31:  # drop to the mark
        del stack[depths.marks.pop() :]
    elif code == 0x32:  # twice
        depths.push(stack[-1])
    else:
        _assemble(code, depths)


def _assemble(code: int, depths: _Depths) -> None:
    """Apply an operation that puts objects into others."""
    if code in _WRAPS:
        depths.wrap(_WRAPS[code])
    elif code in _GATHERS:
        depths.gather(into=False)
    elif code in b"eu\x90":
        depths.gather(into=True)
    elif code in b"ab":
        depths.put_in(1)
    elif code == 0x73:
        depths.put_in(2)
    elif code in b"R\x81Q\x93":
        depths.wrap(1 if code in b"Q" else 2)
    elif code == 0x92:
        depths.wrap(3)
    elif code in b"io":
        depths.gather(into=False)
    elif code in b"cP":
        depths.push(0)
    elif code in _REFUSED:
        raise _Refused("it refers to something that is not in the file")
    elif code not in b"\x80\x95":
        raise ValueError("a pickle holds an unknown operation")


def _memo_place(code: int, argument: bytes, depths: _Depths) -> int:
    if code == 0x94:
        return len(depths.memo)
    return int(argument) if code in b"pg" else int.from_bytes(argument, "little")
