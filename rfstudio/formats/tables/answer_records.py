"""Further answers as JSON and texts: presets, blocks, projective fields, tiles and advice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rfstudio.core.network.physical import extent_text, extents, samples_word, sized_text
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.tables.analysis_tables import Table, sizes_text, steps_text

if TYPE_CHECKING:
    from rfstudio.core.advice.covers import Advice
    from rfstudio.core.advice.proposals import Proposal
    from rfstudio.core.effective.path_shares import PathGroup, Paths
    from rfstudio.core.fields.analysis import LayerAnalysis
    from rfstudio.core.fields.block import Block
    from rfstudio.core.fields.closed_form import ClosedForm
    from rfstudio.core.fields.other_numbers import OtherNumber
    from rfstudio.core.fields.projective import ProjectiveField
    from rfstudio.core.fields.tiles import TilePlan
    from rfstudio.core.network.architecture import Architecture
    from rfstudio.core.network.physical import Axis

_JSON: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False}


def presets_table(found: Iterable[tuple[str, Architecture]]) -> Table:
    """Return networks with their names as presets, one row each."""
    rows = tuple((name, x.name, sizes_text(x.input_size), x.reference) for name, x in found)
    return Table(("preset", "network", "input", "reference"), rows, (False,) * 4)


def presets_json(found: Iterable[tuple[str, Architecture]]) -> str:
    """Return networks with their names as presets as JSON, one line each."""
    records = [
        {
            "preset": name,
            "name": x.name,
            "description": x.description,
            "reference": x.reference,
            "input": {"size": list(x.input_size), "channels": x.channels},
        }
        for name, x in found
    ]
    lines = ",\n  ".join(json.dumps(x, **_JSON) for x in records)
    return f'{{"format": 1,\n "presets": [{lines}]}}\n'


def pixel_record(found: ProjectiveField) -> dict[str, object]:
    """Return the units that read one sample; `units` is their hull, null if none reads it."""
    return {
        "position": list(found.pixel),
        "reference": found.reference,
        "layer": found.layer,
        "units": found.region,
        "count": found.count,
    }


def block_record(block: Block, axes: Sequence[Axis] = ()) -> dict[str, object]:
    """Return what a run of units needs; with axes also its extent and context in their units."""
    region = block.theoretical_region
    measured: dict[str, object] = {}
    if axes:
        sizes = [] if region is None else [last - first + 1 for first, last in region]
        measured["theoretical_extent"] = extents(axes, sizes) if sizes else None
        measured["context_distance"] = [
            None if x is None else [round(n * axis.spacing, 9) for n in x]
            for x, axis in zip(block.context, axes, strict=True)
        ]
    return {
        "layer": block.layer,
        "first": list(block.first),
        "last": list(block.last),
        "theoretical_region": block.theoretical_region,
        "visible_region": block.visible_region,
        "context": block.context,
        **measured,
    }


def closed_form_record(form: ClosedForm) -> dict[str, object]:
    """Return a closed form: for each axis, or several, its terms and its equations."""
    return {
        "layer": form.layer,
        "axes": [
            {
                "axes": x.axes,
                "kind": x.kind,
                "terms": [y._asdict() for y in x.steps],
                "terms_to_last": [y._asdict() for y in x.others],
                "reads": [y._asdict() for y in x.reads],
                "equations": [list(y) for y in x.equations],
                "notes": list(x.notes),
            }
            for x in form.axes
        ],
    }


def other_numbers_record(others: Iterable[OtherNumber]) -> list[dict[str, str]]:
    """Return values that are found elsewhere, with the reasons why they differ."""
    return [{"about": x.about, "value": x.value, "reason": x.reason} for x in others]


def paths_record(paths: Paths, axes: Sequence[Axis] = ()) -> dict[str, object]:
    """Return paths by length and field, and the shares of branches; a null size is a whole axis.

    With axes the fields have an extent in their units, too.
    """

    def fields(groups: Sequence[PathGroup], axis: int) -> list[dict[str, object]]:
        records = [_group(x, "size") for x in groups]
        if axes:
            for x, record in zip(groups, records, strict=True):
                record["extent"] = None if x.value is None else axes[axis].extent(float(x.value))
        return records

    return {
        "layer": paths.layer,
        "unit": list(paths.unit),
        "count": paths.count,
        "mean_length": round(paths.mean_length, 6),
        "lengths": [_group(x, "length") for x in paths.lengths],
        "fields": [fields(groups, axis) for axis, groups in enumerate(paths.fields)],
        "branches": [
            {
                "source": x.source,
                "reader": x.reader,
                "skip": x.is_skip,
                "share": round(x.share, 9),
                "of_all": round(x.of_all, 9),
            }
            for x in paths.branches
        ],
    }


def _group(group: PathGroup, name: str) -> dict[str, object]:
    value = None if group.value is None else _number(group.value)
    return {name: value, "count": group.count, "share": round(group.share, 9)}


def paths_facts(record: Mapping[str, Any], axes: Sequence[Axis] = ()) -> list[tuple[str, str]]:
    """Return the record of paths in words: pairs of a name and a text, most energy only."""

    def seen(size: Any, axis: int) -> str:
        if size is None:
            return "all"
        extent = extent_text(axes[axis : axis + 1], (float(Fraction(size)),))
        return f"{size} px = {extent}" if extent else f"{size} px"

    lengths, fields = record["lengths"], record["fields"]
    amount = _amount(record["count"])
    mean = f"{record['mean_length']:.3g}"
    facts = [("paths", f"{amount}, {mean} {'layer' if mean == '1' else 'layers'} long in the mean")]
    texts = [
        f"{_share(x)} with {x['length']} {'layer' if x['length'] == 1 else 'layers'} "
        f"({_amount(x['count'])})"
        for x in _most(lengths)
    ]
    facts.append((_listed("lengths", lengths), ", ".join(texts)))
    for axis, groups in enumerate(fields[:1] if all(x == fields[0] for x in fields) else fields):
        texts = [f"{_share(x)} see {seen(x['size'], axis)}" for x in _most(groups)]
        facts.append((_listed("fields", groups), ", ".join(texts)))
    by_source: dict[str, list[str]] = {}
    for x in record["branches"]:
        way = f"the skip to {x['reader']}" if x["skip"] else x["reader"]
        by_source.setdefault(x["source"], []).append(f"{_share(x)} by {way}")
    return [*facts, *((f"from {source}", ", ".join(x)) for source, x in by_source.items())]


def path_lengths_record(layers: Iterable[LayerAnalysis]) -> list[dict[str, object]]:
    """Return for each layer how many paths lead to it, and their lengths; null where none does."""
    return [
        {
            "layer": x.name,
            "count": None if x.path_lengths is None else x.path_lengths.count,
            "min": None if x.path_lengths is None else x.path_lengths.least,
            "mean": None if x.path_lengths is None else round(x.path_lengths.mean, 6),
            "max": None if x.path_lengths is None else x.path_lengths.greatest,
        }
        for x in layers
    ]


def path_lengths_table(
    records: Iterable[Mapping[str, Any]], layers: Iterable[LayerAnalysis]
) -> Table:
    """Return the same as a table, with the least and the greatest field over paths."""
    rows = []
    for record, layer in zip(records, layers, strict=True):
        texts = ("–",) * 4
        if record["count"] is not None:
            mean = f"{record['mean']:.3g}" if record["mean"] < 1000 else f"{record['mean']:.0f}"
            texts = (_amount(record["count"]), str(record["min"]), mean, str(record["max"]))
        paths = layer.path_fields
        rows.append((layer.name, *texts, sizes_text(paths.min), sizes_text(paths.max)))
    headers = ("layer", "paths", "shortest", "mean", "longest", "least field", "greatest field")
    return Table(headers, tuple(rows), (False, *(True,) * 6))


_FEW = 6
"""Groups of paths that are said in words."""


def _most(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the groups with most energy, in their order."""
    least = sorted((x["share"] for x in groups), reverse=True)[:_FEW][-1]
    return [x for x in groups if x["share"] >= least][:_FEW]


def _listed(name: str, groups: Sequence[object]) -> str:
    return f"{name}, of {len(groups)}" if len(groups) > _FEW else name


def _share(group: Mapping[str, Any]) -> str:
    return f"{100 * group['share']:.3g} %"


def _amount(count: int) -> str:
    if count < 10**7:
        return f"{count:,}"
    return f"{float(count):.3g}" if count < 10**300 else f"10^{len(str(count)) - 1}"


def tiles_record(plan: TilePlan) -> dict[str, object]:
    """Return a plan of tiles; regions are inclusive [first, last] pairs per axis."""
    record: dict[str, object] = {
        "layer": plan.layer,
        "period": list(plan.period),
        "overlap": [None if x is None else list(x) for x in plan.overlap],
        "exact": plan.exact,
        "reasons": list(plan.reasons),
        "tile": None if plan.tile is None else list(plan.tile),
        "plan": [
            {"read": [list(x) for x in tile.read], "write": [list(x) for x in tile.write]}
            for tile in plan.plan
        ],
    }
    if plan.axes:
        record["overlap_distance"] = [
            None if x is None else [round(n * axis.spacing, 9) for n in x]
            for x, axis in zip(plan.overlap, plan.axes, strict=True)
        ]
        record["tile_extent"] = None if plan.tile is None else extents(plan.axes, plan.tile)
    return record


def advice_record(advice: Advice) -> dict[str, object]:
    """Return advice; `first_covering` is for one time, `first_covering_context` for two, three."""

    def measured(name: str, sizes: Sequence[int | None]) -> dict[str, object]:
        return {name: extents(advice.axes, sizes)} if advice.axes and sizes else {}

    return {
        "covers": [
            {
                "layer": x.layer,
                "rf_size": list(x.rf_size),
                "local": list(x.local),
                **measured("local_extent", x.local),
                "erf_size": None if x.erf_size is None else round(x.erf_size, 3),
                "share": x.share,
            }
            for x in advice.covers
        ],
        "first_covering": advice.first_covering[0],
        "first_covering_context": list(advice.first_covering[1:]),
        "critical": list(advice.critical),
        "border": list(advice.border),
        "input_range": [None if x is None else [*map(_number, x)] for x in advice.input_range],
        "proposals": [
            {
                "edit": x.edit,
                "rf_size": list(x.rf_size),
                **measured("rf_extent", x.rf_size),
                "growth": list(x.growth),
                "parameters": x.parameters,
                "macs": x.macs,
                "alignment": list(x.alignment),
                "erf_size": _rounded(x.erf_size),
                "erf_growth": _rounded(x.erf_growth),
                "sees_all": x.sees_all,
                "network": write_yaml(x.network),
            }
            for x in advice.proposals
        ],
        **({"no_proposals": advice.no_proposals} if advice.no_proposals else {}),
        "levels": [
            {
                "layer": x.layer,
                "jump": [None if y is None else _number(y) for y in x.jump],
                "local": list(x.local),
                **measured("local_extent", x.local),
                "erf_size": _rounded(x.erf_size),
                "shares": list(x.shares),
                "erf_shares": None if x.erf_shares is None else list(x.erf_shares),
            }
            for x in advice.levels
        ],
        "rules": [
            {"rule": x.rule, "finding": x.finding, "met": x.is_met, "source": x.source}
            for x in advice.rules
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: int | Fraction) -> int | str:
    whole = isinstance(value, int) or value.denominator == 1
    return int(value) if whole else str(value)


def advice_json(advice: Advice) -> str:
    """Return advice as JSON."""
    return json.dumps(advice_record(advice), indent=1, **_JSON) + "\n"


def advice_facts(advice: Advice) -> list[tuple[str, str]]:
    """Return advice in words, as pairs of a name and a text."""
    names = ("covers all objects", "2 times their size", "3 times their size")
    facts = [
        (name, f"from {layer} on" if layer else "no layer")
        for name, layer in zip(names, advice.first_covering, strict=True)
    ]
    levels = {x.layer for x in advice.levels}  # which have a table of their own
    sizes = [
        (x.layer, x.erf_size)
        for x in advice.covers
        if x.erf_size is not None and x.layer not in levels
    ]
    axes = advice.axes
    facts += [
        ("effective", f"{sized_text(f'{size:.3g}', axes, (size,) * len(axes))} at {layer}")
        for layer, size in sizes
    ]
    ranges = ["–" if x is None else f"{x[0]} … {x[1]}" for x in advice.input_range]
    least, most = (
        extent_text(axes, [None if x is None else float(x[i]) for x in advice.input_range])
        for i in (0, 1)
    )
    physical = f" = {least} … {most}" if least else ""
    word = samples_word(axes, len(advice.input_range))
    facts += [
        (
            "input range",
            f"{' × '.join(ranges)} {word}{physical} can be used by all layers",
        ),
        ("critical", _few(advice.critical)),
        ("border", _few(advice.border)),
    ]
    if advice.no_proposals:
        facts.append(("proposals", advice.no_proposals))
    for rule in advice.rules:
        met = {True: "yes", False: "no", None: "cannot be said"}[rule.is_met]
        facts.append((f"rule: {met}", f"{rule.rule}: {rule.finding} [{rule.source}]"))
    return facts


def levels_table(advice: Advice) -> Table:
    """Return the levels of a pyramid, with the shares of objects that each covers."""

    def percents(shares: tuple[float, float, float] | None) -> tuple[str, str, str]:
        if shares is None:
            return "–", "–", "–"
        one, two, three = (f"{100 * x:.3g} %" for x in shares)
        return one, two, three

    has_extents = bool(extent_text(advice.axes, (1,) * len(advice.axes)))
    extent = ("extent",) if has_extents else ()
    shares = ("1×", "2×", "3×")
    headers = ("level", "jump", "field", *extent, *shares, "effective", *shares)
    rows = tuple(
        (
            x.layer,
            steps_text(x.jump),
            sizes_text(x.local),
            *((extent_text(advice.axes, x.local),) if has_extents else ()),
            *percents(x.shares),
            "–" if x.erf_size is None else f"{x.erf_size:.3g}",
            *percents(x.erf_shares),
        )
        for x in advice.levels
    )
    return Table(headers, rows, tuple(x != "level" for x in headers))


def proposals_table(advice: Advice) -> Table:
    """Return the proposals with all that they change."""
    has_extents = bool(extent_text(advice.axes, (1,) * len(advice.axes)))
    headers = (
        *("change", "field", *(("extent",) if has_extents else ()), "Δ", "effective", "Δ"),
        *("Δ parameters", "Δ MACs", "alignment"),
    )
    rows = tuple(
        (
            x.edit,
            "all" if x.sees_all else sizes_text(x.rf_size),
            *((_extent_cell(x, advice.axes),) if has_extents else ()),
            "–" if x.sees_all else steps_text([y for y in x.growth if y is not None]),
            "–" if x.erf_size is None else f"{x.erf_size:.3g}",
            "–" if x.erf_growth is None else f"{x.erf_growth:+.3g}",
            f"{x.parameters:+,}",
            f"{x.macs:+,}",
            max(x.alignment, key=_ALIGNMENTS.index).replace("_", " "),
        )
        for x in advice.proposals
    )
    return Table(headers, rows, tuple(x not in ("change", "alignment") for x in headers))


def _extent_cell(proposal: Proposal, axes: Sequence[Axis]) -> str:
    return "all" if proposal.sees_all else extent_text(axes, proposal.rf_size)


_ALIGNMENTS = ("aligned", "centre_offset", "stride_mismatch")


def _few(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    return f"{len(names)}, from {names[0]} on"


def tiles_json(plan: TilePlan) -> str:
    """Return a plan of tiles as JSON, one line a tile."""
    record = tiles_record(plan)
    listed = record.pop("plan")
    assert isinstance(listed, list)
    tiles = ",\n  ".join(json.dumps(x, **_JSON) for x in listed)
    head = ",\n ".join(f'"{key}": {json.dumps(value, **_JSON)}' for key, value in record.items())
    return f'{{{head},\n "plan": [{tiles}]}}\n'


def tiles_facts(plan: TilePlan) -> list[tuple[str, str]]:
    """Return a plan in words, as pairs of a name and a text."""
    overlap = [_overlap_text(plan, axis) for axis in range(len(plan.overlap))]
    same = len(set(overlap)) == 1
    facts = [
        ("layer", plan.layer),
        ("overlap", overlap[0] if same else "; ".join(overlap)),
        ("period", f"tiles start at multiples of {steps_text(plan.period)}"),
        (
            "result",
            "equals that of the whole image"
            if plan.exact
            else "differs from that of the whole image; the overlap is that of the local field",
        ),
    ]
    facts += [("because", x) for x in plan.reasons]
    if plan.tile is not None:
        physical = extent_text(plan.axes, plan.tile)
        size = sizes_text(plan.tile)
        if physical:
            size = sized_text(size, plan.axes, plan.tile)
        facts.append(("tile", f"{size}, {len(plan.plan):,} of them"))
    return facts


def _overlap_text(plan: TilePlan, axis: int) -> str:
    """Return the overlap along an axis, as a distance of so many steps too if they have a unit."""
    overlap = plan.overlap[axis]
    if overlap is None:
        return "none: no positions"
    before, after = overlap
    text = f"{before} before, {after} after"
    if not plan.axes or not plan.axes[axis].is_measured:
        return text
    spacing, unit = plan.axes[axis].spacing, plan.axes[axis].unit
    return f"{text} = {before * spacing:.4g} + {after * spacing:.4g} {unit}".rstrip()


def tiles_table(plan: TilePlan) -> Table:
    """Return the tiles of a plan, one row each."""

    def spans(pairs: tuple[tuple[int, int], ...]) -> str:
        return " × ".join(f"{a}…{b}" for a, b in pairs)

    rows = tuple((str(i), spans(x.read), spans(x.write)) for i, x in enumerate(plan.plan))
    return Table(("tile", "reads", "writes"), rows, (True, False, False))
