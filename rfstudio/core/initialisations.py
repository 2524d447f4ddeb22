"""The laws that the weights of a network are drawn from before any training: one entry each.

An entry says how large the squares of weights are, for the closed form of expected fields, and
draws weights, for measuring; so both always speak of the same law.  All laws have the mean 0 and
are symmetric around it.  Of a layer whose outputs sum n weighted inputs (its fan-in), with a gain g
on the standard deviation, the closed form needs

(I1) a = n E[w²], by which a layer multiplies mean squares on the way forward, and with C_out over
the channels that it reads in place of n, what it passes back;

(I2) p(t) = E[w(t)²] over its mean, for the taps t of a kernel: 1, but for Luo's proposal.

References
----------
.. [1] He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852.
.. [2] Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks",
   AISTATS 2010.
.. [3] LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998.
.. [4] Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
   linear neural networks", ICLR 2014, arXiv:1312.6120.
.. [5] Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128, the section on a new initialisation.
.. [6] PyTorch 2 documentation of `torch.nn.init`, and `torch.nn.Conv2d`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from math import isfinite, prod
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.memo import remembered

Drawn: TypeAlias = NDArray[np.float32]
Taps: TypeAlias = NDArray[np.float64]


class Fans(NamedTuple):
    """The form of a layer's weights.

    Attributes
    ----------
    into
        Weighted inputs that one output sums.
    out
        Outputs that one input adds to, as `torch.nn.init` counts: of a convolution with groups
        those of all groups.
    rows, columns
        The weights as a matrix, with a row for each entry of their first axis.
    kernel
        Taps along each axis of a convolution; empty: there are none, or all are drawn in one way.
    """

    into: int
    out: int
    rows: int
    columns: int
    kernel: tuple[int, ...] = ()


def fans_of_matrix(rows: int, columns: int) -> Fans:
    """Return the form of the weights of a fully connected layer."""
    return Fans(columns, rows, rows, columns)


def fans_of_kernel(outputs: int, inputs: int, kernel: Sequence[int]) -> Fans:
    """Return the form of the weights of a convolution, with the input channels of one group."""
    taps = prod(kernel)
    return Fans(inputs * taps, outputs * taps, outputs, inputs * taps, tuple(kernel))


# --- forms of a distribution of variance 1 ------------------------------------------------------

Draw: TypeAlias = Callable[[np.random.Generator, Sequence[int]], Drawn]


def _normal(source: np.random.Generator, shape: Sequence[int]) -> Drawn:
    return source.standard_normal(tuple(shape), dtype=np.float32)


def _uniform(source: np.random.Generator, shape: Sequence[int]) -> Drawn:
    values = source.random(tuple(shape), dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(12**0.5)
    return values


_CUT = 2.0
"""Standard deviations outside which a truncated normal value is drawn again."""

_LEFT = 0.7737413035499232
"""Variance of a standard normal value within ±2: 1 − 4 φ(2) / (2 Φ(2) − 1)."""


def _truncated(source: np.random.Generator, shape: Sequence[int]) -> Drawn:
    values = _normal(source, shape)
    while (outside := np.abs(values) > _CUT).any():
        values[outside] = source.standard_normal(int(outside.sum()), dtype=np.float32)
    values *= np.float32(_LEFT**-0.5)
    return values


def _orthogonal(source: np.random.Generator, shape: Sequence[int]) -> Drawn:
    """Return a matrix of orthogonal rows or columns, all equally likely, of mean square 1.

    As `torch.nn.init.orthogonal_`: the signs make the decomposition unique [4]_.
    """
    rows, columns = shape[0], prod(shape[1:])
    values = source.standard_normal((max(rows, columns), min(rows, columns)))
    found, upper = np.linalg.qr(values)
    found *= np.sign(np.diag(upper))
    matrix = found if rows >= columns else found.T
    scaled = matrix * max(rows, columns) ** 0.5
    return np.ascontiguousarray(scaled, dtype=np.float32).reshape(tuple(shape))


# --- how the scale depends on the tap -----------------------------------------------------------

Scale: TypeAlias = Callable[[tuple[int, ...]], Taps]


def _distances(kernel: tuple[int, ...]) -> Taps:
    """Return the distance of each tap from the centre over that of the corners, 0 to 1."""
    squares = np.zeros(kernel)
    for axis, n in enumerate(kernel):
        shape = [-1 if x == axis else 1 for x in range(len(kernel))]
        squares = squares + ((np.arange(n) - (n - 1) / 2) ** 2).reshape(shape)
    largest = float(squares.max())
    result: Taps = np.sqrt(squares / largest) if largest > 0 else np.ones(kernel)
    return result


_OUTSIDE = 3.0
"""Scale of the corner taps over that of the centre, of the soft form of Luo's proposal."""


def _growing(kernel: tuple[int, ...]) -> Taps:
    return 1 + (_OUTSIDE - 1) * _distances(kernel)


def _corners(kernel: tuple[int, ...]) -> Taps:
    return (_distances(kernel) > 1 - 1e-9).astype(np.float64)


# --- the entries ----------------------------------------------------------------------------------


def _by_fan_in(fans: Fans) -> float:
    del fans
    return 1.0


def _by_both_fans(fans: Fans) -> float:
    return 2 * fans.into / (fans.into + fans.out)


def _by_larger_side(fans: Fans) -> float:
    return fans.into / max(fans.rows, fans.columns)


def _of_thirds(fans: Fans) -> float:
    del fans
    return 1 / 3


_DEVIATION = 0.02


def _fixed(fans: Fans) -> float:
    return fans.into * _LEFT * _DEVIATION**2


@dataclass(frozen=True)
class Initialisation:
    """One way to draw the weights of a network, with its gain.

    Attributes
    ----------
    name, title
        By which it is chosen, and what it is called.
    sentence
        What it draws.
    source
        Where it was published.
    squared_gain
        The square of the gain, with which mean squares are multiplied.
    gain
        The gain as it is written; empty: it is the published one.
    amount
        n E[w²] of a layer at gain 1 (I1).
    scale
        By what the weights of each tap of a kernel are multiplied, but for a factor; None: they
        are equal.
    """

    name: str
    title: str
    sentence: str
    source: str
    squared_gain: float = 1.0
    gain: str = ""
    amount: Callable[[Fans], float] = field(default=_by_fan_in, repr=False)
    form: Draw = field(default=_normal, repr=False)
    scale: Scale | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """How it is written: its name, and the gain if it is not the usual one."""
        return f"{self.name}:{self.gain}" if self.gain else self.name

    @property
    def words(self) -> str:
        """The same for people."""
        return f"{self.title}, gain {self.gain}" if self.gain else self.title

    def squares(self, fans: Fans) -> float:
        """Return n E[w²] of a layer (I1)."""
        return self.squared_gain * self.amount(fans)

    def taps(self, kernel: tuple[int, ...]) -> Taps | None:
        """Return the mean square of each tap over the mean of all (I2); None: all are equal."""
        if self.scale is None or prod(kernel) < 2:
            return None
        return _profile(self.scale, kernel)

    def draw(self, source: np.random.Generator, shape: Sequence[int], fans: Fans) -> Drawn:
        """Return weights of a shape, in single precision.

        Parameters
        ----------
        source
            Where random numbers come from.
        shape
            Of the weights; the axes of a kernel are the last.
        fans
            Their form.
        """
        values = self.form(source, shape)
        values *= np.float32((self.squares(fans) / max(fans.into, 1)) ** 0.5)
        taps = self.taps(fans.kernel)
        if taps is not None:
            values *= np.sqrt(taps).astype(np.float32)
        return values


@remembered(256)
def _profile(scale: Scale, kernel: tuple[int, ...]) -> Taps | None:
    squares = scale(kernel) ** 2
    if squares.max() - squares.min() <= 1e-9 * squares.max():
        return None
    result: Taps = squares / squares.mean()
    return result


_HE = "He et al., ICCV 2015, arXiv:1502.01852"
_GLOROT = "Glorot and Bengio, AISTATS 2010"
_LECUN = "LeCun et al., Efficient BackProp, 1998"
_LUO = "Luo et al., NIPS 2016, arXiv:1701.04128"

HE_NORMAL = Initialisation(
    "he_normal",
    "He, normal",
    "Normal with variance 2 / fan-in: what rectifiers halve is made up for.",
    _HE,
    2.0,
)

_ENTRIES = (
    HE_NORMAL,
    Initialisation(
        "he_uniform",
        "He, uniform",
        "Uniform in ±√(6 / fan-in), which has the variance 2 / fan-in.",
        _HE,
        2.0,
        form=_uniform,
    ),
    Initialisation(
        "xavier_normal",
        "Xavier, normal",
        "Normal with variance 2 / (fan-in + fan-out).",
        _GLOROT,
        amount=_by_both_fans,
    ),
    Initialisation(
        "xavier_uniform",
        "Xavier, uniform",
        "Uniform in ±√(6 / (fan-in + fan-out)).",
        _GLOROT,
        amount=_by_both_fans,
        form=_uniform,
    ),
    Initialisation("lecun_normal", "LeCun, normal", "Normal with variance 1 / fan-in.", _LECUN),
    Initialisation(
        "lecun_uniform",
        "LeCun, uniform",
        "Uniform in ±√(3 / fan-in), which has the variance 1 / fan-in.",
        _LECUN,
        form=_uniform,
    ),
    Initialisation(
        "orthogonal",
        "orthogonal",
        "A matrix with orthogonal rows or columns of length 1, all such equally likely.",
        "Saxe et al., ICLR 2014, arXiv:1312.6120",
        amount=_by_larger_side,
        form=_orthogonal,
    ),
    Initialisation(
        "trunc_normal",
        "truncated normal",
        "Normal with standard deviation 0.02, drawn again outside twice that, whatever the fan-in.",
        "as vision transformers are initialised: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929",
        amount=_fixed,
        form=_truncated,
    ),
    Initialisation(
        "uniform",
        "uniform",
        "Uniform in ±1 / √fan-in, as PyTorch's layers are by default; variance 1 / (3 fan-in).",
        "PyTorch, torch.nn.Conv2d and torch.nn.Linear",
        amount=_of_thirds,
        form=_uniform,
    ),
    Initialisation(
        "luo2016",
        "Luo, larger outside",
        "He's, with a scale that grows from the centre of a kernel to three times as much at its "
        "corners; the paper proposes a scale that grows, this growth is RF Studio's.",
        f"{_LUO}, “New initialization”",
        2.0,
        scale=_growing,
    ),
    Initialisation(
        "luo2016_corners",
        "Luo, corners alone",
        "He's, with the corners of a kernel alone: the extreme for which the field is largest, "
        "which the paper calls too aggressive for training.",
        f"{_LUO}, “New initialization”",
        2.0,
        scale=_corners,
    ),
)

INITIALISATIONS: Mapping[str, Initialisation] = MappingProxyType({x.name: x for x in _ENTRIES})
"""All of them by name, the usual one first."""

DEFAULT = HE_NORMAL.name

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "he": "he_normal",
        "kaiming": "he_normal",
        "kaiming_normal": "he_normal",
        "kaiming_uniform": "he_uniform",
        "xavier": "xavier_uniform",
        "glorot": "xavier_uniform",
        "glorot_normal": "xavier_normal",
        "glorot_uniform": "xavier_uniform",
        "lecun": "lecun_normal",
        "truncated_normal": "trunc_normal",
        "luo": "luo2016",
    }
)

GAINS: Mapping[str, float] = MappingProxyType(
    {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": 2**0.5,
        "leaky_relu": (2 / 1.0001) ** 0.5,
        "selu": 0.75,
    }
)
"""Gains by the activation that follows, as `torch.nn.init.calculate_gain` has them [6]_."""

_MOST_GAIN = 1e6


@remembered(256)
def initialisation(text: str) -> Initialisation:
    """Return the initialisation that a text names: ``xavier_uniform``, ``orthogonal:1.4``.

    Parameters
    ----------
    text
        A name, and after a colon the gain: the factor of standard deviations that replaces the
        published one (√2 for He's and Luo's, else 1), as a number or as an activation's name.

    Raises
    ------
    RFStudioError
        If there is no such name, which names the nearest, or the gain is no positive number.

    Examples
    --------
    >>> initialisation("he").squares(fans_of_matrix(10, 20))
    2.0
    >>> initialisation("kaiming_normal:tanh").text
    'he_normal:tanh'
    """
    name, colon, gain = str(text).partition(":")
    key = name.strip().lower().replace("-", "_")
    found = INITIALISATIONS.get(_OTHER_NAMES.get(key, key))
    if found is None:
        near = get_close_matches(key, (*INITIALISATIONS, *_OTHER_NAMES), n=1)
        known = ", ".join(INITIALISATIONS)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {known}"
        raise RFStudioError(f"there is no initialisation '{shown(name, 30)}'; {hint}")
    return _with_gain(found, gain.strip().lower()) if colon else found


AS_TORCH = "torch"
"""How a training begins by default: as torch's layers, uniform in ±1/√(fan-in), biases too."""


def checked_start(text: str) -> str:
    """Return how the weights of a training begin, as it is written in one way only.

    Raises
    ------
    RFStudioError
        If it is neither "torch" nor an initialisation.
    """
    word = str(text).strip()
    return AS_TORCH if word.lower() == AS_TORCH else initialisation(word).text


def _with_gain(found: Initialisation, text: str) -> Initialisation:
    """Return an initialisation with a gain in place of its own."""
    try:
        gain = GAINS[text] if text in GAINS else float(text)
    except ValueError:
        gain = 0.0
    if not isfinite(gain) or not 0 < gain <= _MOST_GAIN:
        raise RFStudioError(
            f"a gain must be a number above 0 and up to {_MOST_GAIN:,.0f}, or one of "
            f"{', '.join(GAINS)}, not '{shown(text, 30)}'"
        )
    # The square of √2 is to be 2.
    squared = float(f"{gain**2:.15g}")
    if squared == found.squared_gain:
        return found
    return replace(found, squared_gain=squared, gain=text if text in GAINS else f"{gain:.15g}")


def other_law(options: Mapping[str, Any]) -> str:
    """Return in words from what random weights were drawn, if not from the usual law.

    Parameters
    ----------
    options
        Those of a field that was measured or computed, by name.
    """
    if options.get("weights", "random") != "random":
        return ""
    found = initialisation(str(options.get("init", DEFAULT)))
    return "" if found == HE_NORMAL else f"weights: {found.words}"
