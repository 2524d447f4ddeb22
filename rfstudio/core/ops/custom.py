"""An operation that the program does not know, declared by hand, of one map or of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRules, Whole
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.pooled_values import mean_of_channels
from rfstudio.core.ops.merge import Add
from rfstudio.core.ops.operation import Costs, by_position, parameters
from rfstudio.core.ops.sliding_window import Windowed, resolved_padding, window_of, window_rules
from rfstudio.core.ops.values import (
    DILATION_TEXT,
    KERNEL_TEXT,
    OUT_CHANNELS_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Flags,
    Kind,
    Padding,
    Sizes,
    flags_per_axis,
    parameter,
    per_axis,
    size_parameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Windowed):
    """An operation that the program does not know, declared by hand.

    Of several maps it reads each as declared, or by a declaration for each in `sources`.
    """

    keyword: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    may_join: ClassVar[bool] = True

    label: str = parameter(Kind.TEXT, "What the operation is called.", "")
    whole: Flags = parameter(
        Kind.FLAGS,
        "Whether each output reads the whole input map, or all of an axis (`global` in files); "
        "kernel, stride and padding then only give the size of the output.",
        False,
        word="global",
    )
    kernel_size: Sizes = size_parameter(KERNEL_TEXT, 1)
    stride: Sizes = size_parameter(STRIDE_TEXT, 1)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    parameters: int = parameter(
        Kind.INTEGER, "Number of learned parameters, for the counts.", 0, minimum=0
    )
    sources: tuple[Custom, ...] | None = parameter(
        Kind.SOURCES,
        "Of several maps what is read of each: global, kernel_size, stride, padding, dilation; "
        "empty: of all of them the same.",
        None,
    )

    def _check(self) -> None:
        if self.sources is not None:
            object.__setattr__(self, "sources", tuple([_reading(x) for x in self.sources]))

    def of_source(self, index: int, channels: int) -> Custom:
        """Return what it reads of one of several maps, with so many output channels."""
        own = self if self.sources is None else self.sources[index]
        return replace(own, label=self.label, out_channels=channels, parameters=0, sources=None)

    @classmethod
    def usual(cls) -> Self:
        return cls(label="custom")

    def text(self, axes: int) -> str:
        words = [] if self.whole is True else self._window_words(axes)
        return " ".join([self.label or self.keyword, *words])

    def is_whole(self, axes: int) -> tuple[bool, ...]:
        """Return for each axis whether an output reads all of it."""
        return flags_per_axis(self.whole, axes)

    def window_beside_whole(self, sizes: tuple[int, ...]) -> Custom:
        """Return its window where the axes that are read whole have one sample."""
        axes = len(sizes)
        whole = self.is_whole(axes)
        pads = zip(whole, resolved_padding(self, sizes), strict=True)
        kernel, stride, dilation = (
            tuple([1 if x else n for x, n in zip(whole, values, strict=True)])
            for values in window_of(self, axes)
        )
        return replace(
            self,
            whole=False,
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            padding=tuple([(0, 0) if x else pair for x, pair in pads]),
        )

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        plain = window_rules(self, sizes)
        return tuple(
            Whole(x.n_in, x.n_out) if whole else x
            for x, whole in zip(plain, self.is_whole(len(sizes)), strict=True)
        )

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] if self.out_channels is None else self.out_channels

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(self.parameters, 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        axes = len(place.rules)
        kernels = per_axis(self.kernel_size, axes)
        read = zip(self.is_whole(axes), place.size_in, kernels, strict=True)
        taps = prod([n if whole else k for whole, n, k in read])
        remark = "a custom operation is modelled as the mean over its window"
        return mean_of_channels(taps, place, runs)._replace(remark=remark)


_READ = ("whole", "kernel_size", "stride", "padding", "dilation")
"""What of a declared operation says how it reads."""


def _reading(given: object) -> Custom:
    """Return what is read of one source, of a declaration or of its words and values."""
    if isinstance(given, Custom):
        given = {x: getattr(given, x) for x in _READ}
    if not isinstance(given, Mapping):
        raise OpError(f"sources has {given!r}, which is not as in {{kernel_size: 3, padding: 1}}")
    words = {x.word: x.name for x in parameters(Custom) if x.name in _READ}
    names = {**words, **{x: x for x in _READ}}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in names:
            raise OpError(f"sources has no {key!r}; a source has {', '.join(words)}")
        values[names[key]] = value
    try:
        return Custom(**values)
    except OpError as error:
        raise OpError(f"sources: {error}") from None


def words_of_source(source: Custom) -> dict[str, Any]:
    """Return what is read of one source as words and values, usual ones left out."""
    found = {x.word: x for x in parameters(Custom) if x.name in _READ}
    values = {word: (getattr(source, x.name), x.default) for word, x in found.items()}
    return {word: value for word, (value, usual) in values.items() if value != usual}


def text_of_sources(sources: tuple[Custom, ...] | None) -> str:
    """Return what is read of each source as one line: ``kernel_size 3, padding 1; global true``."""
    return "; ".join(
        ", ".join([f"{word} {_shown(x)}" for word, x in words_of_source(source).items()])
        for source in sources or ()
    )


def sources_of_text(text: str) -> tuple[Custom, ...] | None:
    """Return what a line as of `text_of_sources` means; None: it is empty.

    Raises
    ------
    OpError
        If it means nothing.
    """
    if not text.strip():
        return None
    found = []
    for entry in text.split(";"):
        values: dict[str, Any] = {}
        for part in entry.split(","):
            word, _, value = part.strip().partition(" ")
            if word:
                values[word] = _meant(value.strip())
        found.append(_reading(values))
    return tuple(found)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "×".join(":".join(map(str, x)) if isinstance(x, tuple) else _shown(x) for x in value)
    return str(value).lower()


def _meant(text: str) -> Any:
    parts = text.replace("x", "×").split("×")
    if len(parts) > 1:
        return tuple(map(_meant, parts))
    if ":" in text:
        return tuple(map(_meant, text.split(":")))
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class CustomMerge(Add):
    """A declared operation of several maps, of which each has been read as declared.

    A `custom` with several sources becomes it when a network is expanded.
    """

    keyword: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"
    expanded_only: ClassVar[bool] = True
    is_free: ClassVar[bool] = False

    label: str = parameter(Kind.TEXT, "What the operation is called.", "")
    parameters: int = parameter(Kind.INTEGER, "Number of learned parameters.", 0, minimum=0)

    def text(self, axes: int) -> str:
        return self.label or self.keyword

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(self.parameters, 0)
