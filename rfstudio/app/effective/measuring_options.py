"""The options of a measurement in words: what can be chosen, and what each choice means."""

from __future__ import annotations

from typing import NamedTuple

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.core.initialisations import INITIALISATIONS
from rfstudio.engine.requests.request import BY_FILLING


class Choice(NamedTuple):
    """One value of an option, in words, with a sentence."""

    value: str
    title: str
    sentence: str


class Option(NamedTuple):
    """One option of `rfstudio.app.effective.erf_options.ErfOptions`.

    Attributes
    ----------
    name
        The attribute's name.
    title
        What it is called.
    sentence
        What it does.
    choices
        The values that it takes; none for a number.
    least, most
        Bounds of a number.
    decimals
        Of a number; 0 for a whole one.
    none
        How a missing number is shown, if the number may be missing.
    free
        Whether a text that is not among `choices` may be typed.
    """

    name: str
    title: str
    sentence: str
    choices: tuple[Choice, ...] = ()
    least: float = 0
    most: float = 0
    decimals: int = 0
    none: str = ""
    free: bool = False


OPTIONS = (
    Option(
        "estimator",
        "Estimator",
        "What is averaged over the samples.",
        (
            Choice("energy", "energy", "Mean squared gradient; what the expected field predicts."),
            Choice("rms", "rms", "Root of the energy; closest in shape to the mean |gradient|."),
            Choice("abs", "abs", "Mean absolute gradient of the sum over the unit's channels."),
            Choice("signed", "signed", "|Mean gradient|; vanishes for random weights."),
            Choice("positive", "positive", "Positive gradients only, as in RepLKNet's script."),
            Choice("occlusion", "occlusion", "How much the unit changes when a patch is filled."),
            Choice("perturbation", "perturbation", "The same with noise added to the patch."),
        ),
    ),
    Option("samples", "Samples", "More samples, less noise: the error falls with √samples.",
           least=1, most=100_000),
    Option(
        "inputs",
        "Images",
        "What the network is shown.",
        (
            Choice("noise", "noise", "Noise of mean 0 and variance 1."),
            Choice("image", "this image", "The photo on the canvas, for every sample."),
            Choice("folder", "a folder …", "All images of a folder, in turn."),
        ),
    ),
    Option(
        "weights",
        "Weights",
        "With which weights the network is evaluated.",
        (
            Choice("random", "random", "Drawn anew from the seed, from the initialisation."),
            Choice("uniform", "uniform", "All weights are equal: only the structure counts."),
            Choice("model", "the model's own", "Those that came with an imported model."),
            Choice("file", "a file …", "Trained weights: safetensors, or a state dict."),
        ),
        free=True,
    ),
    Option(
        "init",
        "Initialisation",
        "From what random weights are drawn, and of what the expected field is; a gain can be "
        "typed after a colon, as in xavier_uniform:relu.",
        tuple([Choice(x.name, x.title, x.sentence) for x in INITIALISATIONS.values()]),
        free=True,
    ),
    Option("images_per_weights", "Images per draw", "Samples that share one draw of weights.",
           least=1, most=10_000),
    Option(
        "batch_norm",
        "Batch norm",
        "Which statistics batch norm uses.",
        (
            Choice("warmed", "warmed", "Running statistics from a few images before measuring."),
            Choice("fresh", "fresh", "Mean 0 and variance 1: it changes nothing."),
            Choice("train", "train", "Those of each sample, which leak over the whole image."),
        ),
    ),
    Option(
        "activation",
        "Measured at",
        "Before or after the activation.",
        (
            Choice("as_is", "the layer", "The map of the chosen layer."),
            Choice("before", "before activation", "What the activation reads."),
            Choice("after", "after activation", "After the batch norm and activation that follow."),
        ),
    ),
    Option("channel", "Channel", "One channel of the unit, or all of them.",
           least=0, most=1_000_000, none="all"),
    Option("seed", "Seed", "Of weights, noise and signs: the same seed, the same result.",
           least=0, most=2**31 - 1),
    Option(
        "dtype",
        "Precision",
        "Of all numbers in the network.",
        (
            Choice("float32", "float32", "Fast; gates of relu may flip by rounding."),
            Choice("float64", "float64", "Exact to rounding, about twice as slow."),
        ),
    ),
    Option(
        "device",
        "Device",
        "Where torch computes.",
        (
            Choice("auto", "automatic", "A GPU if there is one, else the processor."),
            Choice("cpu", "cpu", "The processor."),
            Choice("cuda", "cuda", "An NVIDIA GPU; cuda:1 is the second."),
            Choice("mps", "mps", "The GPU of an Apple computer."),
        ),
        free=True,
    ),
    Option("patch", "Patch", "Side of the patch that is changed, in pixels.",
           least=1, most=512),
    Option("stride", "Step", "Distance between two patches, in pixels; less than a patch overlaps.",
           least=1, most=512),
    Option("fill", "Fill", "Value that fills a patch; 0 is the mean of noise and of photos.",
           least=-10, most=10, decimals=2),
    Option("amplitude", "Noise", "Standard deviation of the noise added to a patch; inputs have 1.",
           least=0, most=10, decimals=2),
)  # fmt: skip
"""All options that the window offers, in order."""


def reason_off(name: str, options: ErfOptions, *, has_batch_norm: bool = True) -> str:
    """Return why an option has no effect with the others, in words; empty if it has one.

    Parameters
    ----------
    name
        Of the option.
    options
        All that is chosen.
    has_batch_norm
        Whether the network has any.
    """
    estimator = options.estimator
    match name:
        case "patch" | "stride" if estimator not in BY_FILLING:
            return "Only occlusion and perturbation change patches."
        case "fill" if estimator != "occlusion":
            return "Only occlusion fills patches."
        case "amplitude" if estimator != "perturbation":
            return "Only perturbation adds noise."
        case "init" if options.weights in ("uniform", "model"):
            return "The weights are not drawn."
        case "images_per_weights" if options.weights != "random":
            return "The weights are the same for all samples."
        case "batch_norm" if not has_batch_norm:
            return "This network has no batch norm."
        case "seed" if _is_drawn_nothing(options):
            return "Nothing is drawn at random: neither weights, images nor signs."
    return ""


def _is_drawn_nothing(options: ErfOptions) -> bool:
    draws_signs = options.estimator in ("energy", "rms") and options.channel is None
    return (
        options.weights in ("uniform", "model")
        and options.inputs != "noise"
        and options.estimator != "perturbation"
        and not draws_signs
    )
