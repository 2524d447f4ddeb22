"""The choice follows the network: it is always a layer and a unit that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core import ops
from rfstudio.core.errors import EditError, UnknownLayerError
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from tests.narrowing import instance


def conv(name: str, stride: int = 1) -> Layer:
    return Layer(ops.Conv(kernel_size=3, stride=stride, padding=1, out_channels=3), name)


@pytest.fixture
def studio(qtbot: QtBot, tmp_path) -> Studio:
    layers = (
        conv("a"),
        Repeat(2, (Residual((conv("x"), conv("y"))), conv("z")), "stage"),
        conv("b", 2),
    )
    architecture = Architecture(input_size=(32, 32), layers=layers)
    return Studio(architecture, settings=Settings(tmp_path / "settings.ini"))


def test_that_the_deepest_convolution_is_chosen_at_first(studio: Studio) -> None:
    assert studio.selection.value == ("b", (8, 8), (2,))


def test_that_the_unit_keeps_its_place_in_the_image_from_layer_to_layer(studio: Studio) -> None:
    studio.selection.select_layer("b", (4, 12))
    studio.selection.select_layer("a")
    assert studio.selection.unit == (9, 25)  # the middle of 16 units scaled to 32


def test_that_a_unit_outside_the_map_is_moved_inside(studio: Studio) -> None:
    studio.selection.select_unit((99, -3))
    assert studio.selection.unit == (15, 0)


def test_that_an_unknown_layer_is_refused_and_nothing_changes(studio: Studio) -> None:
    before = studio.selection.value
    with pytest.raises(UnknownLayerError):
        studio.selection.select_layer("nonsense")
    assert studio.selection.value == before


def test_that_the_choice_signals_whole_values_and_only_changes(
    studio: Studio, qtbot: QtBot
) -> None:
    heard: list[object] = []
    studio.selection.selection_changed.connect(heard.append)
    studio.selection.select_layer("a", (0, 0))
    studio.selection.select_layer("a", (0, 0))
    assert heard == [("a", (0, 0), (0,))]


def test_that_a_copy_inside_a_repeat_is_known(studio: Studio) -> None:
    studio.selection.select_layer("stage.0.y")
    assert studio.selection.item == (1, 0, 0, 0, 1)
    assert studio.selection.copy == 0
    studio.selection.select_item((1, 0, 1))
    assert studio.selection.layer == "stage.0.z"  # beside the one chosen before


def test_that_choosing_a_container_shows_its_output(studio: Studio) -> None:
    studio.selection.select_item((1,))
    assert studio.selection.layer == "stage.1.z"
    assert studio.selection.item == (1,)


def test_that_the_chosen_layer_stays_chosen_when_layers_come_before_it(studio: Studio) -> None:
    studio.selection.select_layer("stage.1.x")
    studio.selection.select_unit((3, 4))
    studio.document.edit("", _with_first(studio.document.architecture))
    assert studio.selection.value == ("stage.1.x", (3, 4), (2, 0, 0, 0, 0))


def test_that_a_renamed_layer_stays_chosen(studio: Studio) -> None:
    studio.selection.select_layer("stage.0.x")
    studio.edits.rename((1, 0, 0, 0, 0), "first")
    assert studio.selection.layer == "stage.0.first"
    studio.document.undo_stack.undo()
    assert studio.selection.layer == "stage.0.x"


def test_that_something_is_chosen_whatever_is_deleted(studio: Studio) -> None:
    while studio.document.architecture.layers:
        studio.edits.delete([(0,)])
        assert studio.selection.layer in studio.analysis.analysis
    assert studio.selection.layer == "input"
    while studio.document.undo_stack.canUndo():
        studio.document.undo_stack.undo()
        assert studio.selection.layer in studio.analysis.analysis


def test_that_the_unit_keeps_its_relative_place_when_the_map_changes_size(studio: Studio) -> None:
    studio.selection.select_layer("a", (8, 24))
    studio.edits.set_network("input size", input_size=(64, 64))
    assert studio.selection.unit == (17, 49)
    studio.edits.set_network("input size", input_size=(32,))
    assert len(studio.selection.unit) == 1


def test_that_edits_choose_what_they_made(studio: Studio) -> None:
    edits: LayerEdits = studio.edits
    studio.selection.select_layer("a")
    edits.add("conv")
    assert studio.selection.item == (1,)
    edits.duplicate([(1,)])
    assert studio.selection.item == (2,)
    assert edits.step([(2,)], "up") == [(1,)]
    assert studio.selection.item == (1,)
    edits.wrap([(0,), (1,)], "residual")
    assert studio.selection.item == (0,)
    edits.unwrap((0,))
    assert studio.selection.item == (0,)


def test_that_a_new_merge_reads_two_layers_at_once(studio: Studio) -> None:
    studio.selection.select_layer("a")
    studio.edits.add("add")
    assert instance(Layer, studio.document.architecture.layers[1]).inputs == ("a", "input")
    assert studio.analysis.analysis["add1"].inputs == ("a", "input")


def test_that_text_travels_through_the_clipboard(studio: Studio) -> None:
    text = studio.edits.text_of([(0,), (2,)])
    assert text.startswith("- conv: {name: a")
    studio.edits.insert_text(text, (0,))
    assert [x.name for x in studio.document.architecture.layers] == ["a2", "b2", "a", "stage", "b"]
    with pytest.raises(EditError, match="no layers"):
        studio.edits.insert_text("[]")


LONG = "- relu\n" * 2_000


def test_that_a_long_text_is_read_between_frames(studio: Studio, qtbot: QtBot) -> None:
    layers = studio.document.architecture.layers
    studio.edits.insert_text(LONG, (1,))
    assert studio.document.architecture.layers is layers
    with pytest.raises(EditError, match="still being read"):
        studio.edits.insert_text(LONG)
    qtbot.waitUntil(lambda: studio.document.architecture.layers is not layers)
    after = studio.document.architecture.layers
    assert (after[:1], len(after[1:-2]), after[-2:]) == (layers[:1], 2_000, layers[1:])
    studio.document.undo_stack.undo()

    # The network is another one when the text is read: its place means nothing any more.
    studio.edits.insert_text(LONG, (0,))
    studio.edits.delete([(0,), (1,)])
    qtbot.waitUntil(lambda: len(studio.document.architecture.layers) == 2_001)


def test_that_a_mistake_in_a_long_text_is_said_later(studio: Studio, qtbot: QtBot) -> None:
    before = studio.document.architecture
    with qtbot.waitSignal(studio.edits.refused) as said:
        studio.edits.insert_text(LONG + "- konv")
    assert "unknown op 'konv'" in said.args[0]
    assert studio.document.architecture is before


def test_that_no_text_of_any_length_is_inserted(studio: Studio) -> None:
    with pytest.raises(EditError, match="at most 300,000 are inserted; save it as a file"):
        studio.edits.insert_text("- relu\n" * 50_000)


def test_that_of_two_parameters_that_exclude_each_other_the_last_one_counts(
    studio: Studio,
) -> None:
    studio.selection.select_layer("a")
    studio.edits.add("upsample")
    studio.edits.set_parameter((1,), "size", 48)
    op = instance(ops.Upsample, instance(Layer, studio.document.architecture.layers[1]).op)
    assert (op.size, op.scale_factor) == (48, None)


def _with_first(architecture: Architecture) -> Architecture:
    from rfstudio.core.editing import edits

    return edits.insert(architecture, (0,), [conv("new")])


def test_that_undo_goes_back_to_what_was_chosen_unless_somebody_chose_since(
    studio: Studio,
) -> None:
    selection, stack = studio.selection, studio.document.undo_stack
    selection.select_item((0,))
    studio.edits.delete([(0,)])
    assert selection.layer == "stage.1.z"
    stack.undo()
    assert (selection.layer, selection.item) == ("a", (0,))
    stack.redo()
    assert selection.layer == "stage.1.z"
    selection.select_layer("b")
    stack.undo()
    assert selection.layer == "b"  # whoever looks at it while an edit goes to and fro goes on


@pytest.mark.parametrize("kind", ["sequence", "residual", "parallel", "repeat"])
def test_that_a_wrapped_layer_is_chosen_again_when_that_is_undone(
    studio: Studio, kind: Any
) -> None:
    studio.selection.select_item((0,))
    studio.edits.wrap([(0,)], kind)
    assert studio.selection.item == (0,)
    studio.document.undo_stack.undo()
    assert (studio.selection.layer, studio.selection.item) == ("a", (0,))


def test_that_a_container_stays_chosen_while_it_is_edited(studio: Studio) -> None:
    selection, edits = studio.selection, studio.edits
    selection.select_item((1,))
    assert selection.layer == "stage.1.z"
    for times in (3, 4, 1):
        edits.set_parameter((1,), "times", times)
        assert selection.item == (1,)
        assert selection.layer == f"stage.{times - 1}.z"
    studio.document.undo_stack.undo()
    assert (selection.item, selection.layer) == ((1,), "stage.1.z")


def test_that_a_container_stays_chosen_when_it_is_moved_by_an_edit_before_it(
    studio: Studio,
) -> None:
    studio.selection.select_item((1,))
    layers = studio.document.architecture.layers
    studio.document.edit(
        "Insert", replace(studio.document.architecture, layers=(conv("new"), *layers))
    )
    assert studio.selection.item == (2,)
    assert studio.selection.layer == "stage.1.z"


def test_that_an_empty_container_stays_chosen_while_it_is_edited(studio: Studio) -> None:
    studio.selection.select_item((2,))
    studio.edits.add("repeat")
    assert studio.selection.item == (3,)
    studio.edits.set_parameter((3,), "times", 5)
    assert studio.selection.item == (3,)
