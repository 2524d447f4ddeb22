"""Writes all numbers of all presets into a file, and compares two such files.

``python benchmarks/all_numbers.py write before.npz``, then a change, then ``write after.npz``, then
``compare before.npz after.npz``.  A change that only moves code leaves every text equal to the
letter and every map to 1e-12 of its peak.  It holds, for each preset: the analysis and some units
as JSON, the network as YAML and as PyTorch source, tables, expected fields, path counts, supports
and metrics of units in the middle and in a corner of some layers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import rfstudio

LAYERS = 4
"""Layers of each preset whose units are asked for, evenly spaced, the last one included."""


def texts_of(name: str, layers: list[str]) -> Iterator[tuple[str, str]]:
    """Yield everything that the command line says of a preset."""
    commands = [["analyze", name, "--format", x] for x in ("json", "csv", "markdown", "latex")]
    commands.append(["analyze", name])
    commands += [["analyze", name, "--layer", x, "--format", "json"] for x in layers]
    for command in commands:
        yield " ".join(command), _output(command)
    for ending in (".yaml", ".py"):
        file = Path(f".numbers{ending}")
        _output(["convert", name, "--output", str(file)])
        yield f"convert {name} {ending}", file.read_text()
        file.unlink()


def _output(arguments: list[str]) -> str:
    from contextlib import redirect_stdout, suppress
    from io import StringIO

    from rfstudio.cli import main

    out = StringIO()
    with redirect_stdout(out), suppress(SystemExit):
        main(arguments)
    return out.getvalue()


def maps_of(name: str, layers: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield maps and metrics of some units of a preset."""
    analysis = rfstudio.analyze(name)
    for layer in layers:
        size = analysis[layer].output_size
        for unit in {tuple(n // 2 for n in size), (0,) * len(size)}:
            key = f"{name} {layer} {unit}"
            yield f"{key} support", np.packbits(analysis.unit(layer, unit).support())
            for mode in ("warmed", "fresh"):
                erf = rfstudio.expected_erf(name, layer, unit, batch_norm=mode)
                scale = float(erf.map.max()) or 1.0
                yield f"{key} {mode}", erf.map / scale
                yield f"{key} {mode} scale", np.array([scale, erf.exponent, erf.exact])
                yield f"{key} {mode} notes", np.array(list(erf.notes))
            metrics = erf.metrics
            yield f"{key} sigma", np.array(metrics.sigma)
            yield f"{key} luo", np.array(metrics.luo_size)
            counts = rfstudio.path_counts(name, layer, unit)
            yield f"{key} paths", counts.map / (float(counts.map.max()) or 1.0)


def write(path: str) -> None:
    """Write the numbers of all presets."""
    presets = sorted(x.stem for x in Path("architectures").glob("*.yaml"))
    found: dict[str, np.ndarray] = {}
    for name in presets:
        nodes = [layer.name for layer in rfstudio.analyze(name).layers]
        steps = np.linspace(len(nodes) / LAYERS, len(nodes), LAYERS).astype(int) - 1
        layers = [nodes[i] for i in dict.fromkeys(steps.tolist())]
        for key, text in texts_of(name, layers):
            found[key] = np.array(text)
        found.update(maps_of(name, layers))
        print(name, flush=True)
    # The stubs take the key of every array for `allow_pickle`.
    arrays: dict[str, Any] = dict(found)
    np.savez_compressed(path, **arrays)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    print(f"{len(found)} entries of {len(presets)} presets at {commit.stdout.strip()}")


def compare(before: str, after: str) -> None:
    """Print what differs between two files, and by how much."""
    a, b = np.load(before), np.load(after)
    missing = set(a.files) ^ set(b.files)
    worst, texts = 0.0, 0
    for key in sorted(set(a.files) & set(b.files)):
        x, y = a[key], b[key]
        if x.dtype.kind == "f" and x.shape == y.shape:
            apart = float(np.abs(x - y).max(initial=0.0) / max(np.abs(x).max(initial=0.0), 1e-300))
            worst = max(worst, apart)
            if apart > 1e-12:
                print(f"{key}: {apart:.3g}")
        elif x.shape != y.shape or (x != y).any():
            texts += 1
            print(f"{key}: differs")
    print(f"{len(a.files)} entries; only in one of the files: {sorted(missing) or 'none'}")
    print(f"texts and supports that differ: {texts}; largest difference of a map: {worst:.3g}")
    sys.exit(bool(missing or texts or worst > 1e-12))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        compare(*sys.argv[2:])
