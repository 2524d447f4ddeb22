"""Axis rules, as values: which samples of its input an operation reads along one axis.

A rule says two things: what an output index reads *by the formula*, as if the map went on for ever
(the theoretical view), and what it reads of the samples that are really there (the visible view).
A rule may also carry the weights (amplitudes) with which it reads: of a mean, or of an
interpolation.  Weights that a network learns are 1 here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.rows import flat, numbers_in
from rfstudio.core.memo import remembered

Taps: TypeAlias = tuple[int, ...]
"""Input indices that one output reads, in rising order."""

Samples: TypeAlias = NDArray[np.int64]
"""Positions along one axis."""

Weights: TypeAlias = NDArray[np.float64]
"""Weights with which samples are read."""

MOST_TAPS = 1 << 31
"""More taps than any output has."""


class Window(NamedTuple):
    """Output i reads ``i * stride - before + dilation * t`` for t = 0 … kernel − 1.

    A named tuple, since rules are hashed for every layer after every edit.

    Attributes
    ----------
    n_in, n_out
        Number of samples of the input and the output map along this axis.
    kernel, stride, dilation
        Taps of the window, distance of two placements, distance of two taps.
    before
        Padding before the first sample; negative: samples cut off.
    mode
        What is in the padding: "zeros", or how real samples are read for it.
    cropped
        Samples at the end that negative padding cut off: a last window that is not complete
        does not read them.
    counted
        Of a mean: the half-open range of positions that count in its divisor; its taps weigh one
        over the number of those that are in it.  None: all taps weigh 1.
    """

    n_in: int
    n_out: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    mode: str = "zeros"
    cropped: int = 0
    counted: tuple[int, int] | None = None

    @property
    def n_read(self) -> int:
        """Number of samples that are there to be read."""
        return self.n_in - self.cropped

    @property
    def is_identity(self) -> bool:
        """Whether output i reads input i, and only that, by the formula and in fact."""
        return (
            self.kernel == 1 and self.stride == 1 and self.before == 0 and self.n_out <= self.n_read
        )

    @property
    def overlaps(self) -> bool:
        """Whether two outputs may read one sample."""
        return self.kernel > 1 and self.stride < self.dilation * (self.kernel - 1) + 1

    @property
    def mean_reads(self) -> float:
        """Mean number of samples on the map that an output reads."""
        return float(samples_in_windows(self).mean()) if self.n_out else 1.0

    def taps(self, index: int) -> Sequence[int]:
        """Return what output `index` reads by the formula; indices may leave the map."""
        start = index * self.stride - self.before
        return range(start, start + self.dilation * self.kernel, self.dilation)

    @property
    def most_taps(self) -> int:
        """Number of taps of an output."""
        return self.kernel

    def taps_of_all(
        self, indices: Samples, outermost: int = MOST_TAPS
    ) -> Iterator[tuple[Samples, NDArray[np.bool_]]]:
        """Yield for taps which samples many outputs read with them, all of them doing so.

        Of more than twice `outermost` taps only so many at either end.
        """
        starts = indices * self.stride - self.before
        there = np.ones(len(indices), bool)
        return (
            (starts + self.dilation * t, there) for t in outermost_of(range(self.kernel), outermost)
        )

    def taps_of_each(self, indices: Samples, outermost: int = MOST_TAPS) -> tuple[Samples, None]:
        """Return the same for all taps at once: one row of samples for each output."""
        taps = np.array(outermost_of(range(self.kernel), outermost), np.int64)
        starts = indices * self.stride - self.before
        return starts[:, None] + self.dilation * taps, None


class Pattern:
    """What follows from the phases of a `Periodic` rule alone, each worked out at its first use.

    Attributes
    ----------
    advance, phases
        Those of the rule.
    """

    def __init__(self, advance: int, phases: Sequence[Taps]) -> None:
        self.advance = advance
        self.phases = phases

    @cached_property
    def most_taps(self) -> int:
        """Largest number of taps of an output."""
        return int(self.flat_taps[0].max())

    @cached_property
    def flat_taps(self) -> tuple[Samples, Samples]:
        """The number of taps of each phase, and all taps in a row, phase by phase."""
        return flat(self.phases, np.int64)

    @cached_property
    def table(self) -> tuple[Samples, NDArray[np.bool_]]:
        """Return the taps of every phase in a row, shorter ones spread to both ends of it."""
        width = self.most_taps
        counts, taps = self.flat_taps
        rows = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        is_front = number < ((counts + 1) // 2)[rows]
        columns = np.where(is_front, number, width - counts[rows] + number)
        table = np.zeros((len(self.phases), width), np.int64)
        there = np.zeros((len(self.phases), width), bool)
        table[rows, columns] = taps
        there[rows, columns] = True
        return table, there

    @cached_property
    def is_full(self) -> bool:
        """Whether all phases have equally many taps."""
        return self.taps_of_period == len(self.phases) * self.most_taps

    @cached_property
    def outer_taps(self) -> tuple[Samples, Samples, Samples]:
        """The phases that read anything, and the first and the last input that each reads."""
        # Of the thousands of phases of a map set into a larger one most read nothing.
        counts, taps = self.flat_taps
        numbers = np.flatnonzero(counts)
        stops = np.cumsum(counts)[numbers]
        return numbers, taps[stops - counts[numbers]], taps[stops - 1]

    @cached_property
    def taps_of_period(self) -> int:
        """Number of taps of all phases together."""
        return len(self.flat_taps[1])

    @cached_property
    def least_tap(self) -> int:
        """The first input that any output of the first period reads by the formula."""
        return int(self.outer_taps[1].min()) if self.taps_of_period else 0

    @cached_property
    def greatest_tap(self) -> int:
        """The last input that any output of the first period reads by the formula."""
        return int(self.outer_taps[2].max()) if self.taps_of_period else 0

    @cached_property
    def widest_phase(self) -> int:
        """The largest distance of the outermost taps of a phase."""
        _, first, last = self.outer_taps
        return int((last - first).max()) if self.taps_of_period else 0

    @cached_property
    def rising_runs(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """First and last input that each phase reads, if all that lies between is read as well.

        None if some phase has no taps or holes, or the ends fall from one output to the next.
        """
        counts, _ = self.flat_taps
        if self.advance <= 0 or not counts.all():
            return None
        _, first, last = self.outer_taps
        is_solid = bool((last - first + 1 == counts).all())
        # The phase after the last one is the first one of the next turn.
        rises = all(
            bool((np.diff(x, append=x[0] + self.advance) >= 0).all()) for x in (first, last)
        )
        return (tuple(first.tolist()), tuple(last.tolist())) if is_solid and rises else None

    @cached_property
    def reads_in_runs(self) -> bool:
        """Whether all that several outputs in a row read together has no gap either."""
        if self.rising_runs is None:
            return False
        _, first, last = self.outer_taps
        return bool((np.append(first[1:], first[0] + self.advance) <= last + 1).all())


_shared_pattern = remembered(1024)(Pattern)
"""One object for all maps that are read in one pattern, of which a network may have thousands."""

_SHARED = 256
"""Phases and taps up to which a pattern is looked up by its value."""


@dataclass(frozen=True, eq=False)
class Periodic:
    """Output i reads ``taps[i % period] + (i // period) * advance``.

    Attributes
    ----------
    n_in, n_out
        Number of samples of the input and the output map along this axis.
    advance
        Input samples that one period of outputs moves on.
    phases
        For each phase the input indices that it reads, rising; a phase may read none.
    clamped
        Whether an index outside the map reads the border sample; otherwise it reads nothing.
    by_size
        Whether the rule depends on the sizes of the maps, so that one period says little.
    weights
        For each phase the weights of its taps, such as those of an interpolation; what is read
        twice, at a border, has the sum of both.  None: all weigh 1.
    is_mean
        Whether an output is the mean of the samples that it reads.
    """

    n_in: int
    n_out: int
    advance: int
    phases: Sequence[Taps]
    clamped: bool = False
    by_size: bool = False
    weights: Sequence[tuple[float, ...]] | None = None
    is_mean: bool = False

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Periodic):
            return NotImplemented
        if self._hash != other._hash or self._facts != other._facts:
            return False
        # Both axes of a layer are compared at each of its copies.  What is equal is shared from
        # now on, so that this takes no time, whatever else differs.
        for name in ("phases", "weights"):
            own, others = getattr(self, name), getattr(other, name)
            if own is not others:
                if own != others:
                    return False
                object.__setattr__(other, name, own)
        return True

    def __hash__(self) -> int:
        """Return the hash, worked out once: there may be thousands of phases."""
        return self._hash

    @property
    def _facts(self) -> tuple[object, ...]:
        return (self.n_in, self.n_out, self.advance, self.clamped, self.by_size, self.is_mean)

    @cached_property
    def _hash(self) -> int:
        return hash((self.n_in, self.n_out, self.advance, self.phases, self.is_mean))

    @property
    def overlaps(self) -> bool:
        """Whether two outputs read one sample."""
        inputs = np.sort(self.pairs[1])
        return bool((inputs[1:] == inputs[:-1]).any())

    @property
    def mean_reads(self) -> float:
        """Mean number of samples on the map that an output reads."""
        return len(self.pairs[0]) / max(self.n_out, 1)

    @property
    def period(self) -> int:
        """Outputs after which the pattern repeats."""
        return len(self.phases)

    def taps(self, index: int) -> Taps:
        """Return what output `index` reads by the formula; indices may leave the map."""
        turn, phase = divmod(index, len(self.phases))
        start = turn * self.advance
        return tuple(start + x for x in self.phases[phase])

    @property
    def most_taps(self) -> int:
        """Largest number of taps of an output."""
        return self._pattern.most_taps

    def taps_of_all(
        self, indices: Samples, outermost: int = MOST_TAPS
    ) -> Iterator[tuple[Samples, NDArray[np.bool_]]]:
        """Yield for taps which samples many outputs read with them, and which of them do so.

        Of more than twice `outermost` taps only so many at either end.
        """
        turns, phases = np.divmod(indices, len(self.phases))
        for tap, there in self._columns(min(outermost, self.most_taps)):
            yield tap[phases] + turns * self.advance, there[phases]

    def taps_of_each(
        self, indices: Samples, outermost: int = MOST_TAPS
    ) -> tuple[Samples, NDArray[np.bool_] | None]:
        """Return the same for all taps at once: one row of samples for each output.

        None instead of which of them are read: all are.
        """
        table, there = self._pattern.table
        skipped = table.shape[1] - 2 * outermost
        if skipped > 0:
            columns = np.r_[:outermost, outermost + skipped : table.shape[1]]
            table, there = table[:, columns], there[:, columns]
        if len(self.phases) == 1:
            return table + (indices * self.advance)[:, None], None
        turns, phases = np.divmod(indices, len(self.phases))
        taps = table[phases] + (turns * self.advance)[:, None]
        return taps, None if self._pattern.is_full else there[phases]

    def _columns(self, outermost: int) -> Iterator[tuple[Samples, NDArray[np.bool_]]]:
        """Yield for each tap its place in every phase, and which phases have it."""
        table, there = self._pattern.table
        count = table.shape[1]
        skipped = max(count - 2 * outermost, 0)
        for t in range(count - skipped):
            # The first ones from the start, the others from the end of each phase.
            at = t if t < outermost else skipped + t
            yield table[:, at], there[:, at]

    @cached_property
    def _pattern(self) -> Pattern:
        is_short = self.period <= _SHARED and self.period + numbers_in(self.phases) <= _SHARED
        find = _shared_pattern if is_short else Pattern
        return find(self.advance, self.phases)

    @property
    def flat_taps(self) -> tuple[Samples, Samples]:
        """The number of taps of each phase, and all taps in a row, phase by phase."""
        return self._pattern.flat_taps

    @property
    def outer_taps(self) -> tuple[Samples, Samples, Samples]:
        """The phases that read anything, and the first and the last input that each reads."""
        return self._pattern.outer_taps

    @property
    def taps_of_period(self) -> int:
        """Number of taps of all phases together."""
        return self._pattern.taps_of_period

    @property
    def least_tap(self) -> int:
        """The first input that any output of the first period reads by the formula."""
        return self._pattern.least_tap

    @property
    def greatest_tap(self) -> int:
        """The last input that any output of the first period reads by the formula."""
        return self._pattern.greatest_tap

    @property
    def widest_phase(self) -> int:
        """The largest distance of the outermost taps of a phase."""
        return self._pattern.widest_phase

    @property
    def rising_runs(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """First and last input that each phase reads, if all that lies between is read as well.

        None if some phase has no taps or holes, or the ends fall from one output to the next.
        """
        return self._pattern.rising_runs

    @property
    def reads_in_runs(self) -> bool:
        """Whether all that several outputs in a row read together has no gap either."""
        return self._pattern.reads_in_runs

    @cached_property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """All pairs (output, input) of samples that are really there, without repeats."""
        return self.pairs_of(0, self.n_out)

    @cached_property
    def amplitudes(self) -> Weights:
        """The weight of each of `pairs`."""
        outputs, _ = self.pairs
        if self.is_mean:
            return 1.0 / np.bincount(outputs, minlength=self.n_out)[outputs]
        if self.weights is None:
            return np.ones(outputs.size)
        outputs, _, is_pair = self._reads(0, self.n_out)
        _, one_period = flat(self.weights, np.float64)
        found = np.resize(one_period, outputs.size) * (outputs < self.n_out)
        # At a clamped border several taps in a row read one sample: they are one pair.
        sums: Weights = np.add.reduceat(found, np.flatnonzero(is_pair))
        return sums if self.clamped else found[is_pair]

    def pairs_of(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the pairs of the outputs from `start` to before `stop`."""
        outputs, inputs, is_pair = self._reads(start, stop)
        return outputs[is_pair], inputs[is_pair]

    def _reads(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Return all reads of whole periods, and which of them make the pairs."""
        period = len(self.phases)
        turns = np.arange(start // period, -(-stop // period))
        counts, taps = self.flat_taps
        inputs = (turns[:, None] * self.advance + taps).ravel()
        first = start // period * period
        outputs = np.repeat(
            np.arange(first, first + len(turns) * period), np.tile(counts, len(turns))
        )
        is_pair = (outputs >= start) & (outputs < stop)
        if self.clamped:
            inputs = inputs.clip(0, self.n_in - 1)
            is_pair[1:] &= (outputs[1:] != outputs[:-1]) | (inputs[1:] != inputs[:-1])
        else:
            is_pair &= (inputs >= 0) & (inputs < self.n_in)
        return outputs, inputs, is_pair


Side: TypeAlias = Literal["both", "before", "after"]
"""What of an axis an output reads: all, from the first sample to its own, or from its own on."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Every output reads the whole axis, or all of it on one side of its own position.

    Attributes
    ----------
    n_in, n_out
        Number of samples of the input and the output map along this axis.
    is_mean
        Whether an output is the mean of the samples.
    side
        Which samples; one side only of a map that keeps its size.
    """

    n_in: int
    n_out: int
    is_mean: bool = False
    side: Side = "both"

    @property
    def overlaps(self) -> bool:
        """Whether two outputs read one sample."""
        return self.n_out > 1

    @property
    def mean_reads(self) -> float:
        """Mean number of samples that an output reads."""
        return float(self.n_in) if self.side == "both" else (self.n_in + 1) / 2

    def taps(self, index: int) -> Taps:
        """Return every input index that an output reads."""
        first = index if self.side == "after" else 0
        stop = index + 1 if self.side == "before" else self.n_in
        return tuple(range(first, stop))


AxisRule: TypeAlias = Window | Periodic | Whole
"""How the outputs of an operation depend on its inputs along one axis."""

AxisRules: TypeAlias = tuple[AxisRule, ...]


def as_mean(rule: AxisRule, counted: tuple[int, int] | None = None) -> AxisRule:
    """Return a rule whose outputs are means of what they read.

    Parameters
    ----------
    rule
        The rule.
    counted
        Of a window: the positions that count in the divisor; None: those on the map.
    """
    if isinstance(rule, Window):
        return rule._replace(counted=counted or (0, rule.n_read))
    return replace(rule, is_mean=True)


def _counting(rule: Window, low: int, high: int) -> NDArray[np.bool_]:
    """Return for each output (row) and tap (column) whether it is in a range of positions."""
    read = np.arange(rule.n_out)[:, None] * rule.stride - rule.before
    read = read + rule.dilation * np.arange(rule.kernel)
    return (read >= low) & (read < high)


@remembered(4096)
def samples_in_windows(rule: Window) -> Weights:
    """Return for each output how many samples of its window count: those on the map, or `counted`.

    (E1) n(i) = Σ_t [low ≤ i·stride − before + dilation·t < high].
    """
    inside = _counting(rule, *(rule.counted or (0, rule.n_read)))
    counts: Weights = inside.sum(axis=1).astype(np.float64)
    return counts


@remembered(4096)
def shares_of_taps(rule: Window) -> Weights:
    """Return for each tap of a window the share of its placements that are on the map."""
    shares: Weights = _counting(rule, 0, rule.n_read).mean(axis=0)
    return shares


def outermost_of(taps: Sequence[int], count: int) -> Sequence[int]:
    """Return those taps, or so many at either end if there are more than twice as many."""
    return taps if len(taps) <= 2 * count else (*taps[:count], *taps[-count:])


def source_of_padding(index: int, size: int, mode: str) -> int | None:
    """Return the real sample that a padded position reads, or None if it holds a constant.

    Parameters
    ----------
    index
        A position, in samples of the map before padding; may be outside.
    size
        Number of samples of that map.
    mode
        "zeros", "reflect", "replicate" or "circular", as in `torch.nn.functional.pad`.
    """
    if 0 <= index < size:
        return index
    match mode:
        case "replicate":
            return min(max(index, 0), size - 1)
        case "circular":
            return index % size
        case "reflect":
            if size == 1:
                return 0
            index %= 2 * (size - 1)
            return min(index, 2 * (size - 1) - index)
        case _:
            return None


def sources_of_padding(indices: Samples, size: int, mode: str) -> Samples:
    """Return the real sample that each of some positions reads, where no padding is a constant.

    Parameters
    ----------
    indices, size, mode
        As of `source_of_padding`, of a mode other than "zeros".
    """
    if mode == "circular":
        return indices % size
    if mode == "reflect" and size > 1:
        turned = indices % (2 * (size - 1))
        return np.minimum(turned, 2 * (size - 1) - turned)
    return indices.clip(0, size - 1)  # where there is one sample, all read it
