"""The options of a measurement in words: what can be chosen, and what each choice means."""

from __future__ import annotations

from typing import NamedTuple

ALWAYS: tuple[str, ...] = ()
_BY_FILLING = ("occlusion", "perturbation")


class Choice(NamedTuple):
    """One value of an option, in words, with a sentence."""

    value: str
    title: str
    sentence: str


class Option(NamedTuple):
    """One option of `rfstudio.app.erf_session.ErfOptions`.

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
    free
        Whether another text than those of `choices` may be typed.
    estimators
        The estimators that it matters for; none: all.
    """

    name: str
    title: str
    sentence: str
    choices: tuple[Choice, ...] = ()
    least: float = 0
    most: float = 0
    free: bool = False
    estimators: tuple[str, ...] = ALWAYS


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
            Choice("positive", "positive", "Positive gradients only, as RepLKNet's script."),
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
            Choice("image", "the image on the canvas", "The photo that is shown, again and again."),
            Choice("folder", "a folder of images …", "All images of a folder, in turn."),
        ),
    ),
    Option(
        "weights",
        "Weights",
        "With which weights the network is evaluated.",
        (
            Choice("random", "random (He)", "Drawn anew from the seed, with variance 2 / fan-in."),
            Choice("uniform", "uniform", "All weights alike: the structure alone."),
            Choice("file", "a file of weights …", "Trained weights: safetensors, or a state dict."),
        ),
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
            Choice("fresh", "fresh", "Mean 0 and variance 1: it does nothing."),
            Choice("train", "train", "Those of each sample, which leak over the whole image."),
        ),
    ),
    Option(
        "activation",
        "Unit taken",
        "Before or behind the activation.",
        (
            Choice("as_is", "the layer itself", "The map of the chosen layer."),
            Choice("before", "before its activation", "What the activation reads."),
            Choice("after", "behind its activation", "Behind the batch norm and activation next."),
        ),
    ),
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
           least=1, most=512, estimators=_BY_FILLING),
    Option("stride", "Step", "Distance between two patches, in pixels.",
           least=1, most=512, estimators=_BY_FILLING),
)  # fmt: skip
"""All options that the window offers, in order."""
