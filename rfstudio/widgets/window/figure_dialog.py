"""The dialog for a figure for print: its content, width and resolution."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.figure_settings import RESOLUTIONS, WIDTHS, FigureSettings, FigureStyle
from rfstudio.widgets.parts.fields import Choice

_CONTENTS = (("Fields of the unit, on the image", "fields"), ("Growth with depth", "growth"))
_SCALES = (("Linear", "linear"), ("Logarithmic, three decades", "log"))


class FigureDialog(QDialog):
    """Edits a `FigureSettings`.

    Parameters
    ----------
    chosen
        What is shown at first.
    parent
        The window.
    """

    def __init__(self, chosen: FigureSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export picture")
        style = chosen.style
        self.content = _choice(_CONTENTS, chosen.content)
        self.content.setToolTip(
            "The fields of the chosen unit, or the size of the fields of this network, and of "
            "those that it is compared with, against depth"
        )
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
        self.scale.setToolTip("How the effective field is shaded")
        self.colour = _box("Photo in colours", style.colour)
        self.colour.setToolTip("On gray, the blue of the effective field is easier to see")
        self.caption = _box("Caption with the numbers", style.caption)
        self.legend = _box("Legend", style.legend)
        form = QFormLayout()
        form.addRow("Sho&ws", self.content)
        form.addRow("&Width", self.width_mm)
        form.addRow("&Resolution", self.dpi)
        form.addRow("&Shading", self.scale)
        for box in (self.colour, self.caption, self.legend):
            form.addRow("", box)
        button = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(button.Ok | button.Cancel)
        buttons.button(button.Ok).setText("Choose file…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(buttons)
        self.content.currentIndexChanged.connect(self._follow)
        self._follow()

    @property
    def chosen(self) -> FigureSettings:
        """What is chosen."""
        style = FigureStyle(
            width_mm=self.width_mm.value(),
            dpi=self.dpi.value(),
            colour=self.colour.isChecked(),
            scale=self.scale.currentData(),
            caption=self.caption.isChecked(),
            legend=self.legend.isChecked(),
        )
        return FigureSettings(self.content.currentData(), style)

    def _follow(self) -> None:
        """Disable what a chart does not have."""
        has_image = self.content.currentData() == "fields"
        for part in (self.scale, self.colour, self.caption, self.legend):
            part.setEnabled(has_image)


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
