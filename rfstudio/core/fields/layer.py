"""One layer of an analysed network, with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields.closed_form import ClosedForm
from rfstudio.core.fields.field import Alignment
from rfstudio.core.fields.layer_answers import Answers
from rfstudio.core.fields.local import Fields, LocalField
from rfstudio.core.fields.other_effective import other_effective_sizes
from rfstudio.core.fields.other_numbers import OtherNumber, other_numbers_of
from rfstudio.core.fields.path_lengths import PathLengths
from rfstudio.core.fields.paths import PathFields
from rfstudio.core.network.architecture import INPUT, Location
from rfstudio.core.network.graph import Node
from rfstudio.core.network.physical import Axis, extents
from rfstudio.core.ops import Costs, Op
from rfstudio.core.shown import Shown


@dataclass(frozen=True, slots=True, repr=False)
class LayerAnalysis(Shown):
    """What is known of one layer; all tuples have one entry per axis, in tensor order.

    Attributes
    ----------
    node
        The layer in the graph.
    inputs
        Names of the layers that it reads.
    fields
        Its receptive field along each axis.
    local_fields
        Its local field along each axis; `whole` where it has no positions.
    costs
        Its learned parameters and multiply-adds.
    answers
        Answers about the whole network, each computed at its first use.
    axes
        What each axis of the input measures; empty: nothing is known, or fields are relative to
        another map.
    """

    node: Node
    inputs: tuple[str, ...]
    fields: Fields
    local_fields: Fields
    costs: Costs
    answers: Answers = field(repr=False, compare=False)
    axes: tuple[Axis, ...] = ()

    def __repr__(self) -> str:
        size = "×".join(map(str, self.output_size))
        field = "×".join("all" if x is None else str(x) for x in self.rf_size)
        return f"<LayerAnalysis '{self.name}': {self.op}, output {size}, field {field}>"

    @property
    def index(self) -> int:
        """Its place in `Graph.nodes`."""
        return self.node.index

    @property
    def name(self) -> str:
        """Its path, such as ``layer1.0.conv1``."""
        return self.node.name

    @property
    def op(self) -> str:
        """The keyword of its operation, as in a file."""
        return INPUT if self.node.op is None else self.node.op.keyword

    @property
    def operation(self) -> Op | None:
        """Its operation; None for the network's input."""
        return self.node.op

    @property
    def location(self) -> Location | None:
        """The item of the document that it comes from."""
        return self.node.location

    @property
    def output_size(self) -> tuple[int, ...]:
        """Size of its map, in samples."""
        return self.node.size

    @property
    def channels(self) -> int:
        """Number of channels of its map."""
        return self.node.channels

    @property
    def parameters(self) -> int:
        """Number of learned parameters."""
        return self.costs.parameters

    @property
    def macs(self) -> int:
        """Number of multiply-adds for one image."""
        return self.costs.macs

    @property
    def rf_size(self) -> tuple[int | None, ...]:
        """Largest size of the theoretical field over units, in pixels; None on a global axis."""
        return tuple(None if x is None else x[1] for x in self.rf_size_range)

    @property
    def rf_extent(self) -> tuple[float | None, ...] | None:
        """Its size in the units of the input's axes; None without them, or on a global axis."""
        return extents(self.axes, self.rf_size) if self.axes else None

    @property
    def rf_size_range(self) -> tuple[tuple[int, int] | None, ...]:
        """Smallest and largest size over units, in pixels; None on a global axis."""
        sizes = self.node.size
        return tuple(x.size_range(n) for x, n in zip(self.fields, sizes, strict=True))

    @property
    def jump(self) -> tuple[int | Fraction | None, ...]:
        """Effective stride, in pixels; None without positions and after a stride mismatch.

        It does not depend on gates: where the field is the whole axis, it is that of `local`.
        """
        return tuple(x.jump for x in self.local_fields)

    @property
    def padding(self) -> tuple[int | Fraction | None, ...]:
        """Effective padding, in pixels; None where `jump` is None."""
        return tuple(x.padding for x in self.local_fields)

    @property
    def center(self) -> tuple[float | None, ...]:
        """Centre of the (local) field of unit 0, in pixels; None where `jump` is None."""
        return tuple(x.center for x in self.local_fields)

    @property
    def is_global(self) -> tuple[bool, ...]:
        """Whether every unit sees the whole axis."""
        return tuple(x.whole for x in self.fields)

    @property
    def alignment(self) -> tuple[str, ...]:
        """How all paths to this layer fit: aligned, centre_offset or stride_mismatch."""
        return tuple(
            Alignment(max(x.alignment, y.alignment)).word
            for x, y in zip(self.fields, self.local_fields, strict=True)
        )

    @property
    def local(self) -> LocalField | None:
        """The local field; None for a layer without positions, as after a global pooling."""
        if all(x.whole for x in self.local_fields):
            return None
        return LocalField(self.local_fields, self.node.size)

    @property
    def context(self) -> tuple[str, ...]:
        """Names of the operations on the way that read a whole axis, but preserve its positions."""
        return self.answers.context(self.index)

    @property
    def depth(self) -> int | None:
        """Number of layers with weights on the longest path to it, itself included.

        None if no path leads to it.
        """
        return self.answers.depths[0][self.index]

    @property
    def growth(self) -> tuple[int | None, ...]:
        """How much larger its local field is than that of the layer before it on that path."""
        return self.answers.growth(self.index)

    @property
    def path_lengths(self) -> PathLengths | None:
        """Number of paths to it, and their lengths in layers with weights; None without a path."""
        return self.answers.path_lengths[self.index]

    @property
    def path_fields(self) -> PathFields:
        """The least and the greatest field over all paths to it."""
        return self.answers.path_fields[self.index]

    @property
    def closed_form(self) -> ClosedForm:
        """The closed form of its (local) field, with the numbers of this network put in."""
        return self.answers.closed_form(self.index)

    @property
    def other_numbers(self) -> tuple[OtherNumber, ...]:
        """Other numbers for its field that pages and tools have, and why they differ."""
        return other_numbers_of(
            self.answers.graph, self.fields, self.local_fields, self.closed_form, self.index
        )

    def other_effective_sizes(self, size: float) -> tuple[OtherNumber, ...]:
        """Return other sizes that are found for an effective field of its units, and why.

        Parameters
        ----------
        size
            The size of the effective field as Luo et al. measure it.
        """
        local = self.local
        sides = (None,) * len(self.node.size) if local is None else local.rf_size
        return other_effective_sizes(self.closed_form, sides, size)

    @property
    def interior(self) -> tuple[Interval, ...] | None:
        """First and last unit along each axis that no padding reaches; None if there is none."""
        found = self.answers.interiors[self.index]
        there = tuple(x for x in found if x is not None)
        return there if len(there) == len(found) else None
