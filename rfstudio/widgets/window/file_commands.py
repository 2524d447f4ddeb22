"""The commands of the file menu: opening, saving and exporting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from rfstudio.app.attention.session import ATTENTION_FILES
from rfstudio.app.effective.shelf import Shelved
from rfstudio.app.effective.shown_fields import fields_of_result
from rfstudio.app.files import presets
from rfstudio.app.files.erf_export import FIELD_FILES, save_fields
from rfstudio.app.files.exports import (
    TABLE_FILES,
    save_network,
    save_table,
    write_figure,
)
from rfstudio.app.files.figure_contents import Beside, FigureContents
from rfstudio.app.files.figure_settings import (
    FigureSettings,
    remember_figure,
    remembered_figure,
)
from rfstudio.app.files.pasted_images import pasted_image
from rfstudio.app.files.previews import Previews
from rfstudio.app.files.writing import Writing
from rfstudio.app.sessions import SUFFIX as SESSION_SUFFIX
from rfstudio.app.slices import Slices, answer_or_error
from rfstudio.app.spread.session import SPREAD_FILES
from rfstudio.app.state.document import Stamp, read_network
from rfstudio.app.state.image_source import SIGNAL_SUFFIXES
from rfstudio.app.studio import Studio
from rfstudio.app.wording.snippets import network_word
from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.plural import counted
from rfstudio.importing.imported import Imported
from rfstudio.importing.reference import ONNX, PT2, is_model_file
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.parts.fields import take_over_typed
from rfstudio.widgets.window.copies import Copies
from rfstudio.widgets.window.import_progress import ImportProgress
from rfstudio.widgets.window.questions import Questions

NETWORK_SUFFIXES = (".yaml", ".yml", PT2, ONNX)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_DROPPED = (*NETWORK_SUFFIXES, *IMAGE_SUFFIXES, *SIGNAL_SUFFIXES, SESSION_SUFFIX)
"""Endings of what is opened when it is dropped on the window."""

_NETWORKS = "Networks (*.yaml *.yml *.pt2 *.onnx);;All files (*)"
_SAVED = "Networks (*.yaml *.yml);;All files (*)"
_SOURCES = "Network (*.yaml *.yml);;PyTorch source (*.py)"
_IMAGES = (
    f"Images ({' '.join(f'*{x}' for x in IMAGE_SUFFIXES)});;"
    f"Signals ({' '.join(f'*{x}' for x in SIGNAL_SUFFIXES)});;All files (*)"
)
_PICTURES = "PNG picture (*.png);;SVG drawing (*.svg);;PDF document (*.pdf)"


@dataclass(frozen=True)
class LaidAside:
    """A network that gives place to another one for a while.

    Attributes
    ----------
    network, path, preset, imported
        The network, and where it is from: a file, a preset, or an import.
    is_modified
        Whether it has changes that are not saved.
    seen
        Its file as it was known: others may change it meanwhile.
    """

    network: Architecture
    path: Path | None
    preset: str
    imported: ImportRequest | None
    is_modified: bool
    seen: Stamp | None


class FileCommands(QObject):
    """Reads and writes files for the window, and asks once about unsaved changes.

    Attributes
    ----------
    beside
        What other panels show, for figures.
    previews
        Draws figures for their dialog.
    reading
        Reads files between frames.
    copies
        Puts code and commands on the clipboard that make what is shown.

    Signals
    -------
    problems_found
        A file was not opened: its path and its problems.
    network_opened
        Another network is shown.
    announced
        A line for the status bar.
    source_changed
        What the open network was imported from, in short; empty if it was not.
    session_dropped
        The path of a session file that was dropped on the window.
    """

    problems_found = Signal(object, object)
    network_opened = Signal()
    announced = Signal(str)
    source_changed = Signal(str)
    session_dropped = Signal(object)

    def __init__(self, studio: Studio, questions: Questions, window: QWidget) -> None:
        super().__init__(window)
        self._studio = studio
        self.questions = questions
        self._window = window
        self._preset = ""
        self._imported: ImportRequest | None = None
        self._use_imported: Callable[[Architecture], object] | None = None
        self.beside = Beside()
        self.contents = FigureContents(studio.erf, studio.pins, studio.images, self.beside)
        self.previews = Previews(self)
        self.reading = Slices(self)
        self.copies = Copies(studio, self.contents, self._saved_word, self)
        self.copies.announced.connect(self.announced)
        studio.pins.source = self._saved_word
        self.writing = Writing(self)
        self.writing.written.connect(self._tell_written)
        self.writing.failed.connect(self._report_writing)
        studio.images.opened.connect(self._follow_image)
        studio.images.failed.connect(self._report_image)
        studio.importing.succeeded.connect(self._show_imported)
        studio.importing.failed.connect(self._report_import)
        studio.importing.size_needed.connect(self._ask_for_size)

    def remember_preset(self, name: str) -> None:
        """Remember which preset the window began with."""
        self._preset = name

    # --- networks -------------------------------------------------------------------------------

    @property
    def document_name(self) -> str:
        """The name of the document in titles and questions."""
        document = self._studio.document
        return document.path.name if document.path else document.architecture.name

    @property
    def reopening_name(self) -> str:
        """The file or preset that opens this network again at the next start."""
        path = self._studio.document.path
        return str(path.absolute()) if path else self._preset

    def open_model(self, text: str = "", size: tuple[int, ...] | None = None) -> None:
        """Ask which Python code makes a model and whether it may run, then import the model.

        Parameters
        ----------
        text, size
            The code and the size of the image that are suggested.
        """
        request = self.questions.model(self._window, text, size)
        if request is not None:
            self.import_model(request)

    def reload(self) -> None:
        """Import again what the open network was imported from; code is asked about again."""
        request = self._imported
        if request is None:
            return
        if isinstance(request.source, Path):
            self.import_model(request)
            return
        self.open_model(request.name, request.input_size)

    def import_model(
        self, request: ImportRequest, use: Callable[[Architecture], object] | None = None
    ) -> None:
        """Import a model beside the window, with a dialog that shows progress and can cancel.

        Parameters
        ----------
        request
            What is imported.
        use
            Gets the network; None: it is opened.
        """
        self._use_imported = use
        importing = self._studio.importing
        try:
            importing.start(request)
        except RFStudioError as error:
            self._report_import(request, str(error))
            return
        ImportProgress(request.name, importing, self._window).open()

    def _show_imported(self, request: ImportRequest, network: Imported) -> None:
        use, self._use_imported = self._use_imported, None
        if use is not None:
            use(network)
            return
        if not self._replace(lambda: (network, None)):
            return
        self._imported = request
        self.source_changed.emit(request.name)
        if isinstance(request.source, Path):  # data; code is never opened again without asking
            self._preset = str(request.source.absolute())
            self._studio.recent.add(request.source)
            self._remember_folder("network", request.source)
        count = len(network.report)
        remarks = f", with {count} remark{'s' * (count > 1)} on it in the list of problems"
        self.announced.emit(f"Imported {request.name}{remarks if count else ''}")

    def _ask_for_size(self, request: ImportRequest, why: str) -> None:
        """Import a file again at the size that the user names."""
        size = self.questions.image_size(self._window, f"“{request.name}” {why}")
        if size is not None:
            self.import_model(replace(request, input_size=size), self._use_imported)

    def _report_import(self, request: ImportRequest, why: str) -> None:
        self.questions.report(self._window, f"“{request.name}” was not imported.", why)

    def may_leave(self, *, is_kept: bool = True) -> bool:
        """Whether the open network may be closed: it is saved, or the user does not want that.

        Parameters
        ----------
        is_kept
            Whether it is worth a question; False: it was for one use.
        """
        take_over_typed()
        if not is_kept or not self._studio.document.is_modified:
            return True
        answer = self.questions.save_changes(self._window, self.document_name)
        if answer == "save":
            return self.save()
        return answer == "discard"

    def new(self) -> None:
        """Begin with an empty network."""
        self._replace(lambda: (Architecture(), None))

    def open(self) -> None:
        """Ask for a network file and show it."""
        path = self.questions.path_to_open(
            self._window, "Open network", self._folder("network"), _NETWORKS
        )
        if path is not None:
            self.open_path(path)

    def compare_network(self, compare: Callable[[str, Architecture], object]) -> None:
        """Ask for a network or a model, and do something with its name and network once read."""
        path = self.questions.path_to_open(
            self._window, "Compare with a network", self._folder("network"), _NETWORKS
        )
        if path is None:
            return
        use = partial(compare, path.stem)
        if is_model_file(path):
            self.import_model(ImportRequest(path), use)
        else:
            self._read(path, use)

    def open_path(self, path: Path) -> None:
        """Show a network file; a broken one changes nothing and its problems are listed."""
        if is_model_file(path):
            self.import_model(ImportRequest(path))
            return
        self._read(path, partial(self._show_read, path))

    def _show_read(self, path: Path, network: Architecture) -> None:
        if self._replace(lambda: (network, path)):
            self._studio.recent.add(path)
            self._remember_folder("network", path)

    def open_preset(self, name: str) -> None:
        """Show a network that ships with the program."""
        if self._replace(lambda: (presets.read_preset(name), None)):
            self._preset = name

    def open_network(self, network: Architecture, *, is_asked: bool = False) -> bool:
        """Show a network that has no file, and return whether it is shown.

        Parameters
        ----------
        network
            The network.
        is_asked
            Whether the user was asked already about what is open.
        """
        return self._replace(lambda: (network, None), is_asked=is_asked)

    def lay_aside(self) -> LaidAside:
        """Return what is open, to be taken up again."""
        document = self._studio.document
        return LaidAside(
            document.architecture,
            document.path,
            self._preset,
            self._imported,
            is_modified=document.is_modified,
            seen=document.seen,
        )

    def take_up(self, work: LaidAside) -> None:
        """Show what was laid aside, as it was."""
        opened = (work.network, work.path)
        self._replace(lambda: opened, is_modified=work.is_modified, is_asked=True)
        self._studio.document.seen = work.seen
        self._preset = work.preset
        self._imported = work.imported
        self.source_changed.emit("" if work.imported is None else work.imported.name)

    @property
    def preset(self) -> str:
        """The preset that is open, as it is or edited; empty: it is none."""
        return self._preset

    def open_saved(
        self,
        network: Architecture,
        path: Path | None,
        preset: str,
        is_modified: bool,
        known_at: float,
    ) -> bool:
        """Show a network as a session had it, and return whether it is shown."""
        if not self._replace(lambda: (network, path), is_modified=is_modified, known_at=known_at):
            return False
        self._preset = "" if path else preset
        return True

    def suggested(self, purpose: str, suffix: str) -> Path:
        """Return a file named after the network in the folder used last for a purpose."""
        stem = _file_name(self._studio.document.architecture.name)
        return self._folder(purpose) / f"{stem}{suffix}"

    def ask_where_to_save(self, title: str, suggestion: Path, kinds: str) -> Path | None:
        """Ask for a file to write."""
        return self.questions.path_to_save(self._window, title, suggestion, kinds)

    def ask_what_to_open(self, title: str, purpose: str, kinds: str) -> Path | None:
        """Ask for a file to read."""
        return self.questions.path_to_open(self._window, title, self._folder(purpose), kinds)

    def report(self, text: str, why: str) -> None:
        """Show why something did not work."""
        self.questions.report(self._window, text, why)

    def save(self) -> bool:
        """Write the network to its file; return whether it was written."""
        document = self._studio.document
        if document.path is None:
            return self.save_as()
        if document.is_changed_on_disk and not self.questions.may_overwrite(
            self._window, document.path.name
        ):
            return False
        return self._save(document.path)

    def save_as(self) -> bool:
        """Ask for a file and write the network to it; return whether it was written."""
        document = self._studio.document
        suggestion = document.path or (
            self._folder("network") / f"{_file_name(document.architecture.name)}.yaml"
        )
        path = self.questions.path_to_save(self._window, "Save network", suggestion, _SAVED)
        if path is None:
            return False
        return self._save(path if path.suffix else path.with_suffix(".yaml"))

    def _save(self, path: Path) -> bool:
        try:
            self._studio.document.save(path)
        except RFStudioError as error:
            self.questions.report(self._window, f"“{path.name}” was not saved.", str(error))
            return False
        self._studio.recent.add(path)
        self._remember_folder("network", path)
        self.announced.emit(f"Saved {path.name}")
        return True

    def _read(self, path: Path, use: Callable[[Architecture], object]) -> None:
        """Read a network file, a large one between frames; say why if it cannot be read."""
        deliver = partial(self._use_read, path, use)
        read = partial(answer_or_error, read_network, path)
        if not self.reading.start(read, deliver, at_once=True):
            self.announced.emit(f"Reading {path.name} …")

    def _use_read(
        self, path: Path, use: Callable[[Architecture], object], found: Architecture | RFStudioError
    ) -> None:
        if isinstance(found, FormatError):
            self.problems_found.emit(path, found.problems)
        elif isinstance(found, RFStudioError):
            self.questions.report(self._window, f"“{path.name}” was not opened.", str(found))
        else:
            use(found)

    def _replace(
        self,
        load: Callable[[], tuple[Architecture, Path | None]],
        *,
        is_modified: bool = False,
        is_asked: bool = False,
        known_at: float | None = None,
    ) -> bool:
        if not is_asked and not self.may_leave():
            return False
        try:
            architecture, path = load()
        except RFStudioError as error:
            self.questions.report(self._window, "The network was not opened.", str(error))
            return False
        self._preset = ""
        self._imported = None
        self.source_changed.emit("")
        self._studio.document.replace(
            architecture, path, is_modified=is_modified, known_at=known_at
        )
        self._studio.analysis.once_known(self._end_opening)
        return True

    def _end_opening(self) -> None:
        self._studio.select_informative_layer()
        self.network_opened.emit()

    # --- images ---------------------------------------------------------------------------------

    def open_image(self) -> None:
        """Ask for an image file and show it."""
        path = self.questions.path_to_open(
            self._window, "Open image", self._folder("image"), _IMAGES
        )
        if path is not None:
            self.open_image_path(path)

    def open_image_path(self, path: Path) -> None:
        """Show an image file, as soon as it is decoded."""
        self._studio.images.open_later(path)

    def paste_image(self) -> None:
        """Show the image of the clipboard, or the file whose path it holds."""
        try:
            path = pasted_image(QGuiApplication.clipboard().mimeData())
        except RFStudioError as error:
            self.announced.emit(str(error))
            return
        self.open_dropped(path)

    def _follow_image(self, path: Path) -> None:
        self._studio.settings.set("image", str(path))
        if self._studio.images.change:
            self.tell_shape()

    def tell_shape(self) -> None:
        """Say what was done with a photo that has not the shape of the input."""
        images, size = self._studio.images, self._studio.document.architecture.input_size
        picture = images.picture
        if picture is None:
            return
        if picture.is_signal:
            samples = picture.pixels.shape[1]
            done = "as long as" if samples == size[-1] else f"{images.change} to the length of"
            self.announced.emit(
                f"“{picture.name}”, {samples:,} samples, is {done} the input, {size[-1]:,}"
            )
            return
        height, width = picture.pixels.shape[:2]
        target = "×".join(map(str, reversed(size[-2:])))
        done = f"is {images.change} to the shape of" if images.change else "has the shape of"
        self.announced.emit(
            f"“{picture.name}”, {width}×{height}, {done} the input, {target} (Image menu)"
        )

    def _report_image(self, path: Path, error: RFStudioError) -> None:
        self.questions.report(self._window, f"“{path.name}” cannot be shown.", str(error))

    def open_all_dropped(self, paths: Sequence[Path]) -> None:
        """Show the first network or session and the first image of what was dropped.

        Several of a kind would replace one another, so it is said that the others are not opened.
        """
        shown = {_is_picture(x): x for x in reversed(paths) if x.suffix.lower() in _DROPPED}
        for path in [x for x in paths if x in shown.values()] or paths[:1]:
            self.open_dropped(path)
        others = len(paths) - max(len(shown), 1)
        if others:
            self.announced.emit(
                f"{counted(others, 'file')} more {'was' if others == 1 else 'were'} dropped; the "
                "first network or session and the first image are opened"
            )

    def open_dropped(self, path: Path) -> None:
        """Show what was dropped on the window: a network or an image."""
        suffix = path.suffix.lower()
        if suffix in NETWORK_SUFFIXES:
            self.open_path(path)
        elif _is_picture(path):
            self.open_image_path(path)
        elif suffix == SESSION_SUFFIX:
            self.session_dropped.emit(path)
        else:
            self.announced.emit(
                f"“{path.name}” is neither a network nor an image, a signal or a session "
                f"({', '.join(_DROPPED)})"
            )

    # --- exports --------------------------------------------------------------------------------

    def export_picture(self) -> None:
        """Ask what to draw and how, then for a file, and draw it."""
        last = remembered_figure(self._studio.settings)
        figure = self.questions.figure(self._window, last, self)
        if figure is None:
            return
        remember_figure(self._studio.settings, figure)
        name = self._studio.document.architecture.name
        what = self._studio.selection.layer if figure.content == "fields" else figure.content
        draw = self.drawing(figure)
        self._export(
            "Export picture",
            self._folder("export") / f"{_file_name(f'{name} {what}')}.png",
            _PICTURES,
            lambda path: write_figure(path, draw),
            beside=True,
        )

    def drawing(self, figure: FigureSettings) -> Callable[[str], bytes]:
        """Return what draws a figure of what is shown now, on any thread."""
        return self.contents.drawing(figure)

    def copy_figure(self, figure: FigureSettings, language: str) -> str:
        """Put what draws a figure on the clipboard, "python" or "command"; return what to say."""
        return self.copies.figure(figure, language)

    def export_field(self) -> None:
        """Ask for a file and write the chosen unit's effective field into it."""
        export, command = self._studio.erf_export, self.copies.field_command()
        self._export_field(self._studio.selection.layer, lambda path: export.save(path, command))

    def export_result(self, shelved: Shelved) -> None:
        """Ask for a file and write a result on the shelf into it; its network must be open."""
        session = self._studio.erf_session
        if session is None:
            return
        try:
            fields = fields_of_result(
                self._studio.analysis.analysis, session.measurement_of(shelved)
            )
        except RFStudioError as error:
            self.questions.report(self._window, "This result cannot be saved.", f"{error}.")
            return
        self._export_field(fields.layer, lambda path: save_fields(path, fields))

    def _export_field(self, layer: str, write: Callable[[Path], Any]) -> None:
        stem = _file_name(f"{self._studio.document.architecture.name} {layer} erf")
        suggestion = self._folder("export") / f"{stem}.npz"
        self._export("Export effective field", suggestion, FIELD_FILES, write)

    def export_attention(self) -> None:
        """Ask for a file and write the attention that was measured into it."""
        session = self._studio.attention
        if session is None:
            return
        stem = _file_name(f"{self._studio.document.architecture.name} attention")
        self._export(
            "Save attention", self._folder("export") / f"{stem}.csv", ATTENTION_FILES, session.save
        )

    def export_spread(self) -> None:
        """Ask for a file and write the fields on images that were measured into it."""
        session = self._studio.spread
        if session is None:
            return
        stem = _file_name(f"{self._studio.document.architecture.name} images")
        self._export(
            "Save fields on images",
            self._folder("export") / f"{stem}.csv",
            SPREAD_FILES,
            lambda path: session.save(path, self.copies.spread_command()),
        )

    def export_table(self) -> None:
        """Ask for a file and write the table of all layers into it."""
        stem = _file_name(self._studio.document.architecture.name)
        self._export(
            "Export table",
            self._folder("export") / f"{stem}.csv",
            TABLE_FILES,
            lambda path: save_table(path, self._studio.analysis.analysis),
        )

    def export_network(self) -> None:
        """Ask for a file and write a copy of the network into it."""
        stem = _file_name(self._studio.document.architecture.name)
        self._export(
            "Export network",
            self._folder("export") / f"{stem}.yaml",
            _SOURCES,
            lambda path: save_network(path, self._studio.document.architecture),
        )

    def _export(
        self,
        title: str,
        suggestion: Path,
        kinds: str,
        write: Callable[[Path], Any],
        *,
        beside: bool = False,
    ) -> None:
        path = self.questions.path_to_save(self._window, title, suggestion, kinds)
        if path is None:
            return
        path = path if path.suffix else path.with_suffix(suggestion.suffix)
        if beside:
            self.announced.emit(f"Drawing {path.name} …")
            self.writing.start(path, write)
            return
        try:
            write(path)
        except RFStudioError as error:
            self._report_writing(path, error)
            return
        self._tell_written(path)

    def _tell_written(self, path: Path) -> None:
        self._remember_folder("export", path)
        self.announced.emit(f"Wrote {path.name}")

    def _report_writing(self, path: Path, error: RFStudioError) -> None:
        self.questions.report(self._window, f"“{path.name}” was not written.", str(error))

    def _saved_word(self) -> str:
        """Return the preset or file of the network as it is now; empty if it has none."""
        document = self._studio.document
        if document.is_modified or not (document.path or self._preset):
            return ""
        return network_word(self._preset, document.path)

    # --- folders --------------------------------------------------------------------------------

    def _folder(self, purpose: str) -> Path:
        folder = Path(self._studio.settings.text(f"folders/{purpose}"))
        try:
            is_there = folder.is_absolute() and folder.is_dir()
        except (OSError, ValueError):  # a folder that may not be read, or not a valid name
            is_there = False
        return folder if is_there else Path.home()

    def _remember_folder(self, purpose: str, path: Path) -> None:
        self._studio.settings.set(f"folders/{purpose}", str(path.absolute().parent))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in (*IMAGE_SUFFIXES, *SIGNAL_SUFFIXES)


def _file_name(text: str) -> str:
    """Return a text made into the stem of a file name."""
    kept = "".join(x if x.isalnum() or x in "-_." else " " for x in text)
    return "_".join(kept.split()).strip(".") or "network"
