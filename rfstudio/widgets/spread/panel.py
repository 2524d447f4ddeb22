"""The fields of the chosen unit on each image of a folder: numbers, mean and spread, and maps."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.spread.session import SpreadSession
from rfstudio.core.metrics.spread import ImageField
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.map_view import MapView, map_picture
from rfstudio.widgets.parts.text_button import text_button

_EMPTY = (
    "How does the field depend on the image? Choose a folder: the chosen unit is measured on each "
    "of its images by itself, with the options of Measure and the same weights on all of them."
)
_STEPS = 1000

_ICON = 36
"""Pixels of the side of a field in the list."""

_MOST_ICONS = 300
"""Images whose fields are shown in the list; of the others there are names and numbers."""

_TITLES = {
    "image": "image",
    "sigma": "σ (px)",
    "luo_size": "size (px)",
    "fwhm": "FWHM (px)",
    "strength": "strength",
    "object_share": "on the object",
    "object_area": "even field",
    "preference": "ratio",
    "sigma_on_object": "σ, unit on object",
    "sigma_on_background": "σ, unit beside it",
}


class FolderChoice:
    """Asks for a folder in a dialog; tests use another object with this method."""

    def folder(self, parent: QWidget, title: str) -> Path | None:
        """Ask for a folder."""
        name = QFileDialog.getExistingDirectory(parent, title)
        return Path(name) if name else None


class SpreadPanel(QWidget):
    """Lists the images by the size of their field; the map of the chosen one is beside it.

    Parameters
    ----------
    session
        What was measured.
    questions
        Asks for folders; the user if None.

    Signals
    -------
    image_wanted
        The file of an image that the canvas is to show.
    save_wanted
        What was measured is to be written to a file.
    copy_wanted
        The command that measures the same is to be copied.
    """

    image_wanted = Signal(object)
    save_wanted = Signal()
    copy_wanted = Signal()

    def __init__(
        self,
        session: SpreadSession,
        questions: FolderChoice | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._questions = questions or FolderChoice()
        self.images = QPushButton("Images…")
        self.images.setToolTip("Choose a folder of images")
        self.objects = QToolButton()
        self.objects.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.objects.setToolTip(
            "Where the object is: how much of the field is on it, and the fields of a unit on it "
            "and of one beside it"
        )
        self.objects.setAccessibleName("Where the object is")
        self.objects.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(self.objects)
        self.no_object = menu.addAction("No object")
        self.masks = menu.addAction("Masks with the names of the images…")
        self.box = menu.addAction("The box on the canvas (key 5 draws it)")
        self.objects.setMenu(menu)
        self.run = QPushButton("Measure each")
        self.cancel = QPushButton("Cancel")
        self.save = text_button(
            "Save…", "Write the table, the maps, or the figure of the images in their order"
        )
        self.copy_command = text_button(
            "Copy as command", "The command that measures the same in a terminal"
        )
        self.progress = QProgressBar()
        self.progress.setMaximum(_STEPS)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setAccessibleName("Progress over the images")
        self.words = ElidedLabel()
        self.words.setAccessibleName("What was found")
        self.table = QTableWidget()
        self.table.setAccessibleName("Images by the size of their field")
        self.table.setToolTip("A click shows the map; a double click the image on the canvas")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.table.setIconSize(QSize(_ICON, _ICON))
        FocusRing(self.table)
        self.view = MapView()
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.caption.setAccessibleName("Image")
        self.setAccessibleName("Images")
        self._lay_out()
        self._connect()
        self._show_choice()
        self._show_rows()
        self._show_state(session.state)

    def _lay_out(self) -> None:
        row = FlowLayout(gap=6, rest=4)
        row.setContentsMargins(6, 4, 6, 2)
        for button in (self.images, self.objects, self.run, self.cancel):
            row.addWidget(button)
        row.addWidget(self.words)
        row.addWidget(self.copy_command)
        row.addWidget(self.save)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.caption)
        split = QSplitter()
        split.addWidget(self.table)
        split.addWidget(side)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(2)
        whole.addLayout(row)
        whole.addWidget(self.progress)
        whole.addWidget(split, 1)

    def _connect(self) -> None:
        session = self._session
        self.images.clicked.connect(self._ask_for_images)
        self.masks.triggered.connect(self._ask_for_masks)
        self.no_object.triggered.connect(lambda: self._set_object(None, uses_box=False))
        self.box.triggered.connect(lambda: self._set_object(None, uses_box=True))
        self.run.clicked.connect(session.start)
        self.cancel.clicked.connect(session.cancel)
        self.save.clicked.connect(self.save_wanted)
        self.copy_command.clicked.connect(self.copy_wanted)
        self.table.itemSelectionChanged.connect(self._show_map)
        self.table.itemActivated.connect(self._open)
        session.rows_changed.connect(self._show_rows)
        session.state_changed.connect(self._show_state)
        session.progressed.connect(lambda x: self.progress.setValue(round(_STEPS * x)))
        session.failed.connect(self._say)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Follow the network, which may read no images."""
        super().showEvent(event)
        self._show_choice()
        self._show_map()

    # --- what is measured -----------------------------------------------------------------------

    def set_images(self, folder: Path) -> None:
        """Choose a folder of images."""
        self._session.images = folder
        self._show_choice()

    def _ask_for_images(self) -> None:
        folder = self._questions.folder(self, "Folder of images")
        if folder is not None:
            self.set_images(folder)

    def _ask_for_masks(self) -> None:
        folder = self._questions.folder(self, "Folder of masks")
        if folder is not None:
            self._set_object(folder, uses_box=False)

    def _set_object(self, masks: Path | None, *, uses_box: bool) -> None:
        self._session.masks, self._session.uses_box = masks, uses_box
        self._show_choice()

    def _show_choice(self) -> None:
        session = self._session
        name = "Images…" if session.images is None else f"Images: {_short(session.images.name)}"
        self.images.setText(name)
        self.images.setToolTip(str(session.images or "Choose a folder of images"))
        what = "no object"
        if session.masks is not None:
            what = f"masks {_short(session.masks.name)}"
        elif session.uses_box:
            what = "box on the canvas"
        self.objects.setText(f"Object: {what}")
        can_run = session.images is not None and not session.no_images
        self.run.setEnabled(can_run and session.state != "running")
        self.copy_command.setEnabled(can_run)
        self.images.setEnabled(not session.no_images)
        self.objects.setEnabled(not session.no_images)

    # --- what was found -------------------------------------------------------------------------

    def _show_state(self, state: str) -> None:
        is_running = state == "running"
        self.cancel.setEnabled(is_running)
        self.progress.setVisible(is_running)
        self._show_choice()
        if is_running:
            self._say(f"Measuring {self._session.title} …")

    def _show_rows(self) -> None:
        session = self._session
        table = session.table()
        if table is not None:
            titles = [_TITLES.get(x, x) for x in table.headers]
            rows = list(table.rows)
        else:
            titles = ["image", "σ (px)"]
            sigmas = ("–" if x.sigma is None else f"{x.sigma:.3g}" for x in session.fields)
            rows = [(x.name, y) for x, y in zip(session.fields, sigmas, strict=True)]
        grid = self.table
        grid.setColumnCount(len(titles))
        grid.setHorizontalHeaderLabels(titles)
        grid.setRowCount(len(rows))
        for i, cells in enumerate(rows):
            for j, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if j:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                grid.setItem(i, j, item)
        self.save.setEnabled(session.spread is not None)
        self._show_icons()
        grid.resizeColumnsToContents()
        grid.setVisible(bool(rows))
        self._say(f"{session.sentence} {session.title}" if session.sentence else "")
        if session.spread is not None:
            grid.selectRow(len(session.fields))  # the mean
        self._show_map()

    def _show_icons(self) -> None:
        """Put the fields before the names, each scaled to its own largest value."""
        session, spread = self._session, self._session.spread
        header = self.table.verticalHeader()
        text = self.fontMetrics().height() + 6
        if spread is None:
            header.setDefaultSectionSize(text)
            return
        header.setDefaultSectionSize(max(text, _ICON + 6))
        window = session.window()
        shown = [session.whole_map(x) for x in session.fields[:_MOST_ICONS]]
        rows = [None if x is None else x[window] for x in shown]
        last = len(session.fields)
        for row, values in [*enumerate(rows), (last, spread.mean[window])]:
            item = self.table.item(row, 0)
            if item is not None and values is not None and values.ndim == 2:
                picture = map_picture(values).scaled(_ICON, _ICON)
                item.setIcon(QIcon(QPixmap.fromImage(picture)))

    def _chosen(self) -> ImageField | None:
        """Return the chosen image; None: the mean or the spread is chosen, or nothing."""
        row = self.table.currentRow()
        fields = self._session.fields
        return fields[row] if 0 <= row < len(fields) and self.table.selectedItems() else None

    def _show_map(self) -> None:
        session = self._session
        spread = session.spread
        if spread is None:
            words = session.no_images or _EMPTY
            self.view.show_words(words if session.state != "running" else "")
            self.caption.setText("")
            return
        field = self._chosen()
        window = session.window()
        if field is None:
            is_spread = self.table.currentRow() == len(session.fields) + 1
            self.view.show_map((spread.deviation if is_spread else spread.mean)[window])
            what = "standard deviation" if is_spread else "mean"
            self.caption.setText(f"{what} over {len(session.fields)} images")
            return
        values = session.whole_map(field)
        if values is None:
            self.view.show_words("The map of this image was not held in memory; its numbers are.")
        else:
            photo = session.photo(field)
            self.view.show_map(values[window], image=None if photo is None else photo[window])
        sigma = "" if field.sigma is None else f", σ {field.sigma:.3g} px"
        self.caption.setText(f"{field.name}{sigma}")

    def _open(self) -> None:
        field = self._chosen()
        path = None if field is None else self._session.path_of(field)
        if path is not None:
            self.image_wanted.emit(path)

    def _say(self, text: str) -> None:
        self.words.setText(text)
        self.words.setToolTip(text)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
