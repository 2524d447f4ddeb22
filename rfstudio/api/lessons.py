"""Ten lessons: each opens a network, says what to see and what to change, and checks itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks.yaml_reader import read_yaml


class Chosen(Protocol):
    """A choice of the user."""

    @property
    def layer(self) -> str:
        """Path of the layer."""

    @property
    def unit(self) -> tuple[int, ...]:
        """Position of the unit in its map."""


Check = Callable[[Analysis, Chosen], bool]


@dataclass(frozen=True, eq=False)
class Lesson:
    """One lesson.

    Attributes
    ----------
    title
        Its line in the menu.
    network
        The layers to begin with, as in a file.
    layer
        The layer that is chosen at first.
    look, change
        What to see, and what to do then.
    why
        What happens and why, with the formula.
    source
        Where to read more.
    is_done
        Whether the change was made.
    input_size
        Side of the square input.
    """

    title: str
    network: str
    layer: str
    look: str
    change: str
    why: str
    source: str
    is_done: Check
    input_size: int = 64

    def architecture(self) -> Architecture:
        """Return the network to begin with."""
        size = f"[{self.input_size}, {self.input_size}]"
        head = f"format: 1\nname: 'Lesson: {self.title}'\ninput: {{size: {size}, channels: 3}}\n"
        return read_yaml(f"{head}layers:\n{self.network}", "lesson")


def _conv(name: str, *, kernel: int = 3, padding: int | None = None, more: str = "") -> str:
    pad = kernel // 2 if padding is None else padding
    numbers = f"kernel_size: {kernel}, padding: {pad}, out_channels: 8{more}"
    return f"  - conv: {{name: {name}, {numbers}}}\n"


def _field(analysis: Analysis, layer: str) -> float:
    """Return the side of the field of a layer; 0 where there is none."""
    if layer not in analysis:
        return 0.0
    sizes = [float(x) for x in analysis[layer].rf_size if x is not None]
    return max(sizes, default=0.0)


def _last(analysis: Analysis) -> LayerAnalysis:
    return analysis.layers[-1]


def _convs(analysis: Analysis) -> list[LayerAnalysis]:
    return [x for x in analysis.layers if isinstance(x.operation, ops.Conv)]


def _jump(layer: LayerAnalysis) -> float:
    return max((float(x) for x in layer.jump if x is not None), default=0.0)


def _keeps_kernels(analysis: Analysis, kernel: int = 3) -> bool:
    """Whether all windows are those of the lesson: what it asks for is something else."""
    sizes = [x.operation.kernel_size for x in _convs(analysis) if isinstance(x.operation, ops.Conv)]
    return all(set(x if isinstance(x, tuple) else (x,)) == {kernel} for x in sizes)


def _keeps_size(analysis: Analysis) -> bool:
    """Whether the last map is as large as the input, as paddings keep it."""
    return _last(analysis).output_size == analysis.architecture.input_size


def _has_stride(analysis: Analysis, _chosen: Chosen) -> bool:
    return _field(analysis, "c3") == 11 and _jump(analysis["c1"]) == 2 and _keeps_kernels(analysis)


def _has_dilation(analysis: Analysis, _chosen: Chosen) -> bool:
    is_as_wide = _field(analysis, "c3") == 13 and _jump(_last(analysis)) == 1
    return is_as_wide and _keeps_kernels(analysis) and _keeps_size(analysis)


def _has_aligned_branches(analysis: Analysis, _chosen: Chosen) -> bool:
    last = _last(analysis)
    is_aligned = set(last.alignment) == {"aligned"} and set(last.center) == {0}
    return is_aligned and len(_convs(analysis)) == 2 and len(last.inputs) == 2


def _is_deep(analysis: Analysis, _chosen: Chosen) -> bool:
    return len(_convs(analysis)) >= 12 and _field(analysis, _last(analysis).name) >= 25


def _sees_less_at_the_border(analysis: Analysis, chosen: Chosen) -> bool:
    view = analysis.unit(chosen.layer, chosen.unit)
    return (
        view.visible_region is not None
        and view.theoretical_region is not None
        and view.visible_region != view.theoretical_region
    )


def _is_first_that_covers(analysis: Analysis, chosen: Chosen, size: int) -> bool:
    layers = [x for x in _convs(analysis) if _field(analysis, x.name) >= size]
    return bool(layers) and layers[0].name == chosen.layer and _keeps_kernels(analysis)


def _has_no_holes(analysis: Analysis, _chosen: Chosen) -> bool:
    last = _last(analysis)
    centre = tuple(n // 2 for n in last.output_size)
    view = analysis.unit(last.name, centre)
    is_asked = len(_convs(analysis)) == 3 and _keeps_kernels(analysis) and _keeps_size(analysis)
    return is_asked and _field(analysis, last.name) >= 11 and view.gridding == 0


def _has_fine_map(analysis: Analysis, _chosen: Chosen) -> bool:
    last = _last(analysis)
    is_as_wide = _jump(last) == 2 and _field(analysis, last.name) == 26
    return is_as_wide and _keeps_kernels(analysis) and min(last.output_size) >= 31


def _has_three_small_kernels(analysis: Analysis, _chosen: Chosen) -> bool:
    is_asked = len(_convs(analysis)) == 3 and _keeps_kernels(analysis) and _keeps_size(analysis)
    return is_asked and _field(analysis, _last(analysis).name) == 7


def _has_gate_and_local_field(analysis: Analysis, _chosen: Chosen) -> bool:
    last = _last(analysis)
    has_gate = any(isinstance(x.operation, ops.SqueezeExcite) for x in analysis.layers)
    return has_gate and all(last.is_global) and last.local is not None


_POOL = "  - max_pool: {kernel_size: 2}\n"
_CHAIN = "".join(_conv(f"c{i}") for i in (1, 2, 3))

LESSONS: tuple[Lesson, ...] = (
    Lesson(
        "A stride makes everything after it grow faster",
        _CHAIN,
        "c3",
        "c3 sees 7×7 pixels: each convolution of 3×3 adds 2.",
        "Set the stride of c1 to 2, and look at the red frame of c3 again.",
        "A layer adds dilation · (kernel − 1) · jump pixels. The stride of c1 doubles the jump "
        "after it, so c2 and c3 add 4 each: 1 + 2 + 4 + 4 = 11.",
        "Araujo, Norris, Sim 2019, equation 2",
        _has_stride,
    ),
    Lesson(
        "Dilation reaches farther with the same weights",
        _CHAIN,
        "c3",
        "Note the number of parameters of c2 in the inspector, and the field of c3, 7×7.",
        "Set the dilation and the padding of c2 to 4.",
        "Taps that are 4 pixels apart reach over 4 · (3 − 1) = 8 pixels instead of 2. The number "
        "of weights stays.",
        "Yu and Koltun 2016",
        _has_dilation,
    ),
    Lesson(
        "Equal dilations leave holes",
        "".join(_conv(f"c{i}", padding=2, more=", dilation: 2") for i in (1, 2, 3)),
        "c3",
        "The dots (switch Support, S) are the pixels that reach the unit: every second row and "
        "column is not read.",
        "Change the dilations, with the paddings, so that the field is at least 11×11 and has no "
        "holes. 1, 2, 2 or 1, 2, 3 do.",
        "With a common factor of all dilations only multiples of it are reached. Without one, and "
        "growing slowly, the taps fill each other's gaps.",
        "Wang et al. 2018, hybrid dilated convolution",
        _has_no_holes,
    ),
    Lesson(
        "Branches that look at different places",
        "  - parallel:\n      name: two\n      merge: add\n      branches:\n"
        "        - name: first\n          layers:\n"
        "            - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 8}\n"
        "        - name: second\n          layers:\n"
        "            - conv: {name: b, kernel_size: 3, stride: 2, padding: [[0, 2], [0, 2]], "
        "out_channels: 8}\n",
        "two",
        "The inspector says “centre offset”: the two branches of the sum see fields that are one "
        "pixel apart.",
        "Set the padding of b to 1 on all sides.",
        "Unit 0 of a has its centre at 0, that of b at 1: u · jump − padding + (size − 1) / 2. A "
        "sum mixes what belongs to different places.",
        "Araujo, Norris, Sim 2019, “alignment”",
        _has_aligned_branches,
    ),
    Lesson(
        "At the border a unit sees less",
        "".join(_conv(f"c{i}") for i in range(1, 7)),
        "c6",
        "In the middle the red frame and the dashed one are the same.",
        "Click near a corner of the image, or press Ctrl+Home.",
        "The theoretical region leaves the image; what is outside is padding. Only the dashed part "
        "can reach the unit.",
        "Islam, Jia, Bruce 2020, on what padding tells about places",
        _sees_less_at_the_border,
    ),
    Lesson(
        "The effective field is much smaller",
        "".join(_conv(f"c{i}") for i in range(1, 6)),
        "c5",
        "The blue shading is how strongly each pixel moves the unit: it fades long before the red "
        "frame. Note the ratio ERF / TRF in the inspector.",
        "Duplicate layers (Ctrl+D) until there are at least twelve convolutions.",
        "The centre is reached by many more paths than the border. For n layers the field grows as "
        "n, the effective one as √n: the ratio falls as 1/√n.",
        "Luo, Li, Urtasun, Zemel 2016",
        _is_deep,
    ),
    Lesson(
        "How deep for an object of 50 pixels?",
        "".join(
            _conv(f"c{i}") + ("  - max_pool: {kernel_size: 2}\n" if i % 2 == 0 else "")
            for i in range(1, 9)
        ),
        "c1",
        "The first layers see a few pixels: an edge, not an object.",
        "Choose the first convolution whose field is at least 50 pixels wide. See the Growth tab.",
        "A unit that never sees a whole object has to guess it from its parts. After each pool the "
        "field grows twice as fast.",
        "Araujo, Norris, Sim 2019",
        lambda analysis, chosen: _is_first_that_covers(analysis, chosen, 50),
        224,
    ),
    Lesson(
        "Context and detail",
        _conv("c1")
        + "  - max_pool: {name: p1, kernel_size: 2, stride: 2}\n"
        + _conv("c2")
        + "  - max_pool: {name: p2, kernel_size: 2, stride: 2}\n"
        + _conv("c3")
        + _conv("c4"),
        "c4",
        "c4 sees much, but its units are 4 pixels apart: the map has lost detail.",
        "Take p2's stride away (stride 1), and give c3 and c4 dilation 2 and padding 2.",
        "The stride doubled the jump after it; dilation by the same factor keeps the field, and "
        "the map stays twice as fine.",
        "Chen et al. 2017, DeepLab",
        _has_fine_map,
    ),
    Lesson(
        "Three times 3×3, or once 7×7",
        _conv("big", kernel=7),
        "big",
        "One convolution of 7×7. Note its parameters.",
        "Set its kernel to 3 and its padding to 1, then duplicate it twice.",
        "1 + 3 · 2 = 7: the same field with 27 instead of 49 weights for each pair of channels, "
        "and two more nonlinearities if you add them.",
        "Simonyan and Zisserman 2014, section 2.3",
        _has_three_small_kernels,
    ),
    Lesson(
        "A gate that sees everything",
        _conv("c1") + _conv("c2"),
        "c2",
        "c2 sees 5×5 pixels.",
        "Choose c2, press Insert, and add “squeeze”.",
        "The gate averages the whole map, so every unit after it depends on every pixel. What is "
        "looked at in detail stays local: both fields are shown, red and purple.",
        "Hu, Shen, Sun 2018",
        _has_gate_and_local_field,
    ),
)
