"""Numbers by which tensors are multiplied, and that are added to them, without being learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.ops import Op
from rfstudio.importing.layers import MapNode
from rfstudio.importing.layout import CHANNEL, View
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Rules


class Constant(NamedTuple):
    """A number that multiplies all values of a tensor, and one that is added then."""

    factor: float = 1.0
    shift: float = 0.0


MOST_COMPUTED = 1 << 25
"""Numbers of all computed weights together from which on they are not held beside the model."""


class Constants(Rules):
    """Part of the tracker: constants that are multiplied or added."""

    _held = 0

    def has_room(self, count: int) -> bool:
        """Whether so many numbers more may be held beside the model."""
        return self._held + count <= MOST_COMPUTED

    def hold(self, node: MapNode, key: str, value: NDArray[np.generic] | None) -> None:
        """Give a layer numbers that are computed; say so if they are not known or too many."""
        if value is not None and self.has_room(value.size):
            self._held += value.size
            node.computed[key] = value
        else:
            self.maps.remark(
                "guessed",
                f"its {key} is computed from others, which a network that is rebuilt from this "
                "one takes as they are",
            )

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

    def with_learned(self, record: Record, view: View) -> View | None:
        """Return a tensor after a learned factor or number for each channel, or one for all.

        None: it is none of these.  What is added right after a factor is one layer with it.
        """
        constants = [x for x in record.sources if x not in self.views]
        if record.label == "addcmul" and len(constants) == 2:
            return self._with_both(record, view, constants)
        if len(constants) != 1 or len(record.sources) != 2 or record.options.get("rounded"):
            return None
        (name,), shape = constants, self.shapes[constants[0]]
        places = channels_of(view, shape)
        if places is None:
            return None
        by = constant_by_word(
            record.label,
            1.0,
            is_first=record.sources[0] == name,
            alpha=float(record.options.get("alpha", 1)),
        )
        if by is None:
            return None
        word, shared = record.label.lower(), prod(shape) == 1
        value = self._spread_of(name, view, places)
        if word not in ("mul", "div"):
            if by.factor != 1:
                view = self.layer(view, ops.Affine(factor=by.factor))
            value = None if value is None else value * by.shift
            return self._scaled(view, "shift", value, shared=shared)
        if value is not None and word == "div":
            value = 1 / value
        return self._scaled(view, "scale", value, shared=shared)

    def _spread_of(
        self, name: str, view: View, places: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """Return a constant by channel, or as one number; None if it is not known."""
        found = self.program.value_of(name)
        if found is None:
            return None
        values = found.astype(np.float64)
        if values.size > 1:
            return spread(values, places, view.channels)
        one: NDArray[np.float64] = values.reshape(1)
        return one

    def _with_both(self, record: Record, view: View, constants: Sequence[str]) -> View | None:
        """Return constant + constant · tensor, as `addcmul` has it."""
        if record.sources[0] not in constants or record.options.get("alpha", 1) != 1:
            return None
        for name, word in ((constants[1], "mul"), (constants[0], "add")):
            part = replace(
                record,
                sources=(next(x for x in record.sources if x in self.views), name),
                label=word,
            )
            found = self.with_learned(part, view)
            if found is None:
                return None
            view = found
        return view

    def _scaled(
        self, view: View, key: str, value: NDArray[np.float64] | None, *, shared: bool
    ) -> View:
        """Return a tensor after a learned scale or shift with these numbers."""
        last = self.maps.nodes[view.node]
        biased = None if shared else self._with_bias(view, key)
        if biased is not None and value is not None:
            node = self.maps.add(biased, last.sources)
            made = self.maps.nodes[node]
            made.weights = (*last.weights, *made.weights)
            made.computed.update(last.computed)
            self.hold(made, "bias", value)
            return replace(view, node=node)
        op = ops.LayerScale()
        if shared or key == "shift":
            op = ops.LayerScale(init=1.0, scale=key == "scale", shift=key == "shift", shared=shared)
        is_here = last.scope == self.maps.record.scope and not self.is_output(view.node)
        if (
            key == "shift"
            and is_here
            and isinstance(last.op, ops.LayerScale)
            and not last.op.shift
            and last.op.shared == shared
        ):
            source, before = last.sources[0], last
            op = replace(last.op, init=1.0, shift=True)
        else:
            source, before = view.node, None
        node = self.maps.add(op, [source])
        made = self.maps.nodes[node]
        if before is not None:
            made.weights = (*before.weights, *made.weights)
            made.computed.update(before.computed)
        if value is not None:
            self.hold(made, key, value)
        return replace(view, node=node)

    def _with_bias(self, view: View, key: str) -> Op | None:
        """Return the layer before with a bias, if that is what is added by channel; else None."""
        last = self.maps.nodes[view.node]
        is_here = last.scope == self.maps.record.scope and not self.is_output(view.node)
        if key != "shift" or not is_here:
            return None
        if not isinstance(last.op, ops.Conv | ops.ConvTranspose | ops.Linear) or last.op.bias:
            return None
        return replace(last.op, bias=True)

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


def channels_of(view: View, shape: Sequence[int]) -> NDArray[np.int64] | None:
    """Return the channel of the map for each place of a constant; None: it differs by position.

    The result has the dimensions of the tensor, with 1 in place of those along which no channels
    run.
    """
    if len(shape) > len(view.dims):
        return None
    sizes = (*[1] * (len(view.dims) - len(shape)), *shape)
    found: NDArray[np.int64] = np.zeros((), np.int64)
    for dim, size in zip(view.dims, sizes, strict=True):
        deep = [x for x in dim.digits if x.axis == CHANNEL]
        if size > 1 and (dim.extra or len(deep) < len(dim.digits)):
            return None
        if deep and len(deep) < len(dim.digits):
            return None
        index, done = np.zeros(dim.size if deep else 1, np.int64), 1
        for digit in reversed(deep):
            index += np.arange(len(index)) // done % digit.size * digit.stride
            done *= digit.size
        found = found[..., None] + index
    return found


def spread(
    values: NDArray[np.float64], channels: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return the values of a constant by channel."""
    result = np.zeros(count)
    sizes = (*[1] * (channels.ndim - values.ndim), *values.shape)
    result[channels.ravel()] = np.broadcast_to(values.reshape(sizes), channels.shape).ravel()
    return result


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
