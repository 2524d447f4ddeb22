"""What works, and what is said, where a package is missing or broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _run(folder: Path, *words: str, script: str = "") -> tuple[int, str]:
    how = ["-c", script] if script else ["-m", "rfstudio"]
    done = subprocess.run(
        [sys.executable, *how, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())])},
    )
    return done.returncode, done.stderr


def _broken(folder: Path, name: str, code: str) -> None:
    """Put a package in front of the real one."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


_MISSING = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
_ERF = ("erf", "vgg16", "--layer", "conv1_1")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (_MISSING, "ModuleNotFoundError: No module named 'torch'"),
        ("raise OSError('libtorch_cpu.so: cannot open')", "OSError: libtorch_cpu.so: cannot open"),
        ("from torch._C import *", "ModuleNotFoundError: No module named 'torch._C'"),
        ("", "ModuleNotFoundError: No module named 'torch.nn'"),
    ],
)
def test_that_measuring_without_torch_is_refused_in_a_sentence(
    tmp_path: Path, code: str, reason: str
) -> None:
    _broken(tmp_path, "torch", code)
    status, told = _run(tmp_path, *_ERF)
    assert status == 1
    assert told.startswith(f"rfstudio: measuring needs torch, which cannot be used here ({reason}")
    assert told.count("\n") == 1


def test_that_the_python_functions_say_so_again_and_again(tmp_path: Path) -> None:
    _broken(tmp_path, "torch", "import torch._C")
    script = """
import rfstudio
calls = [
    lambda: rfstudio.erf("vgg16", "conv1_1"),
    lambda: rfstudio.erfs("vgg16", "conv1_1", [(0, 0)]),
    lambda: rfstudio.to_torch("vgg16"),
    lambda: rfstudio.expected_erf("vgg16", "conv1_1", samples=2),
]
for call in calls:
    try:
        call()
    except rfstudio.RFStudioError as error:
        assert "needs torch" in str(error) and "torch._C" in str(error), error
    else:
        raise AssertionError
assert rfstudio.expected_erf("vgg16", "conv1_1").map.sum() > 0
assert rfstudio.path_counts("vgg16", "conv1_1").map.sum() > 0
"""
    assert _run(tmp_path, script=script) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        (*_ERF, "--estimator", "expected"),
        ("analyze", "vgg16", "--layer", "conv1_1"),
        ("convert", "vgg16", "--output", "OUT.py"),
    ],
)
def test_that_what_is_computed_needs_no_torch(tmp_path: Path, words: tuple[str, ...]) -> None:
    _broken(tmp_path, "torch", _MISSING)
    words = tuple(x.replace("OUT", str(tmp_path / "out")) for x in words)
    assert _run(tmp_path, *words) == (0, "")


@pytest.mark.parametrize("name", ["numpy", "yaml"])
def test_that_another_missing_package_is_told_in_a_line(tmp_path: Path, name: str) -> None:
    _broken(tmp_path, name, f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    assert _run(tmp_path, "analyze", "vgg16") == (
        1,
        f"rfstudio: the installation is incomplete (No module named {name}); install RF Studio "
        "again, as the README says\n",
    )
