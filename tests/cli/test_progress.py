"""The progress of a measurement, on a terminal and in a file."""

import io
from pathlib import Path

import pytest

from rfstudio.cli import main
from rfstudio.cli.progress import Progress, duration_text

NETWORK = """\
format: 1
name: one
input: {size: [9, 9], channels: 1}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 1}
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _reports(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a measurement of ten samples prints that takes 2 s to start and 3 s a sample."""
    monkeypatch.setattr("sys.stderr", stream)
    times = iter([0.0, *(2.0 + 3 * (i + 1) for i in range(10))])
    with Progress(lambda: next(times)) as report:
        for i in range(10):
            report((i + 1) / 10, None)
    return stream.getvalue()


def test_that_a_file_gets_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Reports come after 5, 8, 11 … s.  At first, nothing is known but that 5 s made a tenth.
    assert _reports(io.StringIO(), monkeypatch) == (
        "measuring 10 %, about 45 s left\n"
        "measuring 30 %, about 21 s left\n"
        "measuring 50 %, about 15 s left\n"
        "measuring 70 %, about 9 s left\n"
        "measuring 90 %, about 3 s left\n"
    )


def test_that_a_terminal_has_one_line_that_is_gone_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = _reports(Terminal(), monkeypatch)
    assert "\n" not in text
    lines = text.split("\r")[1:]
    assert lines[1].rstrip() == "measuring 20 %, about 24 s left"
    assert lines[-2].strip() == lines[-1] == ""
    assert len(lines[-2]) == max(map(len, lines))


def test_that_one_process_of_several_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert _reports(io.StringIO(), monkeypatch) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7830, "2 h 10 min")]
)
def test_that_a_duration_is_in_the_units_of_its_size(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_that_a_measurement_reports_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("rfstudio.cli.progress.EVERY", 0.0)
    path = tmp_path / "one.yaml"
    path.write_text(NETWORK)
    words = ["--layer", "a", "--samples", "2", "--device", "cpu", "--format", "json"]
    assert main(["erf", str(path), *words]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert err.splitlines()[0].startswith("measuring ")
    assert "\r" not in err
