"""A network that was imported, with what it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.remarks.remark import Diagnostic
from rfstudio.core.network.architecture import Architecture, Item
from rfstudio.importing.layout import Dims, unit_at
from rfstudio.importing.report import Report

State: TypeAlias = Callable[[], Mapping[str, Any]]
"""Returns tensors of torch or numpy by name; they do not travel with it when it is pickled."""


@dataclass(frozen=True, slots=True)
class Imported(Architecture):
    """A network that was imported; edited, it is a network like any other.

    Attributes
    ----------
    report
        What was merged, guessed, dropped or taken as global.
    module
        The module that it came from, for measurements on it; None: there is none.
    original
        The items as imported, by which an edit is noticed.
    weights
        For each layer with learned tensors their names in the module's state dict.
    computed
        For each layer its weights that are no tensors of the state dict: standardised, or fixed.
    layouts
        For each submodule what the dimensions of its output run through.
    state
        Reads the learned tensors where there is no module; None: their numbers are not known.
    edition
        Tells imports of one model apart whose weights may differ; empty: they are not told apart.
    """

    report: Report = field(default_factory=Report, compare=False)
    module: object | None = field(default=None, compare=False, repr=False)
    original: tuple[Item, ...] = field(default=(), compare=False, repr=False)
    weights: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    computed: Mapping[str, Mapping[str, NDArray[np.generic]]] = field(
        default_factory=dict, compare=False, repr=False
    )
    layouts: Mapping[str, Dims] = field(default_factory=dict, compare=False, repr=False)
    state: State | None = field(default=None, compare=False, repr=False)
    edition: str = field(default="", repr=False)

    @property
    def is_unedited(self) -> bool:
        """Whether the items are still those that were imported."""
        return self.layers is self.original

    def unit_at(self, layer: str, index: Sequence[int]) -> tuple[int, ...] | None:
        """Return the unit of a layer to which a value of its module's output belongs.

        Units have positions along the axes of the image, whatever order the module has them in:
        windows, blocks and tokens, transposed maps.

        Parameters
        ----------
        layer
            Path of a submodule.
        index
            Where the value is in the submodule's output for one image: one number per dimension,
            any at those of channels.

        Returns
        -------
        tuple
            The unit as `Analysis.unit` takes it; None: the value is of a token without a position.

        Raises
        ------
        RFStudioError
            If the layout of the output is not known, or it has no such value.
        """
        dims = self.layouts.get(layer)
        if not dims:
            raise RFStudioError(f"the layout of what '{layer}' returns is not known")
        shape = tuple(x.size for x in dims)
        inside = len(index) == len(shape) and all(
            0 <= i < n for i, n in zip(index, shape, strict=True)
        )
        if not inside:
            given, size = ", ".join(map(str, index)), "×".join(map(str, shape))
            raise RFStudioError(f"'{layer}' returns {size} values, which have no ({given})")
        return unit_at(dims, index, len(self.input_size))

    @property
    def has_weights(self) -> bool:
        """Whether the learned tensors of the model are known."""
        return self.module is not None or self.state is not None


def import_remarks(network: Architecture) -> tuple[Diagnostic, ...]:
    """Return what the import of a network did as remarks on its layers; none if there was none."""
    if not isinstance(network, Imported):
        return ()
    return tuple(
        Diagnostic(
            x.place,
            f"import-{x.sort}",
            f"import: {x.message}",
            "warning" if x.sort in ("guessed", "global") else "note",
        )
        for x in network.report
    )
