"""Hypothesis strategies for networks: `architectures()` are valid, `drafts()` need not be.

Both hold every op, every container, every form of padding, skips by `from`, 1 to 3 axes, and names
and texts that YAML readers like to take for something else.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Location,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    with_bodies,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import OPS, Kind, Op, Parameter, parameters

NASTY_TEXTS = (
    *("on", "off", "yes", "no", "y", "N", "null", "~", "true", "False", "nan"),
    *("017", "0x1F", "12:30", "1e5", "1_000", ".inf", "-", "--- a", "2026-11-21", "<<", "="),
    *("é", "中文", "🙂", "a b", "a: b", "a #b", "#", "[x", "{", "'", '"', "\\", "a\tb", " a ", "%"),
    *("*a", "&a", "!a", "|", ">", "@", "`", "?", "a,b", "a:", "-1", "relu", "conv", "layers"),
)
_NAMES = ("a", "b", "c", "conv1", "0", "Mixed_5b", *NASTY_TEXTS)
_LARGEST_SIZE = 128
_LARGEST_WIDTH = 256


@cache
def texts() -> st.SearchStrategy[str]:
    """Texts for descriptions: ordinary, long, of several lines, nasty."""
    words = st.lists(
        st.sampled_from(("The", "network", "of", "2015,", "3×3:", "#1", "- x", "a  b"))
    )
    return st.one_of(
        st.sampled_from(NASTY_TEXTS),
        st.text(max_size=30),
        words.map(" ".join),
        words.map(lambda x: " ".join(x * 9)),
        st.lists(st.sampled_from(("one line", "", "  indented", "- x", "end ")), min_size=1).map(
            "\n".join
        ),
    )


@cache
def names() -> st.SearchStrategy[str]:
    """Names of layers; often none, often one that others have, too."""
    own = st.text(min_size=1, max_size=6).filter(lambda x: "." not in x and x != "input")
    return st.one_of(st.just(""), st.sampled_from([x for x in _NAMES if "." not in x]), own)


@cache
def operations(axes: int) -> st.SearchStrategy[Op]:
    """Every operation, with parameters that suit a network of so many axes."""
    return st.sampled_from(sorted(OPS)).flatmap(lambda x: operation(OPS[x], axes))


@st.composite
def operation(draw: st.DrawFn, op_type: type[Op], axes: int) -> Op:
    """One operation of a type; each parameter is left at its default or drawn."""
    values: dict[str, Any] = {}
    for parameter in parameters(op_type):
        if parameter.required or draw(st.booleans()):
            values[parameter.name] = draw(_value(parameter, axes))
    if op_type is ops.Upsample:
        ways = ("size", "scale_factor", "size_of")
        given = [x for x in draw(st.permutations(ways)) if values.get(x) is not None]
        for way in given[1:]:
            values.pop(way)
        if not given:
            values["scale_factor"] = 2
        modes = ("nearest", ("linear", "bilinear", "trilinear")[axes - 1])
        values["mode"] = draw(st.sampled_from(modes))
        if values["mode"] == "nearest":
            values.pop("align_corners", None)
    elif op_type is ops.Crop:
        margins = ({"margins": 1}, {"margins": ((0, 1),) * axes})
        values = draw(st.sampled_from(({"size": 2}, {"size_of": "input"}, *margins)))
    elif op_type in (ops.AdaptiveAvgPool, ops.AdaptiveMaxPool):
        if values.get("size_of") is not None:
            values.pop("output_size", None)
        elif "output_size" not in values:
            values["output_size"] = 2
    elif op_type is ops.Pad and values.get("size_of") is not None:
        values.pop("padding", None)
    elif op_type is ops.Pad:
        padding = values.get("padding")
        values["padding"] = 1 if padding is None or isinstance(padding, str) else padding
    elif op_type is ops.Split and values.get("channels") is not None:
        values.pop("parts", None)
    elif op_type is ops.ConvTranspose and isinstance(values.get("padding"), str):
        values["padding"] = 1
    try:
        return op_type(**values)
    except OpError:  # these values contradict each other
        return op_type.usual()


@cache
def items(axes: int, depth: int = 3) -> st.SearchStrategy[Item]:
    """A layer, or a container of items."""
    layer = st.builds(Layer, operations(axes), names(), _sources())
    if depth == 0:
        return layer
    body = bodies(axes, depth - 1)
    branches = st.lists(st.builds(Branch, body, names()), min_size=1, max_size=3).map(tuple)
    return st.one_of(
        *[layer] * 6,
        st.builds(Sequence, body, names()),
        st.builds(Residual, body, bodies(axes, 0), names()),
        st.builds(Parallel, branches, st.sampled_from(("concat", "add", "multiply")), names()),
        st.builds(Repeat, st.integers(1, 3), body, names(), _scales()),
    )


@cache
def _scales() -> st.SearchStrategy[tuple[tuple[str, int], ...]]:
    """What a repeat multiplies at each turn: mostly nothing."""
    some = ((), (), (("dilation", 2),), (("padding", 2), ("dilation", 2)), (("out_channels", 3),))
    return st.sampled_from(some)


@cache
def bodies(axes: int, depth: int = 2) -> st.SearchStrategy[tuple[Item, ...]]:
    """A few items one behind the other, or none."""
    return st.lists(st.deferred(lambda: items(axes, depth)), max_size=4).map(tuple)


@st.composite
def drafts(draw: st.DrawFn, max_items: int = 6) -> Architecture:
    """A network in the making: its layers need not fit together."""
    axes = draw(st.integers(1, 3))
    size = draw(st.tuples(*[st.one_of(st.integers(1, 6), st.integers(7, 40))] * axes))
    layers = draw(st.lists(items(axes), max_size=max_items).map(tuple))
    return Architecture(
        draw(texts()), draw(texts()), draw(texts()), size, draw(st.integers(1, 8)), layers
    )


@st.composite
def architectures(draw: st.DrawFn, max_items: int = 6) -> Architecture:
    """A network without faults, of a size that every test can afford; some have skips."""
    architecture = without_faults(draw(drafts(max_items)))
    for _ in range(draw(st.integers(0, 2))):
        graph = expand(architecture)
        paths = sorted(graph.paths)
        path = draw(st.sampled_from(paths))
        size = graph.nodes[graph.paths[path]].size
        alike = [x for x in paths if graph.nodes[graph.paths[x]].size == size]
        skip = Layer(ops.Concat(), inputs=(path, draw(st.sampled_from(alike))))
        architecture = replace(architecture, layers=(*architecture.layers, skip))
    return without_faults(architecture)


def without_faults(architecture: Architecture) -> Architecture:
    """Return `architecture` with all that has no meaning, or grows beyond all bounds, mended."""
    while True:
        graph = expand(architecture)
        bad = {fault.location: fault.code for fault in graph.faults}
        bad |= {
            node.location: "too_large"
            for node in graph.nodes
            if node.location is not None
            and (max(node.size) > _LARGEST_SIZE or node.channels > _LARGEST_WIDTH)
        }
        if not bad:
            return architecture
        layers = _mended(architecture.layers, (), bad)
        architecture = replace(architecture, layers=layers)


def _mended(
    body: tuple[Item, ...], base: Location, bad: Mapping[Location, str]
) -> tuple[Item, ...]:
    kept: list[Item] = []
    for i, item in enumerate(body):
        location = (*base, i)
        bodies = tuple(_mended(x, (*location, b), bad) for b, x in enumerate(item.bodies))
        item = with_bodies(item, bodies)
        code = bad.get(location, "")
        if not code:
            kept.append(item)
        elif item.name and code in ("duplicate_name", "bad_name"):
            kept.append(replace(item, name=""))
        elif isinstance(item, Layer) and item.inputs and code in ("unknown_source", "one_input"):
            kept.append(replace(item, inputs=()))
        elif isinstance(item, Residual | Parallel) and bodies:
            kept.append(Sequence(bodies[0], item.name))
    return tuple(kept)


def _sources() -> st.SearchStrategy[tuple[str, ...]]:
    some = st.sampled_from(("input", "a", "b", "c", "conv1", "relu1", "a.b", "on", "017"))
    return st.one_of(st.just(()), st.just(()), st.lists(some, min_size=1, max_size=3).map(tuple))


def _value(parameter: Parameter, axes: int) -> st.SearchStrategy[Any]:
    least = 0 if parameter.minimum is None else int(parameter.minimum)
    small = st.integers(least, least + 3)
    match parameter.kind:
        case Kind.SIZES:
            return st.one_of(small, st.tuples(*[small] * axes))
        case Kind.KEPT_SIZES:
            some = st.tuples(*[st.one_of(st.none(), small)] * axes)
            return st.one_of(small, some.filter(lambda x: any(y is not None for y in x)))
        case Kind.INTEGER:
            return (
                small
                if parameter.required or parameter.default is not None
                else st.one_of(st.none(), small)
            )
        case Kind.INTEGERS:
            some = st.lists(st.integers(max(least, 1), 8), min_size=1, max_size=3).map(tuple)
            return some if parameter.required else st.one_of(st.none(), some)
        case Kind.SOURCES:
            entries = st.sampled_from(
                ({}, {"kernel_size": 3, "padding": 1}, {"global": True}, {"dilation": 2})
            )
            return st.one_of(st.none(), st.lists(entries, min_size=1, max_size=3).map(tuple))
        case Kind.NUMBER if parameter.name == "eps":  # less, and nothing but rounding is left
            return st.sampled_from((1e-5, 1e-3, 0.1, 1))
        case Kind.NUMBER:
            at_least = parameter.minimum or 0
            values = st.one_of(st.floats(0, 1), st.sampled_from((0, 1, 1e-5, 1e-20, 0.1)))
            return values.filter(lambda x: x >= at_least)
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.FLAGS:
            return st.one_of(st.booleans(), st.tuples(*[st.booleans()] * axes))
        case Kind.CHOICE:
            return st.sampled_from(parameter.choices)
        case Kind.GROUPS:
            return st.sampled_from((1, 2, "depthwise"))
        case Kind.TEXT:
            return texts()
        case Kind.LAYER:
            return st.sampled_from((None, "input", "a", "b", "conv1", "relu1", "a.b", "on"))
        case Kind.SCALES:
            return st.sampled_from((1, 2, 0.5, 1.5, (2,) * axes, (0.5, 2, 1.25)[:axes]))
        case Kind.PADDING:
            return _paddings(axes)


def _paddings(axes: int) -> st.SearchStrategy[Any]:
    samples = st.integers(-1, 2)
    return st.one_of(
        st.sampled_from(("same", "same_lower", "valid")),
        samples,
        st.tuples(*[samples] * axes),
        st.tuples(*[st.tuples(samples, samples)] * axes),
    )
