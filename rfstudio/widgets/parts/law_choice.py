"""A field for the law that weights are drawn from, chosen or typed with its gain."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from rfstudio.core.initialisations import INITIALISATIONS
from rfstudio.widgets.parts.fields import Choice


class LawChoice(Choice):
    """The initialisations, after what the place offers besides; a gain can be typed."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setAccessibleName("Initialisation")

    def add(self, title: str, name: str, sentence: str) -> None:
        """Offer something; its name is what `law` returns then."""
        self.addItem(title, name)
        self.setItemData(self.count() - 1, sentence, Qt.ItemDataRole.ToolTipRole)

    def add_torch(self, name: str) -> None:
        """Offer how torch's layers begin."""
        self.add("as torch's layers", name, "Weights and biases uniform in ±1/√fan-in.")

    def add_initialisations(self) -> None:
        """Offer all initialisations."""
        for law in INITIALISATIONS.values():
            self.add(law.title, law.name, law.sentence)

    @property
    def law(self) -> str:
        """The name of what is chosen, or what was typed."""
        text = self.currentText().strip()
        place = self.findText(text, Qt.MatchFlag.MatchFixedString)
        return str(self.itemData(place)) if place >= 0 else text
