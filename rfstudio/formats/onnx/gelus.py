"""GELU as exporters before opset 20 write it: x/2 (1 + erf(x/√2)), in five operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isclose, isnan, nan
from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.formats.onnx.tensors import Array
from rfstudio.importing.records import Record

_PRECISION = 1e-3
"""Share by which numbers of the formula may be off, in half precision."""

_STEPS = 4
"""Most operations between 1 + erf and the result."""


class _Scaled(NamedTuple):
    """A value as a multiple of another one."""

    source: str
    factor: float


def with_gelus(records: Sequence[Record], value_of: Callable[[str], Array | None]) -> list[Record]:
    """Return records with one activation for the operations that make up a GELU.

    Parameters
    ----------
    records
        In the order of execution.
    value_of
        Returns the numbers of a constant; None: it is not one, or not known.
    """
    found = _Gelus(records, value_of)
    for record in records:
        if record.label == "Erf":
            found.follow(record)
    if not found.made:
        return list(records)
    kept = [found.made.get(x.output, x) for x in records if x.output not in found.gone]
    # What was divided by √2 for this alone has no reader any more.
    read = {source for x in kept for source in x.sources}
    return [x for x in kept if x.output in read or x.output not in found.inner]


class _Gelus:
    """The activations so far: results by name, and what they take the place of."""

    def __init__(self, records: Sequence[Record], value_of: Callable[[str], Array | None]) -> None:
        self.made: dict[str, Record] = {}
        self.gone: set[str] = set()
        self.inner: set[str] = set()
        self._value_of = value_of
        self._makers = {x.output: x for x in records}
        self._readers: dict[str, list[Record]] = {}
        for x in records:
            for source in x.sources:
                self._readers.setdefault(source, []).append(x)

    def follow(self, erf: Record) -> None:
        """Note the activation that an error function is of, if it is of one."""
        source, by = self._scaled(erf.sources[0])
        plus = self._reader(erf)
        if plus is None or plus.label != "Add" or not isclose(self._number(plus, erf), 1.0):
            return
        if not isclose(by, 0.5**0.5, rel_tol=_PRECISION):
            return
        last, factor, has_source, gone = plus, 1.0, False, [erf.output]
        for _ in range(_STEPS):
            reader = self._reader(last)
            found = None if reader is None else self._times(reader, last, source)
            if reader is None or found is None or (has_source and found.source):
                return
            gone.append(last.output)
            last, factor = reader, factor * found.factor
            has_source = has_source or bool(found.source)
            if has_source and isclose(factor, 0.5, rel_tol=_PRECISION):
                self._note(source, erf, last, gone)
                return

    def _times(self, reader: Record, of: Record, source: str) -> _Scaled | None:
        """Return by what a value is multiplied: a number, or a multiple of `source`; None: else."""
        if reader.label not in ("Mul", "Div") or len(reader.sources) != 2:
            return None
        number = self._number(reader, of)
        if not isnan(number):
            if reader.label == "Mul":
                return _Scaled("", number)
            is_divided = reader.sources[0] == of.output and number != 0
            return _Scaled("", 1 / number) if is_divided else None
        others = [x for x in reader.sources if x != of.output]
        if reader.label == "Div" or len(others) != 1:
            return None
        found = self._scaled(others[0])
        return found if found.source == source else None

    def _note(self, source: str, erf: Record, last: Record, gone: Sequence[str]) -> None:
        self.made[last.output] = replace(
            last,
            kind="activation",
            sources=(source,),
            options={"op": ops.Gelu()},
            label="Gelu",
            weights=(),
            parameters=0,
        )
        self.gone.update(gone)
        name = erf.sources[0]
        while name != source:
            self.inner.add(name)
            maker = self._makers[name]
            (name,) = [x for x in maker.sources if self._value_of(x) is None]

    def _reader(self, record: Record) -> Record | None:
        """Return what alone reads a value."""
        readers = self._readers.get(record.output, [])
        return readers[0] if len(readers) == 1 else None

    def _number(self, record: Record, of: Record) -> float:
        """Return the number that a record takes beside a value; NaN: it takes something else."""
        others = [x for x in record.sources if x != of.output]
        value = self._value_of(others[0]) if len(others) == 1 else None
        return nan if value is None or value.size != 1 else float(value.reshape(-1)[0])

    def _scaled(self, name: str) -> _Scaled:
        """Return a value as a multiple of what it was multiplied from."""
        factor = 1.0
        while (maker := self._makers.get(name)) is not None and maker.label in ("Mul", "Div"):
            constants = [self._value_of(x) for x in maker.sources]
            numbers = [float(x.reshape(-1)[0]) for x in constants if x is not None and x.size == 1]
            if len(numbers) != 1 or len(maker.sources) != 2 or not numbers[0]:
                break
            is_first = constants[0] is not None
            if maker.label == "Div" and is_first:
                break
            factor *= 1 / numbers[0] if maker.label == "Div" else numbers[0]
            name = maker.sources[1 if is_first else 0]
        return _Scaled(name, factor)
