"""What a session file holds of the window, and how the window is brought back to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rfstudio.app.effective.pins import Wanted
from rfstudio.app.effective.saved_results import results_to_save, saved_results, shelved_results
from rfstudio.app.state.document import read_network
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.files import is_file
from rfstudio.formats.networks.session_file import (
    SUFFIX,
    SavedSession,
    SavedUnit,
    read_session,
    write_session,
)

__all__ = [
    "SUFFIX",
    "SavedSession",
    "SessionToSave",
    "changed_at",
    "is_as_saved",
    "read_session",
    "restore_choice",
]


class SessionToSave:
    """What is open, chosen, pinned and measured at one moment, which any thread may write.

    Parameters
    ----------
    studio
        The state of the window.
    preset
        The preset that is open; empty: it is none.
    """

    def __init__(self, studio: Studio, preset: str) -> None:
        document, chosen = studio.document, studio.selection.value
        picture = studio.images.picture
        measured = studio.erf_session
        self._session = SavedSession(
            chosen=SavedUnit(document.architecture, chosen.layer, chosen.unit, source=preset),
            path=None if document.path is None else document.path.absolute(),
            is_modified=document.is_modified,
            pins=tuple(
                SavedUnit(x.analysis.architecture, x.layer, x.unit, x.title, x.source)
                for x in studio.pins
            ),
            image=None if picture is None else picture.path.absolute(),
            image_shape=studio.images.shape,
        )
        self._results = [] if measured is None else results_to_save(measured.shelf)
        self.left_out = 0
        """How many of the oldest results are not in the file, since it would be too large."""

    def write(self, path: Path) -> None:
        """Write a file; an old file stays if that fails.

        Raises
        ------
        RFStudioError
            If it cannot be written.
        """
        written = write_session(path, self._session, saved_results(self._results))
        self.left_out = len(self._results) - written


def changed_at(path: Path) -> float:
    """Return when a file was changed, in seconds since 1970; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except (OSError, ValueError):
        return 0.0


def is_as_saved(session: SavedSession) -> bool:
    """Whether the open network of a session is that of its file or preset, and not an edit."""
    if session.path is None:
        return not session.is_modified
    try:
        return read_network(session.path) == session.chosen.network
    except RFStudioError:
        return False


def restore_choice(
    studio: Studio, session: SavedSession, name: str, end: Callable[[list[str]], object]
) -> None:
    """Bring back unit, image and results and, once their networks are analysed, the pins.

    Parameters
    ----------
    studio
        The state of the window; the network of the session is open already.
    session
        What was saved.
    name
        That of the session's file.
    end
        Gets what could not be brought back, in sentences.
    """
    lost: list[str] = []
    chosen = session.chosen
    if chosen.layer in studio.analysis.analysis:
        studio.selection.select_layer(chosen.layer)
        studio.selection.select_unit(chosen.unit)
    studio.set_image_shape(session.image_shape)  # type: ignore[arg-type] # the reader checked it
    if session.image is None:
        studio.images.clear()
    elif is_file(session.image):
        studio.images.open_later(session.image)
    else:
        lost.append(f"the image “{shown(session.image.name)}” is not there any more")
    if studio.erf_session is not None and session.results:
        results, senseless = shelved_results(session.results, shown(name, 100))
        studio.erf_session.take_back(results)
        if senseless:
            lost.append(f"{senseless} of its results were measured with options that there are not")

    def add_lost(pins: list[Wanted]) -> None:
        end([*(f"the pin “{x.title}” has no layer '{x.layer}'" for x in pins), *lost])

    studio.pins.restore([Wanted(x.title, *_of(x), x.source) for x in session.pins], add_lost)


def _of(saved: SavedUnit) -> tuple[Architecture, str, tuple[int, ...]]:
    return saved.network, saved.layer, saved.unit
