"""Rules of recurrent layers: LSTM, GRU and the plain one, along one dimension."""

from __future__ import annotations

from rfstudio.core import ops
from rfstudio.importing.layout import CHANNEL, FREE, Digit, Dim, View, joined
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, Rules, rule


class Recurring(Rules):
    """Part of the tracker: layers that run along a sequence."""

    @rule("recurrent")
    def _recurrent(self, record: Record) -> View:
        """Run along a dimension; options: op, hidden, layers, bidirectional, time."""
        view, o = self.maps.settled(self.view(record)), record.options
        size, last = self.size(view), len(view.dims) - 1
        steps = view.dims[o["time"]]
        if len(steps.digits) != 1 or steps.extra or not steps.digits[0].is_position:
            raise Misfit("a recurrent layer that does not run along one axis")
        (step,) = steps.digits
        if step.size != size[step.axis]:
            raise Misfit("a recurrent layer over a part of an axis")
        inside = view.dims[last].digits
        if any(x.axis not in (CHANNEL, FREE) for x in inside) or view.dims[last].extra:
            raise Misfit("a recurrent layer whose state holds positions")
        if any(x.axis == CHANNEL for i, d in enumerate(view.dims) if i != last for x in d.digits):
            raise Misfit("a recurrent layer for each channel")
        op = ops.Recurrent(
            kind=o["op"],
            hidden=o["hidden"],
            bidirectional=o["bidirectional"],
            axis=None if step.axis == len(size) - 1 else step.axis,
        )
        node = view.node
        for _ in range(o["layers"]):
            node = self.maps.add(op, [node], size)
        out = o["hidden"] * (2 if o["bidirectional"] else 1)
        state = Dim(joined([Digit(CHANNEL, out)]))
        return View(node, (*view.dims[:last], state))
