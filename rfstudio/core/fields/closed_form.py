"""The closed form of a field, written out with the numbers of one layer of a network.

Along a path of windows with kernel k, stride s, dilation d and padding p, of which each reads a
map of jump S, the sums of [1]_ are

    size r = 1 + Σ d (k − 1)·S,    jump S = Π s,    padding P = Σ p·S

and unit u sees [u·S − P, u·S − P + r − 1].  In a graph the first pixel that a unit sees comes by
one path and the last one perhaps by another; both are found by walking back from the unit.  Where
a path has no window to sum up, as after upsampling, the walk itself is the answer.

References
----------
.. [1] Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural
   Networks", Distill, 2019, doi:10.23915/distill.00021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import groupby
from typing import Literal, NamedTuple

from rfstudio.core.axes.axis_rule import AxisRule, Whole, Window
from rfstudio.core.axes.unit_intervals import Interval, Track
from rfstudio.core.fields.field import AxisField, closed_form
from rfstudio.core.fields.local import Fields, local_rules
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import give_way

Kind = Literal["sums", "hull", "walk", "whole", "none"]
"""What an axis has: the sums along one path; sums along two, as branches are shifted; the walk
back from one unit; the whole axis; or no path at all."""

_FEW = 4
"""Equal terms of a sum that are written one by one."""

_MOST_PHASES = 1 << 12
"""Phases of units of which the one with the largest field is looked for."""

_AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}


class Step(NamedTuple):
    """One layer of a path that changes the field: its window, and the jump of the map it reads."""

    layer: str
    kernel: int
    stride: int
    dilation: int
    padding: int
    jump: int

    @property
    def reach(self) -> int:
        """Distance of the outermost taps, in samples of the map that is read."""
        return self.dilation * (self.kernel - 1)

    @property
    def window(self) -> Window:
        """The window, for sums over a chain."""
        return Window(1, 1, self.kernel, self.stride, self.dilation, self.padding)


class Read(NamedTuple):
    """What a unit reads of one map on the way: first and last sample."""

    layer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class AxisForm:
    """The closed form along one axis, or along several that are the same.

    Attributes
    ----------
    axes
        Their names: y, x.
    kind
        What there is.
    steps
        The layers with a window on the path that gives the first pixel, from the reference on.
    others
        Those of the path that gives the last pixel, where it is another one.
    reads
        Of "walk": what the unit reads, from the map before the layer back to the reference.
    equations
        Pairs of a name and an equation with the numbers put in.
    notes
        What else is to be known, in sentences.
    """

    axes: str
    kind: Kind
    steps: tuple[Step, ...] = ()
    others: tuple[Step, ...] = ()
    reads: tuple[Read, ...] = ()
    equations: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """The closed form of one layer's field, beside the step of the recurrence that leads to it.

    Attributes
    ----------
    layer
        Its path.
    axes
        One entry for each axis, or for several that are the same.

    Examples
    --------
    >>> import rfstudio
    >>> print(rfstudio.analyze("vgg16")["pool1"].closed_form)
    size        r = 1 + Σ d·(k − 1)·S = 1 + 1·(2 + 2 + 1) = 6
    jump        S = Π s = 2
    padding     P = Σ p·S = 1·(1 + 1) = 2
    unit u      first pixel u·S − P = 2·u − 2
    centre      u·S − P + (r − 1)/2 = 2·u + 1/2
    path        conv1_1, conv1_2, pool1
    recurrence  r = r_in + d·(k − 1)·S_in = 5 + 1·(2 − 1)·1 = 6
    recurrence  S = S_in·s = 1·2 = 2
    recurrence  P = P_in + p·S_in = 2 + 0·1 = 2
    """

    layer: str
    axes: tuple[AxisForm, ...]

    def facts(self) -> list[tuple[str, str]]:
        """Return pairs of a name and a text; with the names of the axes where they differ."""
        facts = []
        for form in self.axes:
            of = f" ({form.axes})" if len(self.axes) > 1 else ""
            facts += [(name + of, text) for name, text in form.equations]
            facts += [("note" + of, text) for text in form.notes]
        return facts

    def __str__(self) -> str:
        """Return the equations, one a line."""
        facts = self.facts()
        width = max((len(name) for name, _ in facts), default=0)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in facts)


def closed_form_of(
    graph: Graph,
    fields: Sequence[Fields],
    local: Sequence[Fields],
    index: int,
    reference: int = 0,
    context: Sequence[str] = (),
) -> ClosedForm:
    """Return the closed form of a node's (local) field.

    Parameters
    ----------
    graph
        The network.
    fields, local
        The field and the local field of each node.
    index
        The node.
    reference
        Node with respect to which fields are given.
    context
        Names of the operations on the way that read a whole axis.
    """
    forms: list[AxisForm] = []
    names = _AXES.get(len(local[index]), ("x",) * len(local[index]))
    for axis, name in enumerate(names):
        form = _Walk(graph, fields, local, reference, axis, tuple(context)).form(index)
        if forms and _without_axes(forms[-1]) == form:
            forms[-1] = _renamed(form, f"{forms[-1].axes}, {name}")
        else:
            forms.append(_renamed(form, name))
    return ClosedForm(graph.nodes[index].name, tuple(forms))


def _renamed(form: AxisForm, axes: str) -> AxisForm:
    return AxisForm(
        axes, form.kind, form.steps, form.others, form.reads, form.equations, form.notes
    )


def _without_axes(form: AxisForm) -> AxisForm:
    return _renamed(form, "")


@dataclass(frozen=True, slots=True)
class _Walk:
    """Walks back along one axis from a unit to the reference."""

    graph: Graph
    fields: Sequence[Fields]
    local: Sequence[Fields]
    reference: int
    axis: int
    context: tuple[str, ...]

    def field(self, index: int) -> AxisField:
        return self.local[index][self.axis]

    def form(self, index: int) -> AxisForm:
        field = self.field(index)
        notes = self._notes(index)
        if field.whole:
            return AxisForm("", "whole", equations=self._whole(index), notes=notes)
        if not field.tracks:
            name = self.graph.nodes[self.reference].name
            none = f"no path leads from {name} to this layer, or the field is too large to count"
            return AxisForm("", "none", notes=(none,))
        unit = self._widest(index)
        chains = [self._back(index, unit, side) for side in (0, 1)]
        first, last = chains
        rules = [x.rule for chain in chains for x in chain]
        is_plain = all(type(x) is Window for x in rules) and len(field.tracks) == 1
        if not is_plain or field.tracks[0].period != 1:
            return self._walked(index, unit, first, last, notes)
        steps, others = self._steps(first), self._steps(last)
        recurrence = self._recurrence(index)
        if [x[1:] for x in steps] == [x[1:] for x in others]:
            equations = (*_sums(steps), *recurrence)
            return AxisForm("", "sums", steps, equations=equations, notes=notes)
        equations = (*_two_sums(steps, others), *recurrence)
        return AxisForm("", "hull", steps, others, equations=equations, notes=notes)

    # --- walking --------------------------------------------------------------------------------

    def _widest(self, index: int) -> int:
        """Return a unit with the largest field; of equal ones the nearest to the middle."""
        field, size = self.field(index), self.graph.nodes[index].size[self.axis]
        middle = size // 2
        track = field.tracks[0]
        if len(field.tracks) == 1 and track.period == 1:
            return middle
        # The range of sizes is over all phases, also of a map that is shorter than a period.
        is_periodic = len(field.tracks) == 1 and type(track) is Track and not field.by_size
        count = max(size, track.period if is_periodic else 1)
        units = range(count) if count <= _MOST_PHASES else (middle,)

        def extent(unit: int) -> int:
            seen = field.interval(unit)
            return -1 if seen is None else seen[1] - seen[0]

        return max(units, key=lambda u: (extent(u), -abs(u - middle)))

    def _back(self, index: int, unit: int, side: int) -> list[_Visit]:
        """Return the operations from a node back to the reference on the way to one end.

        Parameters
        ----------
        index, unit
            The unit.
        side
            0 for the way to the first pixel that it sees, 1 for that to the last one.
        """
        nodes, axis = self.graph.nodes, self.axis
        pick = (min, max)[side]
        visits: list[_Visit] = []
        while index != self.reference:
            give_way()
            node = nodes[index]
            if len(node.inputs) > 1:
                seen = [(self._end(x, unit, side), x) for x in node.inputs]
                there = [(end, x) for end, x in seen if end is not None]
                if not there:
                    break
                end = pick(x for x, _ in there)
                # Of several branches the widest, which gives the other end as well if it can.
                source = max((x for e, x in there if e == end), key=partial(self._extent, unit))
                visits.append(_Visit(index, source, _SAME, unit))
                index = source
                continue
            source = node.inputs[0]
            rule = node.rules[axis] if node.op is None else local_rules(node.op, node.rules)[axis]
            if type(rule) is Whole:
                break
            taps = self._taps(source, rule, unit)
            ends = [(self._end(source, x, side), x) for x in taps]
            known = [x for x in ends if x[0] is not None]
            if not known:
                break
            visits.append(_Visit(index, source, rule, pick(known)[1]))
            unit, index = visits[-1].tap, source
        return visits

    def _taps(self, source: int, rule: AxisRule, unit: int) -> Sequence[int]:
        """Return the taps of an output that can lead to an end."""
        taps = rule.taps(unit)
        tracks = self.field(source).tracks
        is_plain = len(tracks) == 1 and tracks[0].period == 1
        # Over a plain map the outermost are the ends; of a pattern by phases any tap may be.
        most = 1 if is_plain else _MOST_PHASES
        return taps if len(taps) <= 2 * most else (*taps[:most], *taps[-most:])

    def _end(self, index: int, unit: int, side: int) -> int | None:
        seen = self._interval(index, unit)
        return None if seen is None else seen[side]

    def _extent(self, unit: int, index: int) -> int:
        seen = self._interval(index, unit)
        return -1 if seen is None else seen[1] - seen[0]

    def _interval(self, index: int, unit: int) -> Interval | None:
        field = self.field(index)
        return None if field.whole else field.interval(unit)

    # --- words ----------------------------------------------------------------------------------

    def _steps(self, visits: Sequence[_Visit]) -> tuple[Step, ...]:
        steps = []
        jump = 1
        for visit in reversed(visits):
            rule = visit.rule
            assert type(rule) is Window
            if rule.kernel > 1 or rule.stride > 1 or rule.before:
                name = self.graph.nodes[visit.index].name
                shape = rule.kernel, rule.stride, rule.dilation, rule.before
                steps.append(Step(name, *shape, jump))
            jump *= rule.stride
        return tuple(steps)

    def _whole(self, index: int) -> tuple[tuple[str, str], ...]:
        nodes = self.graph.nodes
        size = nodes[self.reference].size[self.axis]
        while found := [x for x in nodes[index].inputs if self.field(x).whole]:
            index = found[0]
        node = nodes[index]
        read = nodes[node.inputs[0]].size[self.axis] if node.inputs else size
        return (
            ("size", f"the whole axis, {size}: '{node.name}' reads {_all_of(read)} of its map"),
        )

    def _notes(self, index: int) -> tuple[str, ...]:
        if not self.fields[index][self.axis].whole or self.field(index).whole:
            return ()
        through = f"'{self.context[0]}'" if self.context else "an operation on the way"
        note = (
            f"the field is the whole axis, as {through} reads all of its map; this is the local "
            "field, where it reads one position"
        )
        return (note,)

    def _walked(
        self,
        index: int,
        unit: int,
        first: Sequence[_Visit],
        last: Sequence[_Visit],
        notes: tuple[str, ...],
    ) -> AxisForm:
        """Return the walk back from one unit, on maps that both ways go through."""
        nodes = self.graph.nodes
        lefts = {x.source: x.tap for x in first}
        reads = tuple(
            Read(nodes[x.source].name, lefts[x.source], x.tap) for x in last if x.source in lefts
        )
        field = self.field(index)
        seen = field.interval(unit)
        equations = []
        if seen is not None:
            a, b = seen
            text = f"unit {unit} sees {_signed(a)} … {_signed(b)}, so r = {b - a + 1}"
            equations.append(("size", text))
        if field.jump is not None:
            equations.append(("jump", f"S = {_signed(field.jump)}"))
        shown: list[Read] = []
        for read in reads:  # maps in which positions change
            if not shown or shown[-1][1:] != read[1:]:
                shown.append(read)
        if len(shown) > 2 * _FEW:
            texts = [*map(_read_text, shown[:_FEW]), "…", *map(_read_text, shown[-_FEW:])]
        else:
            texts = [*map(_read_text, shown)]
        equations.append(("walk back", " ← ".join([f"unit {unit}", *texts])))
        one_for_all = (
            "strides of branches differ"
            if len(field.tracks) > 1
            else "a map on the way is enlarged or read by phases"
        )
        why = (
            f"{one_for_all}, so no one sum holds for all units; this is the walk back from a unit "
            "with the largest field, at each window r_in = s·r + (k − s)"
        )
        return AxisForm("", "walk", reads=reads, equations=tuple(equations), notes=(why, *notes))

    def _recurrence(self, index: int) -> tuple[tuple[str, str], ...]:
        """Return the step of the recurrence at a node, with its numbers."""
        node = self.graph.nodes[index]
        if index == self.reference:
            return ()
        if len(node.inputs) > 1:
            seen = [(self._extent(0, x) + 1, self.field(x).jump) for x in node.inputs]
            sizes = [size for size, jump in seen if size and jump is not None]
            here = self._extent(0, index) + 1
            listed = ", ".join(map(str, sizes))
            if here == max(sizes, default=0):
                return (("recurrence", f"r = max({listed}) = {here}"),)
            return (("recurrence", f"r = hull of branches of {listed} = {here}"),)
        before = self.field(node.inputs[0])
        rule = node.rules[self.axis] if node.op is None else self._rule(index)
        jump, padding, extent = before.jump, before.padding, self._extent(0, node.inputs[0]) + 1
        if type(rule) is not Window or jump is None or padding is None:
            return ()
        k, s, d, p = rule.kernel, rule.stride, rule.dilation, rule.before
        r, after = extent + d * (k - 1) * jump, _signed(padding + p * jump)
        return (
            ("recurrence", f"r = r_in + d·(k − 1)·S_in = {extent} + {d}·({k} − 1)·{jump} = {r}"),
            ("recurrence", f"S = S_in·s = {jump}·{s} = {jump * s}"),
            (
                "recurrence",
                f"P = P_in + p·S_in = {_signed(padding)} + {_signed(p)}·{jump} = {after}",
            ),
        )

    def _rule(self, index: int) -> AxisRule:
        node = self.graph.nodes[index]
        return local_rules(node.op, node.rules)[self.axis]


_SAME = Window(1, 1)
"""The rule of a merge: each unit reads the same position of its branches."""


class _Visit(NamedTuple):
    """One step of a walk: a node, the one that it reads, by which rule, and where."""

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    source: int
    rule: AxisRule
    tap: int


def _sums(steps: tuple[Step, ...]) -> tuple[tuple[str, str], ...]:
    size, jump, padding = closed_form([x.window for x in steps])
    reaches = _grouped((x.jump, x.reach) for x in steps)
    pads = _grouped((x.jump, x.padding) for x in steps)
    start = _shifted(jump, Fraction(-padding))
    centre = _shifted(jump, Fraction(size - 1, 2) - padding)
    strides = "·".join(str(x.stride) for x in steps if x.stride > 1)
    return (
        ("size", f"r = 1 + Σ d·(k − 1)·S = {' + '.join(['1', *reaches])} = {size}"),
        ("jump", f"S = Π s = {strides or 1}" + (f" = {jump}" if "·" in strides else "")),
        ("padding", f"P = Σ p·S = {' + '.join(pads) or 0}" + _equals(pads, padding)),
        ("unit u", f"first pixel u·S − P = {start}"),
        ("centre", f"u·S − P + (r − 1)/2 = {centre}"),
        ("path", _path(steps)),
    )


def _two_sums(first: tuple[Step, ...], last: tuple[Step, ...]) -> tuple[tuple[str, str], ...]:
    """Return the sums where one path leads to the first pixel and another one to the last."""
    _, jump, padding = closed_form([x.window for x in first])
    pads = _grouped((x.jump, x.padding) for x in first)
    ends = _grouped((x.jump, x.reach - x.padding) for x in last)
    end = sum(x.jump * (x.reach - x.padding) for x in last)
    start, stop = _shifted(jump, Fraction(-padding)), _shifted(jump, Fraction(end))
    size = end + padding + 1
    return (
        ("first", f"u·S − Σ p·S = u·{jump} − ({' + '.join(pads) or 0}) = {start}"),
        ("last", f"u·S + Σ (d·(k − 1) − p)·S = u·{jump} + {' + '.join(ends) or 0} = {stop}"),
        ("size", f"r = last − first + 1 = {_signed(end)} − {_signed(-padding)} + 1 = {size}"),
        ("jump", f"S = Π s = {jump}"),
        ("path to the first", _path(first)),
        ("path to the last", _path(last)),
    )


def _grouped(terms: Iterable[tuple[int, int]]) -> list[str]:
    """Return the terms of a sum Σ amount·jump, one text for each jump: ``2·(2 + 2 + 1)``."""
    by_jump: dict[int, list[int]] = {}
    for jump, amount in terms:
        if amount:
            by_jump.setdefault(jump, []).append(amount)
    texts = []
    for jump, amounts in by_jump.items():
        runs = [(x, len([*same])) for x, same in groupby(amounts)]
        if len(amounts) > _FEW:  # many: how often each amount comes
            runs = [(x, amounts.count(x)) for x in dict.fromkeys(amounts)]
        parts = []
        for amount, times in runs:
            long = times > 1 and len(amounts) > _FEW
            parts += [f"{times}×{_signed(amount)}"] if long else [_signed(amount)] * times
        inside = " + ".join(parts)
        is_sum = len(parts) > 1 or "×" in inside
        texts.append(f"{jump}·({inside})" if is_sum else f"{jump}·{inside}")
    return texts


def _equals(terms: Sequence[str], value: int) -> str:
    return f" = {_signed(value)}" if terms else ""


def _shifted(jump: int, by: Fraction) -> str:
    """Return a linear function of the unit: ``2·u − 5``."""
    slope = "u" if jump == 1 else f"{jump}·u"
    if not by:
        return slope
    return f"{slope} {'−' if by < 0 else '+'} {abs(by)}"


def _path(steps: Sequence[Step]) -> str:
    """Return the names of the layers on a path, the middle of a long one left out."""
    names = [x.layer for x in steps]
    if len(names) > 2 * _FEW:
        left_out = len(names) - 2 * _FEW
        names = [*names[:_FEW], f"… {left_out} more …", *names[-_FEW:]]
    return ", ".join(names) or "no layer with a window"


def _read_text(read: Read) -> str:
    return f"{read.layer} {_signed(read.first)} … {_signed(read.last)}"


def _signed(value: int | Fraction) -> str:
    return str(value).replace("-", "−")


def _all_of(samples: int) -> str:
    return "the one sample" if samples == 1 else f"all {samples} samples"
