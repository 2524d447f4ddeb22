"""Residuals, branches and repeats, recognised among the layers of containers."""

from __future__ import annotations

from collections.abc import Sequence

from rfstudio.core import ops
from rfstudio.importing.parts import Box, Leaf, Part, last_of, layers_of


def shaped(body: list[Part], source: int) -> list[Part]:
    """Return items with residuals, branches and repeats recognised.

    Parameters
    ----------
    body
        The items of one container.
    source
        The map that the first item reads unless it says otherwise.
    """
    done: list[Part] = []
    before = source
    for part in body:
        if isinstance(part, Box):
            part.bodies = [shaped(x, before) for x in part.bodies]
            _fold(part, before)
        done.append(part)
        if isinstance(part, Leaf):
            joined = _as_residual(done, source) or _as_parallel(done, source)
            if joined is not None:
                done = joined
        last = last_of(done[-1])
        before = before if last is None else last.output
    return done


def _outputs(body: Sequence[Part], source: int) -> list[int]:
    """Return the map before each item, and after the last."""
    result = [source]
    for part in body:
        last = last_of(part)
        result.append(result[-1] if last is None else last.output)
    return result


def _outer_reads(parts: Sequence[Part]) -> set[int]:
    made = {x.node for part in parts for x in layers_of([part])}
    return {y for part in parts for x in layers_of([part]) for y in x.sources if y not in made}


def _reads_first(parts: Sequence[Part]) -> int | None:
    """Return what the first layer of some items reads, if it is one map."""
    first = next(iter(layers_of(parts)), None)
    return first.sources[0] if first is not None and len(first.sources) == 1 else None


def _as_residual(body: list[Part], source: int) -> list[Part] | None:
    """Return items of which the last ones became a residual container, if they are one."""
    join = body[-1]
    if not isinstance(join, Leaf) or not isinstance(join.op, ops.Add) or join.name:
        return None
    if len(join.sources) != 2:
        return None
    inner = body[:-1]
    outputs = _outputs(inner, source)
    for main, around in (join.sources, join.sources[::-1]):
        if outputs[-1] != main or main == around or around not in outputs[:-1]:
            continue
        start = len(outputs) - 2 - outputs[:-1][::-1].index(around)
        layers = inner[start:]
        if layers and _reads_first(layers) == around:
            box = Box(bodies=[layers, []], join=join)
            return [*inner[:start], box]
        # Two branches: what gives `around` comes right before what gives `main`.
        stop = start
        branch = inner[stop:]
        entry = _reads_first(branch)
        if entry is None or entry not in outputs[:stop] or _outer_reads(branch) != {entry}:
            continue
        begin = len(outputs[:stop]) - 1 - outputs[:stop][::-1].index(entry)
        first = inner[begin:stop]
        if not first or _outer_reads(first) != {entry}:
            continue
        one, other = sorted((first, branch), key=lambda x: -sum(1 for _ in layers_of(x)))
        if one is not first and other is not first:
            continue
        box = Box(bodies=[one, other], join=join)
        return [*inner[:begin], box]
    return None


def _as_parallel(body: list[Part], source: int) -> list[Part] | None:
    """Return items of which the last ones became a parallel container, if they are one."""
    join = body[-1]
    if not isinstance(join, Leaf) or not isinstance(join.op, ops.Concat) or join.name:
        return None
    wanted = join.sources
    if len(set(wanted)) != len(wanted) or len(wanted) < 2:
        return None
    inner = body[:-1]
    outputs = _outputs(inner, source)
    ends = sorted((outputs.index(x), x) for x in wanted if x in outputs)
    if len(ends) != len(wanted) or ends[-1][0] != len(inner):
        return None
    begin, entry = ends[0]
    if begin and (first := _reads_first(inner[:begin])) is not None:
        # The first branch starts where all others read.
        second = _reads_first(inner[ends[0][0] : ends[1][0]])
        if second is not None and second != entry and second in outputs:
            entry = second
            begin = (
                len(outputs[: ends[0][0]]) - 1 - outputs[: ends[0][0]][::-1].index(entry)
                if (entry in outputs[: ends[0][0]])
                else -1
            )
            if begin < 0:
                return None
        del first
    branches: dict[int, list[Part]] = {}
    at = begin
    for stop, node in ends:
        group = inner[at:stop]
        if group and _outer_reads(group) != {entry}:
            return None
        if not group and node != entry:
            return None
        branches[node] = group
        at = stop
    bodies, names = [], []
    for node in wanted:
        group, name = branches[node], ""
        if len(group) == 1 and isinstance(group[0], Box) and _is_plain(group[0]):
            name, group = group[0].name, group[0].bodies[0]
        bodies.append(group)
        names.append(name)
    return [*inner[:begin], Box(bodies=bodies, names=names, join=join)]


def _is_plain(box: Box) -> bool:
    return box.join is None and box.times == 1 and not box.copies


def _fold(box: Box, source: int) -> None:
    """Make a container of equal numbered ones a repeat."""
    body = box.bodies[0] if box.bodies else []
    if not _is_plain(box) or len(body) < 2:
        return
    if [x.name for x in body] != [str(i) for i in range(len(body))]:
        return
    boxes = [x for x in body if isinstance(x, Box) and _is_plain(x)]
    if len(boxes) != len(body):
        return
    forms = []
    before = source
    for item in boxes:
        forms.append(_form(item, before))
        last = item.last
        before = before if last is None else last.output
    if forms[0] is None or any(x != forms[0] for x in forms):
        return
    box.times, box.copies = len(boxes), boxes
    box.bodies = [boxes[0].bodies[0]]


def _form(box: Box, source: int) -> object | None:
    """Return what has to be equal for two containers to be copies; None: it reads other maps."""
    numbers: dict[int, int] = {source: 0}
    for x in layers_of([box]):
        numbers[x.node] = len(numbers)
    rows = []
    for x in layers_of([box]):
        if any(y not in numbers for y in x.sources):
            return None
        rows.append((x.op, x.name, tuple(numbers[y] for y in x.sources), numbers.get(x.output)))
    return (rows, [[_skeleton(x) for x in body] for body in box.bodies])


def _skeleton(part: Part) -> object:
    if isinstance(part, Leaf):
        return "leaf"
    inner = [[_skeleton(x) for x in body] for body in part.bodies]
    return (type(part.join), part.times, tuple(part.names), inner, part.name if inner else "")
