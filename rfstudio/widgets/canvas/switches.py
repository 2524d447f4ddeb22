"""The bar under the canvas: a legend whose entries switch what they explain."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QLabel, QMenu, QSlider, QToolButton, QWidget, QWidgetAction

from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.terms import HINT, Question, entry_of_label, first_of
from rfstudio.widgets.canvas.colours import DIM, HALO, LOCAL, NESTED, SUPPORT, THEORETICAL, VISIBLE
from rfstudio.widgets.canvas.shading import COLOUR_MAPS, CONTOURS, Shading, colour_steps
from rfstudio.widgets.parts.explaining import explain_by
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.theme import icon_size

_SWATCH = QSize(26, 16)

_ROOM = 100
"""Average characters of width below which the labels are without numbers, in two rows."""
_ROOM_FOR_WORDS = 66
"""Average characters of width below which there are only the swatches."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing on the canvas that can be shown or hidden.

    Attributes
    ----------
    key
        Its name in settings and code.
    label
        Its label in the bar.
    meaning
        What it is, for the tooltip.
    is_on
        Whether it is shown when the program starts for the first time.
    shortcut
        The key that switches it while the canvas has the focus.
    """

    key: str
    label: str
    meaning: str
    is_on: bool
    shortcut: str


SWITCHES = (
    Switch(
        "theoretical",
        "Theoretical",
        "Solid red: all that the unit could see, from kernel sizes, strides and dilations alone. "
        "It may leave the image; the hatched part is padding.",
        True,
        "R",
    ),
    Switch(
        "local",
        "Local",
        "Dashes and dots: the local field, of the convolutions alone, where the unit sees the "
        "whole image through a gate, a norm over the map or attention.",
        True,
        "L",
    ),
    Switch(
        "visible",
        "Visible",
        "Dashed: the smallest frame around the pixels that really reach the unit, with the border "
        "of every layer's map taken into account.",
        True,
        "V",
    ),
    Switch(
        "erf",
        "ERF",
        "Blue shading, the effective receptive field: how strongly each pixel affects the unit. "
        "Expected: computed for random weights. Measured: from gradients.",
        True,
        "E",
    ),
    Switch(
        "support",
        "Support",
        "Dots: the pixels that reach the unit, where dilation or strides leave holes in between.",
        True,
        "S",
    ),
    Switch(
        "centres",
        "Centres",
        "Small dots: the centres of the layer's units. They are jump pixels apart.",
        False,
        "U",
    ),
    Switch(
        "nested",
        "All layers",
        "Thin frames: the fields of all layers on the way, the first one innermost.",
        False,
        "A",
    ),
    Switch("dim", "Dim", "What the unit does not see is dimmed.", True, "D"),
    Switch(
        "gray",
        "Gray",
        "The photo without its colours, so that the blue of the shading is easier to see.",
        False,
        "G",
    ),
)


class SwitchBar(QWidget):
    """Explains what is drawn, shows or hides it, and remembers that.

    Signals
    -------
    switched
        A switch or the look of the shading changed.
    """

    switched = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.actions_by_key: dict[str, QAction] = {}
        self._buttons: dict[str, QToolButton] = {}
        self._is_short = False
        self._has_words = True
        # What is drawn of the unit, and below it what is drawn beside.
        layout = FlowLayout(self, 3, second_row=[x.key for x in SWITCHES].index("centres"))
        for switch in SWITCHES:
            layout.addWidget(self._button(switch))
        self._shading = Shading(
            colours=_one_of(settings.text("canvas/colours"), COLOUR_MAPS),
            scale="log" if settings.text("canvas/scale") == "log" else "linear",
            contour=_nearest(settings.number("canvas/contour", 0.0), CONTOURS),
            opacity=min(max(settings.number("canvas/opacity", Shading().opacity), 0.1), 1.0),
        )
        self._buttons["erf"].setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._buttons["erf"].setMenu(self._shading_menu())
        self._draw_swatches()

    def is_on(self, key: str) -> bool:
        """Whether a switch is on."""
        return self.actions_by_key[key].isChecked()

    @property
    def shading(self) -> Shading:
        """How the effective field is shown."""
        return self._shading

    def set_detail(self, key: str, detail: str) -> None:
        """Show a number or a word after a label: ``Theoretical 196×196``."""
        switch = next(x for x in SWITCHES if x.key == key)
        text = f"{switch.label} {detail}".strip()
        button = self._buttons[key]
        if button.accessibleName() != text:
            button.setAccessibleName(text)
            self._label(button, switch.label if self._is_short else text)

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked of the switch at a place; None: of all that explain a term."""
        return first_of(
            Question(x.label, entry_of_label(x.label))
            for x in SWITCHES
            if place is None or self._buttons[x.key].geometry().contains(place)
        )

    def forget_widths(self) -> None:
        """Let the buttons shrink to the width that they need for another network."""
        for switch in SWITCHES:
            button = self._buttons[switch.key]
            button.setMinimumWidth(0)
            self._label(button, switch.label if self._is_short else button.accessibleName())

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return the height at a width, at which numbers or all words may be left out."""
        character = self.fontMetrics().averageCharWidth()
        is_short, has_words = width < _ROOM * character, width >= _ROOM_FOR_WORDS * character
        if (is_short, has_words) != (self._is_short, self._has_words):
            self._is_short, self._has_words = is_short, has_words
            style = Qt.ToolButtonStyle
            for button in self._buttons.values():
                button.setToolButtonStyle(
                    style.ToolButtonTextBesideIcon if has_words else style.ToolButtonIconOnly
                )
            self.forget_widths()
        return super().heightForWidth(width)

    @staticmethod
    def _label(button: QToolButton, text: str) -> None:
        if button.text() != text:
            button.setText(text)
            # Never narrower than before: rows must not wrap differently while the unit is dragged.
            button.setMinimumWidth(max(button.minimumWidth(), button.sizeHint().width()))

    def set_available(self, key: str, is_available: bool) -> None:
        """Disable what has nothing to show."""
        self._buttons[key].setEnabled(is_available)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Redraw the swatches when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._buttons:
            self._draw_swatches()

    def _button(self, switch: Switch) -> QToolButton:
        action = QAction(switch.label, self)
        action.setCheckable(True)
        action.setChecked(self._settings.flag(f"canvas/{switch.key}", switch.is_on))
        action.setShortcut(switch.shortcut)
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.toggled.connect(lambda is_on, key=switch.key: self._switch(key, is_on))
        self.actions_by_key[switch.key] = action
        button = QToolButton()
        explain_by(button, entry_of_label(switch.label), switch.label)
        button.setCheckable(True)
        button.setChecked(action.isChecked())
        button.setText(switch.label)
        action.changed.connect(lambda: _tell_key(button, switch, action))
        _tell_key(button, switch, action)
        button.setAccessibleName(switch.label)
        button.setAccessibleDescription(switch.meaning)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(icon_size(_SWATCH))
        button.setAutoRaise(True)
        button.toggled.connect(action.setChecked)
        action.toggled.connect(button.setChecked)
        self._buttons[switch.key] = button
        return button

    def _switch(self, key: str, is_on: bool) -> None:
        self._settings.set(f"canvas/{key}", is_on)
        self.switched.emit()

    # --- look of the shading --------------------------------------------------------------------

    def _shading_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAccessibleName("Look of the effective field")
        scales = QActionGroup(menu)
        for scale, text in (("linear", "Linear"), ("log", "Logarithmic, three decades")):
            self._choice(menu, scales, text, self._shading.scale == scale, scale=scale)
        menu.addSeparator()
        colours = QActionGroup(menu)
        for name in COLOUR_MAPS:
            self._choice(
                menu, colours, name.capitalize(), self._shading.colours == name, colours=name
            )
        menu.addSeparator()
        contours = QActionGroup(menu)
        for share in CONTOURS:
            text = f"Contour at {100 * share:.3g} % of the peak" if share else "No contour"
            self._choice(menu, contours, text, self._shading.contour == share, contour=share)
        menu.addSeparator()
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(10, 100)
        self.opacity.setValue(round(self._shading.opacity * 100))
        self.opacity.setAccessibleName("Opacity of the effective field, in percent")
        self.opacity.valueChanged.connect(lambda value: self._look(opacity=value / 100))
        holder = QWidget()
        row = FlowLayout(holder, 6)
        row.addWidget(QLabel("Opacity"))
        self.opacity.setMinimumWidth(120)
        row.addWidget(self.opacity)
        holder.setMinimumWidth(210)
        entry = QWidgetAction(menu)
        entry.setDefaultWidget(holder)
        menu.addAction(entry)
        return menu

    def _choice(
        self, menu: QMenu, group: QActionGroup, text: str, is_on: bool, **look: str | float
    ) -> None:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_on)
        group.addAction(action)
        action.triggered.connect(lambda: self._look(**look))

    def _look(self, **look: str | float) -> None:
        values = {
            "colours": self._shading.colours,
            "scale": self._shading.scale,
            "opacity": self._shading.opacity,
            "contour": self._shading.contour,
            **look,
        }
        self._shading = Shading(**values)  # type: ignore[arg-type]
        for key, value in look.items():
            self._settings.set(f"canvas/{key}", value)
        self._draw_swatches()
        self.switched.emit()

    # --- swatches -------------------------------------------------------------------------------

    def _draw_swatches(self) -> None:
        for key, button in self._buttons.items():
            button.setIcon(self._swatch(key))

    def _swatch(self, key: str) -> QIcon:
        ratio = self.devicePixelRatioF()
        size = icon_size(_SWATCH)
        pixmap = QPixmap(size * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        larger = size.width() / _SWATCH.width()
        painter.scale(larger, larger)
        _draw_swatch(painter, key, self._shading.colours)
        painter.end()
        return QIcon(pixmap)


def _tell_key(button: QToolButton, switch: Switch, action: QAction) -> None:
    keys = action.shortcut().toString()
    key = f"Key: <b>{keys}</b>. " if keys else ""
    tip = f"<p>{switch.meaning}</p><p>{key}{HINT}</p>"
    if button.toolTip() != tip:
        button.setToolTip(tip)


def _draw_swatch(painter: QPainter, key: str, colours: str) -> None:
    """Draw a sample of a mark in the style in which it is drawn on the canvas."""
    frame = QRectF(4.5, 2.5, 17, 11)
    match key:
        case "theoretical":
            painter.setPen(QPen(THEORETICAL, 3))
            painter.drawRect(frame)
        case "local":
            painter.setPen(QPen(HALO, 4))
            painter.drawRect(frame)
            pen = QPen(LOCAL, 2)
            pen.setDashPattern([3.5, 1.6, 0.9, 1.6])
            painter.setPen(pen)
            painter.drawRect(frame)
        case "visible":
            painter.setPen(QPen(HALO, 4))
            painter.drawRect(frame)
            pen = QPen(VISIBLE, 1.8)
            pen.setDashPattern([2.6, 2.2])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawRect(frame)
        case "erf":
            painter.fillRect(QRectF(1, 1, 24, 14), QColor("#ffffff"))
            steps = colour_steps(colours, 12)
            for i, (red, green, blue, alpha) in enumerate(steps):
                share = alpha / 255 or 1.0
                colour = QColor(
                    round(red / share), round(green / share), round(blue / share), alpha
                )
                painter.fillRect(QRectF(1 + 2 * i, 1, 2, 14), colour)
        case "support":
            _draw_dots(painter, SUPPORT, 3.2)
        case "centres":
            _draw_dots(painter, VISIBLE, 1.8)
        case "nested":
            painter.fillRect(QRectF(1, 1, 24, 14), QColor("#4a4f57"))
            painter.setPen(QPen(NESTED, 1))
            for i in range(3):
                painter.drawRect(QRectF(3.5 + 3 * i, 2.5 + 2 * i, 19 - 6 * i, 11 - 4 * i))
        case "dim":
            painter.fillRect(QRectF(1, 1, 24, 14), QColor("#c9ced6"))
            painter.fillRect(QRectF(1, 1, 24, 14), DIM)
            painter.fillRect(QRectF(8, 4, 10, 8), QColor("#f2f4f7"))
        case _:
            painter.setPen(Qt.PenStyle.NoPen)
            for i, gray in enumerate(("#6f6f6f", "#a0a0a0", "#d2d2d2")):
                painter.fillRect(QRectF(QPointF(1 + 8 * i, 1), QSize(8, 14)), QColor(gray))


def _draw_dots(painter: QPainter, colour: QColor, size: float) -> None:
    painter.fillRect(QRectF(1, 1, 24, 14), QColor("#9aa0a8"))
    for x in range(4, 25, 6):
        for y in (4, 11):
            corner = QPointF(x - size / 2, y - size / 2)
            halo = QRectF(corner, QSizeF(size, size)).adjusted(-0.8, -0.8, 0.8, 0.8)
            painter.fillRect(halo, HALO)
            painter.fillRect(QRectF(corner, QSizeF(size, size)), colour)


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    return text if text in choices else choices[0]


def _nearest(number: float, choices: tuple[float, ...]) -> float:
    return min(choices, key=lambda x: abs(x - number))
