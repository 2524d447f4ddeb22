"""What is written reads back equal, and is written the same again."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given

from rfstudio import paths
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.ops import Relu
from rfstudio.formats.networks.yaml_reader import read_draft, read_items, read_yaml
from rfstudio.formats.networks.yaml_writer import write_items, write_yaml
from tests.strategies import architectures, drafts

PRESETS = sorted(paths.architectures().glob("*.yaml"))


@given(architectures())
def test_that_a_written_network_reads_back_equal_and_is_written_the_same(
    architecture: Architecture,
) -> None:
    text = write_yaml(architecture)
    again = read_yaml(text)
    assert again == architecture
    assert write_yaml(again) == text


@given(drafts())
def test_that_a_network_in_the_making_reads_back_equal(architecture: Architecture) -> None:
    assert read_draft(write_yaml(architecture)) == architecture


@given(drafts())
def test_that_items_survive_the_clipboard(architecture: Architecture) -> None:
    text = write_items(architecture.layers)
    assert read_items(text, architecture.axes) == architecture.layers


@pytest.mark.parametrize("preset", PRESETS, ids=lambda x: x.stem)
def test_that_every_preset_reads_back_equal(preset: Path) -> None:
    architecture = read_yaml(preset.read_bytes(), preset.name)
    text = write_yaml(architecture)
    assert read_yaml(text) == architecture
    assert write_yaml(read_yaml(text)) == text


@given(drafts())
def test_that_a_reader_of_yaml_1_1_finds_the_same_texts(architecture: Architecture) -> None:
    found = yaml.safe_load(write_yaml(architecture))
    assert found["name"] == architecture.name
    assert found.get("description", "") == architecture.description
    assert found.get("reference", "") == architecture.reference
    names = [name for item in architecture.layers if (name := item.name)]
    bodies = [next(iter(x.values())) for x in found["layers"] if isinstance(x, dict)]
    assert [x["name"] for x in bodies if "name" in x] == names


def test_that_a_file_is_written_as_people_would_write_it() -> None:
    text = (
        "format: 1\n"
        "name: Tiny\n"
        "description: |-\n"
        "  First line: with a colon.\n"
        "\n"
        "  Second paragraph.\n"
        "reference: arXiv:1512.03385\n"
        "input: {size: [32, 48], channels: 3}\n"
        "layers:\n"
        "  - conv: {name: stem, kernel_size: [3, 5], padding: [[0, 1], [2, 2]], bias: false}\n"
        "  - repeat:\n"
        "      name: stage\n"
        "      times: 2\n"
        "      layers:\n"
        "        - residual:\n"
        "            layers:\n"
        "              - conv: {kernel_size: 3, padding: same}\n"
        "              - relu\n"
        "            shortcut:\n"
        "              - identity\n"
        "  - parallel:\n"
        "      merge: add\n"
        "      branches:\n"
        '        - name: "on"\n'
        "          layers:\n"
        "            - batch_norm: {eps: 0.001}\n"
        "        - layers: []\n"
        "  - add: {from: [stem, stage.1]}\n"
    )
    architecture = read_draft(text)
    assert write_yaml(architecture) == text


def test_that_a_long_description_is_folded_as_in_the_presets() -> None:
    description = "word " * 60 + "end"
    text = write_yaml(Architecture(description=description))
    assert max(map(len, text.splitlines())) <= 100
    assert read_yaml(text).description == description


def test_that_a_network_that_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(RFStudioError, match="surrogate"):
        write_yaml(Architecture(name="\ud800"))
    with pytest.raises(RFStudioError, match="bytes"):
        write_yaml(Architecture(layers=(Layer(Relu(), name="x" * 60_000),) * 20))


def test_that_an_empty_clipboard_list_reads_as_no_items() -> None:
    assert read_items(write_items(())) == ()
