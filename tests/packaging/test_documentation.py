"""The documentation tells the truth: all of its code runs, and its pages are found and shipped."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import rfstudio
from rfstudio import paths
from rfstudio.cli import main
from rfstudio.cli.arguments import parse
from rfstudio.formats.experiments.recipe_reader import read_recipe
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.engine.real_models import torchvision_models

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = ("changelog", "command-line", "contributing", "lessons")  # by docs/conf.py
PAGES = sorted(x for x in DOCS.rglob("*.md") if x.stem not in MADE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^ *```(.*)$", re.MULTILINE)
RUN = ("python", "pycon", "console", "sh", "yaml")
NOT_RUN = ("text", "{toctree}", "{eval-rst}")
# Minutes of work, which other tests do with fewer samples; their words are checked.
SLOW_COMMANDS = ("experiment",)
# The commands of the gallery are run by Sphinx: see docs/conf.py.
WITH_CODE = [
    page
    for page in [*PAGES, ROOT / "README.md"]
    if page.stem != "gallery" and any(kind in RUN for kind, _ in BLOCK.findall(page.read_text()))
]
MY_MODEL = """
from torch import nn
make = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))


class MyNet(nn.Sequential):
    def __init__(self):
        super().__init__()
        for stage in ("stage1", "stage2", "stage3"):
            channels = 3 if stage == "stage1" else 8
            self.add_module(stage, nn.Sequential(nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU()))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work where the files are that pages call photo.jpg and my_model.py."""
    shutil.copy(paths.sample_images() / "cat.jpg", tmp_path / "photo.jpg")
    (tmp_path / "my_model.py").write_text(MY_MODEL)
    _photos_with_masks_and_weights(tmp_path)
    shutil.copy(paths.architectures() / "vgg11.yaml", tmp_path / "my_network.yaml")
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def _photos_with_masks_and_weights(folder: Path) -> None:
    """Make what the page on images calls photos, masks and trained.safetensors."""
    for name in ("photos", "masks"):
        (folder / name).mkdir()
    shutil.copy(paths.sample_images() / "cat.jpg", folder / "photos" / "cat.jpg")
    with Image.open(folder / "photo.jpg") as photo:
        mask = Image.new("L", photo.size)
        mask.paste(255, (photo.width // 4, photo.height // 4, photo.width // 2, photo.height // 2))
    mask.save(folder / "masks" / "cat.png")
    save_file(rfstudio.to_torch("resnet18", seed=1).state_dict(), folder / "trained.safetensors")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", WITH_CODE, ids=[x.relative_to(ROOT).as_posix() for x in WITH_CODE])
def test_that_all_code_of_a_page_runs_and_shows_what_it_says(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for kind, text in BLOCK.findall(page.read_text()):
        if "torchvision" in text:
            if find_spec("torchvision") is None:
                continue  # an extra of the slow tests, which the hosted checks have
            torchvision_models()  # which cannot be imported as it is beside torch without CUDA
        capsys.readouterr()
        if kind == "python":
            exec(compile(text, str(page), "exec"), names)
        elif kind == "pycon":
            _check_session(text, names, page)
        elif kind == "console":
            _check_console(text, capsys)
        elif kind == "sh":
            for line in text.splitlines():
                _run(line)
        elif kind == "yaml":
            _check_yaml(text)


def _check_session(text: str, names: dict[str, object], page: Path) -> None:
    example = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), 0)
    shown: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, out=shown.append, clear_globs=False)
    names |= example.globs
    assert not runner.failures, "".join(shown)


def _check_console(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition("\n")
        _run(command)
        printed = capsys.readouterr().out
        at = 0
        # A line with an ellipsis alone stands for lines that are left out.
        for part in re.split(r"^…\n", expected, flags=re.MULTILINE):
            at = printed.find(part, at)
            assert at >= 0, part
            at += len(part)


def _run(line: str) -> None:
    """Run a line of a shell: a command of the program here, others with it in a shell."""
    words = shlex.split(line, comments=True)
    if "|" in words or words[:1] == ["torchrun"]:
        # The program of this very tree, whatever is installed.
        python = shlex.quote(sys.executable)
        names = (
            f'rfstudio() {{ {python} -m rfstudio "$@"; }}; '
            f'torchrun() {{ {python} -m torch.distributed.run "$@"; }}; '
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", names + line],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
    elif words[:1] == ["torchrun"]:  # minutes; tests/engine runs two ranks with fewer samples
        parse(words[words.index("rfstudio") + 1 :])
    elif words[:1] == ["rfstudio"]:
        if words[1] in SLOW_COMMANDS and len(words) > 2:
            parse(words[1:])
        else:
            assert main(words[1:]) == 0, line
    else:
        assert words[:1] in ([], ["./start"]), line  # tried by .ci/run


def _check_yaml(text: str) -> None:
    """Read a network, a recipe, or rows of one."""
    if "rows:" not in text:
        read_yaml(text)
        return
    whole = text if text.startswith("format:") else f"format: 1\ntitle: rows\n{text}"
    assert read_recipe(whole, "page").items


def test_that_every_block_of_code_is_run_or_known_to_be_no_code() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        text = page.read_text()
        fences = FENCE.findall(text)
        opened, closed = fences[::2], fences[1::2]
        assert set(closed) <= {""}, page
        assert set(opened) <= {*RUN, *NOT_RUN}, page
        run = [kind for kind, _ in BLOCK.findall(text) if kind in RUN]
        assert len(run) == sum(kind in RUN for kind in opened), page


@pytest.mark.parametrize("page", PAGES, ids=[x.relative_to(DOCS).as_posix() for x in PAGES])
def test_that_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "gallery/" in target:  # drawn when the site is built, by a command on the same page
            assert f"--output {Path(target).name}" in page.read_text()
        else:
            assert (page.parent / target).exists(), target


def test_that_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text()
    listed = re.findall(r"^([\w/-]+)$", index, flags=re.MULTILINE)
    there = {x.relative_to(DOCS).with_suffix("").as_posix() for x in PAGES} - {"index"}
    assert set(listed) == there | {f"site/{x}" for x in MADE}
