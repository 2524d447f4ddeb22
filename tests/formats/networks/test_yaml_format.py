"""What a reader gets for a good file, and for a bad one: all problems with their places."""

import textwrap
from typing import Any
from unittest.mock import patch

import pytest

from rfstudio.core import ops
from rfstudio.core.errors import FormatError
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)
from rfstudio.core.network.expansion import Expansion
from rfstudio.formats.networks.yaml_reader import read_draft, read_items, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.narrowing import instance

HEAD = "format: 1\ninput: {size: [32, 48], channels: 3}\nlayers:\n"
"""The first item of `layers` stands in line 4."""


def problems(text: str, path: str = "x.yaml") -> list[str]:
    with pytest.raises(FormatError) as caught:
        read_yaml(text, path)
    return str(caught.value).splitlines()


def layers(text: str) -> tuple[object, ...]:
    return read_yaml(HEAD + textwrap.indent(textwrap.dedent(text), "  ")).layers


def test_that_every_problem_is_reported_with_its_line_and_column() -> None:
    text = textwrap.dedent("""\
        format: 1
        name: broken
        input: {size: [32, 32], channels: 3}
        layers:
          - conv: {name: a, kernal_size: 3}
          - convv: {name: b, kernel_size: 3}
          - conv: {name: c, kernel_size: three}
    """)
    assert problems(text, "broken.yaml") == [
        "broken.yaml:5:21: conv has no 'kernal_size'; did you mean 'kernel_size'?",
        "broken.yaml:6:5: unknown op 'convv'; did you mean 'conv'?",
        "broken.yaml:7:34: kernel_size must be a whole number or one per axis, not 'three'",
    ]


# --- good files ----------------------------------------------------------------------------------


def test_that_the_example_of_the_format_is_read() -> None:
    text = textwrap.dedent("""\
        format: 1
        name: ResNet-18
        description: He et al. 2015, basic blocks.
        reference: arXiv:1512.03385
        input: {size: [224, 224], channels: 3}
        layers:
          - conv: {name: conv1, kernel_size: 7, stride: 2, padding: 3, out_channels: 64}
          - batch_norm: {name: bn1}
          - relu
          - max_pool: {name: maxpool, kernel_size: 3, stride: 2, padding: 1}
          - repeat:
              name: layer1
              times: 2
              layers:
                - residual:
                    layers:
                      - conv: {name: conv1, kernel_size: 3, padding: 1, out_channels: 64}
                      - batch_norm
                      - relu
                      - conv: {name: conv2, kernel_size: 3, padding: 1, out_channels: 64}
                      - batch_norm
                - relu
    """)
    relu, norm = Layer(ops.Relu()), Layer(ops.BatchNorm())
    conv1, conv2 = (
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=64), name)
        for name in ("conv1", "conv2")
    )
    assert read_yaml(text) == Architecture(
        name="ResNet-18",
        description="He et al. 2015, basic blocks.",
        reference="arXiv:1512.03385",
        input_size=(224, 224),
        channels=3,
        layers=(
            Layer(ops.Conv(kernel_size=7, stride=2, padding=3, out_channels=64), "conv1"),
            Layer(ops.BatchNorm(), "bn1"),
            relu,
            Layer(ops.MaxPool(kernel_size=3, stride=2, padding=1), "maxpool"),
            Repeat(2, (Residual((conv1, norm, relu, conv2, norm)), relu), "layer1"),
        ),
    )


@pytest.mark.parametrize(
    ("written", "padding"),
    [
        ("2", 2),
        ("-1", -1),
        ("[1, 2]", (1, 2)),
        ("[2, 2]", 2),
        ("[[0, 1], [2, 3]]", ((0, 1), (2, 3))),
        ("[[1, 1], [2, 2]]", (1, 2)),
        ("same", "same"),
        ("same_lower", "same_lower"),
        ("valid", 0),
    ],
)
def test_that_every_form_of_padding_is_read(written: str, padding: Any) -> None:
    (layer,) = layers(f"- conv: {{kernel_size: 9, padding: {written}}}")
    assert layer == Layer(ops.Conv(kernel_size=9, padding=padding))


@pytest.mark.parametrize(
    "written", ["relu", "relu:", "relu: {}", "relu: null", "'relu'", "relu: ~"]
)
def test_that_an_op_without_parameters_may_be_written_short(written: str) -> None:
    assert layers(f"- {written}") == (Layer(ops.Relu()),)


def test_that_the_other_spelling_of_a_layer_scale_is_read() -> None:
    network = read_yaml(
        "format: 1\ninput: {size: [8], channels: 4}\nlayers:\n  - scale: {init: 0.5}\n  - scale\n"
    )
    assert [instance(Layer, x).op for x in network.layers] == [
        ops.LayerScale(init=0.5),
        ops.LayerScale(),
    ]
    assert "- layer_scale: {init: 0.5}" in write_yaml(network)


def test_that_from_is_one_name_or_a_list() -> None:
    found = layers("""\
        - relu: {name: a}
        - relu: {name: on, from: a}
        - add: {from: [a, on]}
    """)
    assert [instance(Layer, x).inputs for x in found] == [(), ("a",), ("a", "on")]


def test_that_containers_hold_what_their_keys_say() -> None:
    relu = Layer(ops.Relu())
    found = layers("""\
        - sequence: {name: s, layers: [relu]}
        - residual: {layers: [relu, relu], shortcut: [relu]}
        - residual: {layers: []}
        - parallel: {merge: add, branches: [{name: b, layers: [relu]}, {layers: []}, []]}
        - repeat: {times: 3, layers: [relu]}
    """)
    assert found == (
        Sequence((relu,), "s"),
        Residual((relu, relu), (relu,)),
        Residual(),
        Parallel((Branch((relu,), "b"), Branch(), Branch()), "add"),
        Repeat(3, (relu,)),
    )


def test_that_global_of_a_custom_op_is_read() -> None:
    (layer,) = layers("- custom: {global: true, label: deform attention}")
    assert layer == Layer(ops.Custom(whole=True, label="deform attention"))


def test_that_aliases_are_read() -> None:
    found = layers("""\
        - sequence: {name: a, layers: &body [relu, sigmoid]}
        - sequence: {name: b, layers: *body}
    """)
    first, second = (instance(Sequence, x) for x in found)
    assert first.layers == second.layers


@pytest.mark.parametrize("name", ["on", "no", "y", "017", "12:30", "0x10", "1_000", "2026-11-21"])
def test_that_a_word_that_old_yaml_changes_stays_a_name(name: str) -> None:
    assert layers(f"- relu: {{name: {name}}}") == (Layer(ops.Relu(), name),)


def test_that_a_number_with_an_exponent_is_a_number() -> None:
    assert layers("- batch_norm: {eps: 1e-3}") == (Layer(ops.BatchNorm(eps=0.001)),)


def test_that_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    data = ("\ufeff" + HEAD + "  - relu\n").replace("\n", "\r\n").encode()
    assert read_yaml(data).layers == (Layer(ops.Relu()),)


# --- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        # Unknown words.
        ("max_pol: {kernel_size: 2}", "4:5: unknown op 'max_pol'; did you mean 'max_pool'?"),
        ("MaxPool2d: {kernel_size: 2}", "4:5: unknown op 'MaxPool2d'; did you mean 'max_pool'?"),
        ("sequense: {layers: []}", "4:5: unknown op 'sequense'; did you mean 'sequence'?"),
        (
            "xyzzy",
            "4:5: unknown op 'xyzzy'; declare it by hand, as in custom: {label: xyzzy}",
        ),
        ("conv: {kernel_size: 1, strid: 2}", "4:28: conv has no 'strid'; did you mean 'stride'?"),
        ("relu: {kernel_size: 3}", "4:12: relu has no 'kernel_size'; it has name, from"),
        (
            "pad: {padding: 1, mode: reflct}",
            (
                "4:29: mode must be one of zeros, reflect, replicate, circular, not 'reflct';"
                " did you mean 'reflect'?"
            ),
        ),
        (
            "conv: {kernel_size: 3, padding: smae}",
            (
                "4:37: padding must be a whole number, one per axis, one [before, after] per axis,"
                " same, same_lower or valid, not 'smae'; did you mean 'same'?"
            ),
        ),
        (
            "conv: {kernel_size: 3, groups: depthwize}",
            (
                "4:36: groups must be a whole number or depthwise, not 'depthwize';"
                " did you mean 'depthwise'?"
            ),
        ),
        (
            "parallel: {merge: ad, branches: [[]]}",
            "4:23: merge must be one of concat, add, multiply, not 'ad'; did you mean 'add'?",
        ),
        # Wrong types and ranges.
        ("conv: {kernel_size: 0}", "4:25: kernel_size must be at least 1, not 0"),
        ("conv: {kernel_size: [3, -1]}", "4:25: kernel_size must be at least 1, not [3, -1]"),
        (
            "conv: {kernel_size: [3, x]}",
            "4:25: kernel_size must be a whole number or one per axis, not [3, 'x']",
        ),
        (
            "conv: {kernel_size: [3, 3, 3]}",
            "4:25: kernel_size has 3 entries, but the network has 2 axes",
        ),
        (
            "conv: {kernel_size: 3, padding: [1]}",
            "4:37: padding has 1 entry, but the network has 2 axes",
        ),
        (
            "conv: {kernel_size: 2.5}",
            "4:25: kernel_size must be a whole number or one per axis, not 2.5",
        ),
        (
            "conv: {kernel_size: '3'}",
            (
                "4:25: kernel_size must be a whole number or one per axis, not '3';"
                " write it without quotes"
            ),
        ),
        (
            "conv: {kernel_size: null}",
            "4:25: kernel_size must be a whole number or one per axis, not null",
        ),
        (
            "conv: {kernel_size: {y: 3, x: 3}}",
            "4:25: kernel_size must be a whole number or one per axis, not a mapping",
        ),
        (
            "conv: {kernel_size: 3, bias: no}",
            "4:34: bias must be true or false, not 'no'",
        ),
        ("dropout: {p: 2}", "4:18: p must be at most 1, not 2"),
        ("local_response_norm: {k: -1e10}", "4:30: k must be at least 1e-06, not"),
        ("local_response_norm: {alpha: -1}", "4:34: alpha must be at least 0, not -1"),
        ("local_response_norm: {beta: 1e10}", "4:33: beta must be at most 10, not"),
        ("leaky_relu: {negative_slope: 1e9}", "4:34: negative_slope must be at most 1000, not"),
        ("repeat: {times: 0, layers: []}", "4:21: times must be a whole number from 1 to 100000"),
        ("repeat: {times: yes, layers: []}", "4:21: times must be a whole number from 1 to 100000"),
        ("relu: 3", "4:11: the parameters of relu must be a mapping, as in {name: value}, not 3"),
        ("sequence: {layers: relu}", "4:24: layers must be a list of layers, not 'relu'"),
        ("upsample", "4:5: upsample needs either scale_factor or size"),
        (
            "conv_transpose: {kernel_size: 2, padding: same, output_padding: 1}",
            "4:69: output_padding has no meaning with padding same",
        ),
        # Numbers that other readers of YAML change.
        (
            "conv: {kernel_size: 017}",
            (
                "4:25: kernel_size must be a whole number or one per axis, not '017';"
                " write it without leading zeros"
            ),
        ),
        (
            "conv: {kernel_size: 12:30}",
            (
                "4:25: kernel_size must be a whole number or one per axis, not '12:30';"
                " write it as a decimal number"
            ),
        ),
        (
            "conv: {kernel_size: 0x10}",
            (
                "4:25: kernel_size must be a whole number or one per axis, not '0x10';"
                " write it as a decimal number"
            ),
        ),
        (
            f"conv: {{kernel_size: {'9' * 5000}}}",
            "4:25: kernel_size must be a whole number or one per axis, not '999",
        ),
        # What is missing.
        ("conv", "4:5: conv needs kernel_size"),
        ("conv: {stride: 2}", "4:5: conv needs kernel_size"),
        ("linear", "4:5: linear needs out_features"),
        ("sequence", "4:5: sequence needs layers"),
        ("repeat: {layers: []}", "4:5: repeat needs times"),
        ("parallel", "4:5: parallel needs branches"),
        ("parallel: {branches: [{name: a}]}", "4:27: a branch needs layers"),
        # Names.
        ("relu: {name: a.b}", "4:18: name must have no dot, not 'a.b'"),
        ("relu: {name: input}", "4:18: name must not be 'input'"),
        ("relu: {name: 5}", "4:18: name must be a text, not 5; put it in quotes: '5'"),
        ("relu: {name: true}", "4:18: name must be a text, not true; put it in quotes: 'true'"),
        ("relu: {name: ''}", "4:18: name must not be empty; leave it out"),
        ("relu: {from: nowhere}", "4:18: 'relu1' reads 'nowhere', but no layer of that name"),
        ("relu: {from: inputs}", "4:18: 'relu1' reads 'inputs', but no layer of that name"),
        ("relu: {from: []}", "4:18: from must be the name of a layer or a list of names, not []"),
        ("relu: {from: [input, 1]}", "4:18: from must be the name of a layer or a list of names"),
        ("relu: {from: relu1}", "4:18: 'relu1' reads itself"),
        ("sequence: {from: input, layers: []}", "4:16: sequence has no 'from'; a container reads"),
        # Forms of an item.
        ("7", "4:5: a layer must be an op, as in relu, or an op with its parameters"),
        ("[relu]", "4:5: a layer must be an op"),
        ("", "4:4: a layer must be an op"),
        ("{}", "4:5: a layer must be an op"),
        ("{relu: {}, sigmoid: {}}", "4:16: an item has one key, its op, but here 'sigmoid'"),
        # What only the graph shows.
        ("conv: {kernel_size: 99}", "4:5: the output of 'conv1' would be empty"),
        ("add", "4:5: add joins several layers; say which with from: [a, b]"),
        ("pixel_shuffle: {upscale_factor: 2}", "4:5: pixel_shuffle 'pixel_shuffle1': 3 channels"),
    ],
)
def test_that_a_mistake_is_named_at_its_place(item: str, expected: str) -> None:
    found = problems(f"{HEAD}  - {item}\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"x.yaml:{expected}")


def test_that_a_merge_of_different_shapes_names_both() -> None:
    text = HEAD + (
        "  - conv: {name: a, kernel_size: 3, out_channels: 8}\n"
        "  - conv: {name: b, kernel_size: 3, out_channels: 8}\n"
        "  - add: {name: sum, from: [a, b]}\n"
    )
    (problem,) = problems(text)
    assert problem.startswith("x.yaml:6:5: add 'sum'")
    assert "'a' has 8 channels of 30×46 and 'b' 8 channels of 28×44" in problem


def test_that_a_residual_whose_shapes_differ_is_named_at_its_container() -> None:
    text = HEAD + "  - residual:\n      layers:\n        - conv: {kernel_size: 3}\n"
    (problem,) = problems(text)
    assert problem.startswith("x.yaml:4:5: add 'add1'")
    assert "3 channels of 30×46" in problem
    assert "3 channels of 32×48" in problem


def test_that_a_name_that_comes_later_is_said_to_come_later() -> None:
    text = HEAD + "  - relu: {from: [input, later]}\n  - relu: {name: later}\n"
    assert problems(text) == [
        "x.yaml:4:18: relu reads one layer, not 2; join them first with add or concat",
        (
            "x.yaml:4:26: 'relu1' reads 'later', which comes later in the file;"
            " a layer can only read what comes before it"
        ),
    ]


def test_that_a_mistyped_name_gets_the_nearest_one() -> None:
    text = HEAD + "  - relu: {name: stem}\n  - relu: {from: stemm}\n"
    (problem,) = problems(text)
    assert problem.startswith("x.yaml:5:18: 'relu1' reads 'stemm'")
    assert problem.endswith("did you mean 'stem'?")


def test_that_a_path_used_twice_is_named_at_the_second() -> None:
    text = HEAD + "  - relu: {name: a}\n  - relu: {name: a}\n"
    (problem,) = problems(text)
    assert problem.startswith("x.yaml:5:18: the path 'a' is used twice")


def test_that_a_fault_in_a_repeat_is_told_once() -> None:
    text = HEAD + "  - repeat: {times: 9, layers: [relu: {from: nowhere}]}\n"
    assert len(problems(text)) == 1


def test_that_all_layers_too_many_are_refused_at_the_repeat() -> None:
    text = HEAD + (
        "  - repeat:\n      times: 400\n      layers:\n"
        "        - repeat: {times: 300, layers: [relu]}\n"
    )
    assert problems(text) == ["x.yaml:5:14: 120,000 layers after repeat; at most 100,000 are read"]


def test_that_problems_of_one_layer_do_not_hide_or_invent_those_of_others() -> None:
    text = HEAD + (
        "  - conv: {name: a, kernel_size: x}\n"
        "  - add: {name: b, from: [a, input]}\n"
        "  - relu: {from: c}\n"
        "  - relu: {name: d.e, from: input}\n"
        "  - relu: {from: d.e}\n"
        "  - max_pool: {from: input, kernel_size: 50}\n"
    )
    assert [x.split(": ")[0] for x in problems(text)] == [
        "x.yaml:4:34",
        "x.yaml:6:18",
        "x.yaml:7:18",
        "x.yaml:9:5",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("[]", "1:1: a network must be a mapping that starts with format: 1, not []"),
        ("resnet18", "1:1: a network must be a mapping"),
        ("format: 2\nfuture: 1\n", "1:9: the file has format 2, which is newer than this program"),
        ("a: b: c", "1:5: this is not YAML: mapping values are not allowed"),
        ("a: [1, 2", "1:9: this is not YAML: while parsing a flow sequence"),
        ("a:\n\t- b", "2:1: this is not YAML: while scanning for the next token"),
        ("a: \0", "1:4: the file holds a character that is not text"),
        ("a: 1\n---\nb: 2", "2:1: the file holds a second document"),
    ],
)
def test_that_a_file_that_is_no_network_is_refused_with_its_place(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"x.yaml:{expected}")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("input: {size: [1], channels: 1}\nlayers: []", "1:1: format is missing; write format: 1"),
        ("format: one\ninput: {size: [1], channels: 1}\nlayers: []", "1:9: format must be 1, not"),
        ("format: 1\nlayers: []", "1:1: input is missing; write input: {size: [224, 224]"),
        ("format: 1\ninput: {size: [1], channels: 1}", "1:1: layers is missing"),
        ("format: 1\ninput: 224\nlayers: []", "2:8: input must be a mapping, as in {size:"),
        ("format: 1\ninput: {size: [8]}\nlayers: []", "2:8: input needs channels"),
        ("format: 1\ninput: {channels: 1}\nlayers: []", "2:8: input needs size"),
        (
            "format: 1\ninput: {size: 8, channels: 1}\nlayers: []",
            "2:15: size must be a list of one to three whole numbers, as in [224, 224], not 8",
        ),
        ("format: 1\ninput: {size: [8, 0], channels: 1}\nlayers: []", "2:19: size must be a whole"),
        ("format: 1\ninput: {size: [8], channels: 017}\nlayers: []", "2:30: channels must be a"),
        (
            "format: 1\ninput: {size: [8], chanels: 1, channels: 1}\nlayers: []",
            "2:20: input has no 'chanels'; did you mean 'channels'?",
        ),
        (
            "format: 1\nlayer: []\ninput: {size: [8], channels: 1}\nlayers: []",
            "2:1: a network has no 'layer'; did you mean 'layers'?",
        ),
        (
            "format: 1\nname: 18\ninput: {size: [8], channels: 1}\nlayers: []",
            "2:7: name must be a text, not 18; put it in quotes: '18'",
        ),
        ("format: 1\ninput: {size: [8], channels: 1}\nlayers: relu", "3:9: layers must be a list"),
        (
            "format: 1\ninput: {size: [8], channels: 1}\nlayers: []\nformat: 1",
            "4:1: 'format' is given twice; first in line 1",
        ),
        (
            "format: 1\ninput: &i {size: [8], channels: 1}\n<<: *i\nlayers: []",
            "3:1: merge keys ('<<') are not read",
        ),
        (
            "format: 1\ninput: {size: [8], channels: !!python/object:os.system 1}\nlayers: []",
            "2:30: the tag 'tag:yaml.org,2002:python/object:os.sy…' is not read",
        ),
    ],
)
def test_that_mistakes_in_the_head_are_named_at_their_places(head: str, expected: str) -> None:
    found = problems(head)
    assert found[0].startswith(f"x.yaml:{expected}"), found


def test_that_a_key_that_is_no_word_is_refused() -> None:
    assert "x.yaml:4:7: a key must be a word, not a list or a mapping" in problems(
        HEAD + "  - ? [relu]\n    : 3\n"
    )


def test_that_text_that_is_not_utf_8_is_refused_at_its_first_such_byte() -> None:
    with pytest.raises(FormatError, match=r"x\.yaml:2:7: the file is not UTF-8 text"):
        read_yaml(b"format: 1\nname: \xff\n", "x.yaml")
    with pytest.raises(FormatError, match=r"x\.yaml:1:7: half a surrogate pair"):
        read_yaml("name: \ud800", "x.yaml")


def test_that_a_draft_is_read_whose_layers_do_not_fit() -> None:
    text = HEAD + "  - conv: {kernel_size: 99}\n  - relu: {from: nowhere}\n"
    assert len(read_draft(text).layers) == 2


def test_that_pasted_text_that_is_no_list_of_layers_is_refused_in_words() -> None:
    with pytest.raises(FormatError, match="layers must be a list of layers, not 'some text'"):
        read_items("some text")
    with pytest.raises(FormatError, match="kernel_size has 3 entries, but the network has 2 axes"):
        read_items("- conv: {kernel_size: [1, 2, 3]}", axes=2)
    assert read_items("- conv: {kernel_size: [1, 2, 3]}") == (
        Layer(ops.Conv(kernel_size=(1, 2, 3))),
    )


# --- names in files of weights -------------------------------------------------------------------

_NAMED = """\
format: 1
input: {size: [32, 48], channels: 3}
weight_names:
  a: features.0
  b{n}: features.{2n-1}
layers:
  - relu
"""


def test_that_names_in_files_of_weights_are_read_and_written() -> None:
    network = read_yaml(_NAMED)
    assert network.weight_names == (("a", "features.0"), ("b{n}", "features.{2n-1}"))
    assert write_yaml(network).endswith(_NAMED.partition("\n")[2].partition("\n")[2])
    assert read_yaml(write_yaml(network)) == network
    odd = Architecture(weight_names=(("{x}", "1.0"), ("yes", "true"), ("a: b", "c #d")))
    assert read_yaml(write_yaml(odd)) == odd


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("[a, b]", "3:15: weight_names must be paths of layers, each with its name in files"),
        ("{a: 1}", "3:19: the name of a must be a text, not 1; put it in quotes: '1'"),
        ("{a: null}", "3:19: a has no name"),
        ("{'a{n': b}", "3:16: a{n: a part in braces is a word of small letters"),
        ("{a: 'b.{n+1}'}", "3:16: a: the pattern has no {n}"),
    ],
)
def test_that_names_in_files_of_weights_with_a_fault_are_refused(
    entries: str, message: str
) -> None:
    text = (
        f"format: 1\ninput: {{size: [8], channels: 1}}\nweight_names: {entries}\nlayers: [relu]\n"
    )
    (found,) = problems(text)
    assert found.startswith(f"x.yaml:{message}")


def test_that_a_file_that_is_refused_anyway_is_checked_up_to_5000_layers() -> None:
    text = HEAD + (
        "  - repeat: {times: 90000, layers: [conv: {kernel_size: 3, padding: 7, bias: 3}]}\n"
        "  - relu: {from: nowhere}\n"
    )
    with patch.object(Expansion, "_node", autospec=True, side_effect=Expansion._node) as added:
        found = "\n".join(problems(text))
    assert added.call_count <= 5001
    assert "bias must be true or false" in found
    assert "layers after the first 5,000 are checked when the other problems are solved" in found
    assert "nowhere" not in found
    assert "'nowhere'" in "\n".join(problems(text.replace("90000", "90")))
