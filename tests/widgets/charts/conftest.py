"""The state behind a chart, for a network written as YAML or a preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.analysis_session import AnalysisSession
from rfstudio.app.document import Document
from rfstudio.app.presets import read_preset
from rfstudio.app.selection import Selection
from rfstudio.app.settings import Settings
from rfstudio.core.architecture import Architecture


class State:
    """A document with its analysis and selection."""

    def __init__(self, architecture: Architecture) -> None:
        self.document = Document(architecture)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def state() -> Callable[..., State]:
    def make(network: Architecture | str) -> State:
        return State(read_preset(network) if isinstance(network, str) else network)

    return make


@pytest.fixture
def shown(qtbot: QtBot) -> Callable:
    def show(widget, size: tuple[int, int] = (800, 260)):
        qtbot.addWidget(widget)
        widget.resize(*size)
        with qtbot.waitExposed(widget):
            widget.show()
        return widget

    return show
