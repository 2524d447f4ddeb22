"""Light and dark palettes, and icons tinted to match; used where the platform gives none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QByteArray, QEvent, QObject, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QScrollBar, QWidget

from rfstudio import paths
from rfstudio.app.state.settings import Settings

Scheme = Literal["system", "light", "dark"]

_SIZES = (16, 20, 24, 32, 48)

_LINE = 16
"""Height of a line of usual texts."""

_CLEAR = 3.2
"""Contrast to its ground that a line of data has in the dark; WCAG 2.2 (1.4.11) asks for 3."""

_DIM = 0.18
"""Luminance below which a ground is dark."""

_FUSION = 140
"""Percent by which Fusion makes borders darker."""


@dataclass(frozen=True, slots=True)
class _Colours:
    window: str
    base: str
    alternate: str
    text: str
    button: str
    accent: str
    on_accent: str
    disabled: str
    quiet: str
    line: str
    tooltip: str


_LIGHT = _Colours(
    window="#f3f4f6",
    base="#ffffff",
    alternate="#f7f8fa",
    text="#1c2128",
    button="#fafbfc",
    accent="#1f5fbf",
    on_accent="#ffffff",
    disabled="#8b929c",
    quiet="#646b76",
    line="#c9ced6",
    tooltip="#ffffff",
)
_DARK = _Colours(
    window="#23262b",
    base="#1a1d21",
    alternate="#1f2227",
    text="#e6e8eb",
    button="#2d3137",
    accent="#4f8fe8",
    on_accent="#0d1117",
    disabled="#757c87",
    quiet="#9aa3af",
    line="#3d424a",
    tooltip="#30343b",
)


_STYLE = "fusion"


def apply_scheme(application: QApplication, scheme: Scheme) -> None:
    """Make the program light, dark, or like the system.

    Qt sets the scheme if the platform supports that; otherwise we set a palette of our own.
    """
    wanted = {
        "system": Qt.ColorScheme.Unknown,
        "light": Qt.ColorScheme.Light,
        "dark": Qt.ColorScheme.Dark,
    }[scheme]
    with no_collection():
        # Without a sheet headers are lower, so that lists which show their end would move.
        places = [(x, x.value()) for x in application.allWidgets() if isinstance(x, QScrollBar)]
        # A sheet that replaces another is matched to each widget at once, hidden ones too, which
        # takes three times as long as to take the one off and to put the other on.
        application.setStyleSheet("")
        if application.style().name() != _STYLE:
            application.setStyle(_STYLE)
        hints = application.styleHints()
        hints.setColorScheme(wanted)
        is_dark = scheme == "dark" or (
            scheme == "system" and hints.colorScheme() == Qt.ColorScheme.Dark
        )
        colours = _DARK if is_dark else _LIGHT
        application.setPalette(_palette(colours))
        for kind in ("QLineEdit", "QAbstractSpinBox"):
            # The stubs require bytes, which the method refuses.
            application.setPalette(_palette_of_fields(colours), kind)  # type: ignore[arg-type]
        application.setStyleSheet(_style_sheet(colours))
        for bar, value in places:
            bar.setValue(value)


TEXT_SCALE = "text_scale"
"""Setting of how large texts are, as a factor."""

TEXT_SCALES = (1.0, 1.25, 1.5, 2.0)


def remembered_text_scale(settings: Settings) -> float:
    """Return how large texts shall be, which is never out of bounds, whatever the file says."""
    return min(max(settings.number(TEXT_SCALE, 1.0), TEXT_SCALES[0]), TEXT_SCALES[-1])


def scale_text(application: QApplication, factor: float) -> None:
    """Make all texts larger or smaller than the system's, for windows made from now on."""
    usual = application.property("usual_point_size")
    font = application.font()
    if usual is None:
        usual = font.pointSizeF()
        application.setProperty("usual_point_size", usual)
    font.setPointSizeF(usual * min(max(factor, TEXT_SCALES[0]), TEXT_SCALES[-1]))
    application.setFont(font)


def text_scale() -> float:
    """Return how much larger texts are than the system's, as `scale_text` has made them."""
    application = QApplication.instance()
    usual = None if application is None else application.property("usual_point_size")
    return QApplication.font().pointSizeF() / usual if usual else 1.0


def icon_size(usual: QSize) -> QSize:
    """Return the size of an icon beside texts of the size that `scale_text` has set.

    Icons are higher than letters at first, and so grow half as much: as high as letters of twice
    the size, they still leave the room to what the window is for.
    """
    return usual * ((1 + text_scale()) / 2)


def text_factor(widget: QWidget) -> float:
    """Return by how much the texts of a widget are larger than usual, in quarters; at least 1."""
    return max(round(4 * widget.fontMetrics().height() / _LINE) / 4, 1.0)


@contextmanager
def no_collection() -> Iterator[None]:
    """Disable the garbage collector meanwhile.

    While Qt walks over all widgets to restyle them, it calls Python; a collection at that time
    could delete an unreferenced widget that Qt still has to visit.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def is_dark(widget: QWidget | None = None) -> bool:
    """Whether text is lighter than its background."""
    palette = widget.palette() if widget else QGuiApplication.palette()
    return palette.windowText().color().lightness() > palette.window().color().lightness()


def muted(palette: QPalette) -> QColor:
    """Return the colour of secondary text: legible, but fainter than other text."""
    text, base = palette.text().color(), palette.base().color()
    share = 0.62

    def mixed(a: float, b: float) -> float:
        return share * a + (1 - share) * b

    return QColor.fromRgbF(
        mixed(text.redF(), base.redF()),
        mixed(text.greenF(), base.greenF()),
        mixed(text.blueF(), base.blueF()),
    )


def severity_colour(severity: str, *, dark: bool) -> QColor:
    """Return the colour of a remark: "error", "warning" or "note"; its icon differs too."""
    colours = {
        "error": ("#c62828", "#ff7b72"),
        "warning": ("#a15c00", "#f0b429"),
        "note": ("#1f5fbf", "#79b0ff"),
    }
    return QColor(colours.get(severity, colours["note"])[dark])


def clear_on(colour: QColor | str, ground: QColor) -> QColor:
    """Return a colour, on a dark ground light enough to be seen as a line there.

    The hue stays, so that it has the same name; on light grounds it is as it is in figures.
    """
    return QColor.fromRgba(_clear_on(QColor(colour).rgba(), ground.rgba()))


@lru_cache(maxsize=256)
def _clear_on(colour: int, ground: int) -> int:
    shown, below = QColor.fromRgba(colour), _luminance(QColor.fromRgba(ground))
    while below < _DIM and (_luminance(shown) + 0.05) / (below + 0.05) < _CLEAR:
        lightness = min(shown.lightnessF() + 0.02, 1.0)
        hue, saturation = shown.hslHueF(), shown.hslSaturationF()
        shown.setHslF(hue, saturation, lightness, shown.alphaF())
    return shown.rgba()


def _luminance(colour: QColor) -> float:
    """Return the relative luminance of a colour, as WCAG 2.2 defines it."""
    red, green, blue = (
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
        for x in (colour.redF(), colour.greenF(), colour.blueF())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def icon(name: str, colour: QColor | None = None) -> QIcon:
    """Return one of our icons in a colour, that of the palette's text by default.

    In a chosen row it has the colour of the row's text.  Icons without a colour are tinted when
    they are created; `IconTinter` renews those of actions and buttons when the palette changes.
    """
    palette = QGuiApplication.palette()
    normal = colour or palette.buttonText().color()
    grey = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    chosen = palette.highlightedText().color()
    return _tinted(name, normal.name(), grey.name(), chosen.name())


def give_icon(button: QAbstractButton, name: str, side: int = 16) -> None:
    """Give a button one of our icons, which `IconTinter` renews; `side` is that at usual texts."""
    button.setIconSize(icon_size(QSize(side, side)))
    button.setIcon(icon(name))
    button.setProperty("icon_name", name)


@lru_cache(maxsize=256)
def _source(name: str) -> str:
    return (paths.resources() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _tinted(name: str, normal: str, grey: str, chosen: str) -> QIcon:
    result = QIcon()
    modes = QIcon.Mode
    for mode, colour in ((modes.Normal, normal), (modes.Disabled, grey), (modes.Selected, chosen)):
        svg = QByteArray(_source(name).replace("currentColor", colour).encode())
        for size in _SIZES:
            result.addPixmap(_rendered(svg, size), mode)
    return result


def _rendered(svg: QByteArray, size: int) -> QPixmap:
    pixmap = QPixmap(QSize(size, size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(svg).render(painter)
    painter.end()
    return pixmap


class IconTinter(QObject):
    """Renews the icons of a window's actions and buttons when its palette changes.

    Every action or button with a property ``icon_name`` is renewed.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Renew the icons when the palette has changed."""
        if event.type() == QEvent.Type.PaletteChange:
            for child in self._window.findChildren(QObject):
                name = child.property("icon_name")
                if name:
                    child.setIcon(icon(name))  # type: ignore[attr-defined]
        return super().eventFilter(watched, event)


def _palette(colours: _Colours) -> QPalette:
    palette = QPalette(QColor(colours.button), QColor(colours.window))
    role = QPalette.ColorRole
    for roles, colour in (
        ((role.Window,), colours.window),
        ((role.Base,), colours.base),
        ((role.AlternateBase,), colours.alternate),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText), colours.text),
        ((role.Button,), colours.button),
        ((role.Highlight, role.Accent, role.Link), colours.accent),
        ((role.HighlightedText,), colours.on_accent),
        ((role.ToolTipBase,), colours.tooltip),
        ((role.PlaceholderText,), colours.quiet),
        ((role.Mid,), colours.line),
    ):
        for one in roles:
            palette.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(colours.disabled))
    return palette


def _palette_of_fields(colours: _Colours) -> QPalette:
    """Return the palette of fields to type in, whose borders can be seen in light and dark.

    Fusion draws their borders in the colour of the window, darker by `_FUSION`.
    """
    palette = _palette(colours)
    border = QColor(colours.disabled)
    value = min(border.value() * _FUSION // 100, 255)
    border.setHsv(border.hsvHue(), border.hsvSaturation(), value)
    palette.setColor(QPalette.ColorRole.Window, border)
    return palette


def _style_sheet(colours: _Colours) -> str:
    # Only what a palette cannot set in Fusion: faint lines between the panels, check boxes that can
    # be seen when they are empty, and no arrow over the last letter of a button with a menu.
    check = (paths.resources() / "icons" / "tick.svg").as_posix()
    return f"""
        QMainWindow::separator {{ background: {colours.line}; width: 1px; height: 1px; }}
        QToolBar {{ border: 0; border-bottom: 1px solid {colours.line};
                    padding: 3px; spacing: 2px; }}
        QStatusBar {{ border-top: 1px solid {colours.line}; }}
        QStatusBar::item {{ border: 0; }}
        QToolButton[popupMode="2"]::menu-indicator {{ image: none; }}
        QCheckBox {{ spacing: 6px; }}
        QCheckBox::indicator {{ width: 1em; height: 1em; border-radius: 3px;
                    border: 1px solid {colours.disabled}; background: {colours.base}; }}
        QCheckBox::indicator:checked {{ background: {colours.accent};
                    border-color: {colours.accent}; image: url({check}); }}
        QCheckBox::indicator:focus {{ border-color: {colours.accent}; }}
        QToolTip {{ color: {colours.text}; background: {colours.tooltip};
                    border: 1px solid {colours.line}; padding: 4px; }}
        QHeaderView::section {{ background: {colours.window}; color: {colours.text};
                    border: 0; border-bottom: 1px solid {colours.line}; padding: 3px 6px 3px 9px; }}
    """
