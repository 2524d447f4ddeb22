"""The garbage collector need not search what lives as long as the window."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from types import ModuleType

import pytest

from rfstudio.app.heap import exempt_from_collection


@pytest.fixture
def exempted() -> Iterator[None]:
    """Exempt what there is; until the test ends, the collector comes only when called."""
    callbacks = gc.callbacks.copy()
    gc.disable()
    exempt_from_collection()
    yield
    gc.callbacks[:] = callbacks
    gc.unfreeze()
    gc.enable()


class _Ring(list[object]):
    """Something that only the collector can free, once it is in itself."""


def _import_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(60):
        monkeypatch.setitem(sys.modules, f"late_{i}", ModuleType(f"late_{i}"))


@pytest.mark.usefixtures("exempted")
def test_that_what_is_imported_later_is_exempt_after_one_full_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _import_many(monkeypatch)
    held = [[i] for i in range(1000)]
    gc.collect(1)
    assert any(x is held for x in gc.get_objects())
    gc.collect()
    assert not any(x is held for x in gc.get_objects())


@pytest.mark.usefixtures("exempted")
def test_that_what_is_made_without_an_import_is_searched_as_ever() -> None:
    held = [[i] for i in range(1000)]
    gc.collect()
    assert any(x is held for x in gc.get_objects())


@pytest.mark.usefixtures("exempted")
def test_that_garbage_is_not_exempted_with_what_was_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = _Ring()
    ring.append(ring)
    gone = weakref.ref(ring)
    del ring
    _import_many(monkeypatch)
    before = gc.get_freeze_count()
    gc.collect()
    assert gc.get_freeze_count() > before
    assert gone() is None
