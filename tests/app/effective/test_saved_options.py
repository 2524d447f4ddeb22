"""Options of measuring outlive the program; what makes no sense any more is the default."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.saved_options import remember, remembered
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core.network.architecture import Architecture
from tests.narrowing import present

OTHERS = ErfOptions(
    estimator="occlusion",
    activation="after",
    inputs="folder",
    folder=Path("/photos, mine/100 %"),
    weights="/w/a=b;c.safetensors",
    seed=2**31 - 1,
    images_per_weights=7,
    batch_norm="train",
    samples=100_000,
    dtype="float64",
    device="cuda:1",
    patch=3,
    stride=2,
    fill=-0.25,
    amplitude=2.5,
)


def test_that_every_option_comes_back_but_a_channel_of_another_network(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    assert remembered(settings).is_default
    remember(settings, ErfOptions(**asdict(OTHERS) | {"channel": 5}))
    settings.sync()
    again = Settings(tmp_path / "settings.ini")
    assert asdict(remembered(again)) == asdict(OTHERS)
    remember(again, ErfOptions())
    assert remembered(again).is_default


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("estimator", "best"),
        ("samples", "0"),
        ("samples", "many"),
        ("samples", "3.5"),
        ("samples", "9" * 5000),
        ("fill", "nan"),
        ("fill", "inf"),
        ("amplitude", "-1"),
        ("device", "cuda:x; rm"),
        ("weights", ""),
        ("weights", "relative.pt"),
        ("inputs", "folder"),  # of which none is known
        ("dtype", "float16"),
    ],
)
def test_that_a_value_that_makes_no_sense_is_the_default(
    tmp_path: Path, name: str, text: str
) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.set(f"measuring/{name}", text)
    assert remembered(settings).is_default


def test_that_a_list_where_a_text_belongs_is_the_default(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.set("measuring/weights", ["random", "uniform"])
    settings.set("measuring/folder", ["a", "b"])
    assert remembered(settings).is_default


def test_that_the_program_starts_with_the_options_of_its_last_run(
    qapp: QCoreApplication, tmp_path: Path
) -> None:
    found = []
    for _ in range(2):
        settings = Settings(tmp_path / "settings.ini")
        studio = Studio(Architecture(), settings=settings, runner=JobRunner())
        session, following = present(studio.erf_session), present(studio.following)
        found.append(session.options.samples)
        session.set_options(samples=77)
        following.switch(True)
        studio.shutdown()
        assert not following.is_on  # nothing is measured by itself at the next start
    assert found == [ErfOptions().samples, 77]
