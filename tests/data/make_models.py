#!/usr/bin/env python3
"""Writes the small ONNX files in models/ that the tests read. README.md says what each is for.

Weights are random with a fixed seed for each model, so a second run writes the same bytes.
Needs numpy and onnx (made with 1.23.2); with onnxruntime (1.32.0) each file is also run.

    python make_models.py            # writes models/ next to this script
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
# The oldest IR version for each opset: what exporters of that time wrote.
IR_VERSION = {7: 3, 11: 6, 13: 7, 21: 10}
TOKENS, VOCABULARY, HIDDEN, HEADS = 8, 50, 16, 2
MASKED = -10000.0


class Builder:
    """Collects nodes and tensors; each method returns the name of the tensor it made."""

    def __init__(self, seed, prefix=""):
        self.rng = np.random.default_rng(seed)
        self.prefix = prefix
        self.nodes, self.initializers, self.count = [], [], {}

    def name(self, kind):
        self.count[kind] = self.count.get(kind, 0) + 1
        return f"{self.prefix}{kind}_{self.count[kind]}"

    def op(self, op_type, *inputs, outputs=1, out=None, **attributes):
        name = self.name(op_type)
        names = [out] if out else [f"{name}:{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def tensor(self, kind, values, dtype=np.float32):
        name = self.name(kind)
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def constant(self, values, dtype=np.float32):
        """A Constant node instead of an initializer."""
        return self.op("Constant", value=numpy_helper.from_array(np.asarray(values, dtype)))

    def weight(self, *shape, axis=0, gain=2.0):
        """Normal, variance gain / fan-in; output channels (on `axis`) of unequal size."""
        fan_in = np.prod(shape) / shape[axis]
        values = self.rng.normal(0, np.sqrt(gain / fan_in), shape)
        each = [n if i == axis else 1 for i, n in enumerate(shape)]
        spread = self.rng.uniform(0.3, 2.0, each)
        return self.tensor("weight", values * spread)

    def bias(self, size):
        return self.tensor("bias", self.rng.normal(0, 0.1, size))

    def conv(self, x, inputs, outputs, kernel, bias=True, group=1, pad=None, **attributes):
        w = self.weight(outputs, inputs // group, kernel, kernel)
        pads = [kernel // 2 if pad is None else pad] * 4
        b = [self.bias(outputs)] if bias else []
        shape = [kernel, kernel]
        return self.op("Conv", x, w, *b, kernel_shape=shape, pads=pads, group=group, **attributes)

    def batch_norm(self, x, channels):
        scale = self.tensor("bn_scale", self.rng.uniform(0.5, 1.5, channels))
        bias = self.tensor("bn_bias", self.rng.normal(0, 0.2, channels))
        mean = self.tensor("bn_mean", self.rng.normal(0, 0.3, channels))
        var = self.tensor("bn_var", self.rng.uniform(0.2, 2.0, channels))
        return self.op("BatchNormalization", x, scale, bias, mean, var, epsilon=1e-5)

    def graph(self, name, inputs, outputs, list_initializers=False):
        listed = [
            helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
            for t in self.initializers
        ]
        inputs = [value(*i) for i in inputs] + (listed if list_initializers else [])
        outputs = [value(*o) for o in outputs]
        return helper.make_graph(self.nodes, name, inputs, outputs, self.initializers)


def value(name, shape, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(graph, opset):
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSION[opset],
        producer_name="hexquant-tests",
    )


def tiny_cnn():
    b = Builder(1)
    x = b.op("Relu", b.batch_norm(b.conv("image", 3, 8, 3, bias=False), 8))
    low, high = b.tensor("low", 0.0), b.tensor("high", 6.0)
    y = b.op("Clip", b.conv(x, 8, 8, 3, group=8), low, high)
    y = b.op("Add", x, b.conv(y, 8, 8, 1))
    y = b.op("Flatten", b.op("GlobalAveragePool", y), axis=1)
    b.op("Gemm", y, b.weight(10, 8), b.bias(10), transB=1, out="logits")
    graph = b.graph("tiny_cnn", [("image", ["N", 3, 8, 8])], [("logits", ["N", 10])])
    return model(graph, 13)


def layer_norm(b, x):
    """(x - mean) / sqrt(mean((x - mean)^2) + eps) * gamma + beta, as opset 13 exports have it."""
    centred = b.op("Sub", x, b.op("ReduceMean", x, axes=[-1], keepdims=1))
    square = b.op("Pow", centred, b.constant(2.0))
    variance = b.op("ReduceMean", square, axes=[-1], keepdims=1)
    deviation = b.op("Sqrt", b.op("Add", variance, b.constant(1e-5)))
    gamma = b.tensor("gamma", b.rng.uniform(0.5, 1.5, HIDDEN))
    scaled = b.op("Mul", b.op("Div", centred, deviation), gamma)
    return b.op("Add", scaled, b.tensor("beta", b.rng.normal(0, 0.1, HIDDEN)))


def rms_norm(b, x):
    """x * (1 / sqrt(mean(x^2) + eps)) * gamma."""
    mean = b.op("ReduceMean", b.op("Pow", x, b.constant(2.0)), axes=[-1], keepdims=1)
    root = b.op("Sqrt", b.op("Add", mean, b.constant(1e-5)))
    scaled = b.op("Mul", x, b.op("Div", b.constant(1.0), root))
    return b.op("Mul", b.tensor("gamma", b.rng.uniform(0.5, 1.5, HIDDEN)), scaled)


def gelu(b, x):
    """x * (1 + erf(x / sqrt(2))) * 0.5, as exporters write it before opset 20."""
    erf = b.op("Erf", b.op("Div", x, b.constant(np.sqrt(2.0))))
    return b.op("Mul", b.op("Mul", x, b.op("Add", erf, b.constant(1.0))), b.constant(0.5))


def linear(b, x, inputs, outputs, bias):
    y = b.op("MatMul", x, b.weight(inputs, outputs, axis=1, gain=1.0))
    return b.op("Add", b.bias(outputs), y) if bias else y


def attention(b, x, mask, bias):
    """Softmax(q k^T / sqrt(d) + mask) v; the batch in each Reshape is read off with Shape."""
    size = HIDDEN // HEADS
    first = b.op("Gather", b.op("Shape", x), b.constant(0, np.int64), axis=0)
    batch = b.op("Unsqueeze", first, b.constant([0], np.int64))
    parts = [batch] + [b.constant([n], np.int64) for n in (TOKENS, HEADS, size)]
    split_shape = b.op("Concat", *parts, axis=0)

    def heads(perm):
        split = b.op("Reshape", linear(b, x, HIDDEN, HIDDEN, bias), split_shape)
        return b.op("Transpose", split, perm=perm)

    query, key, val = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    scores = b.op("Div", b.op("MatMul", query, key), b.constant(np.sqrt(size)))
    weights = b.op("Softmax", b.op("Add", scores, mask), axis=-1)
    joined = b.op("Transpose", b.op("MatMul", weights, val), perm=[0, 2, 1, 3])
    merged_shape = b.op("Concat", batch, b.constant([TOKENS, HIDDEN], np.int64), axis=0)
    return linear(b, b.op("Reshape", joined, merged_shape), HIDDEN, HIDDEN, bias)


def embed(b):
    table = b.tensor("embedding", b.rng.normal(0, 1, (VOCABULARY, HIDDEN)))
    return b.op("Gather", table, "input_ids", axis=0)


def tiny_transformer():
    """Two encoder layers with the normalisation after each residual addition, as BERT has them."""
    b = Builder(2)
    positions = b.tensor("positions", b.rng.normal(0, 0.3, (1, TOKENS, HIDDEN)))
    x = layer_norm(b, b.op("Add", embed(b), positions))
    wide = b.op("Unsqueeze", "attention_mask", b.constant([1, 2], np.int64))
    inverted = b.op("Sub", b.constant(1.0), b.op("Cast", wide, to=FLOAT))
    mask = b.op("Mul", inverted, b.constant(MASKED))
    for layer in range(2):
        x = layer_norm(b, b.op("Add", attention(b, x, mask, bias=True), x))
        wide = gelu(b, linear(b, x, HIDDEN, 2 * HIDDEN, bias=True))
        x = layer_norm(b, b.op("Add", linear(b, wide, 2 * HIDDEN, HIDDEN, bias=True), x))
    b.op("Identity", x, out="hidden")
    ids = [(name, ["N", TOKENS], INT64) for name in ("input_ids", "attention_mask")]
    return model(b.graph("tiny_transformer", ids, [("hidden", ["N", TOKENS, HIDDEN])]), 13)


def tiny_llama():
    """Two decoder layers with the normalisation before each branch; causal mask as a constant."""
    b = Builder(3)
    x = embed(b)
    causal = np.triu(np.full((1, 1, TOKENS, TOKENS), MASKED), k=1)
    mask = b.tensor("mask", causal)
    for layer in range(2):
        x = b.op("Add", x, attention(b, rms_norm(b, x), mask, bias=False))
        normed = rms_norm(b, x)
        gate = linear(b, normed, HIDDEN, 2 * HIDDEN, bias=False)
        silu = b.op("Mul", gate, b.op("Sigmoid", gate))
        gated = b.op("Mul", silu, linear(b, normed, HIDDEN, 2 * HIDDEN, bias=False))
        x = b.op("Add", x, linear(b, gated, 2 * HIDDEN, HIDDEN, bias=False))
    head = b.weight(HIDDEN, VOCABULARY, axis=1)
    b.op("MatMul", rms_norm(b, x), head, out="logits")
    ids = [("input_ids", ["N", TOKENS], INT64)]
    return model(b.graph("tiny_llama", ids, [("logits", ["N", TOKENS, VOCABULARY])]), 13)


def hard_swish(b, x):
    """x * clip(x + 3, 0, 6) / 6."""
    shifted = b.op("Add", x, b.constant(3.0))
    gate = b.op("Clip", shifted, b.constant(0.0), b.constant(6.0))
    return b.op("Div", b.op("Mul", x, gate), b.constant(6.0))


def tiny_pad():
    """Every Pad here can be folded exactly: the MaxPool reads a Relu, so 0 is its neutral pad."""
    b = Builder(14)
    same = b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    end_only = b.constant([0, 0, 0, 0, 0, 0, 1, 1], np.int64)
    bias = b.bias(8)
    padded = b.op("Pad", "image", same, b.constant(0.0), mode="constant")
    x = b.op("Relu", b.op("Conv", padded, b.weight(8, 3, 3, 3), bias, kernel_shape=[3, 3]))
    x = b.op("Pad", x, end_only, b.constant(0.0))
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    shared = b.op("Identity", bias)
    w = b.op("Identity", b.weight(8, 8, 1, 1))
    x = hard_swish(b, b.op("Conv", x, w, shared, kernel_shape=[1, 1]))
    x = b.op("AveragePool", b.op("Pad", x, same), kernel_shape=[3, 3], strides=[1, 1])
    x = b.op("Pad", x, end_only)
    strides = {"kernel_shape": [3, 3], "strides": [2, 2], "group": 8}
    x = b.op("Conv", x, b.weight(8, 1, 3, 3), b.op("Identity", bias), **strides)
    b.op("Reshape", x, b.constant([-1, 32], np.int64), out="features")
    io = [("image", ["N", 3, 8, 8])], [("features", ["N", 32])]
    return model(b.graph("tiny_pad", *io, list_initializers=True), 11)


def tiny_if():
    """Conv, If whose branches read a tensor and a weight of the outer graph, Conv."""
    b = Builder(5)
    x = b.op("Relu", b.conv("image", 3, 4, 3))
    outer = b.weight(4, 4, 1, 1)
    mean = b.op("ReduceMean", "image", axes=[0, 1, 2, 3], keepdims=0)
    condition = b.op("Greater", mean, b.tensor("limit", 0.0))

    then = Builder(51, "then_")
    then.op("Conv", x, outer, then.bias(4), kernel_shape=[1, 1], out="then_out")
    other = Builder(52, "else_")
    other.op("Add", x, other.op("Mul", x, other.constant(0.5)), out="else_out")
    shape = [1, 4, 8, 8]
    branches = {
        "then_branch": then.graph("then", [], [("then_out", shape)]),
        "else_branch": other.graph("else", [], [("else_out", shape)]),
    }
    y = b.op("Add", b.op("If", condition, **branches), b.op("Conv", x, outer))
    y = b.op("Flatten", b.op("GlobalAveragePool", b.conv(y, 4, 6, 3)))
    b.op("Identity", y, out="features")
    io = [("image", [1, 3, 8, 8])], [("features", [1, 6])]
    return model(b.graph("tiny_if", *io), 13)


def tiny_external():
    b = Builder(6)
    x = b.op("Relu", b.conv("image", 3, 8, 3))
    x = b.op("Flatten", b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    b.op("Gemm", x, b.weight(10, 128), b.bias(10), transB=1, out="logits")
    io = [("image", ["N", 3, 8, 8])], [("logits", ["N", 10])]
    return model(b.graph("tiny_external", *io), 13)


def tiny_opset7():
    """IR 3: every initializer must be a graph input too. Dropout and BN in their old forms."""
    b = Builder(7)
    x = b.op("Relu", b.batch_norm(b.conv("image", 3, 8, 3, strides=[2, 2]), 8))
    x = b.op("Dropout", x, ratio=0.5)
    x = b.op("Reshape", x, b.tensor("shape", [-1, 128], np.int64))
    x = b.op("Gemm", x, b.weight(128, 10, axis=1), b.bias(10), alpha=0.5, beta=2.0)
    b.op("Add", x, b.tensor("offset", b.rng.normal(0, 1, (1, 10))), out="logits")
    io = [("image", ["N", 3, 8, 8])], [("logits", ["N", 10])]
    return model(b.graph("tiny_opset7", *io, list_initializers=True), 7)


def tiny_opset21():
    """Forms that are new since opset 13: axes as inputs, LayerNormalization, Gelu, Split by count."""
    b = Builder(8)
    spatial, one = b.tensor("axes", [2, 3], np.int64), b.tensor("pad", [1, 1, 1, 1], np.int64)
    x = b.op("Pad", "image", one, "", spatial)
    x = b.op("Relu", b.conv(x, 3, 16, 3, pad=0))
    x = b.op("ReduceMean", x, spatial, keepdims=0)
    scale = b.tensor("scale", b.rng.uniform(0.5, 1.5, 16))
    x = b.op("LayerNormalization", x, scale, b.bias(16), axis=-1, epsilon=1e-5)
    x = b.op("Gelu", b.op("Gemm", x, b.weight(32, 16), b.bias(32), transB=1))
    left, right = b.op("Split", x, outputs=2, num_outputs=2, axis=1)
    x = b.op("Mul", left, b.op("Sigmoid", right))
    b.op("MatMul", x, b.weight(16, 10, axis=1), out="logits")
    io = [("image", ["N", 3, 8, 8])], [("logits", ["N", 10])]
    return model(b.graph("tiny_opset21", *io), 21)


MODELS = [
    tiny_cnn,
    tiny_transformer,
    tiny_llama,
    tiny_pad,
    tiny_if,
    tiny_external,
    tiny_opset7,
    tiny_opset21,
]


def save(proto, path):
    if path.stem != "tiny_external":
        onnx.save(proto, path)
        return
    data = path.name + ".data"
    (path.parent / data).unlink(missing_ok=True)  # onnx appends to an existing file
    # The 8 and 10 biases stay inside: a reader must handle both kinds in one file.
    external = {"save_as_external_data": True, "all_tensors_to_one_file": True}
    onnx.save(proto, path, location=data, size_threshold=256, **external)
    (path.parent / data).chmod(0o644)


def run(path):
    """Runs the file on random input, batch 1 and 3; fails on an error, NaN or a flat output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    rng = np.random.default_rng(0)
    for batch, mean in ((1, -0.5), (3, 0.5)):  # both branches of tiny_if
        feed = {}
        for i in session.get_inputs():
            shape = [batch if isinstance(n, str) else n for n in i.shape]
            if i.type == "tensor(int64)":
                high = 2 if i.name == "attention_mask" else VOCABULARY
                feed[i.name] = rng.integers(0, high, shape)
            else:
                feed[i.name] = rng.normal(mean, 1, shape).astype(np.float32)
        (output,) = session.run(None, feed)
        if not (np.isfinite(output).all() and output.std() > 0.01):
            raise SystemExit(f"{path.name}: output is not finite or flat")
    return f"output {output.shape}, {output.min():.3f} .. {output.max():.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = pathlib.Path(__file__).parent / "models"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    folder = parser.parse_args().out
    folder.mkdir(exist_ok=True)
    for make in MODELS:
        path = folder / f"{make.__name__}.onnx"
        save(make(), path)
        onnx.checker.check_model(str(path), full_check=True)
        try:
            result = run(path)
        except ImportError:
            result = "not run: onnxruntime is not installed"
        print(f"{path.name}: {path.stat().st_size} bytes, {result}")


if __name__ == "__main__":
    main()
