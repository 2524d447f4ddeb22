"""The colours of the window, measured."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)
from pytestqt.qtbot import QtBot

from rfstudio.widgets.canvas.colours import ERF, LESS, LOCAL, PIN, SERIES, THEORETICAL
from rfstudio.widgets.parts.theme import apply_scheme, clear_on, icon, severity_colour
from tests.widgets.contrast import PART, TEXT, contrast


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest, qapp: QApplication) -> str:
    apply_scheme(qapp, request.param)
    return request.param


def test_that_texts_stand_out_from_what_is_behind_them(scheme: str, qtbot: QtBot) -> None:
    role, palette = QPalette.ColorRole, QApplication.palette()
    for ground in (role.Window, role.Base, role.AlternateBase):
        behind = palette.color(ground)
        for text in (role.Text, role.WindowText, role.PlaceholderText):
            assert contrast(palette.color(text), behind) >= TEXT
        for severity in ("error", "warning", "note"):
            assert contrast(severity_colour(severity, dark=scheme == "dark"), behind) >= TEXT
    chosen = palette.color(role.Highlight), palette.color(role.HighlightedText)
    assert contrast(*chosen) >= TEXT


@pytest.mark.parametrize("kind", [QLineEdit, QSpinBox])
def test_that_a_field_to_type_in_is_seen(scheme: str, qtbot: QtBot, kind: type[QWidget]) -> None:
    assert scheme
    field = kind()
    qtbot.addWidget(field)
    field.resize(120, 24)
    field.ensurePolished()
    picture = field.grab().toImage()
    inside = picture.pixelColor(60, 5)
    edge = max((picture.pixelColor(60, y) for y in range(3)), key=lambda x: contrast(x, inside))
    assert contrast(edge, inside) >= PART


def test_that_the_icon_of_a_remark_is_seen_in_a_chosen_row_too(scheme: str) -> None:
    palette = QApplication.palette()
    for severity in ("error", "warning", "note"):
        made = icon(severity, severity_colour(severity, dark=scheme == "dark"))
        picture = made.pixmap(QSize(48, 48), QIcon.Mode.Selected).toImage()
        colours = [picture.pixelColor(x, y) for x in range(48) for y in range(48)]
        drawn = max(colours, key=QColor.alpha)
        assert contrast(drawn, palette.highlight().color()) >= PART


class _Hearing(QLabel):
    """Counts how often it hears of new colours."""

    heard = 0

    def event(self, event: QEvent) -> bool:
        self.heard += event.type() == QEvent.Type.PaletteChange
        return super().event(event)


def test_that_another_scheme_is_told_to_each_widget_once(qtbot: QtBot, qapp: QApplication) -> None:
    apply_scheme(qapp, "light")
    shown, hidden = _Hearing(), _Hearing()
    for widget in (shown, hidden):
        qtbot.addWidget(widget)
        widget.ensurePolished()
    shown.show()
    shown.heard = hidden.heard = 0
    apply_scheme(qapp, "dark")
    assert (shown.heard, hidden.heard) == (1, 1)
    apply_scheme(qapp, "light")
    assert (shown.heard, hidden.heard) == (2, 2)


def test_that_lists_stay_at_their_end_in_another_scheme(qtbot: QtBot, qapp: QApplication) -> None:
    apply_scheme(qapp, "light")
    tree = QTreeWidget()
    qtbot.addWidget(tree)
    tree.addTopLevelItems([QTreeWidgetItem([f"layer {i}"]) for i in range(100)])
    tree.resize(200, 200)
    tree.show()
    qtbot.waitExposed(tree)
    tree.scrollToBottom()
    bar = tree.verticalScrollBar()
    before = bar.value()
    assert before == bar.maximum() > 0
    for scheme in ("dark", "light"):
        apply_scheme(qapp, scheme)
        assert bar.value() == before


@pytest.mark.parametrize("colour", [THEORETICAL, LOCAL, ERF, PIN, LESS, *map(QColor, SERIES)])
def test_that_lines_of_data_are_seen_in_the_dark_in_their_own_hue(colour: QColor) -> None:
    for ground in (QColor("#1a1d21"), QColor("#23262b")):
        shown = clear_on(colour, ground)
        assert contrast(shown, ground) >= PART
        assert shown.hslHueF() == pytest.approx(colour.hslHueF(), abs=0.02)
    assert clear_on(colour, QColor("white")) == colour  # as in figures
