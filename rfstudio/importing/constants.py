"""Numbers by which tensors are multiplied, and that are added to them, without being learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.importing.layout import View
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Rules


class Constant(NamedTuple):
    """A number that multiplies all values of a tensor, and one that is added then."""

    factor: float = 1.0
    shift: float = 0.0


class Constants(Rules):
    """Part of the tracker: constants that are multiplied or added."""

    def with_constant(self, record: Record, view: View) -> View:
        """Return a tensor that is multiplied by a constant, or to which one is added."""
        found = self.constant_of(record)
        if found == Constant():
            return view
        if found is not None:
            try:
                return self._affine(view, found)
            except OpError:  # a number beyond all bounds, such as that of a mask
                pass
        self.maps.remark(
            "dropped",
            f"'{record.label}' with a constant is not in the network: what a unit sees is the same,"
            " but values are not",
        )
        return view

    def _affine(self, view: View, by: Constant) -> View:
        """Return a tensor after a factor and a shift, as one layer with those before it."""
        last = self.maps.nodes[view.node]
        is_here = last.scope == self.maps.record.scope and not self.is_output(view.node)
        if isinstance(last.op, ops.Affine) and is_here:
            view = replace(view, node=last.sources[0])
            by = Constant(by.factor * last.op.factor, by.factor * last.op.shift + by.shift)
        return self.layer(view, ops.Affine(factor=by.factor, shift=by.shift))

    def signed(self, record: Record, views: Sequence[View]) -> list[View]:
        """Return maps such that their plain sum or product is what a record makes of them."""
        found, alpha = list(views), float(record.options.get("alpha", 1))
        factors = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}
        word = record.label.lower()
        if len(views) == 2 and word in factors:
            for i, factor in enumerate(factors[word]):
                if factor != 1:
                    found[i] = self.layer(views[i], ops.Affine(factor=factor))
        elif word not in ("sum", "mul"):
            how = "sum" if record.options.get("how") == "add" else "product"
            self.maps.remark("guessed", f"'{record.label}' of several maps is taken as a {how}")
        return found

    def constant_of(self, record: Record) -> Constant | None:
        """Return the numbers that a record multiplies and adds; None: it does something else."""
        if record.parameters or record.options.get("rounded"):
            return None
        constants = [x for x in record.sources if x not in self.views]
        if not constants:
            found: Constant | None = record.options.get("constant")
            return found
        if len(constants) > 1:
            return None
        value = self.program.value_of(constants[0])
        if value is None or not np.issubdtype(value.dtype, np.number) or not value.size:
            return None
        number, is_first = float(value.reshape(-1)[0]), record.sources[0] == constants[0]
        if not np.isfinite(number) or not (value == value.reshape(-1)[0]).all():
            return None
        return constant_by_word(record.label, number, is_first, record.options.get("alpha", 1))


def constant_by_word(
    word: str, number: float, is_first: bool = False, alpha: float = 1.0
) -> Constant | None:
    """Return what an operation with a number does to the other side; None: something else.

    Parameters
    ----------
    word
        Its name: "add", "sub", "rsub" (which exchanges the sides), "mul" or "div".
    number
        One of its sides.
    is_first
        Whether that is the one before its sign.
    alpha
        By which the second side of a sum or difference is multiplied.
    """
    match word.lower():
        case "mul":
            return Constant(number)
        case "div":
            return None if is_first or not number else Constant(1 / number)
        case "add":
            return Constant(alpha, number) if is_first else Constant(1.0, alpha * number)
        case "sub":
            return Constant(-alpha, number) if is_first else Constant(1.0, -alpha * number)
        case "rsub":
            return Constant(1.0, -alpha * number) if is_first else Constant(-alpha, number)
    return None
