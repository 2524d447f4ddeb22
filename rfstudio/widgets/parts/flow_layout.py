"""A layout that wraps like the words of a text, so that a bar of switches fits any width."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Places items from left to right, and starts a new row where the width ends.

    Parameters
    ----------
    parent
        The widget laid out.
    gap
        Distance between items, in points.
    second_row
        Number of the item with which the second row starts, if one row is not enough: so items
        stay in their rows when texts become longer or shorter.  None: where the width ends.
    rest
        Number of the item that takes what is left of its row, in which the others keep their
        places at its sides.  None: every item is as wide as it wants to be.
    least
        Average characters of width without which that item begins a row of its own: not those of
        what it says, so that nothing moves when that is something else.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        gap: int = 4,
        *,
        second_row: int | None = None,
        rest: int | None = None,
        least: int = 20,
    ) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = gap
        self._second_row = second_row
        self._rest = rest
        self._least = least
        self.setContentsMargins(QMargins(gap, gap, gap, gap))

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802 - Qt's name
        """Put an item at the end."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        """Return an item, or None after the last one."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        """Remove an item and return it."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802 - Qt's name
        """Return that it takes no more room than it needs."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        """Return that its height depends on its width."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return the height of all rows at a width."""
        return self._arrange(QRect(0, 0, width, 0), is_trial=True)

    def setGeometry(self, rect: QRect) -> None:  # noqa: N802 - Qt's name
        """Place the items."""
        super().setGeometry(rect)
        self._arrange(rect, is_trial=False)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return approximately the size of one row of two items."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the largest item."""
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _arrange(self, rect: QRect, *, is_trial: bool) -> int:
        margins = self.contentsMargins()
        inside = rect.marginsRemoved(margins)
        y = inside.y()
        for row in self._rows(inside.width()):
            sizes = self._sizes(row, inside.width())
            height = max(size.height() for size in sizes)
            x = inside.x()
            for item, size in zip(row, sizes, strict=True):
                if not is_trial:
                    # Boxes to tick are less high than the buttons beside them.
                    item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self._gap
            y += height + self._gap
        return y - (self._gap if y > inside.y() else 0) + margins.bottom() - rect.y()

    def _sizes(self, row: list[QLayoutItem], width: int) -> list[QSize]:
        """Return the sizes of the items of a row, one of which may take what the others leave."""
        used = sum(self._wanted(x) + self._gap for x in row) - self._gap
        sizes = []
        for item in row:
            wide = self._wanted(item)
            if self._is_rest(item):
                wide += max(width - used, 0)
            wide = min(wide, max(width, 1))
            is_lines = item.hasHeightForWidth()
            high = item.heightForWidth(wide) if is_lines else item.sizeHint().height()
            sizes.append(QSize(wide, high))
        return sizes

    def _is_rest(self, item: QLayoutItem) -> bool:
        return self._rest is not None and self._items[self._rest] is item

    def _wanted(self, item: QLayoutItem) -> int:
        """Return the width that an item cannot do without."""
        widget = item.widget()
        if widget is not None and self._is_rest(item):
            return int(self._least * widget.fontMetrics().averageCharWidth())
        return int(item.sizeHint().width())

    def _rows(self, width: int) -> list[list[QLayoutItem]]:
        """Return the items that are shown, row by row."""
        shown = [i for i in self._items if not i.isEmpty()]
        wanted = sum(self._wanted(i) + self._gap for i in shown) - self._gap
        is_one_row = wanted <= width
        rows: list[list[QLayoutItem]] = []
        x = 0
        for number, item in enumerate(self._items):
            if item.isEmpty():
                continue
            wide = self._wanted(item)
            is_break = number == self._second_row and not is_one_row
            if not rows or (x > 0 and (is_break or x + wide > width)):
                rows.append([])
                x = 0
            rows[-1].append(item)
            x += wide + self._gap
        return rows
