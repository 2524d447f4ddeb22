"""Pictures of the window in every look; the one in the README is taken here.

Set RFSTUDIO_PICTURES to a folder to keep all of them for looking at; ``docs`` renews the
README's.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.files import presets
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.image_source import sample_images
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.parts.theme import Scheme, apply_scheme
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import instance

ROOT = Path(__file__).resolve().parents[3]
README_PICTURE = ROOT / "docs" / "window.png"
LARGE, SMALL = (1440, 900), (1024, 700)


def picture_of(
    qtbot: QtBot, settings: Settings, network: str, scheme: Scheme, size: tuple[int, int]
) -> QImage:
    apply_scheme(instance(QApplication, QApplication.instance()), scheme)
    architecture = presets.read_preset(network) if network else Architecture()
    studio = Studio(architecture, settings=settings, runner=JobRunner())
    studio.images.open(sample_images()[0])
    window = MainWindow(studio)
    qtbot.addWidget(window)
    window.resize(*size)
    with qtbot.waitExposed(window):
        window.show()
    with qtbot.waitCallback() as painted:
        # Behind whatever the first paint has put off until the loop is free.
        from PySide6.QtCore import QTimer

        QTimer.singleShot(100, painted)
    image = window.grab().toImage()
    window.close()
    return image


def share(image: QImage, wanted: str, tolerance: int = 24) -> float:
    """Return the share of pixels that are near a colour."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 3 * image.width()].reshape(-1, 3).astype(int)
    colour = QColor(wanted)
    apart = np.abs(pixels - (colour.red(), colour.green(), colour.blue()))
    return float((apart < tolerance).all(axis=1).mean())


@pytest.mark.parametrize("size", [LARGE, pytest.param(SMALL, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("network", ["vgg16", ""])
def test_that_the_window_shows_itself_in_every_look(
    qtbot: QtBot, settings: Settings, network: str, scheme: Scheme, size: tuple[int, int]
) -> None:
    image = picture_of(qtbot, settings, network, scheme, size)
    assert (image.width(), image.height()) == size
    assert share(image, "#f3f4f6" if scheme == "light" else "#23262b") > 0.1
    if network:
        assert share(image, "#d62728", 40) > 0.0005  # the red frame
    keep(image, f"window-{network or 'empty'}-{scheme}-{size[0]}.png")
    is_wanted = os.environ.get("RFSTUDIO_PICTURES") == "docs" or not README_PICTURE.exists()
    if is_wanted and (network, scheme, size) == ("vgg16", "light", LARGE):
        assert image.save(str(README_PICTURE))


def keep(image: QImage, name: str) -> None:
    folder = os.environ.get("RFSTUDIO_PICTURES", "")
    if folder and folder != "docs":
        image.save(str(Path(folder) / name))
