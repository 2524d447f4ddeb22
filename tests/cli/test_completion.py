"""The scripts for shells complete what the command line accepts."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from rfstudio.cli import main
from rfstudio.cli.arguments import COMMANDS
from rfstudio.cli.words import FORMATS, SHELLS

BASH = shutil.which("bash")


def _script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_that_bash_completes_commands_options_choices_and_presets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = {
        ("an",): {"analyze"},
        ("vgg1",): {"vgg11", "vgg13", "vgg16", "vgg19"},
        ("analyze", "vgg16", "--fo"): {"--format"},
        ("analyze", "vgg16", "--format", ""): set(FORMATS),
        ("completion", ""): set(SHELLS),
        ("erf", "vgg16", "--estimator", "e"): {"energy", "expected"},
        ("erf", "vgg16", "--images", "x"): set(),  # files, by bash itself
        ("erf", "vgg16", "--layer", "v"): set(),
    }
    ask = """
    complete_line() {
        COMP_WORDS=(rfstudio "$@"); COMP_CWORD=$#
        _rfstudio; echo "${COMPREPLY[*]}"
    }
    """
    calls = [shlex.join(words) for words in lines]
    text = _script("bash", capsys) + ask + "\n".join(f"complete_line {x}" for x in calls)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = [set(x.split()) for x in done.stdout.splitlines()]
    assert found == list(lines.values())


@pytest.mark.parametrize("shell", SHELLS)
def test_that_a_script_knows_every_command_and_its_shell_can_read_it(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _script(shell, capsys)
    for word in COMMANDS:
        assert word in script
    assert script.startswith(("# Completion of rfstudio", "#compdef rfstudio"))
    if program := shutil.which(shell):
        done = subprocess.run(
            [program, "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
