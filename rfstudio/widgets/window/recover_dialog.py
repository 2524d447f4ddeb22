"""The dialog for unsaved networks of a crashed session, where the user decides about each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.recovery import LeftOver
from rfstudio.widgets.parts.text_room import give_room

_WIDEST = 24
"""Characters of a column, so that a long name leaves room for time, age and changes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user decided; copies that are in neither are offered again at the next start.

    Attributes
    ----------
    opened
        The copy to show; None if there is none.
    discarded
        The copies to delete.
    """

    opened: LeftOver | None = None
    discarded: tuple[LeftOver, ...] = ()


class RecoverDialog(QDialog):
    """Shows all copies that were left over, with name, time, age and changes.

    Attributes
    ----------
    decision
        What was decided so far.
    """

    def __init__(self, left: Sequence[LeftOver], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Recover")
        self.decision = Decision()
        message = QLabel(
            "RF Studio ended before these networks were saved. Nothing is deleted yet."
        )
        message.setWordWrap(True)
        self.list = QTreeWidget()
        self.list.setAccessibleName("Networks that were not saved")
        self.list.setHeaderLabels(["Network", "Written", "Age", "Changes"])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._left: dict[int, LeftOver] = {}
        for number, each in enumerate(left):
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.written))
            row = QTreeWidgetItem([each.name, when, each.age(), each.changes()])
            row.setToolTip(0, f"{each.name}\n{each.origin or each.path}")
            row.setToolTip(3, row.text(3))
            row.setData(0, Qt.ItemDataRole.UserRole, number)
            self._left[number] = each
            self.list.addTopLevelItem(row)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list.header().setStretchLastSection(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.header().setMaximumSectionSize(_WIDEST * self.fontMetrics().averageCharWidth())
        role = QDialogButtonBox.ButtonRole
        buttons = QDialogButtonBox()
        self.open_button = buttons.addButton("Open", role.AcceptRole)
        self.delete_button = buttons.addButton("Delete", role.DestructiveRole)
        self.later_button = buttons.addButton("Decide later", role.RejectRole)
        self.open_button.clicked.connect(self._open)
        self.delete_button.clicked.connect(self._delete)
        self.later_button.clicked.connect(self.reject)
        self.list.itemDoubleClicked.connect(self._open)
        self.list.itemSelectionChanged.connect(self._follow)
        layout = QVBoxLayout(self)
        layout.addWidget(message)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)
        give_room(self, 760, 320)
        first = self.list.topLevelItem(0)
        if first is not None:
            self.list.setCurrentItem(first)
        self._follow()

    def _chosen(self) -> list[LeftOver]:
        rows = self.list.selectedItems()
        return [self._left[row.data(0, Qt.ItemDataRole.UserRole)] for row in rows]

    def _follow(self) -> None:
        chosen = self._chosen()
        self.open_button.setEnabled(len(chosen) == 1 and chosen[0].architecture is not None)
        self.delete_button.setEnabled(bool(chosen))

    def _open(self) -> None:
        chosen = self._chosen()
        if self.open_button.isEnabled() and chosen:
            self.decision = Decision(chosen[0], self.decision.discarded)
            self.accept()

    def _delete(self) -> None:
        """Remove the chosen ones from the list; they are deleted when the dialog closes."""
        chosen = self._chosen()
        self.decision = Decision(None, (*self.decision.discarded, *chosen))
        for row in self.list.selectedItems():
            self.list.takeTopLevelItem(self.list.indexOfTopLevelItem(row))
        if not self.list.topLevelItemCount():
            self.accept()
