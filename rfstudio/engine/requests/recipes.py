"""Recipes: measurements as in published work, with every option fixed under one name.

No torch here.  The choices come from the papers and the authors' scripts; each recipe says what it
reproduces, what it cannot, and where each of its choices comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from rfstudio.core.initialisations import DEFAULT
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import ErfRequest

Need: TypeAlias = Literal["weights", "images"]

OPEN: frozenset[str] = frozenset({"architecture", "layer", "unit", "images", "device"})
"""Fields of a request that no recipe fixes: what is measured, on which photos, and where."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of one published way of measuring.

    Attributes
    ----------
    name, source
        Its name, and the publication.
    options
        Values for `rfstudio.engine.requests.request.ErfRequest`, by name: all but those of `OPEN`,
        and but `weights` where they are needed.
    reproduces, differs
        What it reproduces, and what it cannot; a sentence each.
    needs
        What the user has to supply: trained weights as a file, photos.
    wants
        The same in words, and the unit that the source measures.
    choices
        For each option that the source decides, where; the others only need some value.
    """

    name: str
    source: str
    options: Mapping[str, Any]
    reproduces: str
    differs: str
    needs: tuple[Need, ...]
    wants: str
    choices: Mapping[str, str]

    def missing(self, request: ErfRequest) -> str:
        """Return in words what a request still lacks for this recipe; empty if nothing."""
        lacks = {
            "weights": request.weights in ("random", "uniform"),
            "images": not request.images,
        }
        names = {"weights": "trained weights as a file", "images": "photos"}
        return " and ".join(names[x] for x in self.needs if lacks[x])


_COMMON: Mapping[str, Any] = MappingProxyType(
    {
        "channel": None,
        "activation": "as_is",
        "init": DEFAULT,
        "seed": 0,
        "dtype": "float32",
        "method": "auto",
        "patch": 1,
        "stride": 1,
        "fill": 0.0,
        "amplitude": 1.0,
    }
)

_LUO = Recipe(
    name="luo2016",
    source="Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128, section 3",
    options=MappingProxyType(
        {
            **_COMMON,
            "estimator": "abs",
            "weights": "random",
            "images_per_weights": 1,
            "batch_norm": "fresh",
            "samples": 20,
            "input_size": None,
        }
    ),
    reproduces="Section 3's maps of untrained networks with random weights, against their depth.",
    differs=(
        "The paper's slopes .56 and −.43 come out with few channels and runs only; with many of "
        "both they are nearer to .54 and −.42, those of the expected field."
    ),
    needs=(),
    wants="a stack of convolutions and the centre unit of its last layer",
    choices=MappingProxyType(
        {
            "estimator": "section 2: ∂y/∂x of the centre unit; its mean over random nets vanishes, "
            "so the mean of its absolute value is taken",
            "channel": "section 3: gradient 1 at the centre of the output, 0 elsewhere",
            "weights": "section 3, random; its uniform nets are the weights 'uniform'",
            "images_per_weights": "a new net for each run",
            "batch_norm": "the nets of section 3 have none",
            "samples": "this program's choice, not the paper's: few, as its slopes suggest",
        }
    ),
)

_POSITIVE = MappingProxyType(
    {
        **_COMMON,
        "estimator": "positive",
        "images_per_weights": 1,
        "batch_norm": "fresh",
        "samples": 50,
        "input_size": (1024, 1024),
    }
)
_POSITIVE_CHOICES = MappingProxyType(
    {
        "estimator": "visualize_erf.py, get_input_grad: relu of the outputs at the centre, summed; "
        "relu of the gradient, summed over input channels",
        "channel": "the same: all channels are summed",
        "batch_norm": "the same, main: eval(), with the statistics of the weights",
        "samples": "the same, --num_images, default 50, one image a step",
        "input_size": "the same, transforms.Resize((1024, 1024))",
        "dtype": "the same, torch's default",
    }
)
_OF_TRAINED = "trained weights as a file, a folder of photos, and the centre unit of the last map"

_REPLKNET = Recipe(
    name="replknet",
    source="Ding et al., CVPR 2022, arXiv:2203.06717; github.com/DingXiaoH/RepLKNet-pytorch, erf/",
    options=_POSITIVE,
    reproduces="The contribution scores that the paper's area ratios r are computed from.",
    differs=(
        "Photos are scaled to cover the input and cut to it, not squeezed; their order is that of "
        "their names; an image with NaN ends the run instead of being left out. The printed ratios "
        "are of log10(A + 1), which depends on the scale of A, around the image's centre."
    ),
    needs=("weights", "images"),
    wants=_OF_TRAINED,
    choices=_POSITIVE_CHOICES,
)

_SLAK = Recipe(
    name="slak",
    source="Liu et al., ICLR 2023, arXiv:2207.03620; github.com/VITA-Group/SLaK, erf/",
    options=_POSITIVE,
    reproduces="The same map as recipe 'replknet', whose script SLaK's is a copy of.",
    differs=_REPLKNET.differs,
    needs=("weights", "images"),
    wants=_OF_TRAINED,
    choices=_POSITIVE_CHOICES,
)

_OPENERF = Recipe(
    name="openerf",
    source=(
        "Kim, Choi, Jang, Kim, BMVC 2023; github.com/kmbmjn/OpenERF, src/openerf/erf.py and "
        "feature_ops.py"
    ),
    options=MappingProxyType({**_POSITIVE, "samples": 1000, "input_size": None}),
    reproduces="Its map of positive gradients over 1000 photos, at the network's own input size.",
    differs=(
        "OpenERF differentiates the mean of all outputs, negative ones too, and takes the positive "
        "part of the mean over the input's channels instead of each channel's. On even grids of "
        "tokens its unit is the one above and left of ours; each model's own crop is not followed."
    ),
    needs=("weights", "images"),
    wants=_OF_TRAINED,
    choices=MappingProxyType(
        {
            "estimator": "_compute_positive_input_gradients…: the positive part of the gradient",
            "channel": "center_activation: the mean over all channels",
            "batch_norm": "compute_erf: eval(), with the statistics of the weights",
            "samples": "--max-images, default 1000, batches of 1",
            "input_size": "build_timm_eval_transform: the size that the model was trained for",
            "dtype": "compute_erf: sums in float32",
        }
    ),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {x.name: x for x in (_LUO, _REPLKNET, _SLAK, _OPENERF)}
)
"""All recipes by name."""


def recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises
    ------
    MeasurementError
        If there is none; the message names the nearest.
    """
    if name in RECIPES:
        return RECIPES[name]
    near = get_close_matches(name.lower(), RECIPES, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(RECIPES)}"
    raise MeasurementError(f"there is no recipe '{name}'{hint}")


def apply_recipe(request: ErfRequest, name: str) -> ErfRequest:
    """Return a request with all options of a recipe; what is measured, and where, stays.

    Raises
    ------
    MeasurementError
        If there is no such recipe, or the request lacks what it needs.
    """
    found = recipe(name)
    result = replace(request, **found.options)
    if missing := found.missing(result):
        raise MeasurementError(f"recipe '{name}' needs {missing}")
    return result


def fixed_options() -> frozenset[str]:
    """Return the names of all options that a recipe fixes, but `weights` where it needs a file."""
    return frozenset(x.name for x in fields(ErfRequest)) - OPEN
