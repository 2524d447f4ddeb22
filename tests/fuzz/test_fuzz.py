"""Whatever comes in: errors of ours or an answer, within a second and 500 MB.

``RFSTUDIO_FUZZ=10000 pytest tests/fuzz -s`` tries that many inputs and reports what they took;
``RFSTUDIO_FUZZ_SEED`` begins elsewhere.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rfstudio.api.networks import load
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.weights.reading import read_weights
from rfstudio.formats.images.images import read_image
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from tests.fuzz import inputs, models

COUNT = int(os.environ.get("RFSTUDIO_FUZZ", "0"))
SEED = int(os.environ.get("RFSTUDIO_FUZZ_SEED", "0"))
SECONDS = 1.0
A_LAYER = 10e-6
KILOBYTES = 500_000
_PEAK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def _network(data: bytes, drafts: list[Architecture]) -> int:
    """Read a network as a file and as a draft, and ask what a window asks; return its layers."""
    try:
        drafts.append(read_yaml(data))
    except RFStudioError:
        drafts.append(read_draft(data))
    return _asked(analyze(drafts[0], max_layers=5000))


def _asked(analysis: Analysis) -> int:
    """Ask what a window asks of some layers; return how many there are."""
    assert analysis.diagnostics is not None
    layers = analysis.layers
    for layer in {
        x.name: x for x in (*layers[:1], *layers[len(layers) // 2 :][:1], *layers[-1:])
    }.values():
        assert layer.rf_size is not None
        assert layer.alignment is not None
        assert layer.context is not None
        assert layer.growth is not None
        assert layer.path_fields is not None
        assert layer.interior is None or len(layer.interior) == len(layer.output_size)
        if layer.local is not None:
            assert layer.local.rf_size is not None
        if 0 not in layer.output_size:
            assert analysis.unit(layer.name).coverage >= 0
    return len(layers)


def _field(draft: Architecture) -> int:
    """Ask for an effective field, which takes as long as it says."""
    analysis = analyze(draft, max_layers=500)
    layer = analysis.layers[-1] if analysis.layers else None
    if layer is not None:
        erf = expected_erf(analysis.graph, layer.index, tuple(n // 2 for n in layer.output_size))
        assert erf.metrics.as_dict()
    return len(analysis.layers)


def _peak_memory(*, is_from_now: bool = False) -> int:
    """Return the most memory that this process ever had, in kB, or had since it was last reset.

    Else one input of 400 MB would hide that all later ones take as much.
    """
    if is_from_now and _PEAK.exists():
        _PEAK.write_text("5")  # Linux: forget the highest so far
    if not _PEAK.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(_STATUS.read_text().partition("VmHWM:")[2].split(maxsplit=1)[0])


class _Figures:
    """What inputs took, and which failed."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self.peak = 0

    def take(self, name: str, work: Callable[[], int], *, bounded: bool = True) -> None:
        before = _peak_memory(is_from_now=True)
        started = time.process_time()
        layers = 0
        try:
            layers = work()
            self.outcomes["answered"] += 1
        except RFStudioError:
            self.outcomes["refused"] += 1
        except Exception as error:  # noqa: BLE001 - what is looked for
            self.failures.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
        took = time.process_time() - started
        grown = _peak_memory() - before
        self.slowest, self.peak = max(self.slowest, took), max(self.peak, grown)
        # Machines differ, and other work runs beside; a long run on a quiet one is strict.
        allowed = (1 if COUNT else 4) * (SECONDS + A_LAYER * layers)
        if bounded and (took > allowed or grown > KILOBYTES):
            self.failures.append(f"{name}: {took:.2f} s, {grown / 1000:.0f} MB, {layers} layers")

    def report(self, kind: str) -> None:
        sys.stdout.write(
            f"\n{kind}: {dict(self.outcomes)}, slowest {self.slowest:.2f} s, "
            f"most memory {self.peak / 1000:.0f} MB, {len(self.failures)} failures\n"
        )
        assert not self.failures, "\n".join(self.failures[:20])


@pytest.mark.timeout(24 * 3600 if COUNT else 180)
@pytest.mark.parametrize("kind", inputs.NETWORKS)
def test_that_any_network_is_answered_or_refused_within_bounds(kind: str) -> None:
    figures = _Figures()
    for number in range(SEED, SEED + (COUNT or 3)):
        data = inputs.NETWORKS[kind](random.Random(f"{kind} {number}"))
        drafts: list[Architecture] = []
        figures.take(f"{kind} {number}", partial(_network, data, drafts))
        for draft in drafts if number % 3 == 0 else ():
            figures.take(f"field of {kind} {number}", partial(_field, draft), bounded=False)
    figures.report(kind)


@pytest.mark.timeout(24 * 3600 if COUNT else 180)
def test_that_any_image_is_shown_or_refused_within_bounds(tmp_path: Path) -> None:
    figures = _Figures()
    path = tmp_path / "image"
    for number in range(SEED, SEED + (COUNT or 10)):
        path.write_bytes(inputs.a_damaged_image(random.Random(f"image {number}")))
        figures.take(f"image {number}", lambda: len(read_image(path)) * 0)
    figures.report("images")


def _model(kind: str, path: Path) -> int:
    """Read a file as what it is named, and its weights where it may have any."""
    if kind in (".pt2", ".onnx"):
        analysis = analyze(load(path, input_size=None), max_layers=5000)
        return _asked(analysis)
    return len(read_weights(path)) * 0


@pytest.mark.timeout(24 * 3600 if COUNT else 180)
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(x, marks=pytest.mark.slow if not COUNT and x in (".pt2", ".onnx") else ())
        for x in models.FILES
    ],
)
def test_that_any_file_of_a_model_is_read_or_refused_within_bounds(
    kind: str, tmp_path: Path
) -> None:
    if kind == ".onnx":
        pytest.importorskip("onnx")
    figures = _Figures()
    path = tmp_path / f"model{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what it meets
        models.FILES[kind](random.Random(0))  # what is made once
        for number in range(SEED, SEED + (COUNT or 10)):
            path.write_bytes(models.FILES[kind](random.Random(f"{kind} {number}")))
            figures.take(f"{kind} {number}", partial(_model, kind, path))
    figures.report(kind)
