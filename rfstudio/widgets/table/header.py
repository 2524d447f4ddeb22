"""The titles of a table whose arrow of the sorting is a part of the text, and covers nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QStyleOptionHeader, QWidget

ARROWS = {Qt.SortOrder.AscendingOrder: "▴", Qt.SortOrder.DescendingOrder: "▾"}


class SortHeader(QHeaderView):
    """Writes an arrow before the title of the column that is sorted by.

    Qt draws the arrow at the right end of the column, over titles that are there as well.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(True)
        self.setHighlightSections(False)

    def initStyleOptionForIndex(  # noqa: N802 - Qt's name
        self,
        option: QStyleOptionHeader,
        logicalIndex: int,  # noqa: N803
    ) -> None:
        """Put the arrow into the text."""
        super().initStyleOptionForIndex(option, logicalIndex)
        none = QStyleOptionHeader.SortIndicator.None_
        if option.sortIndicator != none:
            option.sortIndicator = none
            arrow = ARROWS[self.sortIndicatorOrder()]
            option.text = f"{arrow} {option.text}"
