"""Numbers are in the words of the map to which they refer."""

from __future__ import annotations

import pytest

from rfstudio.app.files.presets import read_preset
from rfstudio.app.wording.facts import layer_facts, unit_facts
from rfstudio.app.wording.units import in_units
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.sample_words import PIXELS


def test_that_a_signal_has_samples_and_an_image_has_pixels() -> None:
    wave, vgg = analyze(read_preset("wavenet")), analyze(read_preset("vgg16"))
    assert vgg.units is PIXELS
    facts = {x.label: x for x in in_units(layer_facts(wave["post2"]), wave.units)}
    assert facts["size"].text == "3071 samples"
    assert facts["jump"].text == "1 sample"
    assert "px" not in " ".join(x.text + x.meaning for x in facts.values())
    unit = in_units(unit_facts(wave.unit("post2", (4000,))), wave.units)
    assert "Share of the signal" in " ".join(x.meaning for x in unit)


def test_that_a_reference_is_named_and_no_path_is_no_size() -> None:
    over = analyze(read_preset("vgg16"), reference="pool1")
    units = over.units
    assert (units.short, units.whole) == ("samples", "map of pool1")
    facts = {x.label: x.text for x in in_units(layer_facts(over["conv1_1"]), units)}
    assert facts["size"] == "none: no path leads to it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("11 px", "11 samples"),
        ("1 px", "1 sample"),
        ("2.1 px", "2.1 samples"),
        ("1/2 px", "1/2 samples"),
    ],
)
def test_that_one_is_singular(text: str, said: str) -> None:
    assert analyze(read_preset("wavenet")).units.said(text) == said
