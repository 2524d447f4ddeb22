"""The operations of a network as torch modules that can evaluate any box of their map."""

# Each of these adds its modules to the tables.
from rfstudio.engine.module.layers import (
    deformable,
    dot_attention,
    mixing,
    moving,
    pointwise,
    positive,
    resampling,
    several_maps,
    sliding_window,
)
from rfstudio.engine.module.layers.module_table import LAYERS, POSITIVE

__all__ = [
    "LAYERS",
    "POSITIVE",
    "deformable",
    "dot_attention",
    "mixing",
    "moving",
    "pointwise",
    "positive",
    "resampling",
    "several_maps",
    "sliding_window",
]
