"""Measurements in parts: each on the disk, and together those of one go."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfstudio import api
from rfstudio.api.resuming import measure_in_parts
from rfstudio.cli.program import run as rfstudio_command
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.images.photos import photos_of
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.torchrun import run_ranks

NETWORK = Architecture(
    name="three",
    channels=3,
    input_size=(16, 14),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "a"),
        Layer(ops.BatchNorm()),
        Layer(ops.Relu()),
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "b"),
    ),
)
REQUEST = ErfRequest(
    architecture=NETWORK, layer="b", samples=21, images_per_weights=4, device="cpu", seed=5
)


def _photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    source = np.random.default_rng(0)
    for number in range(count):
        pixels = source.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_that_parts_give_what_one_go_gives(tmp_path: Path) -> None:
    path = tmp_path / "state"
    fractions: list[float] = []
    found = measure_in_parts(REQUEST, path, part=7, report=lambda done, _: fractions.append(done))
    wanted = api.measure(REQUEST).run
    assert (found.samples, found.options) == (21, wanted.options)
    np.testing.assert_allclose(found.map, wanted.map, rtol=1e-10)
    np.testing.assert_allclose(found.standard_error, wanted.standard_error, rtol=1e-7)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_that_a_stopped_measurement_goes_on_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    folder = _photos(tmp_path / "photos", 10)
    request = replace(REQUEST, images=photos_of(folder), samples=None, weights="uniform")

    def stop(fraction: float, _: object) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_in_parts(request, path, part=4, report=stop)
    begun: list[float] = []
    found = measure_in_parts(request, path, part=4, report=lambda done, _: begun.append(done))
    assert begun[0] > 0.4
    np.testing.assert_allclose(found.map, api.measure(request).run.map, rtol=1e-10)
    # It is complete now, so nothing is measured any more.
    again = measure_in_parts(request, path, report=stop)
    np.testing.assert_array_equal(again.map, found.map)


def test_that_other_images_options_and_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    request = replace(REQUEST, images=photos_of(_photos(tmp_path / "a", 3)), samples=3)
    measure_in_parts(request, path)
    other = replace(request, images=photos_of(_photos(tmp_path / "b", 4)))
    with pytest.raises(RFStudioError, match="other images"):
        measure_in_parts(other, path)
    with pytest.raises(RFStudioError, match="other options"):
        measure_in_parts(replace(request, seed=6, samples=9), path)
    with pytest.raises(RFStudioError, match="cannot be continued"):
        measure_in_parts(replace(request, estimator="signed"), path)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(RFStudioError, match="no measurement to go on with"):
        measure_in_parts(request, path)


def test_that_the_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "state")
    words = ["erf", "luo_20_layers", "--layer", "stack.1", "--format", "json", "--resume", path]
    assert rfstudio_command([*words, "--samples", "8"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert rfstudio_command([*words, "--samples", "16"]) == 0
    assert (first["samples"], json.loads(capsys.readouterr().out)["samples"]) == (8, 16)
    assert rfstudio_command([*words, "--estimator", "expected"]) == 2
    assert "--resume is for a field that is measured" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("total", [2, 4])
def test_that_several_processes_share_a_folder_of_photos(total: int, tmp_path: Path) -> None:
    folder = _photos(tmp_path / "photos", 11)
    network = tmp_path / "network.yaml"
    network.write_text(write_yaml(NETWORK))
    words = ["erf", str(network), "--layer", "b", "--images", str(folder), "--weights", "uniform"]
    words += ["--format", "json", "--device", "cpu"]
    saved = [tmp_path / "one.npz", tmp_path / "several.npz"]
    assert rfstudio_command([*words, "-o", str(saved[0]), "--format", "npz"]) == 0
    state = ["--resume", str(tmp_path / "state")]
    command = ["-m", "rfstudio", *words, *state, "-o", str(saved[1]), "--format", "npz"]
    printed = run_ranks(command, total)
    assert printed[1:] == [""] * (total - 1)
    one, several = (np.load(x)["map"] for x in saved)
    np.testing.assert_allclose(several, one, rtol=1e-10)
