"""Edits keep what every `from` means, or refuse with a sentence."""

from __future__ import annotations

import gc
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rfstudio import paths
from rfstudio.core import ops
from rfstudio.core.editing import edits, references
from rfstudio.core.errors import EditError, OpError
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    item_at,
    walk,
)
from rfstudio.core.network.expansion import expand
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.narrowing import conv_at, instance


def conv(name: str = "", *inputs: str, kernel_size: int = 3, out_channels: int | None = 3) -> Layer:
    op = ops.Conv(kernel_size=kernel_size, padding=kernel_size // 2, out_channels=out_channels)
    return Layer(op, name, inputs)


def add(name: str = "", *inputs: str) -> Layer:
    return Layer(ops.Add(), name, inputs)


RELU = Layer(ops.Relu())


def network(*items) -> Architecture:
    return Architecture(input_size=(32, 32), layers=items)


def reads(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    graph = expand(architecture)
    return {x.name: tuple(graph.nodes[i].name for i in x.inputs) for x in graph.nodes[1:]}


def codes(architecture: Architecture) -> set[str]:
    return {fault.code for fault in expand(architecture).faults}


SKIP = network(conv("a"), conv("b"), conv("c"), add("sum", "c", "a"))


@pytest.mark.parametrize("name", ["a\0", "\0", "a\0b", "a\0" + "1"])
def test_that_names_with_a_nul_character_survive_edits(name: str) -> None:
    body = Residual((conv("a"),), name=f"r{name}")
    odd = network(conv(name), body, add("sum", name, f"r{name}.a"))
    before = network(conv(name), body, conv("b"))
    assert edits.rename(before, (2,), "c").layers[:2] == before.layers[:2]
    renamed = edits.rename(odd, (0,), "first")
    assert renamed.layers[1].name == f"r{name}"
    assert reads(renamed)["sum"] == ("first", f"r{name}.a")


def test_that_a_renamed_layer_is_still_read() -> None:
    after = edits.rename(SKIP, (0,), "stem")
    assert reads(after)["sum"] == ("c", "stem")


def test_that_a_taken_name_is_refused_in_a_sentence() -> None:
    with pytest.raises(EditError, match="the name 'b' is taken"):
        edits.rename(SKIP, (0,), "b")


@pytest.mark.parametrize("name", ["input", "a.b", "a\nb"])
def test_that_a_name_the_format_forbids_is_refused(name: str) -> None:
    with pytest.raises(EditError):
        edits.rename(SKIP, (0,), name)


def test_that_readers_of_a_deleted_layer_read_what_it_read() -> None:
    after = edits.delete(SKIP, [(2,)])
    assert reads(after) == {"a": ("input",), "b": ("a",), "sum": ("b", "a")}


def test_that_deleting_two_layers_in_a_row_leads_their_readers_to_what_is_left() -> None:
    after = edits.delete(SKIP, [(1,), (2,)])
    assert reads(after) == {"a": ("input",), "sum": ("a", "a")}


def test_that_readers_of_the_first_layer_read_the_input_when_it_is_deleted() -> None:
    after = edits.delete(SKIP, [(0,)])
    assert reads(after)["sum"] == ("c", "input")


def test_that_the_next_layer_keeps_its_source_when_a_branching_layer_is_deleted() -> None:
    before = network(conv("a"), conv("b"), conv("head", "a"), conv("out"))
    assert reads(edits.delete(before, [(2,)]))["out"] == ("a",)


def test_that_a_deleted_merge_passes_all_its_sources_to_a_merge() -> None:
    before = network(
        conv("a"), conv("b"), Layer(ops.Concat(), "inner", ("a", "b")), conv("c"),
        Layer(ops.Concat(), "outer", ("inner", "c")),
    )  # fmt: skip
    assert reads(edits.delete(before, [(2,)]))["outer"] == ("a", "b", "c")


def test_that_names_by_number_follow_when_the_numbers_shift() -> None:
    before = network(conv("a"), RELU, conv("b"), RELU, conv("c"), add("sum", "c", "relu2"))
    after = edits.delete(before, [(1,)])
    assert reads(after)["sum"] == ("c", "relu1")


def test_that_deleting_a_container_leads_readers_of_its_inside_to_what_it_read() -> None:
    before = network(
        conv("a"), Sequence((conv("x"), conv("y")), "block"), conv("b"), add("sum", "b", "block.x")
    )
    assert reads(edits.delete(before, [(1,)]))["sum"] == ("b", "a")


def test_that_a_reader_in_a_repeat_keeps_reading_its_own_turn() -> None:
    block = Repeat(3, (conv("x"), conv("y"), add("sum", "y", "x")), "stage")
    after = edits.rename(network(conv("a"), block), (1, 0, 0), "first")
    assert reads(after)["stage.2.sum"] == ("stage.2.y", "stage.2.first")


def test_that_a_chosen_turn_stays_chosen_when_a_repeat_is_renamed() -> None:
    before = network(
        conv("a"), Repeat(3, (conv("x"),), "stage"), conv("b"), add("s", "b", "stage.1")
    )
    after = edits.rename(before, (1,), "body")
    assert instance(Layer, item_at(after, (3,))).inputs == ("b", "body.1")
    fewer = edits.set_times(after, (1,), 1)
    assert instance(Layer, item_at(fewer, (3,))).inputs == ("b", "body.0")


def test_that_turns_of_long_repeats_are_gone_through_only_if_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[None] = []
    monkeypatch.setattr(references, "give_way", lambda: steps.append(None))
    long = Repeat(100_000, (Layer(ops.Relu()),))
    before = network(conv("a"), conv("b"))
    after = edits.insert(before, (1,), [long])
    assert after.layers[1] == long
    edits.rename(after, (0,), "first")
    assert len(steps) < 200


def test_that_a_turn_of_a_long_repeat_can_be_read_and_stays_chosen() -> None:
    block = Repeat(200, (conv("x"), conv("y"), add("sum", "y", "x")), "stage")
    before = network(conv("a"), block, conv("b"), add("s", "b", "stage.150"), conv("c"))
    after = edits.rename(before, (1,), "body")
    assert instance(Layer, item_at(after, (3,))).inputs == ("b", "body.150")
    assert reads(after)["body.150.sum"] == ("body.150.y", "body.150.x")
    other = edits.set_inputs(after, (3,), ["b", "body.77.y"])
    assert reads(edits.rename(other, (1, 0, 1), "z"))["s"] == ("b", "body.77.z")
    shared = edits.set_weights_of(after, (2,), "body.99.x")
    assert instance(Layer, item_at(shared, (2,))).weights_of == "body.99.x"
    fewer = edits.set_times(after, (1,), 120)
    assert instance(Layer, item_at(fewer, (3,))).inputs == ("b", "body.119")
    with pytest.raises(EditError, match="no layer 'body.200'"):
        edits.set_inputs(after, (3,), ["b", "body.200"])


@pytest.mark.parametrize("times", [60, 200])
def test_that_a_name_that_a_turn_of_a_repeat_has_is_refused(times: int) -> None:
    repeat = Repeat(times, (conv("x"),))
    before = network(repeat, Sequence((conv("x"),), "s"), Parallel((Branch((conv("x"),), "b"),)))
    with pytest.raises(EditError, match=r"the name '50\.x' is taken"):
        edits.rename(before, (1,), "50")
    with pytest.raises(EditError, match=r"the name '50\.x' is taken"):
        edits.set_branches(before, (2,), [(0, "50")])
    assert not codes(edits.rename(before, (1,), str(times)))


def test_that_deleting_the_start_of_a_repeat_that_is_read_by_name_is_refused() -> None:
    before = network(conv("a"), Repeat(2, (conv("x"), conv("y"), add("s", "y", "x")), "stage"))
    with pytest.raises(EditError, match="first layer of a repeat"):
        edits.delete(before, [(1, 0, 0)])


def test_that_a_layer_cannot_move_in_front_of_what_it_reads() -> None:
    with pytest.raises(EditError, match="'sum' would no longer come after 'c'"):
        edits.move(SKIP, [(3,)], (0,))


def test_that_a_moved_layer_is_still_read_by_its_new_path() -> None:
    before = network(conv("a"), Sequence((conv("x"),), "block"), conv("b"), add("sum", "b", "a"))
    after = edits.move(before, [(0,)], (1, 0, 0))
    assert edits.landing([(0,)], (1, 0, 0)) == (0, 0, 0)
    assert item_at(after, (0, 0, 0)) == conv("a")
    assert reads(after)["sum"] == ("b", "block.a")


def test_that_a_container_cannot_be_moved_into_itself() -> None:
    before = network(Sequence((conv("x"),), "block"))
    with pytest.raises(EditError, match="into itself"):
        edits.move(before, [(0,)], (0, 0, 1))


@pytest.mark.parametrize(
    ("direction", "start", "arrives"),
    [
        ("up", (2,), (1,)),
        ("down", (0,), (1,)),
        ("up", (1, 0, 0), (1,)),
        ("down", (1, 0, 1), (2,)),
        ("out", (1, 0, 0), (2,)),
        ("in", (2,), (1, 0, 2)),
    ],
)
def test_that_one_step_arrives_where_it_should(direction, start, arrives) -> None:
    before = network(conv("a"), Sequence((conv("x"), conv("y")), "block"), conv("b"))
    target = edits.step(before, [start], direction)
    assert target is not None
    assert edits.landing([start], target) == arrives
    after = edits.move(before, [start], target)
    assert item_at(after, arrives) == item_at(before, start)


def test_that_there_is_no_step_beyond_the_ends() -> None:
    assert edits.step(SKIP, [(0,)], "up") is None
    assert edits.step(SKIP, [(3,)], "down") is None
    assert edits.step(SKIP, [(1,)], "in") is None


def test_that_inserted_layers_get_names_that_are_free() -> None:
    after = edits.insert(network(conv("conv1"), conv("conv2")), (1,), [conv("conv1"), conv("new")])
    assert [x.name for x in after.layers] == ["conv1", "conv3", "new", "conv2"]
    assert not codes(after)


def test_that_a_copy_reads_its_own_parts_and_others_still_read_the_original() -> None:
    block = Sequence((conv("x"), conv("y"), add("sum", "y", "x")), "block")
    after = edits.duplicate(network(block, conv("b"), add("end", "b", "block")), [(0,)])
    assert reads(after)["block2.sum"] == ("block2.y", "block2.x")
    assert reads(after)["end"] == ("b", "block.sum")


@pytest.mark.parametrize("kind", ["sequence", "residual", "parallel", "repeat"])
def test_that_wrapping_and_unwrapping_gives_the_network_back(kind: Any) -> None:
    wrapped = edits.wrap(SKIP, [(1,), (2,)], kind)
    assert not codes(wrapped) - {"shape_mismatch"}
    assert len(wrapped.layers) == 3
    assert edits.unwrap(wrapped, (1,)) == SKIP


def test_that_wrapping_layers_apart_is_refused() -> None:
    with pytest.raises(EditError, match="neighbouring"):
        edits.wrap(SKIP, [(0,), (2,)], "residual")


def test_that_unwrapping_never_drops_layers() -> None:
    with pytest.raises(EditError, match="shortcut"):
        edits.unwrap(network(Residual((conv("x"),), (conv("y"),))), (0,))
    with pytest.raises(EditError, match="branches"):
        edits.unwrap(network(Parallel((Branch((conv("x"),)), Branch((conv("y"),))))), (0,))


def test_that_readers_of_an_unwrapped_container_read_its_last_layer() -> None:
    before = network(Sequence((conv("x"), conv("y")), "block"), conv("b"), add("s", "b", "block"))
    after = edits.unwrap(before, (0,))
    assert reads(after)["s"] == ("b", "y")


def test_that_unwrapping_renames_what_would_be_there_twice() -> None:
    before = network(
        conv("x"), Sequence((conv("x"),), "block"), conv("b"), add("s", "b", "block.x")
    )
    after = edits.unwrap(before, (1,))
    assert reads(after)["s"] == ("b", "x2")
    assert not codes(after)


def test_that_parameters_are_set_and_judged() -> None:
    after = edits.set_parameter(SKIP, (0,), "kernel_size", (3, 5))
    assert conv_at(after, (0,)).kernel_size == (3, 5)
    with pytest.raises(OpError, match="kernel_size"):
        edits.set_parameter(SKIP, (0,), "kernel_size", 0)
    with pytest.raises(EditError, match="did you mean 'kernel_size'"):
        edits.set_parameter(SKIP, (0,), "kernal_size", 3)


def test_that_readers_follow_when_an_unnamed_layer_becomes_another_op() -> None:
    before = network(conv("a"), RELU, conv("b"), add("s", "b", "relu1"))
    after = edits.set_op(before, (1,), ops.Gelu())
    assert reads(after)["s"] == ("b", "gelu1")


def test_that_what_a_layer_reads_must_stand_before_it() -> None:
    assert reads(edits.set_inputs(SKIP, (2,), ["a"]))["c"] == ("a",)
    assert reads(edits.set_inputs(SKIP, (2,), ["input"]))["c"] == ("input",)
    with pytest.raises(EditError, match="there is no layer 'sum' before 'c'"):
        edits.set_inputs(SKIP, (2,), ["sum"])
    with pytest.raises(EditError, match="reads one layer"):
        edits.set_inputs(SKIP, (2,), ["a", "b"])


def test_that_all_layers_in_front_are_offered_to_be_read() -> None:
    before = network(conv("a"), Sequence((conv("x"), conv("y")), "block"), conv("b"))
    assert edits.readable(before, (1, 0, 1)) == ("input", "a", "x")
    assert edits.readable(before, (2,)) == ("input", "a", "block.x", "block.y", "block")


def test_that_branches_are_added_renamed_and_removed_but_not_while_read() -> None:
    before = network(Parallel((Branch((conv("x"),), "l"), Branch((), "r")), name="p"))
    after = edits.set_branches(before, (0,), [(0, "left"), (None, "new"), (1, "")])
    branches = instance(Parallel, item_at(after, (0,))).branches
    assert [b.name for b in branches] == [
        "left",
        "new",
        "",
    ]
    fewer = edits.set_branches(before, (0,), [(1, "r")])
    assert len(instance(Parallel, item_at(fewer, (0,))).branches) == 1
    used = network(*before.layers, conv("b"), add("s", "b", "p.l.x"))
    with pytest.raises(EditError, match="read from elsewhere"):
        edits.set_branches(used, (0,), [(1, "r")])


def test_that_facts_of_the_network_are_set() -> None:
    after = edits.set_network(SKIP, input_size=(64, 48), channels=1, name="mine")
    assert (after.input_size, after.channels, after.name) == ((64, 48), 1, "mine")
    with pytest.raises(EditError):
        edits.set_network(SKIP, input_size=(0, 4))


BREAKS = {"unknown_source", "later_source", "duplicate_name", "bad_name"}


_PRESETS = [
    "resnet18",
    *(pytest.param(x, marks=pytest.mark.slow) for x in ("unet", "googlenet", "densenet121")),
]


@pytest.mark.parametrize("preset", _PRESETS)
def test_that_random_edits_of_a_preset_leave_no_name_dangling(preset: str) -> None:
    text = (paths.architectures() / f"{preset}.yaml").read_bytes()
    architecture = read_yaml(text, Path(preset).name)
    chance = random.Random(7)
    refused = done = 0
    for _ in range(60):
        places = [location for location, _ in walk(architecture)]
        place, other = chance.choice(places), chance.choice(places)
        number = chance.randrange(99)
        kind: Any = chance.choice(["sequence", "residual", "parallel"])
        edit = chance.choice(
            [
                partial(edits.delete, locations=[place]),
                partial(edits.duplicate, locations=[place]),
                partial(edits.move, locations=[place], target=other),
                partial(edits.rename, location=place, name=f"layer_{number}"),
                partial(edits.wrap, locations=[place], kind=kind),
                partial(edits.unwrap, location=place),
                partial(edits.insert, location=place, items=[conv("conv1"), RELU]),
            ]
        )
        try:
            architecture = edit(architecture)
            done += 1
        except EditError:
            refused += 1
        assert not codes(architecture) & BREAKS
    assert done > refused


SHARED = network(
    conv(),
    conv("named"),
    Residual((conv(), RELU), name="block"),
    Parallel((Branch((RELU,)), Branch((conv("inside"),), "b")), "add"),
    Repeat(3, (RELU,)),
    add("", "named", "block"),
    Layer(ops.Conv(kernel_size=3, padding=1, out_channels=3), weights_of="named"),
    Layer(ops.MaxPool(kernel_size=2)),
)


@pytest.mark.parametrize(
    ("edit", "touched"),
    [
        (lambda x: edits.insert(x, (1,), (Layer(ops.Relu()),)), set()),
        (lambda x: edits.delete(x, [(7,)]), {7}),
        (lambda x: edits.duplicate(x, [(2,)]), set()),
        (lambda x: edits.move(x, [(7,)], (0,)), set()),
        (lambda x: edits.wrap(x, [(0,)], "repeat"), {0}),
        (lambda x: edits.unwrap(x, (4,)), {4}),
        (lambda x: edits.set_times(x, (4,), 5), {4}),
        (lambda x: edits.rename(x, (0,), "first"), {0}),
        (lambda x: edits.rename(x, (1,), "other"), {1, 5, 6}),
    ],
)
def test_that_versions_of_a_network_share_what_an_edit_leaves_alone(edit, touched) -> None:
    after = edit(SHARED)
    shared = {id(x) for x in after.layers}
    assert {i for i, x in enumerate(SHARED.layers) if id(x) not in shared} == touched


@pytest.mark.parametrize(
    "edit",
    [
        lambda x: edits.insert(x, (1,), (Layer(ops.Relu()),)),
        lambda x: edits.delete(x, [(2,)]),
        lambda x: edits.wrap(x, [(0,)], "residual"),
        lambda x: edits.unwrap(x, (4,)),
    ],
)
def test_that_an_edit_leaves_nothing_to_the_garbage_collector(edit) -> None:
    edit(SHARED)
    gc.collect()
    gc.disable()
    try:
        after = edit(SHARED)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert after != SHARED
