"""Results of the shelf as session files hold them, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from rfstudio.app.effective.measuring_work import Subject, request_of
from rfstudio.app.effective.saved_options import options_of, texts_of
from rfstudio.app.effective.shelf import Ending, Shelf, Shelved, Snapshot
from rfstudio.core.errors import RFStudioError
from rfstudio.engine.requests.request import ErfResult
from rfstudio.formats.networks.saved_results import SavedResult

_NOTE = "read from the session file "


def results_to_save(shelf: Shelf) -> list[Snapshot]:
    """Return the results that a session file can hold, the newest first.

    One that was stopped within a sample or a draw of weights is left out: it has more arrays.
    """
    return [
        x
        for x in shelf.snapshots()
        if options_of(texts_of(x.shelved.options)) is not None
        and x.stored.unfinished is None
        and x.stored.open_draw is None
    ]


def saved_results(snapshots: Iterable[Snapshot]) -> Iterator[SavedResult]:
    """Yield results as a session file holds them, each read when it is asked for; on any thread."""
    for snapshot in snapshots:
        result = snapshot.result()
        if result is not None:
            yield _saved(snapshot.shelved, result)


def shelved_results(results: Iterable[SavedResult], name: str) -> tuple[list[Shelved], int]:
    """Return results of a session file as the shelf holds them, and how many make no sense.

    Parameters
    ----------
    results
        What was read.
    name
        Of the file, which each of them says that it came from.
    """
    read = [_shelved(x, name) for x in results]
    good = [x for x in read if x is not None]
    return good, len(read) - len(good)


def _saved(shelved: Shelved, result: ErfResult) -> SavedResult:
    subject = shelved.subject
    return SavedResult(
        network=subject.architecture,
        layer=subject.layer,
        unit=subject.unit,
        map=result.map,
        standard_error=result.standard_error,
        options=texts_of(shelved.options),
        samples=result.samples,
        wanted=result.wanted,
        fraction=shelved.fraction,
        ending=shelved.ending,
        is_aside=shelved.is_aside,
        image=shelved.image,
        name=shelved.name,
        seconds=result.seconds,
        device=result.device,
        versions=result.versions,
        notes=tuple(x for x in result.notes if not x.startswith(_NOTE)),
        box=result.box,
    )


def _shelved(saved: SavedResult, name: str) -> Shelved | None:
    options = options_of(saved.options)
    if options is None:
        return None
    subject = Subject(saved.network, saved.layer, saved.unit)
    try:
        made = request_of(subject, replace(options, samples=saved.wanted)).options()
    except RFStudioError:
        return None
    made["images"] = int(options.inputs != "noise")  # of a folder, their number is not known
    result = ErfResult(
        map=saved.map,
        standard_error=saved.standard_error,
        layer=saved.layer,
        unit=saved.unit,
        samples=saved.samples,
        wanted=saved.wanted,
        options=made,
        device=saved.device,
        versions=saved.versions,
        seconds=saved.seconds,
        notes=(*saved.notes, f"{_NOTE}{name}, not measured since the program was started"),
        box=saved.box,
    )
    return Shelved(
        0,
        subject,
        options,
        saved.image,
        cast("Ending", saved.ending),  # which the reader has checked
        saved.samples,
        saved.wanted,
        saved.fraction,
        name=saved.name,
        is_aside=saved.is_aside,
        origin=name,
        stored=result,
    )
