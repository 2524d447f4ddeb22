"""The window as a user has it: mouse and keyboard in, every view in step, one undo step back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit, QSpinBox
from pytestqt.qtbot import QtBot

from rfstudio.core.network.architecture import (
    Architecture,
    Input,
    Layer,
    Location,
    Parallel,
    Repeat,
    Residual,
)
from rfstudio.core.ops import Conv
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.inspector.editors import AxesEditor, PaddingEditor
from rfstudio.widgets.window.dock import Dock
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import of_kind
from tests.narrowing import conv_at, instance, present
from tests.widgets.conftest import conv


def names(window: MainWindow) -> list[str]:
    return [x.name for x in window.studio.document.architecture.layers]


def item_of(window: MainWindow) -> Location | None:
    return window.studio.selection.item


def spin(window: MainWindow, name: str) -> QSpinBox:
    editor = window.inspector.form.editors[name]
    return editor if isinstance(editor, QSpinBox) else present(editor.findChild(QSpinBox))


def tree_text(window: MainWindow, location, column: int) -> str:
    return window.stack.model.index_of(location, column).data()


def table_text(window: MainWindow, layer: str, column: int) -> str:
    return window.table.layers.index(window.table.layers.row_of(layer), column).data()


def choose(window: MainWindow, qtbot: QtBot, location) -> None:
    """Click the row of an item in the tree."""
    tree = window.stack.tree
    index = window.stack.model.index_of(location)
    tree.scrollTo(index)
    qtbot.mouseClick(
        tree.viewport(), Qt.MouseButton.LeftButton, pos=tree.visualRect(index).center()
    )
    assert window.studio.selection.item == location
    tree.setFocus()


def press(window: MainWindow, qtbot: QtBot, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.keyClick(window.stack.tree, key, modifier)


def test_that_spinning_the_kernel_updates_every_view_and_undoes_in_one_step(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    before = window.studio.document.architecture
    assert tree_text(window, (0,), 2) == "3"
    box = spin(window, "kernel_size")
    for _ in range(2):
        qtbot.keyClick(box, Qt.Key.Key_Up)
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == 5
    assert tree_text(window, (0,), 2) == "5"
    assert table_text(window, "stem", 4) == "5×5"
    assert window.inspector.field.texts()["size"] == "5×5 px"
    # kernel 5 with padding 1 on 32 pixels leaves 30
    assert tree_text(window, (0,), 1) == "30×30"

    window.actions_.undo.trigger()
    assert window.studio.document.architecture == before
    assert box.value() == 3
    assert tree_text(window, (0,), 2) == "3"
    assert window.inspector.field.texts()["size"] == "3×3 px"
    assert not window.studio.document.is_modified


def test_that_one_value_per_axis_is_edited_axis_by_axis(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (0,))
    editor = instance(AxesEditor, window.inspector.form.editors["kernel_size"])
    qtbot.mouseClick(editor.apart, Qt.MouseButton.LeftButton)
    assert [x.prefix() for x in editor.spins] == ["y ", "x "]
    qtbot.keyClick(editor.spins[1], Qt.Key.Key_Up)
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == (3, 4)
    assert table_text(window, "stem", 4) == "3×4"
    qtbot.mouseClick(editor.apart, Qt.MouseButton.LeftButton)
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == 3


def test_that_a_value_that_does_not_fit_is_refused_in_words(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    line = window.inspector.form.editors["name"]
    assert isinstance(line, QLineEdit)
    line.selectAll()
    qtbot.keyClicks(line, "head")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert "the name 'head' is taken" in window.statusBar().currentMessage()
    assert line.text() == "stem"


def test_that_what_grows_from_turn_to_turn_is_shown_and_edited(
    window: MainWindow, qtbot: QtBot
) -> None:
    place = names(window).index("stage")
    choose(window, qtbot, (place,))
    line = instance(QLineEdit, window.inspector.form.editors["scale"])
    assert line.text() == ""
    qtbot.keyClicks(line, "dilation:2")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert line.text() == "dilation: 2"
    repeat = instance(Repeat, window.studio.document.architecture.layers[place])
    assert repeat.scale == (("dilation", 2),)
    line.selectAll()
    qtbot.keyClicks(line, "dilation: 0")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert "from 1 to 1000, not 0" in window.statusBar().currentMessage()
    assert line.text() == "dilation: 2"


def test_that_a_layer_is_added_by_typing_its_name_and_enter(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    window.actions_.open.setEnabled(True)
    window.stack.actions_.add.trigger()
    picker = window.stack.picker
    assert picker.isVisible()
    qtbot.keyClicks(picker.search, "conv")
    qtbot.keyClick(picker.search, Qt.Key.Key_Return)
    assert not picker.isVisible()
    assert len(window.studio.document.architecture.layers) == 4
    added = window.studio.document.architecture.layers[1]
    assert isinstance(added, Layer)
    assert added.op.keyword == "conv"
    assert window.studio.selection.item == (1,)
    assert window.studio.document.undo_stack.undoText() == "Add conv"


def test_that_the_arrow_keys_of_the_search_choose_another_op(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    window.stack.actions_.add.trigger()
    picker = window.stack.picker
    qtbot.keyClicks(picker.search, "conv")
    qtbot.keyClick(picker.search, Qt.Key.Key_Down)
    qtbot.keyClick(picker.search, Qt.Key.Key_Return)
    added = instance(Layer, window.studio.document.architecture.layers[1])
    assert added.op.keyword == "conv_transpose"


def test_that_layers_are_deleted_duplicated_and_moved_by_keyboard(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    press(window, qtbot, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert names(window) == ["stem", "stem2", "stage", "head"]
    press(window, qtbot, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert names(window) == ["stem", "stage", "stem2", "head"]
    press(window, qtbot, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    press(window, qtbot, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert names(window) == ["stem2", "stem", "stage", "head"]
    press(window, qtbot, Qt.Key.Key_Delete)
    assert names(window) == ["stem", "stage", "head"]
    assert window.studio.document.undo_stack.count() == 5
    while window.studio.document.undo_stack.canUndo():
        window.actions_.undo.trigger()
    assert not window.studio.document.is_modified


def test_that_layers_move_into_and_out_of_containers_by_keyboard(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (2,))
    press(window, qtbot, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert window.studio.selection.item == (1, 0, 2)
    assert window.studio.selection.layer == "stage.1.head"
    press(window, qtbot, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert names(window) == ["stem", "stage", "head"]


def test_that_a_layer_is_renamed_in_the_tree(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (2,))
    press(window, qtbot, Qt.Key.Key_F2)
    line = present(window.stack.tree.findChild(QLineEdit))
    line.selectAll()
    qtbot.keyClicks(line, "classifier")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(window) == ["stem", "stage", "classifier"])
    assert window.studio.selection.layer == "classifier"


def test_that_layers_are_cut_and_pasted_as_text(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (0,))
    press(window, qtbot, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier)
    assert names(window) == ["stage", "head"]
    assert "conv: {name: stem" in QGuiApplication.clipboard().text()
    choose(window, qtbot, (1,))
    press(window, qtbot, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert names(window) == ["stage", "head", "stem"]


def test_that_pasting_nonsense_says_so_and_changes_nothing(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    QGuiApplication.clipboard().setText("- konv: {}")
    press(window, qtbot, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "konv" in window.statusBar().currentMessage()
    assert not window.studio.document.is_modified


def test_that_a_selection_is_wrapped_and_unwrapped(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (0,))
    window.stack.actions_.wraps[1].trigger()
    assert instance(Residual, window.studio.document.architecture.layers[0])
    press(
        window,
        qtbot,
        Qt.Key.Key_G,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert names(window) == ["stem", "stage", "head"]


def test_that_each_kind_of_container_is_wrapped_around_a_layer_and_taken_off(
    window: MainWindow, qtbot: QtBot
) -> None:
    document, wraps = window.studio.document, window.stack.actions_.wraps
    before, kinds = document.architecture, set()
    size = window.studio.analysis.analysis["head"].rf_size
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    for wrap in wraps:
        choose(window, qtbot, (2,))
        wrap.trigger()
        kinds.add(type(document.architecture.layers[2]))
        # A repeat has several copies.
        layers = window.studio.analysis.analysis.layers
        head = next(x for x in layers if x.name.endswith("head"))
        assert head.rf_size == size
        press(window, qtbot, Qt.Key.Key_G, modifiers)
        assert document.architecture == before
    assert len(kinds) == len(wraps) == 4


def test_that_what_has_no_name_is_not_renamed_and_a_name_is_written_once(
    window: MainWindow,
) -> None:
    """Qt said of both that editing failed."""
    tree, rename = window.stack.tree, window.stack.actions_.rename
    tree.setCurrentIndex(tree.model().index(0, 0))  # the input
    rename.trigger()
    assert "no name that can be changed" in window.status.currentMessage()
    window.studio.selection.select_layer("head")
    rename.trigger()
    rename.trigger()
    assert tree.state() == QAbstractItemView.State.EditingState


def test_that_branches_and_shortcuts_are_filled_renamed_and_deleted(
    window: MainWindow, qtbot: QtBot
) -> None:
    tree, model = window.stack.tree, window.stack.model
    choose(window, qtbot, (0,))
    window.stack.actions_.wraps[2].trigger()
    container = model.index_of((0,))
    second = model.index(1, 0, container)
    assert second.data() == "branch 2"
    tree.setCurrentIndex(second)
    window.stack.actions_.add.trigger()
    qtbot.keyClicks(window.stack.picker.search, "avg")
    qtbot.keyClick(window.stack.picker.search, Qt.Key.Key_Return)
    assert item_of(window) == (0, 1, 0)
    assert model.setData(model.index(1, 0, model.index_of((0,))), "pooled")
    assert window.studio.selection.layer == "pooled.avg_pool1"
    tree.setCurrentIndex(model.index(1, 0, model.index_of((0,))))
    press(window, qtbot, Qt.Key.Key_Delete)
    parallel = instance(Parallel, window.studio.document.architecture.layers[0])
    assert len(parallel.branches) == 1

    shortcut = model.index(2, 0, model.index_of((1, 0, 0)))
    assert shortcut.data() == "shortcut"
    tree.setCurrentIndex(shortcut)
    QGuiApplication.clipboard().setText("- conv: {kernel_size: 1, out_channels: 3}")
    press(window, qtbot, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert item_of(window) == (1, 0, 0, 1, 0)


def test_that_a_repeated_layer_says_that_an_edit_changes_all(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (1, 0, 0, 0, 0))
    assert "changes all 2" in window.stack.copies.note.text()
    assert window.studio.selection.layer == "stage.1.a"
    window.stack.copies.copy.setValue(1)
    assert window.studio.selection.layer == "stage.0.a"
    assert tree_text(window, (1, 0, 0, 0, 1), 2) == "7"  # b beside it: behind three 3×3 windows
    spin(window, "kernel_size").setValue(5)
    layers = [x for x in window.studio.analysis.analysis.layers if x.name.endswith(".a")]
    assert {instance(Conv, x.operation).kernel_size for x in layers} == {5}


def visible_rows(window: MainWindow) -> list[str]:
    tree, found = window.stack.tree, []
    index = tree.indexAt(QPoint(1, 1))
    while index.isValid():
        found.append(index.data())
        index = tree.indexBelow(index)
    return found


def test_that_the_filter_keeps_what_matches_with_what_is_around_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    everything = visible_rows(window)
    qtbot.keyClicks(window.stack.filter_line, "relu")
    assert visible_rows(window) == ["stage", "relu1"]
    window.studio.edits.add("relu", (0,))
    assert visible_rows(window) == ["relu1", "stage", "relu1"]
    window.actions_.undo.trigger()
    window.stack.filter_line.clear()
    assert visible_rows(window) == everything


def test_that_choosing_in_any_view_chooses_in_all(window: MainWindow, qtbot: QtBot) -> None:
    row = window.table.layers.row_of("stage.0.b")
    index = window.table.model().index(row, 0)
    window.table.scrollTo(index)
    qtbot.mouseClick(
        window.table.viewport(),
        Qt.MouseButton.LeftButton,
        pos=window.table.visualRect(index).center(),
    )
    assert window.studio.selection.layer == "stage.0.b"
    assert window.inspector.title.text() == "stage.0.b"
    assert "copy 1 of 2" in window.inspector.subtitle.text()
    tree = window.stack.tree
    assert tree.currentIndex().data() == "b"


def test_that_the_table_sorts_by_numbers(window: MainWindow, qtbot: QtBot) -> None:
    window.table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    assert window.table.model().index(0, 0).data() == "head"
    fields = [window.table.model().index(r, 4).data() for r in range(3)]
    assert fields == ["13×13", "11×11", "11×11"]
    # The order follows the numbers, and what was chosen stays chosen.
    chosen = window.table.currentIndex().siblingAtColumn(0).data()
    window.studio.edits.set_parameter((0,), "kernel_size", 9)
    assert window.table.model().index(0, 4).data() == "19×19"
    assert window.table.currentIndex().siblingAtColumn(0).data() == chosen


def test_that_table_rows_are_copied_with_their_titles(window: MainWindow, qtbot: QtBot) -> None:
    window.studio.selection.select_layer("stem")
    window.table.setFocus()
    qtbot.keyClick(window.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    head, row = QGuiApplication.clipboard().text().splitlines()
    assert head.split("\t")[:3] == ["Layer", "Op", "Output"]
    assert row.split("\t")[:3] == ["stem", "conv", "32×32"]


def test_that_a_remark_leads_to_its_layer(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (0,))
    spin(window, "stride").setValue(3)
    spin(window, "kernel_size").setValue(1)
    choose(window, qtbot, (2,))
    window.status.remarks.click()
    assert window.tabs.currentWidget() is window.problems
    listed = window.problems.list
    assert listed.count() > 0
    item = next(x for x in map(listed.item, range(listed.count())) if x.text().startswith("stem"))
    rect = listed.visualItemRect(item)
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert window.studio.selection.layer == "stem"


BROKEN = "format: 1\ninput: {size: [8, 8]}\nlayers:\n  - conv: {kernal_size: 3}\n  - konv\n"


def test_that_a_broken_file_changes_nothing_and_its_problems_are_listed(
    window: MainWindow, qtbot: QtBot, answers, tmp_path: Path
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    before = window.studio.document.architecture
    answers.path = path
    window.actions_.open.trigger()
    assert window.studio.document.architecture is before
    assert window.tabs.currentWidget() is window.problems
    texts = window.problems.file_problem_texts()
    assert any(x.startswith("line 4,") and "kernel_size" in x for x in texts)
    assert any(x.startswith("line 5,") and "konv" in x for x in texts)
    window.problems._dismiss.click()
    assert not window.problems._file_box.isVisible()


def test_that_a_network_is_saved_and_opened_again(
    window: MainWindow, qtbot: QtBot, answers, tmp_path: Path
) -> None:
    choose(window, qtbot, (0,))
    spin(window, "kernel_size").setValue(7)
    answers.path = tmp_path / "mine"
    window.actions_.save.trigger()
    path = tmp_path / "mine.yaml"
    assert not window.isWindowModified()
    assert window.windowTitle().startswith("mine.yaml")
    saved = read_yaml(path.read_bytes(), str(path))
    assert saved == window.studio.document.architecture
    assert window.studio.recent.paths == [path]
    window.files.open_preset("resnet18")
    assert window.studio.document.architecture.name == "ResNet-18"
    answers.path = path
    window.actions_.open.trigger()
    assert window.studio.document.architecture == saved


@pytest.mark.parametrize(("answer", "closes"), [("cancel", False), ("discard", True)])
def test_that_unsaved_changes_are_asked_for_once(
    window: MainWindow, qtbot: QtBot, answers, answer: str, closes: bool
) -> None:
    window.studio.edits.delete([(0,)])
    answers.save = answer
    assert window.close() is closes
    assert answers.asked == ["small"]


def test_that_nothing_is_asked_when_nothing_changed(window: MainWindow, answers) -> None:
    assert window.close()
    assert answers.asked == []


def test_that_saving_before_closing_writes_the_file(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    window.studio.edits.delete([(0,)])
    answers.save, answers.path = "save", tmp_path / "kept.yaml"
    assert window.close()
    assert len(read_yaml((tmp_path / "kept.yaml").read_bytes()).layers) == 2


def test_that_a_file_that_cannot_be_written_is_reported_and_the_window_stays(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    window.studio.edits.delete([(0,)])
    answers.save, answers.path = "save", tmp_path / "missing" / "kept.yaml"
    assert not window.close()
    assert "was not saved" in answers.reports[0][0]


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_that_the_picture_is_exported(
    window: MainWindow, answers, qtbot: QtBot, tmp_path: Path, suffix: str, magic: bytes
) -> None:
    answers.path = tmp_path / f"picture{suffix}"
    with qtbot.waitSignal(window.files.writing.written, timeout=60_000):
        window.actions_.export_picture.trigger()
    assert answers.path.read_bytes().startswith(magic)
    assert "Wrote" in window.statusBar().currentMessage()


def test_that_the_table_is_exported_as_csv(window: MainWindow, answers, tmp_path: Path) -> None:
    answers.path = tmp_path / "table.csv"
    window.actions_.export_table.trigger()
    lines = answers.path.read_text().splitlines()
    assert lines[0].startswith("name,op,inputs,channels")
    assert len(lines) == 1 + len(window.studio.analysis.analysis.layers)


def test_that_the_field_is_exported_with_its_command(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    answers.path = tmp_path / "field.json"
    window.actions_.export_field.trigger()
    window.files.copies.command()
    record = json.loads((tmp_path / "field.json").read_text())
    assert record["command"] == QGuiApplication.clipboard().text()
    assert "--estimator expected" in record["command"]


def test_that_the_network_is_exported_as_yaml_and_as_source(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    for name, words in (("net.yaml", "format: 1"), ("net.py", "nn.Module")):
        answers.path = tmp_path / name
        window.actions_.export_network.trigger()
        assert words in answers.path.read_text()
    answers.path = tmp_path / "net.txt"
    window.actions_.export_network.trigger()
    assert "written as .yaml or .py" in answers.reports[-1][1]
    assert not answers.path.exists()


@pytest.mark.parametrize(
    ("name", "kind", "wanted"),
    [
        ("net.yaml", "PyTorch source (*.py)", "net.py"),
        ("net.yaml", "Network (*.yaml *.yml)", "net.yaml"),
        ("net", "PyTorch source (*.py)", "net.py"),
        ("net.txt", "PyTorch source (*.py)", "net.txt"),
        ("net.yaml", "All files (*)", "net.yaml"),
    ],
)
def test_that_the_chosen_kind_gives_the_ending_where_none_was_typed(
    name: str, kind: str, wanted: str
) -> None:
    assert of_kind(Path(name), Path("suggested.yaml"), kind) == Path(wanted)


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(QPoint(5, 5), action, data, button, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(5, 5), action, data, button, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, event)


def test_that_networks_and_images_can_be_dropped(window: MainWindow, tmp_path: Path) -> None:
    from rfstudio import paths

    drop(window, paths.sample_images() / "cat.jpg")
    assert present(window.studio.images.picture).name == "cat"
    drop(window, paths.architectures() / "alexnet.yaml")
    assert window.studio.document.architecture.name == "AlexNet"
    other = tmp_path / "notes.txt"
    other.touch()
    drop(window, other)
    assert "neither a network nor an image" in window.statusBar().currentMessage()


def test_that_the_command_palette_finds_every_command(window: MainWindow, qtbot: QtBot) -> None:
    window.actions_.palette.trigger()
    palette = window.palette_
    qtbot.keyClicks(palette.search, "preset tcn")
    assert palette.list.count() == 1
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert len(window.studio.document.architecture.input_size) == 1


@pytest.mark.parametrize("preset", ["unet_3d", "tcn_1d", "vit_b16", "densenet121"])
def test_that_networks_of_any_kind_are_shown(window: MainWindow, preset: str) -> None:
    window.files.open_preset(preset)
    for layer in window.studio.analysis.analysis.layers[::7]:
        window.studio.selection.select_layer(layer.name)
    window.studio.selection.select_item(None)
    assert window.inspector.title.text() == "input"


def test_that_an_empty_network_says_how_to_begin(window: MainWindow, qtbot: QtBot) -> None:
    window.actions_.new.trigger()
    assert window.studio.document.architecture == Architecture()
    assert window.stack._empty.isVisible()
    window.stack.actions_.add.trigger()
    qtbot.keyClicks(window.stack.picker.search, "max")
    qtbot.keyClick(window.stack.picker.search, Qt.Key.Key_Return)
    assert not window.stack._empty.isVisible()
    assert window.studio.selection.layer == "max_pool1"


@pytest.mark.slow
def test_that_every_op_has_a_form_that_shows_it(window: MainWindow) -> None:
    from rfstudio.app.editing.new_items import kinds

    window.actions_.new.trigger()
    for kind in kinds():
        window.studio.edits.add(kind.keyword, (0,))
        assert window.inspector.form.editors
        window.actions_.undo.trigger()


def test_that_the_arrangement_of_the_window_is_remembered(open_window, settings) -> None:
    first = open_window()
    first.findChild(Dock, "Inspector").hide()
    first.resize(1100, 720)
    first.close()
    second = open_window(size=(1100, 720))
    assert settings.bytes("window/state") != b""
    assert second.findChild(Dock, "Inspector").isHidden()
    assert not second.findChild(Dock, "Layers").isHidden()


def test_that_every_panel_is_reached_by_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    for key, target in (
        (Qt.Key.Key_2, window.stack.filter_line),
        (Qt.Key.Key_4, window.inspector.form.editors["name"]),
        (Qt.Key.Key_1, window.stack.tree),
        (Qt.Key.Key_3, window.canvas.view),
    ):
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(target.hasFocus)


def test_that_what_is_shown_is_copied_as_python_and_as_a_command(
    window: MainWindow, capsys: pytest.CaptureFixture
) -> None:
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer1.0.conv1", (3, 4))
    window.actions_.copy_python.trigger()
    text = QGuiApplication.clipboard().text()
    assert "rfstudio.load('resnet18')" in text
    names: dict = {}
    exec(text, names)
    # conv1 of the first block: 19 pixels, as the published tables of ResNet-18 have it
    assert "(19, 19) (4, 4)" in capsys.readouterr().out
    assert names["unit"].position == (3, 4)
    window.actions_.copy_command.trigger()
    assert QGuiApplication.clipboard().text() == (
        "rfstudio erf resnet18 --layer layer1.0.conv1 --unit 3 4 --estimator expected"
    )


def test_that_fields_are_given_relative_to_another_layer(window: MainWindow) -> None:
    window.studio.selection.select_layer("stem")
    window.actions_.fields_from_here.trigger()
    assert table_text(window, "stem", 4) == "1×1"
    assert table_text(window, "stage.0.a", 4) == "3×3"
    window.studio.edits.delete([(0,)])  # the reference goes away
    assert window.studio.analysis.reference == "input"
    window.actions_.undo.trigger()
    window.actions_.fields_from_input.trigger()
    assert table_text(window, "stem", 4) == "3×3"


def test_that_batch_norm_sees_everything_in_training(window: MainWindow) -> None:
    window.files.open_preset("resnet18")
    window.actions_.training.trigger()
    assert table_text(window, "layer1.0.conv1", 4) == "all"
    window.actions_.training.trigger()
    assert table_text(window, "layer1.0.conv1", 4) == "19×19"


def test_that_files_dropped_on_the_tree_are_left_to_the_window(window: MainWindow) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/some/network.yaml")])
    data.setText("/some/network.yaml")
    model = window.stack.model
    root = model.index_of(None).parent()
    assert not model.canDropMimeData(data, Qt.DropAction.CopyAction, 0, 0, root)
    data = QMimeData()
    data.setText("- relu")
    assert model.canDropMimeData(data, Qt.DropAction.CopyAction, 0, 0, root)


@pytest.mark.parametrize(
    ("item", "editor"), [(None, "input_size"), ((0,), "kernel_size"), ((0,), "padding")]
)
def test_that_the_largest_numbers_leave_a_working_window(
    window: MainWindow, qtbot: QtBot, item, editor: str
) -> None:
    from rfstudio.app.state.image_source import sample_images

    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_item(item)
    before = window.studio.document.architecture
    field: object = window.inspector.form.editors[editor]
    if isinstance(field, PaddingEditor):
        field = field.numbers
    spins = instance(AxesEditor, field).spins
    spins[0].setValue(2**31 - 1)
    assert window.studio.document.architecture != before
    for tab in (window.growth, window.profile, window.table):
        window.tabs.setCurrentWidget(tab)
    window.canvas.picture()
    window.actions_.undo.trigger()
    assert window.studio.document.architecture == before


@pytest.mark.timed
def test_that_a_network_of_thousands_of_layers_stays_quick(window: MainWindow) -> None:
    import time

    layers = tuple(conv(f"c{i}", kernel_size=1) for i in range(4000))
    window.studio.document.replace(Architecture(input_size=(8, 8), layers=layers))
    before = time.thread_time()
    window.studio.selection.select_layer("c3999")
    window.studio.selection.select_layer("c2000")
    assert time.thread_time() - before < 2


def test_that_axes_and_further_inputs_are_edited_undoably(window: MainWindow) -> None:
    document, form = window.studio.document, window.inspector.form

    def write(name: str, text: str) -> None:
        line = instance(QLineEdit, form.editors[name])
        line.setText(text)
        line.editingFinished.emit()

    window.studio.selection.select_item(None)
    write("input_axes", "depth: 0.5 mm; width: 0.5 mm")
    assert [x.spacing for x in document.architecture.input_axes] == [0.5, 0.5]
    write("further_inputs", "guide: 8×8, 3 channels")
    assert document.architecture.further_inputs == (Input("guide", (8, 8), 3),)
    write("further_inputs", "guide: 8, 3")
    assert "needs 2 sizes" in window.statusBar().currentMessage()
    assert document.architecture.further_inputs[0].size == (8, 8)
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert not document.architecture.further_inputs
    assert not document.architecture.input_axes
