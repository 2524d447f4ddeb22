"""Recipes of experiments: which fields of which networks are compared, and what is drawn.

A recipe is a list of items.  An item is one field that is computed or measured, or one training
during which a field is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from rfstudio.core.initialisations import AS_TORCH, DEFAULT
from rfstudio.core.network.architecture import Architecture

Value: TypeAlias = "str | int | float | bool"

FieldEstimator: TypeAlias = Literal[
    "expected", "expected rms", "path-count", "energy", "rms", "abs", "signed", "positive"
]
FIELD_ESTIMATORS: tuple[str, ...] = get_args(FieldEstimator)
"""Those of `rfstudio.api.erf` that differentiate, and the root of the expected energy."""

COMPUTED: tuple[str, ...] = ("expected", "expected rms", "path-count")
"""Those that no samples are drawn for."""


@dataclass(frozen=True, kw_only=True)
class FieldItem:
    """One field of the centre unit of a layer.

    Attributes
    ----------
    series
        The curve or row of pictures that it belongs to.
    network, parameters
        The network, and what was filled into its template.
    layer
        Layer or container path; empty: the last layer.
    estimator
        What is averaged, or how it is computed.
    weights
        "random", "uniform", or the path of a file of weights.
    init
        From what random weights are drawn, measured or in closed form.
    samples
        Samples of a measurement, each with new weights and a new input; 0: one for each image.
    images
        File or folder of the images that are measured on; None: noise.
    attention
        Whether the attention distances of the layer, or of all attention in a container, are
        measured as well.
    """

    series: str
    network: Architecture
    parameters: Mapping[str, Value] = field(default_factory=dict)
    layer: str = ""
    estimator: str = "expected"
    weights: str = "random"
    init: str = DEFAULT
    samples: int = 1
    images: Path | None = None
    attention: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingItem:
    """One training, on the context task or on labelled images, during which a field is followed.

    Attributes
    ----------
    series, network, parameters
        As in `FieldItem`; it gets the outputs that the task needs, if it has others.
    distance
        Radius of the ring that decides the label of a pixel, in pixels.
    data
        Folder of labelled images to train on instead: one with a folder for each class, or with
        the files of CIFAR-10; None: the context task.
    layer
        Layer whose centre unit is followed; empty: what the network answers.
    steps, batch, rate
        Steps of gradient descent, images in each, and the largest learning rate.
    film
        Steps before which the field is measured; the last one is always among them.
    init
        How weights begin: "torch", or the name of an initialisation with its gain.
    teacher
        Series of the item whose outputs are learned instead of labels; empty: labels are.
    compare
        Series whose last field the fields of this one are compared with; empty: none.
    temperature
        By which outputs are divided before teacher and student are compared.
    shortcut
        How much of the label is added to the input, where it can be learned without context.
    """

    series: str
    network: Architecture
    parameters: Mapping[str, Value] = field(default_factory=dict)
    distance: float = 6.0
    data: Path | None = None
    layer: str = ""
    steps: int = 400
    batch: int = 16
    rate: float = 4e-3
    film: tuple[int, ...] = (0,)
    init: str = AS_TORCH
    teacher: str = ""
    compare: str = ""
    temperature: float = 2.0
    shortcut: float = 0.0


SAMPLED, CLOSED_FORM = ", sampled", ", closed form"
"""How names of series end that belong together."""

DEFAULT_COLUMNS = ("series", "luo_size", "sigma")
"""Of the printed table of a recipe that names none."""

Item: TypeAlias = FieldItem | TrainingItem


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published power law, drawn dashed beside the points.

    Attributes
    ----------
    label
        Whose it is.
    exponent
        Its slope in the chart.
    """

    label: str
    exponent: float


@dataclass(frozen=True, kw_only=True)
class CurveChart:
    """A chart of one column of the rows over another, a curve for each series.

    Attributes
    ----------
    x, y
        Names of columns.
    title
        What it shows.
    log
        Whether both axes are logarithmic, and power laws are fitted.
    series
        Those that are drawn; empty: all.
    published
        What papers print.
    theory
        Whether the series "NAME, sampled" are points on the line of "NAME, closed form".
    """

    x: str
    y: str
    title: str = ""
    log: bool = False
    series: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    theory: bool = False


@dataclass(frozen=True, kw_only=True)
class PictureChart:
    """Pictures of fields, a line of them for each series.

    Attributes
    ----------
    title
        What they show.
    label
        The column whose value is written above each.
    series
        Those that are drawn; empty: all.
    one_scale
        Whether all pictures of a line show as many pixels as the one that needs most, so that
        their fields can be compared; otherwise each shows what can be seen of its own.
    """

    title: str = ""
    label: str = ""
    series: tuple[str, ...] = ()
    one_scale: bool = False


Chart: TypeAlias = CurveChart | PictureChart


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An experiment.

    Attributes
    ----------
    name
        By which it is run; its files are called so, with a hyphen for a slash.
    title, description, reference
        What it shows, and where it was published.
    items
        What is computed, in order.
    columns
        Columns of the table that is printed; files have all of them.
    charts
        What is drawn.
    digest
        Of the text that it was read from: rows of another text belong to another experiment.
    file
        The path of the user's file that it was read from, as it was given; empty: it comes with
        the program.
    runs_code
        Whether code makes a model of it, which runs only if it is trusted.
    init
        The initialisation that all its items were given instead of their own; empty: none.
    """

    name: str
    title: str
    items: tuple[Item, ...]
    description: str = ""
    reference: str = ""
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    charts: tuple[Chart, ...] = ()
    digest: str = ""
    file: str = ""
    runs_code: bool = False
    init: str = ""

    @property
    def file_name(self) -> str:
        """The name of its files, without their ending."""
        return self.name.replace("/", "-")
