"""What a narrow terminal shows: no line is longer than it, and what is missing is named."""

import io

import pytest

from rfstudio.cli import main
from rfstudio.cli.terminal import table_text
from rfstudio.formats.tables.analysis_tables import Table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(monkeypatch: pytest.MonkeyPatch, columns: int, words: str) -> list[str]:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(words.split()) == 0
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize(
    "words",
    [
        "analyze resnet50",
        "analyze efficientnet_b0 --local",
        "analyze resnet50 --layer layer2 --batch-norm-training",
        "compare vgg16 resnet50 inception_v3",
        "presets resnet",
        "tiles unet --image 512 512 --tile 320 320",
        "advise resnet18 --input-size 64 64",
        "erf vgg16 --layer conv3_3 --estimator expected",
    ],
)
def test_that_no_line_is_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, words: str, columns: int
) -> None:
    assert max(map(len, _shown(monkeypatch, columns, words))) <= columns


def test_that_what_does_not_fit_is_cut_visibly_or_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = _shown(monkeypatch, 60, "compare vgg16 inception_v3")
    assert lines[0].split() == ["network", "input", "largest", "field", "jump", "at", "layer"]
    assert "…" in lines[3]
    assert lines[3].endswith("concat1")
    assert " ".join(x.strip() for x in lines[4:]) == (
        "(this terminal is too narrow for: MACs, parameters, alignment, layers, whole image from)"
    )


def test_that_a_pipe_gets_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    main(["compare", "vgg16", "inception_v3"])
    out = capsys.readouterr().out
    assert "Mixed_7c.Branch_2.concat1" in out
    assert "…" not in out
    assert "MACs" in out.splitlines()[0]


def test_that_an_overlong_path_loses_its_middle() -> None:
    name = "a" * 3000 + "b" * 2000
    table = table_text(Table(("layer", "field"), ((name, "3×3"),), (False, True)))
    assert max(map(len, table.splitlines())) < 200
    assert "a…" in table
    assert "b  " in table
