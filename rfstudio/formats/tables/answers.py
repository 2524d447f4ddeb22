"""Answers beside the analysis as JSON has them: blocks, projective fields, tiles and advice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rfstudio.formats.tables.tables import Table, sizes_text, steps_text

if TYPE_CHECKING:
    from rfstudio.core.fields.block import Block
    from rfstudio.core.fields.projective import ProjectiveField
    from rfstudio.core.fields.tiles import TilePlan

_JSON: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False}


def pixel_record(found: ProjectiveField) -> dict[str, object]:
    """Return the units that read one sample; `units` is their hull, null if none reads it."""
    return {
        "position": list(found.pixel),
        "reference": found.reference,
        "layer": found.layer,
        "units": found.region,
        "count": found.count,
    }


def block_record(block: Block) -> dict[str, object]:
    """Return what a run of units needs."""
    return {
        "layer": block.layer,
        "first": list(block.first),
        "last": list(block.last),
        "theoretical_region": block.theoretical_region,
        "visible_region": block.visible_region,
        "context": block.context,
    }


def tiles_record(plan: TilePlan) -> dict[str, object]:
    """Return a plan of tiles; regions are inclusive [first, last] pairs per axis."""
    return {
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
    overlap = [
        "none: no positions" if x is None else f"{x[0]} before, {x[1]} after" for x in plan.overlap
    ]
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
        facts.append(("tile", f"{sizes_text(plan.tile)}, {len(plan.plan):,} of them"))
    return facts


def tiles_table(plan: TilePlan) -> Table:
    """Return the tiles of a plan, one row each."""

    def spans(pairs: tuple[tuple[int, int], ...]) -> str:
        return " × ".join(f"{a}…{b}" for a, b in pairs)

    rows = tuple((str(i), spans(x.read), spans(x.write)) for i, x in enumerate(plan.plan))
    return Table(("tile", "reads", "writes"), rows, (True, False, False))
