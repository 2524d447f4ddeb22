"""The dialog for a figure for print: its kind, look and size, with a preview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.figure_settings import (
    KINDS,
    RESOLUTIONS,
    THEMES,
    WIDTHS,
    FigureSettings,
    uses_of,
)
from rfstudio.app.files.previews import Previews
from rfstudio.widgets.parts.fields import Choice

_SCALES = (("Linear", "linear"), ("Logarithmic", "log"))
_PREVIEW = QSize(420, 380)
_MOST_DOTS = 4800
"""Width of a preview in dots: a page at 600 dpi; a finer figure is previewed more coarsely."""


class FigureWorkshop(Protocol):
    """What the dialog needs to show a figure and to copy what makes it."""

    previews: Previews

    def drawing(self, figure: FigureSettings) -> Callable[[str], bytes]:
        """Return what draws a figure of what is shown now."""

    def copy_figure(self, figure: FigureSettings, language: str) -> str:
        """Put what makes a figure on the clipboard, "python" or "command"; return what to say."""


class FigureDialog(QDialog):
    """Edits a `FigureSettings`.

    Parameters
    ----------
    chosen
        What is shown at first.
    parent
        The window.
    workshop
        Draws previews; None: there are none.
    """

    def __init__(
        self,
        chosen: FigureSettings,
        parent: QWidget | None = None,
        workshop: FigureWorkshop | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export picture")
        self._workshop = workshop
        self._style = chosen.style
        self._request = 0
        self.picture = b""
        self._make_editors(chosen)
        left = QVBoxLayout()
        left.addLayout(self._form())
        left.addLayout(self._copy_row())
        self.copies = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.copies.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        left.addWidget(self.copies)
        left.addStretch(1)
        row = QHBoxLayout()
        row.addLayout(left)
        column = QVBoxLayout(self)
        column.addLayout(row, 1)
        column.addWidget(self._buttons())
        if workshop is not None:
            row.addWidget(self._make_preview(workshop), 1)
        self._follow()

    def _make_editors(self, chosen: FigureSettings) -> None:
        style = chosen.style
        self.content = _choice(KINDS, chosen.content)
        self.content.setToolTip(
            "The chosen unit; it and the pins; this network and those that it is compared with; "
            "what was measured; the last experiment with a film; or the lesson that is open"
        )
        self.theme = _choice(THEMES, style.theme)
        self.theme.setToolTip("Colours of the ground and the letters")
        self.width_mm = QDoubleSpinBox()
        self.width_mm.setRange(*WIDTHS)
        self.width_mm.setDecimals(0)
        self.width_mm.setSuffix(" mm")
        self.width_mm.setToolTip("Width on paper; 85 mm is a usual column, 174 mm a page")
        self.width_mm.setValue(style.width_mm)
        self.dpi = QSpinBox()
        self.dpi.setRange(*RESOLUTIONS)
        self.dpi.setSuffix(" dpi")
        self.dpi.setToolTip("Dots per inch of a PNG, and of the photo inside SVG and PDF")
        self.dpi.setValue(style.dpi)
        self.scale = _choice(_SCALES, style.scale)
        self.scale.setToolTip(
            "How effective fields are shaded, over three decades if logarithmic; for growth both "
            "axes, with fitted slopes"
        )
        self.colour = _box("Photo in colours", style.colour)
        self.colour.setToolTip("On gray, the blue of the effective field is easier to see")
        self.caption = _box("Caption with the numbers", style.caption)
        self.legend = _box("Legend", style.legend)
        for choice in (self.content, self.theme, self.scale):
            choice.currentIndexChanged.connect(self._follow)
        for number in (self.width_mm, self.dpi):
            number.valueChanged.connect(self._follow)
        for box in (self.colour, self.caption, self.legend):
            box.toggled.connect(self._follow)

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.addRow("Sho&ws", self.content)
        form.addRow("&Width", self.width_mm)
        form.addRow("&Resolution", self.dpi)
        form.addRow("&Look", self.theme)
        form.addRow("&Scale", self.scale)
        for box in (self.colour, self.caption, self.legend):
            form.addRow("", box)
        return form

    def _buttons(self) -> QDialogButtonBox:
        button = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(button.Ok | button.Cancel)
        self.choose = buttons.button(button.Ok)
        self.choose.setText("Choose file…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    def _make_preview(self, workshop: FigureWorkshop) -> QLabel:
        self.preview = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.preview.setMinimumSize(_PREVIEW)
        self.preview.setText("Drawing …")
        self.preview.setFrameShape(QLabel.Shape.StyledPanel)
        self.preview.setAccessibleName("Preview of the figure")
        workshop.previews.drawn.connect(self._show_picture)
        workshop.previews.failed.connect(self._show_failure)
        return self.preview

    def _copy_row(self) -> QHBoxLayout:
        self.copy_python = QPushButton("Copy as Python")
        self.copy_command = QPushButton("Copy as command")
        row = QHBoxLayout()
        for button, language in ((self.copy_python, "python"), (self.copy_command, "command")):
            button.setAutoDefault(False)
            button.setVisible(self._workshop is not None)
            button.clicked.connect(partial(self._copy, language))
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _copy(self, language: str) -> None:
        if self._workshop is not None:
            self.copies.setText(self._workshop.copy_figure(self.chosen, language))

    @property
    def chosen(self) -> FigureSettings:
        """What is chosen."""
        style = replace(
            self._style,
            width_mm=self.width_mm.value(),
            dpi=self.dpi.value(),
            colour=self.colour.isChecked(),
            scale=self.scale.currentData(),
            theme=self.theme.currentData(),
            caption=self.caption.isChecked(),
            legend=self.legend.isChecked(),
        )
        return FigureSettings(self.content.currentData(), style)

    def _follow(self) -> None:
        """Disable what a kind does not have, and draw it."""
        has_photo, has_scale = uses_of(self.content.currentData())
        self.colour.setEnabled(has_photo)
        self.scale.setEnabled(has_scale)
        self.choose.setEnabled(True)
        if self._workshop is None:
            return
        figure = self.chosen
        dots = figure.style.width_mm / 25.4 * figure.style.dpi
        if dots > _MOST_DOTS:
            dpi = max(int(figure.style.dpi * _MOST_DOTS / dots), RESOLUTIONS[0])
            figure = replace(figure, style=replace(figure.style, dpi=dpi))
        self._request = self._workshop.previews.ask(self._workshop.drawing(figure))

    def _show_picture(self, number: int, data: bytes, picture: QImage) -> None:
        if number != self._request:
            return
        self.picture = data
        pixmap = QPixmap.fromImage(picture)
        ratio = self.preview.devicePixelRatio()
        room = self.preview.contentsRect().size() * ratio
        smooth = Qt.TransformationMode.SmoothTransformation
        pixmap = pixmap.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, smooth)
        pixmap.setDevicePixelRatio(ratio)
        self.preview.setPixmap(pixmap)

    def _show_failure(self, number: int, text: str) -> None:
        if number == self._request:
            self.picture = b""
            self.preview.setText(f"{text}.")
            self.choose.setEnabled(False)  # there is nothing that a file could hold


def _choice(entries: tuple[tuple[str, str], ...], chosen: str) -> Choice:
    box = Choice()
    for text, value in entries:
        box.addItem(text, value)
    box.setCurrentIndex(max(box.findData(chosen), 0))
    return box


def _box(text: str, is_on: bool) -> QCheckBox:
    box = QCheckBox(text)
    box.setChecked(is_on)
    return box
