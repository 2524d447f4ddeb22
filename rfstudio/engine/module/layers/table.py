"""Which module computes which operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.module.layers.mixing import (
    AttentionModule,
    FlattenModule,
    GlobalPoolModule,
    GroupNormModule,
    LinearModule,
    SqueezeExciteModule,
    WindowAttentionModule,
)
from rfstudio.engine.module.layers.pointwise import (
    BatchNormModule,
    DropoutModule,
    FunctionModule,
    LayerNormModule,
    LayerScaleModule,
    MergeModule,
    PreluModule,
)
from rfstudio.engine.module.layers.resampling import (
    AdaptivePoolModule,
    CropModule,
    PadModule,
    PixelShuffleModule,
    PixelUnshuffleModule,
    UpsampleModule,
)
from rfstudio.engine.module.layers.windows import (
    AvgPoolModule,
    ConvModule,
    ConvTransposeModule,
    CustomModule,
    MaxPoolModule,
)

MakeModule: TypeAlias = Callable[[Node, Sequence[Node]], LayerModule]
"""Makes the module of a node from the node and those that it reads."""

MODULES: dict[type[Op], MakeModule] = {
    ops.Conv: ConvModule,
    ops.DeformConv: ConvModule,
    ops.ConvTranspose: ConvTransposeModule,
    ops.MaxPool: MaxPoolModule,
    ops.AvgPool: AvgPoolModule,
    ops.Custom: CustomModule,
    ops.AdaptiveAvgPool: AdaptivePoolModule,
    ops.AdaptiveMaxPool: AdaptivePoolModule,
    ops.GlobalAvgPool: GlobalPoolModule,
    ops.GlobalMaxPool: GlobalPoolModule,
    ops.Upsample: UpsampleModule,
    ops.PixelShuffle: PixelShuffleModule,
    ops.PixelUnshuffle: PixelUnshuffleModule,
    ops.Pad: PadModule,
    ops.Crop: CropModule,
    ops.Flatten: FlattenModule,
    ops.Linear: LinearModule,
    ops.InstanceNorm: GroupNormModule,
    ops.GroupNorm: GroupNormModule,
    ops.SqueezeExcite: SqueezeExciteModule,
    ops.Attention: AttentionModule,
    ops.WindowAttention: WindowAttentionModule,
    ops.BatchNorm: BatchNormModule,
    **dict.fromkeys(ops.ELEMENTWISE, FunctionModule),
    ops.Dropout: DropoutModule,
    ops.Prelu: PreluModule,
    ops.LayerNorm: LayerNormModule,
    ops.LayerScale: LayerScaleModule,
    **dict.fromkeys(ops.MERGES, MergeModule),
}
"""The module of every operation."""
