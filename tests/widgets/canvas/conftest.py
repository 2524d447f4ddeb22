"""A canvas on a network written as YAML, and what a user sees and does on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.image_source import ImageSource, Picture
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.canvas.canvas import Canvas
from tests.measurements import FakeMeasurements

GREEN = (0, 160, 0)


class Bench:
    """A canvas with its state."""

    def __init__(self, architecture: Architecture, settings: Settings) -> None:
        self.document = Document(architecture)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.pictures = ImageSource()
        self.measurements = FakeMeasurements(self.session)
        self.view = ErfView(self.session, self.selection, self.measurements)
        self.settings = settings
        self.show_picture(np.full((20, 30, 3), GREEN, np.uint8))
        self.canvas = self.another_canvas()
        self.hovered: list[str] = []
        self.canvas.hovered.connect(self.hovered.append)

    def another_canvas(self) -> Canvas:
        return Canvas(
            self.session,
            self.selection,
            self.pictures,
            self.view,
            settings=self.settings,
        )

    def show_picture(self, pixels: np.ndarray) -> None:
        self.pictures._set(Picture("test", Path("test.png"), pixels))

    def at(self, y: float, x: float) -> QPoint:
        """The point of the viewport over a position of the input."""
        return self.canvas.view.viewport_point(QPointF(x, y)).toPoint()

    def position(self, point: QPoint) -> tuple[float, float]:
        found = self.canvas.view.plane_point(QPointF(point))
        return found.y(), found.x()

    @property
    def viewport(self):
        return self.canvas.view.viewport()

    @property
    def scene(self):
        return self.canvas.view.item.scene_shown

    def switch(self, *keys: str, on: bool = True) -> None:
        for key in keys:
            self.canvas.switches.actions_by_key[key].setChecked(on)

    def switches_height(self) -> int:
        return self.canvas.switches.height()

    def pixels(self) -> np.ndarray:
        """What is on the screen, (h, w, 3)."""
        image = (
            self.viewport.grab()
            .toImage()
            .convertToFormat(self.viewport.grab().toImage().Format.Format_RGB888)
        )
        flat = np.frombuffer(image.constBits(), np.uint8)
        rows = flat.reshape(image.height(), image.bytesPerLine())
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def network(layers: str, size: str = "[64, 64]") -> Architecture:
    text = f"format: 1\nname: test\ninput: {{size: {size}, channels: 3}}\nlayers:\n{layers}"
    return read_yaml(text, "test.yaml")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def bench(qtbot: QtBot, settings: Settings) -> Callable[..., Bench]:
    def make(
        layers: str | Architecture, size: str = "[64, 64]", window: tuple[int, int] = (700, 760)
    ) -> Bench:
        architecture = layers if isinstance(layers, Architecture) else network(layers, size)
        made = Bench(architecture, settings)
        qtbot.addWidget(made.canvas)
        made.canvas.resize(*window)
        with qtbot.waitExposed(made.canvas):
            made.canvas.show()
        made.canvas.fit()
        return made

    return make
