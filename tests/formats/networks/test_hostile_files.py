"""Files made to do harm: nothing but `FormatError` is raised, and soon."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfstudio.core.errors import FormatError
from rfstudio.core.network.architecture import MAX_NESTED, Architecture
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES, MAX_DEPTH, MAX_PROBLEMS
from rfstudio.formats.networks.presets import names, preset_path
from rfstudio.formats.networks.yaml_reader import read_draft, read_items, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.strategies import NASTY_TEXTS, architectures

HEAD = "format: 1\ninput: {size: [32, 32], channels: 3}\nlayers:\n"


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [relu, relu, relu]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


def _merges(levels: int) -> str:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, levels)]
    return "\n".join(lines)


def _nested_repeats(levels: int, inner: str) -> str:
    text = inner
    for _ in range(levels):
        text = f"repeat: {{times: 99999, layers: [{text}]}}"
    return f"{HEAD}  - {text}"


def _nested(opening: str, closing: str) -> str:
    return opening * 200_000 + closing * 200_000


HOSTILE: dict[str, Callable[[], str]] = {
    "billion laughs": lambda: _laughs(12),
    "merge keys": lambda: _merges(12),
    "an alias inside itself": lambda: "a: &a [*a]",
    "a mapping inside itself": lambda: "&a {layers: *a}",
    "nested lists": lambda: _nested("[", "]"),
    "nested mappings": lambda: _nested("{a: ", "}"),
    "nested block lists": lambda: "- " * 200_000,
    "nested keys": lambda: "? " * 200_000,
    "a tower of indentation": lambda: "\n".join(" " * i + "a:" for i in range(1_000)),
    "too many bytes": lambda: "#" * (MAX_BYTES + 1),
    "a long text": lambda: "name: " + "x" * 1_000_000,
    "a long quoted text": lambda: 'name: "' + "\\x41" * 200_000 + '"',
    "a long word": lambda: HEAD + "  - " + "conv" * 10_000,
    "a long key": lambda: HEAD + "  - conv: {" + "k" * 1_000 + ": 1}",
    "many keys": lambda: "{" + ",".join(f"k{i}" for i in range(100_000)) + "}",
    "many nodes": lambda: "[" + "a," * 400_000 + "]",
    "many unknown ops": lambda: HEAD + "".join(f"  - convv{i}\n" for i in range(50_000)),
    "many unknown names": lambda: (
        HEAD + "".join(f"  - relu: {{from: n{i}}}\n" for i in range(20_000))
    ),
    "unknown names in a repeat": lambda: (
        HEAD + "  - repeat: {times: 50000, layers: [relu: {from: abc}, relu]}\n"
    ),
    "a long name": lambda: HEAD + ("  - relu: {name: " + "x" * 60_000 + "}\n") * 2,
    "long names": lambda: (
        HEAD
        + "".join(
            f"  - relu: {{name: {chr(97 + i) * 10_000}, from: {'x' * 10_000}}}\n" for i in range(20)
        )
    ),
    "many paths used twice": lambda: HEAD + "  - relu: {name: a}\n" * 40_000,
    "nested repeats": lambda: _nested_repeats(12, "relu"),
    "nested repeats of nothing": lambda: _nested_repeats(12, "sequence: {layers: []}"),
    "a repeat of nothing": lambda: HEAD + "  - repeat: {times: 100000, layers: []}\n",
    "a huge number": lambda: HEAD + "  - conv: {kernel_size: " + "9" * 60_000 + "}",
    "a huge exponent": lambda: HEAD + "  - batch_norm: {eps: 1e999999999}",
    "a number of zeros": lambda: HEAD + "  - dropout: {p: 0." + "0" * 60_000 + "}",
    "many directives": lambda: "%A\n" * 300_000,
    "many anchors": lambda: "[" + ",".join(f"&a{i} x" for i in range(80_000)) + "]",
    "a list as a kernel": lambda: (
        HEAD + "  - conv: {kernel_size: [" + ",".join(["3"] * 100_000) + "]}"
    ),
    "many documents": lambda: "--- a\n" * 100_000,
}


# Those that take longest run with the slow tests.
LONG = {
    *("many paths used twice", "many unknown names", "unknown names in a repeat"),
    *("many anchors", "many keys", "many nodes", "a list as a kernel"),
}


@pytest.mark.timed
@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow) if x in LONG else x for x in HOSTILE]
)
def test_that_a_bomb_is_refused_soon(name: str) -> None:
    text = HOSTILE[name]()
    begin = time.process_time()
    if name == "a repeat of nothing":  # harmless, and so no problem
        assert read_yaml(text)
    else:
        with pytest.raises(FormatError) as caught:
            read_yaml(text)
        assert len(caught.value.problems) <= MAX_PROBLEMS + 1
        assert max(len(x.message) for x in caught.value.problems) < 1000
    # About half a second at most; what grows with a square takes minutes, also on a busy machine.
    assert time.process_time() - begin < 6


def test_that_nesting_up_to_the_bound_is_read() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    with pytest.raises(FormatError, match="a layer must be an op"):
        read_items(deepest)
    with pytest.raises(FormatError, match=f"nested more than {MAX_DEPTH} levels deep"):
        read_items(f"[{deepest}]")


def test_that_too_many_containers_in_each_other_are_one_problem_with_its_place() -> None:
    text = "- sequence:\n    layers:\n"
    lines = [" " * 6 * i + x for i in range(MAX_NESTED + 9) for x in text.splitlines()]
    inner = " " * 6 * (MAX_NESTED + 9) + "- relu\n"
    with pytest.raises(FormatError, match="not 51 from sequence down to relu") as caught:
        read_items("\n".join(lines) + f"\n{inner}")
    (problem,) = caught.value.problems
    assert problem.line == 2 * 8 + 1


def test_that_an_alias_counts_as_deep_as_what_it_stands_for() -> None:
    half, rest = "[" * (MAX_DEPTH // 2) + "]" * (MAX_DEPTH // 2), MAX_DEPTH // 2
    with pytest.raises(FormatError, match=f"nested more than {MAX_DEPTH} levels deep"):
        read_items(f"- &a {half}\n- {'[' * rest}*a{']' * rest}\n")


def _quietly(data: str | bytes) -> None:
    begin = time.process_time()
    for read in (read_yaml, read_draft, read_items):
        try:
            found: object = read(data)
        except FormatError as error:
            found = error.problems
            places = [(x.line, x.column) for x in error.problems]
        else:
            places = [(1, 1)]
        assert isinstance(found, Architecture | tuple)
        assert min(places) >= (1, 1)
    assert time.process_time() - begin < 6


_PRESETS = [preset_path(x).read_bytes() for x in names()]
_TOKENS = [
    *("{", "}", "[", "]", ":", ": ", ", ", "- ", "\n", "\n  ", "\t", "&a ", "*a", "<<: ", "!!str "),
    *("?", "|", ">", "'", '"', "#", "%", "---\n", "...\n", "\0", "\u2028", "null", "true", "-1"),
    *("input", "from: ", "name: ", "layers: ", "conv", "repeat: ", "1e400", "99999999999999999999"),
    *NASTY_TEXTS,
]


@given(st.sampled_from(_PRESETS), st.data())
def test_that_a_damaged_preset_raises_nothing_but_format_errors(
    preset: bytes, data: st.DataObject
) -> None:
    _quietly(_damaged(preset[:4000].decode(errors="ignore"), data))


@given(architectures(), st.data())
def test_that_a_damaged_file_of_any_network_raises_nothing_but_format_errors(
    architecture: Architecture, data: st.DataObject
) -> None:
    _quietly(_damaged(write_yaml(architecture), data))


def _damaged(text: str, data: st.DataObject) -> str:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from((0, 0, 1, 2, 8, 40))))
        new = data.draw(st.sampled_from(_TOKENS) | st.just(text[end : end + 30]))
        text = text[:start] + new + text[end:]
    return text


@given(st.binary(max_size=60))
def test_that_any_bytes_raise_nothing_but_format_errors(data: bytes) -> None:
    _quietly(data)


@given(st.text(max_size=60))
def test_that_any_text_raises_nothing_but_format_errors(text: str) -> None:
    _quietly(text)


@given(st.lists(st.sampled_from(_TOKENS), max_size=40).map("".join))
def test_that_any_pile_of_yaml_signs_raises_nothing_but_format_errors(text: str) -> None:
    _quietly(text)
    _quietly(HEAD + "  - " + text)


def _problem_of(item: str) -> str:
    text = f"format: 1\ninput: {{size: [32, 32], channels: 4}}\nlayers:\n  - {item}\n"
    with pytest.raises(FormatError) as caught:
        read_yaml(text, "x.yaml")
    (problem,) = str(caught.value).splitlines()
    return problem


@pytest.mark.parametrize("name", ["a\\nb", "a\\e[31mb", "a\\u202eb", "\\a", "a\\u2028b"])
def test_that_a_message_cannot_command_a_terminal(name: str) -> None:
    assert _problem_of(f'"{name}"').isprintable()
    assert _problem_of(f'relu: {{from: "{name}"}}').isprintable()
    assert _problem_of(f'relu: {{"{name}": 3}}').isprintable()


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ("conv: {kernel_size: 99999999999}", "4:25: kernel_size"),
        ("conv: {kernel_size: [3, 99999999999]}", "4:25: kernel_size"),
        ("conv: {kernel_size: 3, padding: [[1, 1], [-99999999999, 1]]}", "4:37: padding"),
        ("conv: {kernel_size: 3, out_channels: 99999999999}", "4:42: out_channels"),
        ("upsample: {scale_factor: 1.0e+300}", "4:30: scale_factor"),
    ],
)
def test_that_a_number_that_is_too_large_is_called_so(item: str, place: str) -> None:
    problem = _problem_of(item)
    assert problem.startswith(f"x.yaml:{place} must be")
    assert problem.endswith("; the number is too large")


@pytest.mark.parametrize("body", ["3", "[3]", "kernel_size", "'a'"])
def test_that_parameters_that_are_no_mapping_are_one_problem(body: str) -> None:
    assert "the parameters of conv must be a mapping" in _problem_of(f"conv: {body}")


@pytest.mark.parametrize(
    "item",
    [
        "upsample: {scale_factor: 1000000}",
        "upsample: {size: 2000000000}",
        "adaptive_avg_pool: {output_size: 2000000000}",
        "conv_transpose: {kernel_size: 1, stride: 2000000000}",
        "window_attention: {window_size: 2000000000, heads: 1}",
    ],
)
def test_that_a_map_beyond_all_bounds_is_a_problem_at_its_place(item: str) -> None:
    problem = _problem_of(item)
    assert problem.startswith("x.yaml:4:5: ")
    assert "at most" in problem
