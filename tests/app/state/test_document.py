"""The document: edits that undo, files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.state.document import Document, write_network
from rfstudio.core import ops
from rfstudio.core.editing import edits
from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer


def network(kernel_size: int = 3) -> Architecture:
    return Architecture(layers=(Layer(ops.Conv(kernel_size=kernel_size), "conv"),))


def set_kernel(document: Document, kernel_size: int, key: str = "") -> None:
    after = edits.set_parameter(document.architecture, (0,), "kernel_size", kernel_size)
    document.edit("Set kernel", after, merge_key=key)


def test_that_edits_with_one_key_undo_in_one_step(qtbot: QtBot) -> None:
    document = Document(network())
    for kernel_size in (5, 7, 9):
        set_kernel(document, kernel_size, "conv.kernel_size")
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.architecture == network()
    document.undo_stack.redo()
    assert document.architecture == network(9)


def test_that_spinning_back_to_the_start_leaves_nothing_to_undo(qtbot: QtBot) -> None:
    document = Document(network())
    set_kernel(document, 5, "key")
    set_kernel(document, 3, "key")
    assert not document.undo_stack.canUndo()
    assert not document.is_modified


def test_that_an_edit_that_changes_nothing_is_no_step(qtbot: QtBot) -> None:
    document = Document(network())
    set_kernel(document, 3)
    assert document.undo_stack.count() == 0


def test_that_saving_and_opening_gives_the_same_network(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(network())
    set_kernel(document, 7)
    assert document.is_modified
    with qtbot.waitSignals([document.path_changed, document.modified_changed]):
        document.save(tmp_path / "mine.yaml")
    assert not document.is_modified
    other = Document(Architecture())
    with qtbot.waitSignal(other.architecture_changed):
        other.open(tmp_path / "mine.yaml")
    assert other.architecture == document.architecture
    assert other.path == tmp_path / "mine.yaml"


def test_that_undoing_behind_a_save_is_a_change(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(network())
    set_kernel(document, 7)
    document.save(tmp_path / "mine.yaml")
    document.undo_stack.undo()
    assert document.is_modified


@pytest.mark.parametrize("age", [-60, 60])
def test_that_a_file_that_is_newer_than_recovered_edits_is_not_taken_for_theirs(
    qtbot: QtBot, tmp_path: Path, age: int
) -> None:
    path = tmp_path / "net.yaml"
    write_network(path, Architecture(name="theirs"))
    document = Document(Architecture())
    edits_made = path.stat().st_mtime - age
    document.replace(Architecture(name="mine"), path, is_modified=True, known_at=edits_made)
    assert document.is_changed_on_disk == (age > 0)
    document.save()
    assert not document.is_changed_on_disk


def test_that_a_broken_file_leaves_the_document_as_it_is(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("format: 1\ninput: {size: [8, 8]}\nlayers:\n  - konv: {kernel_size: 3}\n")
    document = Document(network())
    set_kernel(document, 5)
    with pytest.raises(FormatError) as caught:
        document.open(path)
    assert any("konv" in x.message and x.line == 4 for x in caught.value.problems)
    assert document.architecture == network(5)
    assert document.undo_stack.canUndo()


def test_that_many_steps_at_once_are_announced_once(qtbot: QtBot) -> None:
    document = Document(network(1))
    for kernel in (3, 5, 7):
        document.edit("spin", network(kernel))
    seen: list[Architecture] = []
    document.architecture_changed.connect(seen.append)
    document.undo_stack.setIndex(0)
    document.undo_stack.setIndex(3)
    assert seen == [network(1), network(7)]


def test_that_saving_without_a_file_asks_for_one(qtbot: QtBot) -> None:
    with pytest.raises(RFStudioError, match="Save As"):
        Document(network()).save()


def test_that_a_file_that_cannot_be_written_keeps_its_content(qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    document = Document(network())
    set_kernel(document, 5)
    with pytest.raises(RFStudioError):
        document.save(folder)
    assert document.is_modified
    assert document.path is None
