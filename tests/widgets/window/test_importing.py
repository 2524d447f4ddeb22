"""Models that are imported in the window: what is asked, what runs, and what is remembered."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.files.importing import preview
from rfstudio.app.files.opening import LAST, opening_for
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.settings import Settings
from rfstudio.core import ops
from rfstudio.core.network.architecture import Layer
from rfstudio.engine.requests.request import OWN_WEIGHTS
from rfstudio.importing.imported import Imported
from rfstudio.importing.reference import Reference, reference_of
from rfstudio.importing.report import Remark, Report
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.window.import_progress import ImportProgress
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.model_dialog import ModelDialog

_CODE = """\"\"\"A network.\"\"\"
import pathlib
import time

from torch import nn

pathlib.Path(__file__).with_suffix(".ran").touch()


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2))


def slow():
    time.sleep(600)


def wrong():
    raise ValueError("no weights here")
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(_CODE)
    return path


def _has_run(code: Path) -> bool:
    return code.with_suffix(".ran").exists()


def _reference(text: str) -> Reference:
    found = reference_of(text)
    assert found is not None
    return found


# --- the question --------------------------------------------------------------------------------


def test_that_the_question_shows_the_code_and_runs_nothing(qtbot: QtBot, code: Path) -> None:
    dialog = ModelDialog()
    qtbot.addWidget(dialog)
    assert not dialog.run.isEnabled()
    dialog.model.setText(f"{code}:Net")
    assert str(code) in dialog.what.text()
    assert "class Net(nn.Sequential):" in dialog.code.toPlainText()
    assert dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).isDefault()
    dialog.image_size.setText("64, 48")
    dialog.run.click()
    assert dialog.request == ImportRequest(_reference(f"{code}:Net"), (64, 48))
    assert not _has_run(code)


def test_that_a_file_that_is_chosen_comes_with_its_last_name(
    qtbot: QtBot, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(code), ""))
    dialog = ModelDialog()
    qtbot.addWidget(dialog)
    dialog.browse.click()
    assert dialog.model.text() == f"{code}:wrong"
    assert dialog.model.selectedText() == "wrong"
    assert dialog.run.isEnabled()
    assert not _has_run(code)


@pytest.mark.parametrize(
    ("model", "size"),
    [("", "224"), ("net", "224 224"), ("no.such.module:f", "9 9"), ("{}:Net", "0 5"), ("{}:", "5")],
)
def test_that_an_incomplete_question_cannot_be_answered(
    qtbot: QtBot, code: Path, model: str, size: str
) -> None:
    dialog = ModelDialog(model.format(code))
    qtbot.addWidget(dialog)
    dialog.image_size.setText(size)
    assert not dialog.run.isEnabled()
    assert dialog.request is None


def test_that_a_module_is_found_without_importing_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "package_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit")
    lines = [*(f"# {i}" for i in range(50)), "def make():", "    return 1"]
    (folder / "nets.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = preview(_reference("package_of_a_test.nets:make"))
    assert found.path == folder / "nets.py"
    assert found.text.startswith("# 0\n# 1\n")
    assert found.text.endswith("…\ndef make():\n    return 1")
    assert "package_of_a_test" not in sys.modules


# --- the window ----------------------------------------------------------------------------------


@pytest.fixture
def window(open_window: Callable[..., MainWindow]) -> MainWindow:
    return open_window(runner=JobRunner(preload=()))


def _progress(window: MainWindow) -> ImportProgress:
    (found,) = window.findChildren(ImportProgress)
    return found


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "Imported net.onnx"),
        (1, "Imported net.onnx, with 1 remark on it in the list of problems"),
        (2, "Imported net.onnx, with 2 remarks on it in the list of problems"),
    ],
)
def test_that_remarks_on_an_import_are_announced_if_there_are_any(
    window: MainWindow, qtbot: QtBot, count: int, said: str
) -> None:
    network = Imported(report=Report((Remark("merged", "", "two into one"),) * count))
    with qtbot.waitSignal(window.files.announced) as announced:
        window.studio.importing.succeeded.emit(ImportRequest(Path("net.onnx")), network)
    assert announced.args == [said]


def _small_import() -> Imported:
    layers = (Layer(ops.Conv(out_channels=2, kernel_size=3), "c"), Layer(ops.Relu(), "r"))
    return Imported(name="net", input_size=(16, 16), layers=layers, original=layers)


def test_that_what_is_copied_of_an_edited_import_is_the_edited_network(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "net.onnx"
    window.studio.importing.succeeded.emit(ImportRequest(model), _small_import())
    window.actions_.copy_command.trigger()
    assert QGuiApplication.clipboard().text().startswith(f"rfstudio erf {model} ")
    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    window.actions_.copy_python.trigger()
    names: dict[str, Any] = {}
    exec(QGuiApplication.clipboard().text(), names)
    assert names["layer"].rf_size == window.studio.analysis.analysis["r"].rf_size == (5, 5)
    assert window.status.currentMessage() == "Python lines copied"


def test_that_a_field_with_the_weights_of_an_edited_import_is_not_copied(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.studio.importing.succeeded.emit(ImportRequest(Path("net.onnx")), _small_import())
    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    QGuiApplication.clipboard().setText("before")
    own = ErfOptions(weights=OWN_WEIGHTS)
    monkeypatch.setattr(window.files.copies, "_shown_options", lambda: own)
    for action in (window.actions_.copy_python, window.actions_.copy_command):
        action.trigger()
        assert "weights of the imported model" in window.status.currentMessage()
        assert QGuiApplication.clipboard().text() == "before"
    assert window.files.copies.field_command() == ""


@pytest.mark.slow
def test_that_models_are_imported_beside_the_window(
    window: MainWindow, answers, qtbot: QtBot, code: Path, settings: Settings
) -> None:
    # One after the other in one window, since every window starts a worker of its own.
    _cancel_ends_an_import(window, answers, qtbot, code)
    _an_error_of_the_code_is_told(window, answers, qtbot, code)
    _a_module_is_shown_and_measured_itself(window, answers, qtbot, code)
    _a_program_is_opened_like_any_file(window, answers, qtbot, code.with_name("net.pt2"))
    assert settings.text(LAST) == ""


def _choose(window: MainWindow, answers, code: Path, name: str) -> None:
    answers.chosen_model = ImportRequest(_reference(f"{code}:{name}"), (32, 24))
    window.actions_.open_model.trigger()


def _cancel_ends_an_import(window, answers, qtbot: QtBot, code: Path) -> None:
    answers.chosen_model = None
    window.actions_.open_model.trigger()  # the answer is no
    assert not window.studio.importing.is_running
    before = window.studio.document.architecture
    _choose(window, answers, code, "slow")
    progress = _progress(window)
    qtbot.waitUntil(lambda: progress.progress.value() > 0, timeout=60_000)
    with qtbot.waitSignal(window.studio.importing.ended, timeout=20_000):
        progress.buttons.button(QDialogButtonBox.StandardButton.Cancel).click()
    assert window.studio.document.architecture is before
    assert answers.reports == []


def _an_error_of_the_code_is_told(window, answers, qtbot: QtBot, code: Path) -> None:
    with qtbot.waitSignal(window.studio.importing.ended, timeout=60_000):
        _choose(window, answers, code, "wrong")
    ((text, why),) = answers.reports
    assert text == f"“{code}:wrong” was not imported."
    assert "ValueError: no weights here" in why
    answers.reports.clear()


def _a_module_is_shown_and_measured_itself(window, answers, qtbot: QtBot, code: Path) -> None:
    with qtbot.waitSignal(window.studio.importing.ended, timeout=120_000):
        _choose(window, answers, code, "Net")
    assert [x.name for x in window.studio.analysis.analysis.layers] == ["0", "1", "2"]
    assert window.studio.document.architecture.input_size == (32, 24)
    session = window.studio.erf_session
    assert session is not None
    assert session.options.weights == "model"
    for edit, note in ((False, "measured on the model itself"), (True, "rebuilt from it")):
        if edit:
            document = window.studio.document
            network = document.architecture
            document.edit("Delete", replace(network, layers=network.layers[:2]))
        with qtbot.waitSignal(session.erf_changed, timeout=60_000):
            session.measure()
        assert session.result is not None
        assert note in session.result.notes[0]
    window.studio.document.undo_stack.undo()
    assert window.files.reopening_name == ""
    assert window.studio.recent.paths == []
    answers.chosen_model = None  # code is asked about again
    window.actions_.reload.trigger()
    assert answers.asked[-1] == f"model {code}:Net"
    assert answers.suggested_size == (32, 24)
    assert not window.studio.importing.is_running


def _write_program(path: Path) -> None:
    """Write what `torch.export.save` writes of a convolution, without its weights."""

    def tensor(*sizes: int) -> object:
        return {"dtype": 7, "sizes": [{"as_int": n} for n in sizes]}

    def argument(name: str, kind: str, value: object) -> object:
        return {"name": name, "arg": {kind: value}}

    conv = {
        "target": "torch.ops.aten.conv2d.default",
        "inputs": [
            argument("input", "as_tensor", {"name": "x"}),
            argument("weight", "as_tensor", {"name": "w"}),
            argument("bias", "as_none", True),
            argument("stride", "as_ints", [3, 3]),
        ],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "metadata": {"nn_module_stack": "L__self__,,Net;L__self__c,c,Conv2d"},
    }
    graph = {
        "nodes": [conv],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "tensor_values": {
            "x": tensor(1, 3, 30, 30),
            "w": tensor(4, 3, 5, 5),
            "y": tensor(1, 4, 9, 9),
        },
    }
    inputs = [
        {"parameter": {"arg": {"name": "w"}, "parameter_name": "c.weight"}},
        {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
    ]
    program = {"graph_module": {"graph": graph, "signature": {"input_specs": inputs}}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/models/model.json", json.dumps(program))


def _a_program_is_opened_like_any_file(window, answers, qtbot: QtBot, path: Path) -> None:
    _write_program(path)
    with qtbot.waitSignal(window.studio.importing.ended, timeout=60_000):
        window.files.open_dropped(path)
    assert answers.reports == []
    assert window.studio.document.architecture.input_size == (30, 30)
    assert window.studio.document.path is None  # saving must not write YAML over a program
    assert window.files.reopening_name == str(path)
    assert window.studio.recent.paths == [path]
    asked = list(answers.asked)
    with qtbot.waitSignal(window.studio.importing.succeeded, timeout=60_000):
        window.actions_.reload.trigger()
    assert answers.asked == asked
    window.files.open_preset("vgg16")
    assert not window.actions_.reload.isEnabled()


def test_that_code_is_asked_about_at_a_start_that_names_it_and_else_never(
    window: MainWindow, answers, settings: Settings, code: Path
) -> None:
    text = f"{code}:Net"
    assert opening_for(text, settings).code == text
    settings.set(LAST, text)
    assert opening_for(None, settings).code == ""
    # A file alone is asked about with its last name, and neither when it was open last.
    assert opening_for(str(code), settings).code == f"{code}:wrong"
    settings.set(LAST, str(code))
    assert opening_for(None, settings).code == ""
    window.files.open_dropped(code)
    window.files.open_path(Path(text))
    assert not window.studio.importing.is_running
    assert answers.asked == []
    assert not _has_run(code)


def test_that_a_program_is_what_a_window_may_begin_with(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.touch()
    assert opening_for(str(path), settings).program == path
    settings.set(LAST, str(path))
    assert opening_for(None, settings).program == path


@pytest.mark.slow
def test_that_an_onnx_file_that_leaves_its_size_open_is_asked_about(
    window: MainWindow, answers, qtbot: QtBot, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    from tests.formats.onnx.onnx_models import model, node, saved, weights

    conv = model([node("Conv", "x w")], {"w": weights(3, 2, 3, 3)}, shape=("N", 2, "H", "W"))
    path = saved(conv, tmp_path)
    answers.chosen_size = (20, 16)
    files, importing = window.files, window.studio.importing
    with qtbot.waitSignal(importing.succeeded, timeout=60_000):
        files.open_dropped(path)
    assert "takes images of any size" in answers.asked[-1]
    assert window.studio.document.architecture.input_size == (20, 16)
    assert files.reopening_name == str(path)
    answers.chosen_size = None
    with qtbot.waitSignal(importing.ended, timeout=60_000):
        files.open_dropped(path)
    assert answers.reports == []
