"""The operators of ONNX's own domains: which opset brought each, and which took it away."""

from __future__ import annotations

from collections.abc import Iterator

from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, OnnxModel

ML_DOMAIN = "ai.onnx.ml"
DOMAINS = frozenset({DEFAULT_DOMAIN, ML_DOMAIN})

_SINCE = {
    DEFAULT_DOMAIN: {
        1: (
            "Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv ConvTranspose "
            "DepthToSpace Div Dropout Elu Equal Exp Flatten Floor GRU Gather Gemm GlobalAveragePool GlobalLpPool "
            "GlobalMaxPool Greater HardSigmoid Hardmax Identity If InstanceNormalization LRN LSTM LeakyRelu Less Log "
            "LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool MaxRoiPool Mean Min Mul Neg Not Or PRelu Pad Pow "
            "RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
            "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Selu Shape "
            "Sigmoid Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK "
            "Transpose Unsqueeze Upsample Xor"
        ),
        7: "Acos Asin Atan Cos Multinomial Sin Tan",
        8: "Expand Scan",
        9: (
            "Acosh Asinh Atanh Compress ConstantOfShape Cosh Erf EyeLike IsNaN MaxUnpool MeanVarianceNormalization "
            "NonZero OneHot Scatter Shrink Sign Sinh TfIdfVectorizer Where"
        ),
        10: (
            "ConvInteger DequantizeLinear IsInf MatMulInteger Mod NonMaxSuppression QLinearConv QLinearMatMul "
            "QuantizeLinear Resize ReverseSequence RoiAlign StringNormalizer ThresholdedRelu"
        ),
        11: (
            "BitShift ConcatFromSequence CumSum Det DynamicQuantizeLinear GatherElements GatherND Range Round "
            "ScatterElements ScatterND SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
            "SequenceLength SplitToSequence Unique"
        ),
        12: "Celu Einsum GreaterOrEqual LessOrEqual NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
        14: "HardSwish Trilu",
        15: "Bernoulli CastLike Optional OptionalGetElement OptionalHasElement",
        16: "GridSample",
        17: "BlackmanWindow DFT HammingWindow HannWindow LayerNormalization MelWeightMatrix STFT SequenceMap",
        18: "BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CenterCropPad Col2Im GroupNormalization Mish",
        19: "DeformConv",
        20: "AffineGrid Gelu ImageDecoder RegexFullMatch StringConcat StringSplit",
        23: "Attention RMSNormalization RotaryEmbedding",
        24: "Swish TensorScatter",
        26: "BitCast CumProd",
        27: "CausalConvWithState LinearAttention",
        28: "SwiGLU",
    },
    ML_DOMAIN: {
        1: (
            "ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer LabelEncoder "
            "LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler "
            "TreeEnsembleClassifier TreeEnsembleRegressor ZipMap"
        ),
        5: "TreeEnsemble",
    },
}
"""Domain → opset → the operators that it brought, from the schemas of onnx; a test holds them to it."""

_WITHOUT = {
    (DEFAULT_DOMAIN, "GroupNormalization"): (18, 21),
    (DEFAULT_DOMAIN, "Scatter"): (11, None),
    (DEFAULT_DOMAIN, "Upsample"): (10, None),
    (ML_DOMAIN, "TreeEnsembleClassifier"): (5, None),
    (ML_DOMAIN, "TreeEnsembleRegressor"): (5, None),
}
"""(domain, operator) → the opset that took it away, and the one that brought it back."""

OPSETS = {domain: max(opsets) for domain, opsets in _SINCE.items()}
"""Domain → the newest opset that is known here."""

_FIRST = {
    (domain, name): opset for domain, opsets in _SINCE.items() for opset, names in opsets.items() for name in names.split()
}


def unknown(model: OnnxModel) -> Iterator[tuple[str, str]]:
    """(domain, operator) of nodes that are no operator of the opset which they are of, and no function of the model.

    A function in a domain of ONNX's own is none: onnxruntime takes operators there from its own schemas alone.
    """
    functions = {(function.domain, function.name) for function in model.functions if function.domain not in OPSETS}
    for opsets, nodes in model.scopes():
        for node in nodes:
            own = node.domain in OPSETS and has(node.domain, opsets.get(node.domain, 0), node.op_type)
            if not own and (node.domain, node.op_type) not in functions:
                yield node.domain, node.op_type


def has(domain: str, opset: int, name: str) -> bool:
    """Whether that opset of `domain`, which is in `OPSETS`, has an operator of that name."""
    first = _FIRST.get((domain, name))
    gone, back = _WITHOUT.get((domain, name), (None, None))
    without = gone is not None and gone <= opset and (back is None or opset < back)
    return first is not None and first <= opset and not without
