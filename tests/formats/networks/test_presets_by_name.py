"""Networks by name or path."""

from pathlib import Path
from typing import Any

import pytest

from rfstudio import paths
from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.formats.networks.presets import names, open_network, preset_path, presets, read_preset
from rfstudio.formats.networks.yaml_writer import write_yaml


def test_that_every_file_of_the_folder_is_a_preset() -> None:
    assert set(names()) == {x.stem for x in paths.architectures().iterdir() if x.suffix == ".yaml"}
    assert {"alexnet", "vgg16", "resnet18", "resnet50", "resnet50_v1", "unet"} <= set(names())


def test_that_every_preset_has_a_title_a_description_and_a_source() -> None:
    for preset in presets():
        assert preset.title, preset.name
        assert preset.description, preset.name
        assert preset.reference, preset.name


def test_that_an_unknown_preset_names_the_nearest_one() -> None:
    with pytest.raises(RFStudioError, match="no preset 'resnet_50'; did you mean 'resnet50"):
        read_preset("resnet_50")
    with pytest.raises(RFStudioError, match="'rfstudio presets' lists them"):
        read_preset("xyzzyxyzzy")


def test_that_a_preset_name_is_no_way_out_of_the_folder() -> None:
    with pytest.raises(RFStudioError, match="there is no preset"):
        preset_path("../pyproject")


def test_that_a_network_is_opened_by_name_or_by_path(tmp_path: Path) -> None:
    target = tmp_path / "own.yaml"
    target.write_text(write_yaml(read_preset("vgg16")), encoding="utf-8")
    assert open_network("vgg16") == read_preset("vgg16")
    assert open_network(target) == read_preset("vgg16")
    assert open_network(str(target)) == read_preset("vgg16")


def test_that_a_preset_wins_over_a_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16").mkdir()
    assert open_network("vgg16") == read_preset("vgg16")
    with pytest.raises(RFStudioError, match="it is a folder"):
        open_network("./vgg16")


def test_that_what_is_neither_preset_nor_file_is_said_to_be_neither(tmp_path: Path) -> None:
    with pytest.raises(
        RFStudioError, match="no preset and no file 'resnet_18'; did you mean 'resnet18'"
    ):
        open_network("resnet_18")
    with pytest.raises(
        RFStudioError, match=r"missing\.yaml' cannot be read: there is no such file"
    ):
        open_network("missing.yaml")
    with pytest.raises(RFStudioError, match="there is no such file"):
        open_network(tmp_path / "vgg16")


def test_that_the_problems_of_a_file_carry_its_path(tmp_path: Path) -> None:
    target = tmp_path / "bad.yaml"
    target.write_text("format: 1\ninput: {size: [8], channels: 1}\nlayers: [reluu]\n")
    with pytest.raises(FormatError) as caught:
        open_network(str(target))
    assert str(caught.value) == f"{target}:3:10: unknown op 'reluu'; did you mean 'relu'?"


def test_that_a_file_of_more_than_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    target = tmp_path / "large.yaml"
    target.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(RFStudioError, match=r"has 1,048,577 bytes; at most 1,048,576 are read"):
        open_network(target)


def test_that_what_is_no_name_and_no_path_is_told_what_is_taken() -> None:
    module: Any = object()
    with pytest.raises(RFStudioError, match=r"not object; a torch module is measured with mod"):
        open_network(module)
