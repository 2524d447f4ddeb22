"""Axes and further inputs as lines of text, and the edits that take them."""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.editing.edits import set_network, set_weights_of
from rfstudio.core.errors import EditError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Input, Layer
from rfstudio.core.network.input_texts import (
    axes_of_text,
    axes_text,
    inputs_of_text,
    inputs_text,
)
from rfstudio.core.network.physical import Axis

CONV = ops.Conv(kernel_size=3, padding=1)
NETWORK = Architecture("n", "", "", (8, 8), 3, (Layer(CONV, "a"), Layer(CONV, "b")))


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        (
            "time: 320 samples window 1024; mel:",
            (Axis(name="time", unit="samples", spacing=320, window=1024), Axis(name="mel")),
        ),
        ("0.05 mm; 0.1 mm", (Axis(unit="mm", spacing=0.05), Axis(unit="mm", spacing=0.1))),
        ("depth: 2 mm; :", (Axis(name="depth", unit="mm", spacing=2), Axis())),
        ("", ()),
    ],
)
def test_that_axes_are_written_and_read(text: str, axes: tuple[Axis, ...]) -> None:
    assert axes_of_text(text, 2) == axes
    assert axes_text(axes) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.05 mm", "one entry per axis, 2"),
        ("0 mm; 1 mm", "a spacing is a number above 0, not '0'"),
        ("1e999 mm; 1 mm", "a spacing is a number above 0"),
        ("depth: 1 mm window x; 1 mm", "a window is a number above 0, not 'x'"),
        ("1 mm mm; 1 mm", "as in depth: 0.05 mm"),
    ],
)
def test_that_mistakes_in_axes_are_named(text: str, message: str) -> None:
    with pytest.raises(EditError, match=message):
        axes_of_text(text, 2)


def test_that_inputs_are_written_and_read() -> None:
    inputs = (Input("guide", (64, 32), 3), Input("mask", (8, 8), 1))
    text = "guide: 64×32, 3 channels; mask: 8×8, 1 channel"
    assert inputs_text(inputs) == text
    assert inputs_of_text(text) == inputs
    assert inputs_of_text("g: 4x4, 2") == (Input("g", (4, 4), 2),)
    with pytest.raises(EditError, match="as in guide: 64×64, 3"):
        inputs_of_text("guide 64")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("a: 8×8, 3; a: 4×4, 3", "two inputs are called 'a'"),
        ("input: 8×8, 3", "is the name of the network's input"),
        ("a: 8, 3", "needs 2 sizes"),
        ("a: 0×8, 3", "at least 1"),
    ],
)
def test_that_inputs_that_do_not_fit_are_refused(inputs: str, message: str) -> None:
    with pytest.raises(EditError, match=message):
        set_network(NETWORK, further_inputs=inputs_of_text(inputs))


def test_that_an_input_that_is_read_cannot_be_dropped() -> None:
    given = set_network(NETWORK, further_inputs=(Input("guide", (8, 8), 3),))
    assert not analyze(given).diagnostics
    reading = Layer(ops.Add(), "sum", ("b", "guide"))
    network = Architecture(
        "n", "", "", (8, 8), 3, (*NETWORK.layers, reading), further_inputs=given.further_inputs
    )
    with pytest.raises(EditError, match="'guide' is read by 'sum'"):
        set_network(network, further_inputs=())


def test_that_another_number_of_axes_forgets_what_they_measure() -> None:
    measured = set_network(NETWORK, input_axes=axes_of_text("1 mm; 1 mm", 2))
    assert set_network(measured, input_size=(8,)).input_axes == ()
    assert set_network(measured, input_size=(9, 9)).input_axes == measured.input_axes


def test_that_weights_are_shared_with_a_layer_before() -> None:
    shared = set_weights_of(NETWORK, (1,), "a")
    assert analyze(shared)["b"].parameters == 0
    assert set_weights_of(shared, (1,), "") == NETWORK
    with pytest.raises(EditError, match="there is no layer 'c' before"):
        set_weights_of(NETWORK, (1,), "c")
    wide = Layer(ops.Conv(kernel_size=5, padding=2), "b")
    other = Architecture("n", "", "", (8, 8), 3, (NETWORK.layers[0], wide))
    with pytest.raises(EditError, match="weights"):
        set_weights_of(other, (1,), "a")
