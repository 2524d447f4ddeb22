"""Nothing that the window says is cut off without a tooltip that says it, at any size and scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QTextDocumentFragment
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QStyle,
    QStyleOptionComboBox,
    QToolBar,
    QToolButton,
    QWidget,
)

from rfstudio.app.files.presets import read_preset
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.parts.theme import TEXT_SCALE, apply_scheme, scale_text
from tests.measurements import FakeRunner
from tests.widgets.contrast import PART, contrast

_ICON = Qt.ToolButtonStyle.ToolButtonIconOnly
_FRAME = 6
"""Points that the frame of a line takes beside its text."""


def _is_cut(widget: QWidget) -> bool:
    width, metrics = widget.contentsRect().width(), widget.fontMetrics()
    if isinstance(widget, QLabel):
        if widget.wordWrap():
            words = QTextDocumentFragment.fromHtml(widget.text()).toPlainText().split()
            longest = max((metrics.horizontalAdvance(x) for x in words), default=0)
            return widget.heightForWidth(widget.width()) > widget.height() or longest > width
        return widget.sizeHint().width() > widget.width() + 1
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        control, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        room = widget.style().subControlRect(control, option, part, widget)
        return metrics.horizontalAdvance(widget.currentText()) > room.width()
    if isinstance(widget, QLineEdit):
        shown = widget.text() or widget.placeholderText()
        return metrics.horizontalAdvance(shown) > width - _FRAME
    if isinstance(widget, QAbstractButton):
        is_sign = isinstance(widget, QToolButton) and widget.toolButtonStyle() == _ICON
        text = "" if is_sign else widget.text().replace("&", "")
        return metrics.horizontalAdvance(text) > width
    return False


def _said(widget: QWidget) -> str:
    """Return the tooltip of a widget, or of the field that it is the line of."""
    around = widget.parentWidget()
    is_part = isinstance(widget, QLineEdit) and around is not None
    return widget.toolTip() or (around.toolTip() if is_part and around is not None else "")


def _cut_off(window: QWidget) -> Iterator[str]:
    for widget in window.findChildren(QWidget):
        is_seen = widget.isVisible() and not widget.visibleRegion().isEmpty()
        if is_seen and _is_cut(widget) and not _said(widget):
            text = (
                widget.currentText() if isinstance(widget, QComboBox) else widget.property("text")
            )
            yield f"{type(widget).__name__} in {type(widget.parent()).__name__}: {text}"


@pytest.fixture
def scaled(qapp: QApplication) -> Iterator[Callable[[float], None]]:
    apply_scheme(qapp, "light")
    yield lambda scale: scale_text(qapp, scale)
    scale_text(qapp, 1.0)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((1024, 700), 2.0),
        pytest.param((1024, 700), 1.0, marks=pytest.mark.slow),
        pytest.param((1440, 900), 1.0, marks=pytest.mark.slow),
        pytest.param((1440, 900), 1.5, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "network", ["resnet50", *(pytest.param(x, marks=pytest.mark.slow) for x in ("", "unet_3d"))]
)
def test_that_no_word_is_cut_off_without_a_tooltip(
    open_window: Callable, settings, scaled, network: str, size: tuple[int, int], scale: float
) -> None:
    settings.set(TEXT_SCALE, scale)
    scaled(scale)
    shown = read_preset(network) if network else Architecture()
    window = open_window(shown, size, FakeRunner())
    docks = [x for x in window.findChildren(QDockWidget) if not isinstance(x, QToolBar)]
    found: set[str] = set()
    for index in range(window.tabs.count()):
        window.tabs.setCurrentIndex(index)
        for dock in docks:
            dock.raise_()
            QApplication.sendPostedEvents()
            found.update(_cut_off(window))
    assert found == set()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_that_no_choice_of_a_training_is_cut_off(
    open_window: Callable, scaled: Callable, scale: float
) -> None:
    scaled(scale)
    window = open_window(read_preset("resnet50"), (1024, 700), FakeRunner())
    window.actions_.train.trigger()
    dialog = window.training.dialog
    QApplication.sendPostedEvents()
    fields = [*dialog.findChildren(QComboBox), *dialog.form.findChildren(QLabel)]
    assert [x.property("currentText") or x.property("text") for x in fields if _is_cut(x)] == []
    assert dialog.width() <= 1024
    dialog.close()


@pytest.mark.parametrize("schemes", [("light", "dark"), ("dark", "light")])
def test_that_signs_that_qt_would_draw_are_seen_on_their_ground(
    open_window: Callable, qapp: QApplication, schemes
) -> None:
    before, scheme = schemes
    apply_scheme(qapp, before)
    window = open_window()
    apply_scheme(qapp, scheme)
    ground = qapp.palette().window().color()
    names = ["qt_toolbar_ext_button", "qt_dockwidget_closebutton"]
    signs = [x for name in names for x in window.findChildren(QAbstractButton, name)]
    signs = [x for x in signs if x.isVisible() or x.objectName() == names[0]]
    assert len(signs) == 3
    for sign in signs:
        picture = sign.icon().pixmap(QSize(32, 32)).toImage()
        dots = [
            picture.pixelColor(x, y)
            for x in range(picture.width())
            for y in range(picture.height())
        ]
        assert contrast(max(dots, key=QColor.alpha), ground) > 2 * PART
        assert sign.toolTip()
