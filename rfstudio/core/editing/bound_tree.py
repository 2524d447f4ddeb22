"""Looks up and replaces items of a tree by their location, for the edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rfstudio.core.editing.references import Bound, Items
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import (
    Architecture,
    Item,
    Layer,
    Location,
    item_at,
    with_bodies,
)


def item_at_bound(bound: Bound, location: Location) -> Item:
    """Return the item at a location of a bound document."""
    return bound_item(bound.layers, location)


def bound_item(layers: Items, location: Location) -> Item:
    """Return the item at a location of some items."""
    return item_at(Architecture(layers=layers), location)


def with_item(
    architecture: Architecture, location: Location, exchange: Callable[[Item], Item]
) -> Architecture:
    """Return the document with the item at a location replaced; no name may change by that."""
    return replace(architecture, layers=changed(architecture.layers, location, exchange))


def changed(layers: Items, location: Location, exchange: Callable[[Item], Item]) -> Items:
    """Return the items with the one at a location replaced."""
    item_at(Architecture(layers=layers), location)
    at = location[-1]
    return changed_body(
        layers, location, lambda body: (*body[:at], exchange(body[at]), *body[at + 1 :])
    )


def changed_body(layers: Items, location: Location, change: Callable[[Items], Items]) -> Items:
    """Return the items with the body that contains `location` replaced."""
    if len(location) == 1:
        return change(layers)
    index, which, *rest = location
    try:
        item = layers[index]
        body = item.bodies[which]
    except IndexError:
        raise EditError(f"there is no item at {location}") from None
    bodies = list(item.bodies)
    bodies[which] = changed_body(body, tuple(rest), change)
    return (*layers[:index], with_bodies(item, tuple(bodies)), *layers[index + 1 :])


def called(item: Item) -> str:
    """Return what a message calls an item: its name, or its keyword."""
    keyword = item.op.keyword if isinstance(item, Layer) else item.keyword
    return f"'{item.name}'" if item.name else f"this {keyword}"


def as_layer(item: Item) -> Layer:
    """Return an item that is known to be a layer."""
    assert isinstance(item, Layer)
    return item


def as_kind(kind: Any, item: Item) -> Any:
    """Return an item that is known to be of a kind."""
    assert isinstance(item, kind)
    return item
