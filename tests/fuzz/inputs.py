"""Inputs that nobody would write: changed presets, networks by grammar, damaged files.

Every input is made from a number, so that one that fails is found again.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import yaml
from PIL import Image as Pillow

from rfstudio.core.ops import OPS, Kind, Parameter, parameters
from rfstudio.formats.networks.presets import names, preset_path
from tests.strategies import NASTY_TEXTS

_SMALL = (1, 1, 2, 2, 3, 3, 4, 5, 7)
NUMBERS = (0, 1, 2, 3, 5, 7, 16, 64, 200, 4096, 65_537, 2**31 - 1, 2**31, -1, -3, 0.5, 1.25, 1e-30)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MODES = ("zeros", "reflect", "replicate", "circular", "nearest", "bilinear", "linear", "bicubic")


@cache
def _presets() -> tuple[str, ...]:
    return tuple(sorted((preset_path(x).read_text() for x in names()), key=len))


def _drawn(rng: random.Random) -> int:
    """Return the number of a preset; small ones are drawn often, since they are soon tried."""
    return int(len(_presets()) * rng.random() ** 3)


@cache
def _events(number: int) -> str:
    return json.dumps(yaml.load(_presets()[number], _LOADER))


def _loaded(number: int):
    return json.loads(_events(number))


def _written(document: object) -> bytes:
    # JSON is YAML, and much quicker to write.
    return json.dumps(document, ensure_ascii=False).encode()


def bytes_of_a_damaged_preset(rng: random.Random) -> bytes:
    """A preset with some bytes changed, taken out or doubled."""
    data = bytearray(_presets()[_drawn(rng)].encode())
    for _ in range(rng.randint(1, 8)):
        place, length = rng.randrange(len(data)), rng.choice((1, 1, 2, 9, 60))
        match rng.randrange(4):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case _:
                data[place:place] = rng.choice((*NASTY_TEXTS, ": ", "- ", "{", "]", "\n")).encode()
    return bytes(data)


def a_changed_preset(rng: random.Random) -> bytes:
    """A preset whose structure is sound, with some values, items or names changed."""
    document = _loaded(_drawn(rng))
    changed(document, rng, (*NASTY_TEXTS, *OPS), lambda: _item(rng, 2, 1))
    return _written(document)


def changed(
    document: Any,
    rng: random.Random,
    words: Sequence[str],
    item: Callable[[], object] = dict,
) -> None:
    """Change some values of a document: numbers, words, the length of lists.

    Parameters
    ----------
    document
        What JSON may hold; it is changed itself.
    rng
        What draws.
    words
        What words are replaced by.
    item
        Makes what is added to lists.
    """
    for _ in range(rng.randint(1, 4)):
        places = list(_places(document))
        if rng.random() < 0.6:  # numbers most of all: other changes are often no network any more
            places = [x for x in places if type(x[0][x[1]]) is int] or places
        if not places:
            return
        holder, key = rng.choice(places)
        value = holder[key]
        if isinstance(value, list) and rng.random() < 0.6:
            holder[key] = rng.choice((value * 2, value[::-1], value[:1], [*value, item()], []))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            holder[key] = rng.choice(NUMBERS if rng.random() < 0.3 else _SMALL)
        elif isinstance(value, str) and rng.random() < 0.5:
            holder[key] = rng.choice(words)
        else:
            holder[key] = rng.choice((None, True, [], {}, rng.choice(NUMBERS), item()))


def _places(value, depth: int = 0):
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        if depth or key != "format":
            yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key], depth + 1)


def a_network_by_grammar(rng: random.Random) -> bytes:
    """A network of any operations and containers, with small, odd and huge numbers."""
    axes = rng.choice((1, 2, 2, 3))
    size = [
        rng.choice((1, 2, 3, 6, 17, 40, 224, rng.choice((10**6, 2**31 - 1)))) for _ in range(axes)
    ]
    layers = [_item(rng, axes, 3) for _ in range(rng.randint(1, 14))]
    document = {
        "format": 1,
        "input": {"size": size, "channels": rng.choice((1, 2, 3, 4, 8, 48))},
        "layers": layers,
    }
    return _written(document)


def _item(rng: random.Random, axes: int, depth: int):
    kind = rng.random()
    if depth and kind < 0.25:
        body = [_item(rng, axes, depth - 1) for _ in range(rng.randint(0, 4))]
        match rng.randrange(4):
            case 0:
                return {"sequence": {"name": f"s{rng.randrange(9)}", "layers": body}}
            case 1:
                return {"residual": {"layers": body}}
            case 2:
                times = rng.choice((1, 2, 3, 9, rng.choice((50, 1000, 100_000))))
                return {"repeat": {"times": times, "layers": body}}
            case _:
                branches = [{"layers": body}, {"layers": body[:1]}, []]
                return {"parallel": {"merge": rng.choice(("add", "concat")), "branches": branches}}
    word = rng.choice(list(OPS))
    values = {
        x.word: _value(rng, x, axes)
        for x in parameters(OPS[word])
        if x.required or rng.random() < 0.4
    }
    for choices in OPS[word].alternatives:
        # One of them, as a rule.
        for given in [x for x in sorted(choices) if x in values][
            : -1 if rng.random() < 0.95 else 0
        ]:
            del values[given]
        if choices.isdisjoint(values):
            values[rng.choice(sorted(choices))] = 2
    if word == "upsample" and values.get("mode", "nearest") == "nearest":
        values.pop("align_corners", None)
    if word in ("crop", "pad", "conv_transpose"):
        for key in ("padding", "margins"):
            if isinstance(values.get(key), str):
                values[key] = 1
    if word in ("add", "concat", "multiply") or rng.random() < 0.1:
        values["from"] = rng.choice(("input", ["input", "relu1"], ["input", "input"], "s1"))
    return {word: values} if values else word


def _value(rng: random.Random, parameter: Parameter, axes: int):
    small = rng.choice(NUMBERS if rng.random() < 0.02 else _SMALL)
    match parameter.kind:
        case Kind.BOOLEAN:
            return rng.random() < 0.5
        case Kind.CHOICE:
            return rng.choice(_MODES if rng.random() < 0.03 else parameter.choices)
        case Kind.INTEGER:
            return small
        case Kind.FLAGS:
            return rng.choice((True, [rng.random() < 0.5 for _ in range(axes)]))
        case Kind.LAYER:
            return rng.choice(("input", "input", "relu1", "s1"))
        case Kind.INTEGERS:
            wild = rng.random() < 0.05
            return rng.choice((small, []) if wild else ([1, 2], [4, 4], [0, 1], [small]))
        case Kind.SOURCES:
            wild = rng.random() < 0.05
            sound = ([{}, {"kernel_size": small}], [{"global": True}])
            return rng.choice((small, []) if wild else sound)
        case Kind.GROUPS:
            return rng.choice((1, 2, "depthwise", small))
        case Kind.TEXT:
            return rng.choice(NASTY_TEXTS)
        case Kind.NUMBER:
            wild = rng.random() < 0.1
            return rng.choice((-1, 1e-30, 1e10, -1e10) if wild else (0, 1, 0.1, 1e-5, small))
        case Kind.SCALES:
            return rng.choice((1, 2, 0.5, 1.25, 3.7, small, [small] * axes))
        case Kind.PADDING:
            pair = [rng.randint(-4, 4), rng.randint(-3, 4)]
            words = ("same", "valid", "same_lower") if parameter.default is not None else (2, 3)
            return rng.choice((0, 1, *words, small, [pair] * axes))
        case _:
            return rng.choice((small, small, [small] * axes, [rng.choice((1, 2, 3, 5))] * axes))


def a_damaged_image(rng: random.Random) -> bytes:
    """A picture of any format, with some bytes changed or cut off."""
    mode = rng.choice(("RGB", "L", "P", "RGBA", "1", "I;16"))
    kinds = ("PNG", "TIFF") if mode == "I;16" else ("PNG", "GIF", "TIFF", "WEBP", "BMP", "JPEG")
    kind = rng.choice(kinds)
    if kind == "JPEG" and mode not in ("RGB", "L"):
        mode = "RGB"
    if kind in ("BMP", "GIF", "WEBP") and mode == "RGBA":
        mode = "RGB"
    size = rng.choice(((1, 1), (7, 5), (64, 48), (300, 200)))
    buffer = io.BytesIO()
    Pillow.new(mode, size).save(buffer, kind)
    return damaged(buffer.getvalue(), rng)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Bytes of which some are changed, or the last ones cut off."""
    found = bytearray(data)
    for _ in range(rng.randint(0, 6)):
        place = rng.randrange(min(len(found), rng.choice((40, 200, 10**9))))
        found[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if rng.random() < 0.2:
        del found[rng.randrange(len(found)) :]
    return bytes(found)


NETWORKS: dict[str, Callable[[random.Random], bytes]] = {
    "damaged preset": bytes_of_a_damaged_preset,
    "changed preset": a_changed_preset,
    "by grammar": a_network_by_grammar,
}
