"""The contrast of two colours, as WCAG 2.2 defines it."""

from __future__ import annotations

from PySide6.QtGui import QColor

TEXT, PART = 4.5, 3.0
"""Least contrast of text (success criterion 1.4.3) and of what shows where a field is (1.4.11)."""


def luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: QColor, other: QColor) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
