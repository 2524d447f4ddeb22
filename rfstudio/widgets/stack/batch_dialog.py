"""The dialog that changes one parameter of all chosen layers, as in "double all dilations"."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.editing.layer_edits import Batch, LayerEdits
from rfstudio.app.wording.texts import short_name
from rfstudio.core.editing.batch import Change, Changed
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Location
from rfstudio.core.plural import counted
from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words

_CHANGES: tuple[tuple[str, Change], ...] = (
    ("Multiply by", "multiply"),
    ("Set to", "set"),
    ("Add", "add"),
)
_LONGEST = 36
"""Characters of a name in the preview."""

_SHOWN = 6
"""Layers of the preview; more are counted."""


class BatchDialog(QDialog):
    """Asks what to change, and shows what becomes of it before it is done.

    Parameters
    ----------
    edits
        Does it.
    locations
        The chosen items.
    """

    def __init__(
        self, edits: LayerEdits, locations: Sequence[Location], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Change the chosen layers")
        self._edits = edits
        self._locations = tuple(locations)
        self.name = QComboBox()
        self.name.setAccessibleName("What is changed")
        self._numbers = edits.numbers_of(self._locations)
        for name in self._numbers:
            self.name.addItem(name.replace("_", " "), name)
        at = self.name.findData("dilation")
        self.name.setCurrentIndex(max(at, 0))
        self.kind = QComboBox()
        self.kind.setAccessibleName("Of which operations")
        self.change = QComboBox()
        self.change.setAccessibleName("How it is changed")
        for text, word in _CHANGES:
            self.change.addItem(text, word)
        self.by = QLineEdit("2")
        self.by.setAccessibleName("By which number")
        self.by.setToolTip("A whole number, or a fraction as in 1/2 or 0.5")
        self.padding = QCheckBox("Padding follows, so that maps keep their sizes")
        self.padding.setChecked(True)
        self.preview = Words(most=2 * _SHOWN)
        self.preview.setAccessibleName("What becomes of it")
        self.preview.setMinimumHeight((_SHOWN + 2) * self.fontMetrics().lineSpacing())
        form = QFormLayout()
        form.addRow("&Parameter", self.name)
        form.addRow("&Of", self.kind)
        form.addRow("&Change", self.change)
        form.addRow("&Number", self.by)
        form.addRow("", self.padding)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.preview)
        column.addStretch(1)
        column.addWidget(self.buttons)
        self.name.currentIndexChanged.connect(self._offer_kinds)
        for box in (self.kind, self.change):
            box.currentIndexChanged.connect(self._follow)
        self.by.textChanged.connect(self._follow)
        self.padding.toggled.connect(self._follow)
        give_room(self, 460, 400)
        self._offer_kinds()

    @property
    def wanted(self) -> Batch | None:
        """What is asked for; None while the number is none."""
        try:
            by = Fraction(self.by.text().strip())
        except (ValueError, ZeroDivisionError):
            return None
        name = self.name.currentData()
        follows = self.padding.isChecked() and self.padding.isEnabled()
        if name is None:
            return None
        keyword = self.kind.currentData() or ""
        return Batch(name, self.change.currentData(), by, follows, keyword)

    def accept(self) -> None:
        """Do it."""
        wanted = self.wanted
        if wanted is None:
            return
        try:
            self._edits.change_all(self._locations, wanted)
        except RFStudioError as error:  # the network was changed while the dialog was open
            self.preview.setText(str(error))
            return
        super().accept()

    def _offer_kinds(self) -> None:
        """Offer the operations that have the parameter: to dilate convolutions, and no pools."""
        kinds = self._numbers.get(self.name.currentData() or "", ())
        self.kind.blockSignals(True)
        self.kind.clear()
        for keyword in kinds:
            self.kind.addItem(keyword, keyword)
        if len(kinds) > 1:
            self.kind.addItem("all of them", "")
        self.kind.blockSignals(False)
        self._follow()

    def _follow(self) -> None:
        self.padding.setEnabled(self.name.currentData() in {"dilation", "kernel_size"})
        wanted = self.wanted
        changed: Sequence[Changed] = ()
        text = "That is no number: write 2, 1/2 or 0.5."
        if not self.name.count():
            text = "The chosen layers have no numbers."
        elif wanted is not None:
            try:
                changed = self._edits.preview_all(self._locations, wanted)
                text = _preview(changed)
            except RFStudioError as error:
                text = f"Not possible: {error}"
        self.preview.setText(text)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(changed))


def _preview(changed: Sequence[Changed]) -> str:
    lines = [f"{counted(len(changed), 'layer')}:"]
    lines += [
        f"{short_name(x.name, _LONGEST)}: {_value(x.before)} → {_value(x.after)}"
        for x in changed[:_SHOWN]
    ]
    more = len(changed) - _SHOWN
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _value(value: object) -> str:
    return "×".join(map(_value, value)) if isinstance(value, tuple) else str(value)
