"""A whole window with a user who answers as a test tells him, and the state behind one panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.files.presets import read_preset
from rfstudio.app.frames import Frames
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.window.questions import Questions


class Answers:
    """Answers the window's questions; keeps what was asked and told."""

    def __init__(self) -> None:
        self.save: str = "cancel"
        self.path: Path | None = None
        self.overwrite = False
        self.chosen_figure: FigureSettings | None = None
        self.chosen_model: ImportRequest | None = None
        self.chosen_size: tuple[int, ...] | None = None
        self.suggested_size: tuple[int, ...] | None = None
        self.offered_figures: list[FigureSettings] = []
        self.asked: list[str] = []
        self.reports: list[tuple[str, str]] = []

    def save_changes(self, parent, name: str) -> str:
        self.asked.append(name)
        return self.save

    def path_to_open(self, parent, title: str, folder: Path, kinds: str) -> Path | None:
        return self.path

    def path_to_save(self, parent, title: str, suggestion: Path, kinds: str) -> Path | None:
        return self.path

    def may_overwrite(self, parent, name: str) -> bool:
        self.asked.append(f"overwrite {name}")
        return self.overwrite

    def figure(self, parent, figure: FigureSettings, workshop=None) -> FigureSettings | None:
        self.offered_figures.append(figure)
        return self.chosen_figure or figure

    def model(self, parent, text: str, size: tuple[int, ...] | None) -> ImportRequest | None:
        self.asked.append(f"model {text}".strip())
        self.suggested_size = size
        return self.chosen_model

    def image_size(self, parent, text: str) -> tuple[int, ...] | None:
        self.asked.append(text)
        return self.chosen_size

    def recover(self, parent, left) -> None:
        self.asked += [x.name for x in left]

    def tell(self, parent, text: str) -> None:
        self.reports.append((text, ""))

    def report(self, parent, text: str, detail: str = "") -> None:
        self.reports.append((text, detail))


def conv(name: str, kernel_size: int = 3, stride: int = 1) -> Layer:
    op = ops.Conv(kernel_size=kernel_size, stride=stride, padding=kernel_size // 2, out_channels=3)
    return Layer(op, name)


SMALL = Architecture(
    name="small",
    input_size=(32, 32),
    layers=(
        conv("stem"),
        Repeat(2, (Residual((conv("a"), conv("b"))), Layer(ops.Relu())), "stage"),
        conv("head"),
    ),
)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture(autouse=True)
def _fields_are_in_time_for_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test depend on the speed of the machine; those of slices choose their own."""
    monkeypatch.setattr(slices, "AT_ONCE", 60.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def open_window(qtbot: QtBot, answers: Answers, settings: Settings) -> Iterator[Callable]:
    from rfstudio.widgets.window.main_window import MainWindow

    windows = []

    def make(
        architecture: Architecture = SMALL,
        size: tuple[int, int] = (1440, 900),
        runner: JobRunner | None = None,
        frames: Frames | None = None,
    ):
        studio = Studio(architecture, settings=settings, runner=runner)
        window = MainWindow(studio, cast("Questions", answers), frames)
        windows.append(window)
        window.resize(*size)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        return window

    yield make
    answers.save = "discard"
    for window in windows:
        window.close()
        window.deleteLater()


@pytest.fixture
def window(open_window: Callable):
    return open_window()


class State:
    """A document with its analysis and selection."""

    def __init__(self, architecture: Architecture) -> None:
        self.document = Document(architecture)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)


@pytest.fixture
def state() -> Iterator[Callable[..., State]]:
    made: list[State] = []

    def make(network: Architecture | str) -> State:
        made.append(State(read_preset(network) if isinstance(network, str) else network))
        return made[-1]

    yield make
    for each in made:
        each.session.drop()  # what is known of a large network may still be worked out


@pytest.fixture
def shown(qtbot: QtBot) -> Callable:
    def show(widget, size: tuple[int, int] = (800, 260)):
        qtbot.addWidget(widget)
        widget.resize(*size)
        with qtbot.waitExposed(widget):
            widget.show()
        return widget

    return show
