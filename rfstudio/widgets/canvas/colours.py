"""The colours of data: the same in light and dark, each with a line style of its own.

They are those of the exported figures.  Red and blue differ for every kind of colour vision, and
each kind of mark also has its own form: a solid line, dashes, shading, dots.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QColor

THEORETICAL: Final = QColor("#d62728")
"""Solid frame of the theoretical region."""

LOCAL: Final = QColor("#8c3fd1")
"""Dots and dashes around the local field, where a gate sees the whole image."""

VISIBLE: Final = QColor("#111111")
"""Dashes around the visible region, on a white band."""

ERF: Final = QColor("#1252d9")
"""Shading of the effective receptive field."""

LESS: Final = QColor("#d55e00")
"""Orange where one field is below another; where it is above, the blue of fields is used."""

SUPPORT: Final = QColor("#00a6a6")
"""Dots on the pixels that reach the unit."""

NESTED: Final = QColor("#ffb000")
"""Thin frames of the layers on the way."""

HALO: Final = QColor(255, 255, 255, 215)
"""Band under lines and dots, so that they can be seen on any photo."""

DIM: Final = QColor(10, 12, 16, 150)
"""Veil over what the unit does not see."""

TILE: Final = QColor(18, 82, 217, 46)
"""Veil over what a tile reads; where two overlap it is darker."""

SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Curves of several networks (Okabe and Ito); each also has its own symbol."""

PIN = QColor(0, 110, 80)
"""Frames and letters of pins."""

PIN_DASHES = ([9.0, 3.0], [2.0, 2.0], [9.0, 3.0, 2.0, 3.0], [5.0, 5.0])
"""The dashes of each pin, so that they are told apart without colours."""

PIN_SAMPLES = ("▬▬ ▬▬", "▪▪▪", "▬▬ ▪", "▬ ▬")
"""The same dashes in a line of text."""
