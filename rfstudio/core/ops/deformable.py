"""Deformable convolutions, of whose window each tap is moved.

How far taps move is the map of a further layer, or of a convolution that only a file of weights
knows; of a network without weights all offsets are 0, as before any training.  When a network is
expanded, a convolution that reads its offsets becomes two layers, so that each has one rule of what
it reads: one for what the taps may read, and one that reads this and the offsets position by
position.

References
----------
.. [1] Dai et al., "Deformable convolutional networks", ICCV 2017, arXiv:1703.06211.
.. [2] Zhu et al., "Deformable ConvNets v2", CVPR 2019, arXiv:1811.11168: the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Whole
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.backward import PASS
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments
from rfstudio.core.ops.convolution import WindowConvolution
from rfstudio.core.ops.geometry import MAX_SIDE
from rfstudio.core.ops.merge import Merge
from rfstudio.core.ops.operation import NO_COSTS, Costs, Demands
from rfstudio.core.ops.sliding_window import window_rules
from rfstudio.core.ops.values import (
    BIAS_TEXT,
    DILATION_TEXT,
    GROUPS_TEXT,
    KERNEL_TEXT,
    OUT_CHANNELS_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Groups,
    Kind,
    Padding,
    Sizes,
    padding_per_axis,
    parameter,
    per_axis,
    size_parameter,
)

AT_REST = "deformable convolutions are modelled with offsets of 0, as before any training"
"""Why models of deformable convolutions are approximations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformConv(WindowConvolution):
    """A deformable convolution: each tap moves by a learned offset.

    Its sources are the map that it reads and, if layers compute them, the offsets [1]_ and the mask
    [2]_ by which each tap is multiplied.  Both have the size of its own map.  As in torchvision,
    offsets have for each group of channels and each tap one channel an axis, in the order of the
    tensor, and a mask has one; the number of groups follows from the number of channels.
    """

    keyword: ClassVar[str] = "deform_conv"
    title: ClassVar[str] = "Deformable convolution"
    may_join: ClassVar[bool] = True

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes = size_parameter(STRIDE_TEXT, 1)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    groups: Groups = parameter(Kind.GROUPS, GROUPS_TEXT, 1, minimum=1)
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    bias: bool = parameter(Kind.BOOLEAN, BIAS_TEXT, True)
    max_offset: int | None = parameter(
        Kind.INTEGER, "Largest offset of a tap in samples; empty: unbounded.", None, minimum=0
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=3, padding=1)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        plain = window_rules(self, sizes)
        if self.max_offset is None:
            return tuple(Whole(x.n_in, x.n_out) for x in plain)
        reach = self.max_offset
        rules: list[AxisRule] = []
        for rule in plain:
            taps = {x + shift for x in rule.taps(0) for shift in range(-reach, reach + 1)}
            rules.append(Periodic(rule.n_in, rule.n_out, rule.stride, (tuple(sorted(taps)),)))
        return tuple(rules)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        # As if no tap were moved.
        if self.max_offset is not None:
            return rules
        return window_rules(self, tuple([x.n_in for x in rules]))

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        axes = len(sizes)
        if self.max_offset is None:
            return [(0, 0)] * axes
        reads = 2 * self.max_offset + 1
        kernels = per_axis(self.kernel_size, axes)
        pads = 0 if isinstance(self.padding, str) else self.padding
        # The pattern is the same along a map of any length; at its borders it is listed.
        borders = [sum(pair) for pair in padding_per_axis(pads, axes)]
        return [
            (n + x if x > MAX_SIDE else 0, k * reads)
            for n, k, x in zip(sizes, kernels, borders, strict=True)
        ]

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        still = place._replace(rules=window_rules(self, place.size_in))
        # The class is named since dataclasses with slots are made twice.
        return super(DeformConv, self).energy_model(still, runs)._replace(remark=AT_REST)

    def offset_groups(self, channels: int, offsets: int, axes: int) -> int:
        """Return the number of groups of input channels that have offsets of their own.

        Parameters
        ----------
        channels, offsets
            Channels of the map that it reads, and of the offsets.
        axes
            Number of axes.

        Raises
        ------
        OpError
            If so many channels are no offsets of its taps.
        """
        taps = prod(per_axis(self.kernel_size, axes))
        groups, rest = divmod(offsets, axes * taps)
        if rest or not groups or channels % groups:
            raise OpError(
                f"the offsets of {taps} taps along {axes} axes are {axes * taps} channels, or as "
                f"many for each of several groups of its {channels} input channels, not {offsets}"
            )
        return groups

    def moved(self, channels: int, others: Sequence[int], axes: int) -> Deforming:
        """Return what reads the offsets, and the mask if there is one.

        Parameters
        ----------
        channels, others
            Channels of the map that it reads, and of the offsets and the mask.
        axes
            Number of axes.

        Raises
        ------
        OpError
            If so many channels are no offsets or no mask of its taps.
        """
        groups = self.offset_groups(channels, others[0], axes)
        factors = groups * prod(per_axis(self.kernel_size, axes))
        if len(others) > 1 and others[1] != factors:
            raise OpError(f"the mask of such offsets has {factors} channels, not {others[1]}")
        return Deforming((self,), channels)

    def taps(self) -> DeformTaps:
        """Return what its taps may read, as a layer of its own."""
        return DeformTaps(**{x.name: getattr(self, x.name) for x in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformTaps(DeformConv):
    """What the taps of a deformable convolution may read, without their offsets and weights."""

    keyword: ClassVar[str] = "taps"
    title: ClassVar[str] = "Taps of a deformable convolution"
    weighted: ClassVar[bool] = False
    may_join: ClassVar[bool] = False
    is_free: ClassVar[bool] = True
    expanded_only: ClassVar[bool] = True

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return NO_COSTS

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return super(DeformTaps, self).energy_model(place, runs)._replace(remark="")


@dataclass(frozen=True, slots=True)
class Deforming(Merge):
    """A deformable convolution beside what its taps may read, its offsets and its mask.

    Attributes
    ----------
    reading
        The convolution, alone.
    channels
        Channels of the map that it reads.
    """

    keyword: ClassVar[str] = "deform_conv"
    title: ClassVar[str] = "Deformable convolution"
    weighted: ClassVar[bool] = True
    joins_channels: ClassVar[bool] = True
    is_free: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = True

    reading: tuple[DeformConv, ...] = parameter(Kind.SOURCES, "The convolution.")
    channels: int = parameter(Kind.INTEGER, "Channels that it reads.", 1, minimum=1)

    @property
    def convolution(self) -> DeformConv:
        """The convolution, as the document has it."""
        return self.reading[0]

    def text(self, axes: int) -> str:
        return self.convolution.text(axes)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return self.convolution.costs(self.channels, out_channels, sizes, out_sizes)

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        """Return its layer at rest: offsets of 0 pass nothing on to those that compute them.

        (E42) A mask multiplies all by what it is before any training, such as 1/2 after a sigmoid:
        M_in = m² M, s → m² s, k → m² k, m its mean over normal values around 0.
        """
        channels = sum(n for n, _ in sources[0])
        x, factor, mean = average(sources[0]), 1.0, 1.0
        if len(sources) > 2:
            mask = average(sources[2])
            mean, factor = mask.mean, mask.mean**2 or mask.square
        out = Moments(x.square * factor, x.shared * factor, x.mean * mean)
        edges = (factor, *[0.0] * (len(sources) - 1))
        return Layer(PASS, ((channels, out),), AT_REST, edges=edges)
