"""Numbers in the sentences of presets, of the README and of the window are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfstudio.api.lessons import LESSONS
from rfstudio.app.files.presets import preset_sentence, read_preset, shipped_names
from rfstudio.core.fields.analysis import analyze
from rfstudio.widgets.lessons import panel
from rfstudio.widgets.window.tour import TOUR_TEXTS

ROOT = Path(__file__).resolve().parents[2]
_PARAMETERS = re.compile(r"([\d,]+\d) (?:learnable )?parameters")


@pytest.mark.parametrize("name", shipped_names())
def test_that_the_sentence_of_a_preset_has_its_parameters(name: str) -> None:
    network = read_preset(name)
    sentence = " ".join(network.description.split())
    (told,) = _PARAMETERS.findall(sentence)
    total = sum(x.parameters for x in analyze(network).layers)
    assert int(told.replace(",", "")) == total


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [("luo_20_layers", "stack.19", 41), ("patchgan", "", 70), ("unet_3d", "labels", None)],
)
def test_that_the_sentence_of_a_preset_has_its_field(
    name: str, layer: str, size: int | None
) -> None:
    analysis = analyze(read_preset(name))
    sentence = " ".join(analysis.architecture.description.split())
    last = analysis[layer] if layer else analysis.layers[-1]
    if size is None:  # 44 × 44 × 28 and three labels out
        assert (last.channels, last.output_size) == (3, (28, 44, 44))
        assert "44 × 44 × 28 and three labels" in sentence
    else:
        assert last.rf_size == (size, size)
        assert re.search(rf"\b{size}\b", sentence)


def test_that_sentences_tell_variants_of_a_network_apart() -> None:
    sentences: dict[str, list[str]] = {}
    for name in shipped_names():
        title, _, sentence = preset_sentence(name).partition(": ")
        sentences.setdefault(re.sub(r" \(.*\)", "", title), []).append(sentence)
    variants = [x for x in sentences.values() if len(x) > 1]
    assert len(variants) >= 3
    assert [x for x in variants if len(set(x)) < len(x)] == []


def test_that_counts_in_texts_are_right() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"; {len(shipped_names())} published ones" in readme
    words = " ".join(text for _, text in TOUR_TEXTS)
    assert len(LESSONS) == 10
    assert "ten lessons" in words
    assert "ten lessons" in panel._NONE
