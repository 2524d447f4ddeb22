"""Draws the program's sign in the sizes that desktops take: `python -m tools.icons FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from rfstudio import paths

SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
"""Sides of the pictures, in pixels."""


def draw(folder: Path) -> None:
    """Write a picture of each size into a folder."""
    sign = QSvgRenderer(str(paths.resources() / "icons" / "rfstudio.svg"))
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        sign.render(painter)
        painter.end()
        target = folder / f"rfstudio-{size}.png"
        if not image.save(str(target)):
            raise OSError(f"{target} cannot be written")


if __name__ == "__main__":
    application = QGuiApplication(sys.argv)
    draw(Path(sys.argv[1]))
