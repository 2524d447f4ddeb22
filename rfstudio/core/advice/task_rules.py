"""Rules for the field of a network by its task, each with its source, checked with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, get_args

from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis

Task = Literal["detection", "segmentation", "classification"]
"""What a network is for."""

TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True, slots=True)
class Level:
    """The last layer of one jump: a level of a pyramid.

    Attributes
    ----------
    layer
        Its path.
    jump
        Its jump along each axis.
    local
        Size of its local field along each axis.
    erf_size
        Size of its expected effective field, as Luo et al. measure it.
    shares
        Shares of objects of which its field sees 1, 2 and 3 times the longer side.
    erf_shares
        The same of its effective field; None where that is not known.
    """

    layer: str
    jump: tuple[int | Fraction | None, ...]
    local: tuple[int | None, ...]
    erf_size: float | None
    shares: tuple[float, float, float]
    erf_shares: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for a task.

    Attributes
    ----------
    rule
        What it says.
    finding
        What this network has, with numbers.
    is_met
        Whether the network follows it; None: that cannot be said.
    source
        The paper.
    """

    rule: str
    finding: str
    is_met: bool | None
    source: str


def rules_for(
    task: str, analysis: Analysis, levels: Sequence[Level], longest: Sequence[int]
) -> tuple[Rule, ...]:
    """Return the rules of a task with what they find in a network.

    Parameters
    ----------
    task
        Detection, segmentation or classification.
    analysis, levels
        The network and its levels, from the finest on.
    longest
        The longer side of each object, in pixels.

    Raises
    ------
    RFStudioError
        If there is no such task.
    """
    if task not in TASKS:
        raise RFStudioError(f"'{task}' is no task; there are {', '.join(TASKS)}")
    said = analysis.units.said
    return tuple(
        replace(x, finding=said(x.finding)) for x in _RULES[task](analysis, levels, longest)
    )


def _detection(
    analysis: Analysis, levels: Sequence[Level], longest: Sequence[int]
) -> Iterator[Rule]:
    del analysis
    small = min(longest)
    jumps = [max((float(y) for y in x.jump if y is not None), default=0.0) for x in levels]
    fine = [x for x, jump in zip(levels, jumps, strict=True) if 0 < jump <= small / 4]
    yield Rule(
        "the stride of the level that detects an object is at most a quarter of its size",
        f"objects of {small} px need a jump of {small / 4:g} px or less: "
        + (f"'{fine[-1].layer}' is the last such level" if fine else "no level has one"),
        bool(fine),
        "Zhang et al., S3FD, ICCV 2017, arXiv:1708.05237 (anchors of 4 strides)",
    )
    known = [x for x in fine if x.erf_size is not None]
    good = [x for x in known if (x.erf_size or 0) >= small]
    yield Rule(
        "anchors match the effective field of their level, which is smaller than the field",
        (
            f"the effective field of '{good[0].layer}' has {good[0].erf_size:.3g} px"
            if good
            else f"no level of a jump up to {small / 4:g} px has an effective field of {small} px"
        ),
        bool(good) if known else None,
        "Zhang et al., S3FD, ICCV 2017, arXiv:1708.05237; Luo et al., NIPS 2016, arXiv:1701.04128",
    )
    yield _context(
        levels,
        "Hu, Ramanan, Finding Tiny Faces, CVPR 2017, arXiv:1612.04402 (most of what a template of "
        "a small face sees is context; how much is enough, here twice, is a choice)",
    )


def _segmentation(
    analysis: Analysis, levels: Sequence[Level], longest: Sequence[int]
) -> Iterator[Rule]:
    del analysis
    large = max(longest)
    last = max(levels, key=_field_of, default=None)
    best = max((x.erf_size or 0.0 for x in levels), default=0.0)
    yield Rule(
        "the effective field covers the largest object",
        f"the largest effective field has {best:.3g} px, the largest object {large} px",
        best >= large if levels else None,
        "Peng et al., Large Kernel Matters, CVPR 2017, arXiv:1703.02719",
    )
    field = 0 if last is None else _field_of(last)
    if last and field:
        yield Rule(
            "compare networks by the object rate, the object's longer side over the field",
            f"{large / field:.3g} for the largest object and the field of '{last.layer}', {field}",
            None,
            "Loos et al., Journal of Medical Imaging 2024, doi:10.1117/1.JMI.11.5.054004",
        )
    yield _context(
        levels,
        "Yu, Koltun, Multi-Scale Context Aggregation, ICLR 2016, arXiv:1511.07122 (context of "
        "several scales; how much is enough, here twice, is a choice)",
    )


def _field_of(level: Level) -> int:
    """Return the shorter side of a level's local field; 0 without one."""
    return min((x for x in level.local if x is not None), default=0)


def _classification(
    analysis: Analysis, levels: Sequence[Level], longest: Sequence[int]
) -> Iterator[Rule]:
    large = max(longest)
    border = analysis.border_layers()
    yield Rule(
        "no layer begins with a field that covers the whole input already",
        f"{len(border)} of its layers do, from '{border[0]}' on" if border else "none does",
        not border,
        "Richter et al., Should You Go Deeper?, ICMLA 2021, arXiv:2106.12307",
    )
    inputs = analysis.input_range
    fits = [
        low <= n <= high
        for n, pair in zip(analysis.input_size, inputs, strict=True)
        if pair is not None
        for low, high in [pair]
    ]
    ranges = " × ".join("–" if x is None else f"{x[0]} … {x[1]}" for x in inputs)
    size = "×".join(map(str, analysis.input_size))
    yield Rule(
        "the input is within the sizes that all layers can use",
        f"the input is {size}, the range {ranges} px",
        all(fits) if fits else None,
        "Richter et al., (Input) Size Matters for CNN Classifiers, ICANN 2021, arXiv:2102.01582",
    )
    seen = [x for x in levels if x.shares[0] == 1.0]
    yield Rule(
        "the last layers see whole objects",
        f"from the level of '{seen[0].layer}' on" if seen else f"no level sees {large} px",
        bool(seen),
        "Araujo et al., Distill 2019, doi:10.23915/distill.00021 (accuracy grows with the field, "
        "less and less)",
    )


def _context(levels: Sequence[Level], source: str) -> Rule:
    best = max((x.erf_shares[1] if x.erf_shares else 0.0 for x in levels), default=0.0)
    return Rule(
        "some level sees the object with context: twice its size",
        f"two times by the effective field: {100 * best:.3g} % of the objects",
        best == 1.0 if any(x.erf_shares for x in levels) else None,
        source,
    )


_RULES: Mapping[str, Callable[[Analysis, Sequence[Level], Sequence[int]], Iterator[Rule]]] = {
    "detection": _detection,
    "segmentation": _segmentation,
    "classification": _classification,
}
