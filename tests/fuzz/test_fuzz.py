"""Whatever comes in: errors of ours or an answer, within a second and 500 MB.

``RFSTUDIO_FUZZ=100000 pytest tests/fuzz -s`` tries that many inputs, all kinds in turn, and reports
what they took, failures as soon as they are found; ``RFSTUDIO_FUZZ_SEED`` begins elsewhere, and
``RFSTUDIO_FUZZ_KINDS`` names the kinds, as in ``by grammar,.onnx``.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from rfstudio.api.networks import load
from rfstudio.app.wording.facts import (
    cost_facts,
    form_facts,
    layer_facts,
    other_facts,
    place_facts,
    unit_facts,
)
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.expansion import expand
from rfstudio.engine.weights.reading import read_weights
from rfstudio.formats.images.images import read_image
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from rfstudio.formats.tables.analysis_tables import layer_record, unit_record
from tests.fuzz import inputs, models

COUNT = int(os.environ.get("RFSTUDIO_FUZZ", "0"))
SEED = int(os.environ.get("RFSTUDIO_FUZZ_SEED", "0"))
CHOSEN = os.environ.get("RFSTUDIO_FUZZ_KINDS", "")
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
    # The layers of a file are all read, also those of which a window shows the first.
    return max(_asked(analyze(drafts[0], max_layers=5000)), len(expand(drafts[0]).nodes) - 1)


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
        assert json.dumps(layer_record(layer))
        assert "".join(x.text for facts in _FACTS for x in facts(layer))
        if 0 not in layer.output_size:
            unit = analysis.unit(layer.name)
            assert unit.coverage >= 0
            assert json.dumps(unit_record(unit))
            assert "".join(x.text for x in unit_facts(unit))
    return len(layers)


_FACTS = (layer_facts, place_facts, cost_facts)


def _field(draft: Architecture) -> int:
    """Ask for an effective field, which takes as long as it says."""
    analysis = analyze(draft, max_layers=500)
    layer = analysis.layers[-1] if analysis.layers else None
    if layer is not None:
        erf = expected_erf(analysis.graph, layer.index, tuple(n // 2 for n in layer.output_size))
        assert erf.metrics.as_dict()
    return len(analysis.layers)


def _forms(draft: Architecture) -> int:
    """Ask for the equations of the last layer, for which a window goes over all layers before."""
    layers = analyze(draft, max_layers=5000).layers
    for layer in layers[-1:]:
        assert "".join(x.text for x in (*form_facts(layer), *other_facts(layer)))
    return len(layers)


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
        self.repeated = 0
        self.slowest = 0.0
        self.peak = 0
        self._started = time.monotonic(), time.process_time()

    def take(self, name: str, work: Callable[[], int], *, bounded: bool = True) -> None:
        """Try an input; one that is over the bounds is tried once more, alone."""
        fault = self._tried(name, work, bounded=bounded)
        if fault.startswith("over"):
            self.repeated += 1
            gc.collect()
            fault = self._tried(name, work, bounded=bounded)
        if fault:
            self.failures.append(f"{name}: {fault}")
            if COUNT:
                sys.stdout.write(f"\n{self.failures[-1]}\n")
                sys.stdout.flush()

    def _tried(self, name: str, work: Callable[[], int], *, bounded: bool) -> str:
        before = _peak_memory(is_from_now=True)
        started = time.process_time()
        layers, outcome, fault = 0, "answered", ""
        try:
            layers = work()
        except RFStudioError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - what is looked for
            outcome, fault = "failed", f"{type(error).__name__}: {str(error)[:200]}"
        took = time.process_time() - started
        grown = _peak_memory() - before
        self.outcomes[outcome] += 1
        # Machines differ, and other work runs beside; a long run on a quiet one is strict.
        allowed = (1 if COUNT else 4) * (SECONDS + A_LAYER * layers)
        if not bounded:
            return fault
        self.slowest, self.peak = max(self.slowest, took), max(self.peak, grown)
        if not fault and (took > allowed or grown > KILOBYTES):
            fault = f"over the bounds: {took:.2f} s, {grown / 1000:.0f} MB, {layers} layers"
        return fault

    def report(self, kind: str, tried: int) -> None:
        """Write what was found in so many inputs."""
        clock, processor = self._started
        rate = tried / max(time.monotonic() - clock, 1e-9)
        each = (time.process_time() - processor) / tried
        sys.stdout.write(
            f"\n{kind}: {tried:,} inputs, {dict(self.outcomes)}, {self.repeated} repeated, "
            f"slowest {self.slowest:.2f} s, most memory {self.peak / 1000:.0f} MB, "
            f"{len(self.failures)} failures; {rate:.0f}/s, {1000 * each:.1f} ms each\n"
        )
        sys.stdout.flush()


def _image(path: Path) -> int:
    return len(read_image(path)) * 0


def _model(kind: str, path: Path) -> int:
    """Read a file as what it is named, and its weights where it may have any."""
    if kind in (".pt2", ".onnx"):
        analysis = analyze(load(path, input_size=None), max_layers=5000)
        return _asked(analysis)
    return len(read_weights(path)) * 0


KINDS: Mapping[str, Callable[[random.Random], bytes]] = {
    **inputs.NETWORKS,
    "image": inputs.a_damaged_image,
    **models.FILES,
}
WEIGHTS = {"by grammar": 6, "changed preset": 4, "damaged preset": 2, ".onnx": 3}
"""How often inputs of a kind are tried: those of most ways to fail most often."""


def _all_in_turn() -> list[str]:
    chosen = CHOSEN.split(",") if CHOSEN else list(KINDS)
    return [x for x in chosen for _ in range(WEIGHTS.get(x, 1))]


def _try(kind: str, number: int, folder: Path, figures: _Figures) -> None:
    """Try one input of a kind."""
    name = f"{kind} {number}"
    data = KINDS[kind](random.Random(name))
    if kind in inputs.NETWORKS:
        drafts: list[Architecture] = []

        def work() -> int:
            drafts.clear()
            return _network(data, drafts)

        figures.take(name, work)
        # A field takes as long as it says.
        for draft in drafts if number % (30 if COUNT else 3) == 0 else ():
            figures.take(f"field of {name}", partial(_field, draft), bounded=False)
            figures.take(f"equations of {name}", partial(_forms, draft))
        return
    path = folder / f"input{kind if kind.startswith('.') else ''}"
    path.write_bytes(data)
    figures.take(name, partial(_image, path) if kind == "image" else partial(_model, kind, path))


_SLOW = (".pt2", ".onnx")


@pytest.mark.timeout(24 * 3600 if COUNT else 180)
@pytest.mark.parametrize(
    "kind",
    ["all in turn"]
    if COUNT
    else [pytest.param(x, marks=pytest.mark.slow if x in _SLOW else ()) for x in KINDS],
)
def test_that_any_input_is_answered_or_refused_within_bounds(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kinds = _all_in_turn() if COUNT else [kind]
    if ".onnx" in kinds:
        pytest.importorskip("onnx")
    figures = _Figures()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what it meets
        for each in dict.fromkeys(kinds):
            _try(each, 0, tmp_path, _Figures())  # what is made and imported once
        gc.collect()
        gc.freeze()  # as a window does: what is searched is what an input makes
        request.addfinalizer(gc.unfreeze)
        for number in range(SEED, SEED + (COUNT or (3 if kind in inputs.NETWORKS else 10))):
            _try(kinds[number % len(kinds)], number, tmp_path, figures)
            tried = number - SEED + 1
            if tried % 1000 == 0:
                figures.report(f"up to {number}", tried)
    figures.report(kind, tried)
    assert not figures.failures, "\n".join(figures.failures[:20])
