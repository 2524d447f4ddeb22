"""The menus and the toolbar, and the actions in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QMenuBar, QToolButton

from rfstudio.api.lessons import LESSONS
from rfstudio.app.files.presets import preset_families
from rfstudio.app.state.image_source import PhotoShape, sample_images
from rfstudio.app.state.shortcuts import plain_text
from rfstudio.app.studio import Studio
from rfstudio.widgets.parts.fields import take_over_typed
from rfstudio.widgets.parts.theme import (
    TEXT_SCALE,
    TEXT_SCALES,
    Scheme,
    give_icon,
    icon,
    remembered_text_scale,
)
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.window.file_commands import FileCommands
from rfstudio.widgets.window.input_sizes import InputSizes
from rfstudio.widgets.window.session_commands import SessionCommands
from rfstudio.widgets.window.toolbar import Toolbar


class WindowActions(QObject):
    """Creates every action of the window; the parts of the window connect them."""

    def __init__(
        self,
        window: QMainWindow,
        studio: Studio,
        files: FileCommands,
        stack: StackPanel,
        set_scheme: Callable[[Scheme], None],
        type_size: Callable[[], object],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._studio = studio
        self._files = files
        self._stack = stack
        self._set_scheme = set_scheme
        self._make_file_actions()
        self._make_edit_actions()
        self.input_sizes = InputSizes(studio.document, studio.edits, type_size, window)
        self.presets = self._preset_menu()
        self.images = self._image_menu()
        self.exports = self._export_menu()
        self.measure = self._action("Measure ERF", None, "Ctrl+M", "measure")
        self.measure.setToolTip(
            "Measure the effective receptive field of the chosen unit with torch (Ctrl+M)"
        )
        self.cancel = self._action("Cancel measurement", None, "Ctrl+.", "cancel")
        self.cancel.setEnabled(False)
        self.measure_more = self._action("Continue measurement", None, "Ctrl+Shift+.")
        self.follow = self._action("Follow the unit", None, "Ctrl+Shift+M", "follow")
        self.follow.setCheckable(True)
        self.follow.setToolTip(
            "Follow the unit: measure the chosen unit whenever it stops moving, and "
            "after each edit (Ctrl+Shift+M)"
        )
        self.pin = self._action("Pin this unit", None, "P")
        self.pin_before = self._action("Pin the network before my edit", None, "Shift+P")
        for action in (self.pin, self.pin_before):
            # Single letters belong to the parts that take no text.
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.unpin = self._action("Remove all pins", self._studio.pins.clear)
        self.anything = self._action("Go to anything…", None, "Ctrl+K")
        self.anything.setToolTip(
            "Find a layer by its path, an operation, a command, a preset or a setting (Ctrl+K)"
        )
        self.advise = self._action("Advise…", None, "Ctrl+Shift+A")
        self.advise.setToolTip(
            "Which layers see objects of a size, rules of a task, and changes that help "
            "(Ctrl+Shift+A)"
        )
        self.experiments = self._action("Experiments…", None)
        self.experiments.setToolTip("Reproduce published findings, and watch a training")
        self.train = self._action("Train and watch…", None, "Ctrl+Shift+T")
        self.train.setToolTip(
            "Train the network, and watch its field move to where the task needs it (Ctrl+Shift+T)"
        )
        self.arrange = self._action("Arrange panels anew", None)
        self.arrange.setToolTip("Put all panels back to the places and sizes of the first start")
        self.palette = self._action("Command palette…", None, "Ctrl+Shift+P")
        self.keys = self._action("Keys…", None, "F1")
        self.keys.setToolTip("All commands with their keys, which can be changed (F1)")
        self.documentation = self._action("Documentation", None, "Shift+F1")
        self.documentation.setToolTip(
            "All pages; the glossary at what a tip in sight or the focus is on (Shift+F1)"
        )
        self.lessons = [self._action(f"{i}. {x.title}", None) for i, x in enumerate(LESSONS, 1)]
        self.tour = self._action("Tour", None)
        self.tour.setToolTip("A minute through the parts of the window")
        self.logs = self._action("Open the folder of log files", None)
        self.about = self._action("About RF Studio", None)
        self._make_analysis_actions()

    # --- making ---------------------------------------------------------------------------------

    def _action(
        self,
        text: str,
        do: Callable[[], object] | None,
        keys: str | QKeySequence.StandardKey = "",
        name: str = "",
    ) -> QAction:
        action = QAction(text, self._window)
        if name:
            action.setIcon(icon(name))
            action.setProperty("icon_name", name)
        if keys:
            action.setShortcut(QKeySequence(keys))
            plain = text.replace("…", "").replace("&", "")
            action.setToolTip(f"{plain} ({action.shortcut().toString()})")
        action.triggered.connect(take_over_typed)
        if do is not None:
            # Qt would pass the state of the check mark.
            action.triggered.connect(lambda _=False: do())
        return action

    def _make_file_actions(self) -> None:
        key = QKeySequence.StandardKey
        files = self._files
        self.new = self._action("New network", files.new, key.New)
        self.open = self._action("Open…", files.open, key.Open, "open")
        self.open_model = self._action("Open model…", files.open_model, "Ctrl+Shift+O")
        self.open_model.setToolTip(
            "Import a torch module that Python code makes; the code is shown before it runs"
        )
        self.reload = self._action("Import again", files.reload)
        self._show_source("")
        files.source_changed.connect(self._show_source)
        self.save = self._action("Save", files.save, key.Save, "save")
        self.save_as = self._action("Save as…", files.save_as, "Ctrl+Shift+S")
        self.paste_image = self._action("Paste image", files.paste_image, "Ctrl+V")
        self.paste_image.setToolTip("Show the image or the file of the clipboard (Ctrl+V)")
        # The layers have their own Ctrl+V.
        self.paste_image.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.open_image = self._action("Open image…", files.open_image, "Ctrl+I", "image")
        for action in (self.paste_image, self.open_image):
            action.setObjectName(plain_text(action))  # for its keys, whatever it is called
        self.export_picture = self._action(
            "Picture (PNG, SVG, PDF)…", files.export_picture, "Ctrl+E", "export"
        )
        self.export_field = self._action(
            "Effective field (NPZ, TIFF, PNG, JSON, CSV)…",
            files.export_field,
            "Ctrl+Shift+E",
        )
        self.export_table = self._action("Table (CSV, Markdown, LaTeX, JSON)…", files.export_table)
        self.export_network = self._action("Network (YAML, PyTorch source)…", files.export_network)
        self.copy_python = self._action("Copy as Python", files.copies.python)
        self.copy_command = self._action("Copy as command", files.copies.command)
        self.copy_picture = self._action("Copy picture", None, "Ctrl+Shift+C", "copy")
        self.copy_panel = self._action("Copy picture of the panel below", None)
        self.sessions = SessionCommands(self._studio, files)
        self.open_session = self._action("Open session…", self.sessions.open)
        self.open_session.setToolTip("Open a network with its chosen unit, pins, image and results")
        self.save_session = self._action("Save session as…", self.sessions.save_as)
        self.save_session.setToolTip(
            "Save the network, chosen unit, pins, measured results and path of the image in a file"
        )
        self.new_window = self._action("New window", self._open_another, "Ctrl+Shift+N")
        self.quit = self._action("Quit", self._window.close, "Ctrl+Q")

    def _open_another(self) -> None:
        if not open_another_window():
            self._files.announced.emit(f"Another window was not opened: {sys.executable} is gone")

    def _make_edit_actions(self) -> None:
        stack = self._studio.document.undo_stack
        self.undo = stack.createUndoAction(self._window, "Undo")
        self.redo = stack.createRedoAction(self._window, "Redo")
        for action, keys, name in (
            (self.undo, QKeySequence.StandardKey.Undo, "undo"),
            (self.redo, QKeySequence.StandardKey.Redo, "redo"),
        ):
            action.setObjectName(name.capitalize())  # its text names the edit
            action.setShortcut(QKeySequence(keys))
            action.setIcon(icon(name))
            action.setProperty("icon_name", name)

        self.history = self._action("History…", None, "Ctrl+H")
        self.history.setToolTip("All edits since the network was opened, to go to any (Ctrl+H)")

    def _make_analysis_actions(self) -> None:
        analysis, selection = self._studio.analysis, self._studio.selection
        self.fields_from_here = self._action(
            "Fields relative to this layer", lambda: analysis.set_reference(selection.layer)
        )
        self.fields_from_input = self._action(
            "Fields relative to the input", analysis.take_next_input
        )
        self.fields_from_input.setToolTip("Again: to the next one of several inputs")
        self.training = self._action("Batch norm as in training", None)
        self.training.setCheckable(True)
        self.training.setToolTip("In training, batch norm takes its statistics from the whole map")
        self.training.toggled.connect(analysis.set_batch_norm_training)
        self.ignore_gates = self._action("Ignore gates in paths", None)
        self.ignore_gates.setCheckable(True)
        self.ignore_gates.setToolTip(
            "Fields of paths leave out what gates, norms over the map and attention read"
        )
        self.ignore_gates.toggled.connect(analysis.set_ignore_gates)

    def focus_actions(self, targets: dict[str, Callable[[], None]]) -> list[QAction]:
        """Return actions that move the focus to a panel, with Ctrl and a digit."""
        return [
            self._action(f"Go to {name}", go, f"Ctrl+{number}")
            for number, (name, go) in enumerate(targets.items(), 1)
        ]

    def _preset_menu(self) -> QMenu:
        menu = QMenu("Preset", self._window)
        for title, names in preset_families():
            part = menu.addMenu(title)
            for name in names:
                part.addAction(self._action(name, partial(self._files.open_preset, name)))
        return menu

    def _image_menu(self) -> QMenu:
        menu = QMenu("Image", self._window)
        for path in sample_images():
            menu.addAction(
                self._action(path.stem.capitalize(), partial(self._files.open_image_path, path))
            )
        menu.addSeparator()
        self._of_photos = menu.actions()
        menu.addActions([self.open_image, self.paste_image])
        self._no_image = self._action("No image", self._clear_image)
        menu.addAction(self._no_image)
        menu.addSeparator()
        self._add_shapes(menu)
        return menu

    def _name_input(self) -> None:
        """Speak of signals where the network has one axis, and offer no photos there."""
        is_line = len(self._studio.document.architecture.input_size) == 1
        word = "signal" if is_line else "image"
        if self.images.title() == word.capitalize():
            return  # as after nearly every edit
        self.open_image.setText(f"Open {word}…")
        self.paste_image.setText(f"Paste {word}")
        self._no_image.setText(f"No {word}")
        self.images.setTitle(word.capitalize())
        self._images_button.setText(f"{word.capitalize()} ▾")
        self._images_button.setAccessibleName(word.capitalize())
        self._images_button.setToolTip(word.capitalize())
        for action in self._of_photos:
            action.setVisible(not is_line)
        for action in self.shapes.values():
            text = action.objectName()
            if is_line:
                text = text.replace("photos", "signals").replace("shape", "length")
            action.setText(text)

    def _add_shapes(self, menu: QMenu) -> None:
        """Offer what is done with a photo of another shape than the input."""
        group = QActionGroup(self._window)
        self.shapes: dict[PhotoShape, QAction] = {}
        texts: dict[PhotoShape, str] = {
            "crop": "Crop photos to the shape of the input",
            "pad": "Pad photos to the shape of the input",
            "stretch": "Stretch photos over the input",
        }
        for shape, text in texts.items():
            action = self._action(text, partial(self._set_shape, shape))
            action.setObjectName(text)
            action.setCheckable(True)
            action.setChecked(shape == self._studio.images.shape)
            group.addAction(action)
            menu.addAction(action)
            self.shapes[shape] = action

    def _set_shape(self, shape: PhotoShape) -> None:
        self._studio.set_image_shape(shape)
        self._files.tell_shape()

    def _clear_image(self) -> None:
        self._studio.images.clear()
        self._studio.settings.set("image", "none")

    def _export_menu(self) -> QMenu:
        menu = QMenu("Export", self._window)
        menu.addActions([self.export_picture, self.export_field])
        menu.addActions([self.export_table, self.export_network])
        menu.addSeparator()
        menu.addActions([self.copy_picture, self.copy_panel])
        menu.addActions([self.copy_python, self.copy_command])
        return menu

    def _show_source(self, name: str) -> None:
        """Offer to import again what the open network was imported from."""
        self.reload.setEnabled(bool(name))
        self.reload.setToolTip(
            f"Import {name} again, as it is now; code is shown before it runs"
            if name
            else "Nothing was imported, so there is nothing to import again"
        )

    # --- menus and toolbar ----------------------------------------------------------------------

    def fill_menu_bar(self, bar: QMenuBar, views: list[QAction], focus: list[QAction]) -> None:
        """Put everything into the menu bar."""
        file = bar.addMenu("&File")
        file.addActions([self.new, self.open, self.open_model, self.reload])
        recent = file.addMenu("Open recent")
        recent.setToolTipsVisible(True)
        recent.aboutToShow.connect(partial(self._fill_recent, recent))
        file.addMenu(self.presets)
        file.addMenu(self.images)
        file.addSeparator()
        file.addActions([self.save, self.save_as])
        file.addSeparator()
        file.addActions([self.open_session, self.save_session, self.new_window])
        file.addSeparator()
        file.addMenu(self.exports)
        file.addSeparator()
        file.addAction(self.quit)
        edit = bar.addMenu("&Edit")
        edit.addActions([self.undo, self.redo, self.history])
        edit.addSeparator()
        self._stack.fill_menu(edit)
        edit.addSeparator()
        edit.addMenu(self.input_sizes.menu)
        measure = bar.addMenu("&Measure")
        measure.addActions([self.measure, self.follow, self.measure_more, self.cancel])
        measure.addSeparator()
        measure.addAction(self.advise)
        measure.addAction(self.experiments)
        measure.addAction(self.train)
        view = bar.addMenu("&View")
        view.addActions(views)
        view.addSeparator()
        view.addActions(focus)
        view.addAction(self.arrange)
        view.addSeparator()
        view.addActions([self.pin, self.pin_before, self.unpin])
        view.addSeparator()
        view.addActions([self.fields_from_here, self.fields_from_input, self.training])
        view.addAction(self.ignore_gates)
        view.addSeparator()
        self._add_schemes(view.addMenu("Appearance"))
        self._add_text_scales(view.addMenu("Text size"))
        help_menu = bar.addMenu("&Help")
        help_menu.addActions([self.anything, self.documentation, self.palette, self.keys])
        help_menu.addAction(self.tour)
        help_menu.addMenu("Lessons").addActions(self.lessons)
        help_menu.addSeparator()
        help_menu.addActions([self.logs, self.about])

    def fill_toolbar(self, bar: Toolbar) -> None:
        """Put the most used actions into the toolbar."""
        for action in (self.open, self.save):
            bar.addAction(action)
        bar.addSeparator()
        for action in (self.undo, self.redo):
            bar.addAction(action)
            button = bar.widgetForAction(action)
            if isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        bar.addSeparator()
        presets = _menu_button("Preset", "preset", self.presets)
        images = self._images_button = _menu_button("Image", "image", self.images)
        bar.addWidget(presets)
        bar.addWidget(images)
        self.input_sizes.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        bar.addWidget(self.input_sizes.button)
        bar.addSeparator()
        for action in (self.measure, self.follow, self.cancel):
            bar.addAction(action)
        for action in (self.follow, self.cancel):
            button = bar.widgetForAction(action)
            if isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        bar.addSeparator()
        exports = _menu_button("Export", "export", self.exports)
        bar.addWidget(exports)
        first = [bar.widgetForAction(x) for x in (self.open, self.save)]
        shrinking = [x for x in (*first, exports, images, presets) if isinstance(x, QToolButton)]
        bar.shrink_in_turn(shrinking)
        self._name_input()
        self._studio.document.architecture_changed.connect(self._name_input)
        # Where the bar is too long; Qt's own sign can hardly be seen on a dark ground.
        for button in bar.findChildren(QToolButton, "qt_toolbar_ext_button"):
            give_icon(button, "more")
            button.setToolTip("Buttons for which the window is too narrow")
            button.setAccessibleName("More buttons of the toolbar")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _fill_recent(self, menu: QMenu) -> None:
        menu.clear()
        paths = self._studio.recent.paths
        names = [x.name for x in paths]
        for path in paths:
            # Files with the same name are distinguished by their folders.
            folder = f"  –  {path.parent.name}" if names.count(path.name) > 1 else ""
            action = menu.addAction(f"{path.name}{folder}".replace("&", "&&"))
            action.setToolTip(str(path))
            action.triggered.connect(partial(self._open_recent, path))
        if not paths:
            menu.addAction("No files yet").setEnabled(False)
            return
        menu.addSeparator()
        menu.addAction("Clear list").triggered.connect(self._studio.recent.clear)

    def _open_recent(self, path: Path) -> None:
        self._files.open_path(path)

    def _add_schemes(self, menu: QMenu) -> None:
        group = QActionGroup(self._window)
        chosen = self._studio.settings.text("scheme", "system")
        schemes: tuple[tuple[str, Scheme], ...] = (
            ("Like the system", "system"),
            ("Light", "light"),
            ("Dark", "dark"),
        )
        for text, scheme in schemes:
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(scheme == chosen)
            action.triggered.connect(partial(self._choose_scheme, scheme))
            group.addAction(action)

    def _add_text_scales(self, menu: QMenu) -> None:
        group = QActionGroup(self._window)
        chosen = remembered_text_scale(self._studio.settings)
        for factor in TEXT_SCALES:
            action = menu.addAction(f"{factor:.0%}".replace("%", " %"))
            action.setCheckable(True)
            action.setChecked(factor == chosen)
            action.triggered.connect(partial(self._choose_text_scale, factor))
            group.addAction(action)

    def _choose_text_scale(self, factor: float) -> None:
        self._studio.settings.set(TEXT_SCALE, factor)
        self._files.announced.emit(
            f"Texts are at {100 * factor:.0f} % from the next window on (File › New window)"
        )

    def _choose_scheme(self, scheme: Scheme) -> None:
        self._studio.settings.set("scheme", scheme)
        self._set_scheme(scheme)


def open_another_window() -> bool:
    """Open another window, in a process of its own: what ends one does not end the other."""
    is_frozen = bool(getattr(sys, "frozen", False))
    started = QProcess.startDetached(sys.executable, [] if is_frozen else ["-m", "rfstudio"])
    return bool(started[0] if isinstance(started, tuple) else started)


def _menu_button(text: str, name: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(f"{text} ▾")
    button.setIcon(icon(name))
    button.setProperty("icon_name", name)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setMenu(menu)
    button.setAutoRaise(True)
    button.setAccessibleName(text)
    button.setToolTip(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
