"""The rule of each ONNX operation, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from rfstudio.core import ops
from rfstudio.formats.onnx import op_rules as rules
from rfstudio.formats.onnx.op_rules import Rule

RULES: Mapping[str, Rule] = {
    "Conv": rules.conv(1, 2),
    "ConvInteger": rules.conv(1, 9),
    "QLinearConv": rules.conv(3, 8),
    "ConvTranspose": rules.conv_transpose,
    "DeformConv": rules.deform_conv,
    "MaxPool": rules.pool("max"),
    "AveragePool": rules.pool("mean"),
    "LpPool": rules.pool("mean"),
    "GlobalMaxPool": rules.global_pool("max"),
    "GlobalAveragePool": rules.global_pool("mean"),
    "GlobalLpPool": rules.global_pool("mean"),
    "Relu": rules.activation(lambda _c: ops.Relu()),
    "LeakyRelu": rules.activation(
        lambda c: ops.LeakyRelu(negative_slope=float(c.get("alpha", 0.01)))
    ),
    "Elu": rules.activation(lambda c: ops.Elu(alpha=float(c.get("alpha", 1)))),
    "Gelu": rules.activation(lambda c: ops.Gelu(approximate=c.get("approximate", "none"))),
    "HardSwish": rules.activation(lambda _c: ops.Hardswish()),
    "HardSigmoid": rules.activation(rules.hard_sigmoid),
    "Sigmoid": rules.activation(lambda _c: ops.Sigmoid()),
    "Tanh": rules.activation(lambda _c: ops.Tanh()),
    "Softplus": rules.activation(lambda _c: ops.Softplus()),
    "Mish": rules.activation(lambda _c: ops.Mish()),
    "PRelu": rules.activation(rules.prelu),
    "Clip": rules.clip,
    **dict.fromkeys(
        (
            *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil"),
            *("Celu", "Cos", "Cosh", "DequantizeLinear", "Erf", "Exp", "Floor", "IsInf", "IsNaN"),
            *("Log", "Not", "QuantizeLinear", "Reciprocal", "Round", "Selu", "Shrink"),
            *("Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Swish", "Tan", "ThresholdedRelu"),
        ),
        rules.plain("pointwise"),
    ),
    "Neg": rules.negated,
    "Cast": rules.cast,
    **dict.fromkeys(("Identity", "CastLike", "Dropout"), rules.plain("same")),
    "BatchNormalization": rules.batch_norm,
    "LayerNormalization": rules.layer_norm,
    **dict.fromkeys(
        ("SimplifiedLayerNormalization", "RMSNormalization", "LpNormalization"),
        rules.over_axis(-1),
    ),
    "InstanceNormalization": rules.map_norm(
        lambda c: ops.InstanceNorm(eps=float(c.get("epsilon", 1e-5)))
    ),
    "GroupNormalization": rules.map_norm(
        lambda c: ops.GroupNorm(
            num_groups=c.attributes["num_groups"], eps=float(c.get("epsilon", 1e-5))
        )
    ),
    "MeanVarianceNormalization": rules.mean_variance,
    "LRN": rules.plain("pointwise"),
    **dict.fromkeys(("Softmax", "LogSoftmax"), rules.softmax),
    "Hardmax": rules.softmax,
    "CumSum": rules.cum_sum,
    **dict.fromkeys(("Add", "Sub", "Sum", "Mean", "Max", "Min"), rules.merge("add")),
    **dict.fromkeys(
        (
            *("Mul", "Div", "Pow", "Mod", "Where", "And", "Or", "Xor", "BitShift"),
            *("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"),
            *("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
        ),
        rules.merge("multiply"),
    ),
    "ReduceMean": rules.reduce("mean"),
    "ReduceMax": rules.reduce("max"),
    **dict.fromkeys(
        (
            *("ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum"),
            *("ReduceLogSumExp", "ReduceSumSquare"),
        ),
        rules.reduce("other"),
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), rules.arg_reduce),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), rules.plain("reshape")),
    "Transpose": rules.transpose,
    "Expand": rules.plain("expand"),
    "Tile": rules.tile,
    "Concat": rules.concat,
    **dict.fromkeys(("Split", "SplitToSequence"), rules.split),
    "Slice": rules.sliced,
    "Gather": rules.gather,
    "Pad": rules.pad,
    "Gemm": rules.gemm,
    "MatMul": rules.matmul,
    "MatMulInteger": rules.matmul,
    "QLinearMatMul": lambda c: rules.matmul(c, 3),
    "Einsum": rules.einsum,
    "DepthToSpace": rules.depth_to_space,
    "SpaceToDepth": rules.space_to_depth,
    **dict.fromkeys(("Resize", "Upsample"), rules.resize),
    "LSTM": rules.recurrent("lstm"),
    "GRU": rules.recurrent("gru"),
    "RNN": rules.recurrent("rnn"),
}
