"""Which analyses have the same fields, and which have fields that can be held beside each other."""

from __future__ import annotations

from rfstudio.core.fields.analysis import Analysis


def have_same_fields(one: Analysis, other: Analysis) -> bool:
    """Whether two analyses are of one network, with fields of one meaning."""
    if one is other:
        return True
    seen = [(x.reference, x.batch_norm_training, x.ignore_gates) for x in (one, other)]
    return seen[0] == seen[1] and one.architecture == other.architecture


def are_over_same_map(one: Analysis, other: Analysis) -> bool:
    """Whether pixels of one are pixels of the other: fields are over inputs or maps of one size.

    The map of a layer is the same only as that of a layer of this name, since nothing else says
    which of its samples is at which place.
    """
    names = [x.graph.nodes[x.reference].name if x.reference else "" for x in (one, other)]
    return names[0] == names[1] and one.reference_size == other.reference_size


def map_text(analysis: Analysis) -> str:
    """Return over what fields are given: "the image", "the map of layer1"."""
    return f"the {analysis.units.whole}"
