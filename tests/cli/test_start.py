"""Help and the version: what they cost, and that the words in them are those of the program."""

import os
import subprocess
import sys

import pytest

from rfstudio.api import COMPUTED
from rfstudio.cli import commands
from rfstudio.cli.arguments import COMMANDS
from rfstudio.cli.erf_arguments import ESTIMATORS
from rfstudio.cli.terminal import WRITERS
from rfstudio.cli.words import FIGURES, FORMATS, NETWORKS
from rfstudio.engine.requests import request
from rfstudio.figures import SUFFIXES
from rfstudio.formats.networks import network_files


@pytest.mark.parametrize("words", ["--version", "--help", "analyze --help", "erf --help"])
def test_that_help_and_version_import_nothing_that_computes(words: str) -> None:
    script = (
        # From Python 3.14 on, argparse itself imports dataclasses, for the colours of its help.
        "import argparse, sys; argparse.ArgumentParser().format_help(); before = set(sys.modules);"
        "from rfstudio.cli import main; status = main(sys.argv[1:]);"
        "ours = {x for x in sys.modules if x.startswith('rfstudio.')};"
        "heavy = {x for x in ours if not x.startswith('rfstudio.cli')};"
        "named = {'numpy', 'yaml', 'PySide6', 'dataclasses', 'asyncio'};"
        "heavy |= named & set(sys.modules) - before;"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    # Measuring coverage imports such modules itself.
    environment = {k: v for k, v in os.environ.items() if k != "COVERAGE_PROCESS_START"}
    done = subprocess.run(
        [sys.executable, "-c", script, *words.split()],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_that_the_words_of_the_help_are_those_of_the_program() -> None:
    assert set(FORMATS) == set(WRITERS)
    assert {f".{x}" for x in FIGURES} == set(SUFFIXES)
    assert {f".{x}" for x in NETWORKS} <= set(network_files.WRITERS)
    assert (*request.ESTIMATORS, *COMPUTED) == ESTIMATORS
    assert set(COMMANDS) == {*commands.COMMANDS, "erf", "attention", "experiment", "completion"}
