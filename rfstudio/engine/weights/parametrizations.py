"""Weights that a file holds as the tensors they are computed from, folded into plain weights.

Weight and spectral normalisation and pruning replace a ``weight`` by other tensors.  torch has an
older way (names with ``_g``, ``_v``, ``_u``, ``_orig``, ``_mask``) and a newer one, with names in
``parametrizations.weight``; both are folded as torch's own modules do at inference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

_OLD = re.compile(r"(?P<weight>(?:.*\.)?[^.]+)_(?P<part>g|v|u|orig|mask)")
_NEW = re.compile(r"(?P<module>(?:.*\.)?)parametrizations\.(?P<name>[^.]+)\.(?P<part>.+)")
_NORM = re.compile(r"(\d+)\._([uv])")

_AGREES = 0.9
"""Cosine from which on vectors count as the singular vectors of a matrix."""

AxisOf = Callable[[tuple[int, ...]], "int | None"]
"""Gives the axis of the outputs of a weight by its shape; None if that is unknown."""


class Part(NamedTuple):
    """One of the tensors that a weight is computed from, as its name tells.

    Attributes
    ----------
    weight
        Name of the weight.
    part
        What it is to the weight: "g", "orig" …; of the newer way whatever comes after its name.
    is_new
        Whether it is of the newer way.
    """

    weight: str
    part: str
    is_new: bool


def part_of(name: str) -> Part | None:
    """Return of which weight a tensor is a part, if it has the name of one.

    Examples
    --------
    >>> part_of("stem.parametrizations.weight.original0")
    Part(weight='stem.weight', part='original0', is_new=True)
    >>> part_of("stem.weight_g").weight
    'stem.weight'
    >>> part_of("stem.weight")
    """
    if found := _NEW.fullmatch(name):
        return Part(found["module"] + found["name"], found["part"], is_new=True)
    if found := _OLD.fullmatch(name):
        return Part(found["weight"], found["part"], is_new=False)
    return None


def weight_of(name: str) -> str:
    """Return the name of the weight that a tensor is, or is a part of.

    Some tensors are only named as if they were parts: those that a state dict still holds after
    folding are weights themselves.
    """
    part = part_of(name)
    return name if part is None else part.weight


class Folded(NamedTuple):
    """The outcome of folding.

    Attributes
    ----------
    state
        The tensors by name; those that made up a weight are replaced by it.
    left
        Names of tensors that make up a weight in a way that is unknown.
    """

    state: dict[str, Tensor]
    left: tuple[str, ...]


class _Misfit(Exception):  # noqa: N818 - an outcome within this module
    """Tensors from which no weight can be computed."""


def folded(state: Mapping[str, Tensor], axis_of: AxisOf = lambda _shape: None) -> Folded:
    """Return the tensors of a file with plain weights.

    Parameters
    ----------
    state
        Tensors by name.
    axis_of
        Which axis of a square weight is that of its outputs, where its tensors do not show it:
        spectral normalisation takes axis 1 for transposed convolutions.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in state:
        if found := part_of(name):
            key = f"new.{found.part}" if found.is_new else found.part
            groups.setdefault(found.weight, {})[key] = name
    result = dict(state)
    left: list[str] = []
    for weight, names in groups.items():
        if not _is_parametrized(weight, names):
            continue
        parts = {part: state[name] for part, name in names.items()}
        if weight not in state:  # torch before 1.0 wrote the weight beside its parts
            try:
                result[weight] = _weight(parts, axis_of)
            except _Misfit:
                left += names.values()
                continue
        for name in names.values():
            del result[name]
    return Folded(_in_order(result, state, groups), tuple(left))


def _is_parametrized(weight: str, parts: Iterable[str]) -> bool:
    """Whether names are parts of a weight, and not just end like them: ``pos_bias_v``."""
    found = set(parts)
    is_new = any(x.startswith("new.") for x in found)
    return is_new or "orig" in found or {"g", "v"} <= found or weight.endswith("weight")


def _weight(parts: Mapping[str, Tensor], axis_of: AxisOf) -> Tensor:
    """Return the weight that tensors make up, in the precision of the best of them."""
    precise = {name: x.to(torch.float64) for name, x in parts.items()}
    new = {k.removeprefix("new."): x for k, x in precise.items() if k.startswith("new.")}
    found = _from_new(new, axis_of) if new else _from_old(precise, axis_of)
    dtypes = [x.dtype for x in parts.values() if x.is_floating_point()]
    return found.to(reduce(torch.promote_types, dtypes, torch.float32))


def _from_old(parts: Mapping[str, Tensor], axis_of: AxisOf) -> Tensor:
    match parts:
        case {"g": g, "v": v, **rest} if not rest:
            return _normalised(g, v)
        case {"orig": weight, "u": u, "v": v, **rest} if not rest:
            return _spectral(weight, u, v, axis_of)
        case {"orig": weight, "mask": mask, **rest} if not rest and mask.shape == weight.shape:
            return weight * mask
    raise _Misfit


def _from_new(parts: dict[str, Tensor], axis_of: AxisOf) -> Tensor:
    """Fold a list of parametrizations; of those without tensors nothing can be known."""
    norms: dict[int, dict[str, Tensor]] = {}
    rest = {}
    for name, x in parts.items():
        if found := _NORM.fullmatch(name):
            norms.setdefault(int(found[1]), {})[found[2]] = x
        else:
            rest[name] = x
    match rest:
        case {"original0": g, "original1": v, **more} if not more:
            weight, first = _normalised(g, v), 1
        case {"original": weight, **more} if not more and norms:
            first = 0
        case _:
            raise _Misfit
    if sorted(norms) != list(range(first, first + len(norms))):
        raise _Misfit  # one without tensors comes before
    for _, vectors in sorted(norms.items()):
        if vectors.keys() != {"u", "v"}:
            raise _Misfit
        weight = _spectral(weight, vectors["u"], vectors["v"], axis_of)
    return weight


def _normalised(g: Tensor, v: Tensor) -> Tensor:
    """Return g v / |v|, where g has the length of the norm along all axes but one, or along all."""
    if g.dim() == 0 or g.numel() == 1:
        return v * (g.reshape(()) / v.square().sum().sqrt())
    if g.dim() != v.dim() or sum(n > 1 for n in g.shape) > 1:
        raise _Misfit
    if any(a not in (1, b) for a, b in zip(g.shape, v.shape, strict=True)):
        raise _Misfit
    axes = [i for i, n in enumerate(g.shape) if n == 1]
    return v * (g / v.square().sum(axes, keepdim=True).sqrt()) if axes else v * (g / v.abs())


def _spectral(weight: Tensor, u: Tensor, v: Tensor, axis_of: AxisOf) -> Tensor:
    """Return W / (uᵀ W v), W with one axis for its rows and all others for its columns."""
    if u.dim() != 1 or v.dim() != 1 or len(u) * len(v) != weight.numel():
        raise _Misfit
    axes = [i for i in range(min(weight.dim(), 2)) if weight.shape[i] == len(u)]
    if not axes:
        raise _Misfit
    products = [weight.movedim(i, 0).reshape(len(u), -1) @ v for i in axes]
    # Training leaves u along W v, for the right axis only.
    cosines = [float(u @ x / (u.norm() * x.norm())) for x in products]
    which = max(range(len(axes)), key=cosines.__getitem__)
    if len(axes) > 1 and cosines[which] < _AGREES:
        axis = 0 if weight.dim() == 2 else axis_of(tuple(weight.shape))
        if axis is None:
            raise _Misfit
        which = axes.index(axis)
    return weight / (u @ products[which])


def _in_order(
    result: dict[str, Tensor], state: Mapping[str, Tensor], groups: Mapping[str, Mapping[str, str]]
) -> dict[str, Tensor]:
    """Return tensors in the order of a file, where a weight has the place of its first part."""
    place = {name: i for i, name in enumerate(state)}
    for weight, names in groups.items():
        place.setdefault(weight, min(place[x] for x in names.values()))
    return {name: result[name] for name in sorted(result, key=place.__getitem__)}
