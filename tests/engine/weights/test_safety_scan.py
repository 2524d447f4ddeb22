"""Files of weights that cost far more than their size are refused within a second."""

from __future__ import annotations

import io
import json
import pickle
import random
import resource
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch

from rfstudio.core import ops
from rfstudio.core.errors import shown
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.weights.reading import load_weights, read_weights
from rfstudio.engine.weights.safety_scan import kind_of, scan
from tests.engine import networks

NETWORK = networks.stack(
    ops.Conv(kernel_size=3, padding=1), ops.BatchNorm(), ops.Relu(), channels=3
)
STATE = dict(to_torch(NETWORK, seed=1).state_dict())


def _zip_of(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def _safetensors_of(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


NEST = b"\x80\x02}" + b")" + b"\x85" * 1_000_000 + b"K\x01s."
MANY = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "memo": (lambda: b"\x80\x02Nr\0\0\0\x10.", "remembers an object in place 268,435,456"),
    "memo as text": (lambda: b"\x80\x02Np99999999999\n.", "remembers an object in place"),
    "memo in an archive": (
        lambda: _zip_of(("archive/data.pkl", b"\x80\x02Nr\0\0\0\x10.")),
        "remembers an object",
    ),
    "tuples in each other": (lambda: NEST, "nested more than 64 deep"),
    "lists in each other": (
        lambda: b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        "nested more than 64 deep",
    ),
    "a text beyond the end": (lambda: b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0f.", "cut off"),
    "a long number": (lambda: b"\x80\x02\x8b\x40\x42\x0f\0" + b"\x7f" * 1_000_000 + b".", "digits"),
    "steps": (lambda: b"\x80\x02" + b"N0" * 600_000 + b"N.", "more than 500,000 steps"),
    "empty tensors": (lambda: _safetensors_of(MANY), "tensors|header has"),
    "a long header": (lambda: struct.pack("<Q", 2**40) + b"{", "not a file of weights"),
    "a deep header": (lambda: _safetensors_of(b"{" + b"[" * 100_000), "nested too deep|not JSON"),
    "a kind of number": (
        lambda: _safetensors_of({"a\n": {"dtype": "F4", "shape": [0], "data_offsets": [0, 0]}}),
        r"'a\\n' has numbers of the kind F4",
    ),
    "a kind that is a list": (
        lambda: _safetensors_of({"a": {"dtype": [], "shape": [0], "data_offsets": [0, 0]}}),
        r"'a' has numbers of the kind \[\], which are not read",
    ),
    "an archive of a later version": (
        lambda: _zip_of(("a.pkl", b"N.")).replace(b"PK\1\2\x14\x03\x14", b"PK\1\2\x14\x03\xff"),
        "damaged or not a file of weights: zip file version",
    ),
    "an archive that is cut": (
        lambda: _zip_of(("a.pkl", b"N.")).replace(b"\2\0\0\0\2\0\0\0\5", b"\2\0\0\0\x70\0\0\0\5"),
        "damaged|parts overlap",
    ),
    "many entries": (
        lambda: b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 41_000, 41_000, 2_000_000, 0, 0),
        "table of contents",
    ),
}


@pytest.mark.timed
@pytest.mark.parametrize("kind", HOSTILE)
def test_that_a_hostile_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    make, words = HOSTILE[kind]
    path = tmp_path / "w.ckpt"
    path.write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert time.process_time() - started < 2  # half of it where nothing else runs
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000  # kilobytes
    message = str(caught.value)
    assert len(message) < 800
    assert "\n" not in message
    assert caught.match(words)


@pytest.mark.parametrize("suffix", [".ckpt", ".pth.tar", ".th", ".bin", ".weights"])
@pytest.mark.parametrize("how", ["zip", "legacy", "safetensors"])
def test_that_a_file_is_what_it_contains(tmp_path: Path, suffix: str, how: str) -> None:
    path = tmp_path / f"w{suffix}"
    if how == "safetensors":
        safetensors.torch.save_file(STATE, path)
    else:
        wrapped = {"state_dict": STATE, "epoch": 3, "optimizer": {"state": {0: {"step": 1}}}}
        torch.save(wrapped, path, _use_new_zipfile_serialization=how == "zip")
    assert load_weights(to_torch(NETWORK), path).missing == ()


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_that_numbers_of_8_bits_are_read(tmp_path: Path, dtype, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    state = {k: x.to(dtype) if x.is_floating_point() else x for k, x in STATE.items()}
    safetensors.torch.save_file(state, path) if suffix != ".pt" else torch.save(state, path)
    module = to_torch(NETWORK)
    assert load_weights(module, path).missing == ()
    assert torch.equal(module.state_dict()["l0.weight"], STATE["l0.weight"].to(dtype).float())


def test_that_quantised_tensors_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"a": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}, path)
    # A warning of torch would be an error here, and other words.
    with pytest.raises(WeightsError, match="holds nested or quantised tensors"):
        read_weights(path)


def test_that_nested_tensors_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    torch.save({"a": nested}, path)
    with pytest.raises(WeightsError, match="nested or quantised|cannot be read|could run code"):
        read_weights(path)


def test_that_names_are_quoted_short_and_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"x" * 1_000_000: torch.zeros(2), "a\nb": torch.zeros(3)}, path)
    with pytest.raises(WeightsError) as caught:
        load_weights(to_torch(NETWORK), path)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)
    assert shown("a\nb\x1b[0m") == r"a\nb\x1b[0m"


@pytest.mark.parametrize("seed", range(30))
def test_that_damaged_files_raise_nothing_but_our_errors(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "w.bin"
    if seed % 3 == 0:
        safetensors.torch.save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=seed % 3 == 1)
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data) if rng.random() < 0.5 else 600)
        data[place] = rng.randrange(256)
    path.write_bytes(data)
    with suppress(WeightsError):
        load_weights(to_torch(NETWORK), path)


def test_that_the_scanner_follows_every_pickle_of_python() -> None:
    value = {"a": [1, 2.5, None, True, (1, 2, 3, 4), {3}, b"x", 10**30], ("k",): frozenset("ab")}
    value["again"] = value["a"]
    for protocol in range(2, 6):
        data = pickle.dumps(value, protocol)
        from rfstudio.engine.weights.safety_scan import MAX_OPERATIONS, _scan_pickle

        assert _scan_pickle(data, 0, [MAX_OPERATIONS]) == len(data)


def test_that_presets_of_kinds_are_told_apart(tmp_path: Path) -> None:
    for i in range(256):  # every last byte of a header's length
        path = tmp_path / "w"
        path.write_bytes(_safetensors_of({"__metadata__": {"k": "v" * i}}))
        assert kind_of(path) == "safetensors"
        scan(path, "safetensors")
