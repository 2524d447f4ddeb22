"""Units that are measured together, since their cones are shifted copies of each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rfstudio.engine.measuring.backward_pass import Tape, kind_of
from rfstudio.engine.measuring.subject import ConeSubject, Subject


def stacked(subjects: Sequence[Subject]) -> list[list[int]]:
    """Return groups of units, by number, that can be computed at once."""
    kinds: dict[object, list[int]] = {}
    for number, subject in enumerate(subjects):
        kind: object = number
        if isinstance(subject, ConeSubject) and len(subjects) > 1:
            graph = subject.module.graph_at(subject.plan.input.size)
            kind = tuple(kind_of(graph, x) for x in (subject.cone, subject.plan))
        kinds.setdefault(kind, []).append(number)
    return list(kinds.values())


def gradients(subjects: Sequence[Subject], images: Tensor, indices: Sequence[int]) -> Tensor:
    """Return the gradients of units of one kind, (units, samples, C_in, *box)."""
    first = subjects[0]
    if len(subjects) == 1:
        return first.gradient(images, indices)[None]
    pixels = torch.cat([x.crop(images) for x in subjects])
    found = first.differentiate(pixels, [*indices] * len(subjects))
    return found.view(len(subjects), len(indices), *found.shape[1:])


def gradients_by(tape: Tape, subjects: Sequence[ConeSubject], indices: Sequence[int]) -> Tensor:
    """Return the same from a cached evaluation of the samples."""
    first = subjects[0]
    numbers = [*indices] * len(subjects)
    cones = [x.cone for x in subjects]
    found = tape.gradient(cones, lambda values: first.seed(values, numbers))
    found = found.view(len(subjects), len(indices), *found.shape[1:])
    if first.cone.input.box == first.box:
        return found
    result = found.new_zeros((*found.shape[:3], *(b - a for a, b in first.box)))
    for whole, part, subject in zip(result, found, subjects, strict=True):
        spans = zip(subject.cone.input.box, subject.box, strict=True)
        whole[(slice(None), slice(None), *(slice(a - x, b - x) for (a, b), (x, _) in spans))] = part
    return result
