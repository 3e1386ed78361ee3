#!/usr/bin/env python3
"""Makes tests/formats/aimet: a small network and the encodings that aimet-onnx 2.42 exports for it.

Needs the pip package aimet-onnx==2.42.0. Run: python3 tests/formats/make_aimet_files.py [FOLDER]
Kinds: per_tensor, per_channel, blockwise, lpbq, float16; versions 0.6.1, 1.0.0, 2.0.0 where aimet
exports them (0.6.1 has no LPBQ, and its blocks cannot be told from channels).
"""
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from aimet_onnx.common.defs import qtype
from aimet_onnx.quantsim import (
    QuantizationSimModel,
    set_blockwise_quantization_for_weights,
    set_grouped_blockwise_quantization_for_weights,
)
from onnx import TensorProto, helper, numpy_helper

VERSIONS = ("0.6.1", "1.0.0", "2.0.0")
WITHOUT_BLOCKS = ["conv1", "up", "matmul", "widen"]


def make_model():
    """x -> Conv 3x3 -> Relu -> Conv 1x1 -> ConvTranspose -> GlobalAveragePool -> MatMul -> y."""
    random = np.random.default_rng(6)

    def weight(name, shape, gain):
        values = random.standard_normal(shape) * gain
        return numpy_helper.from_array(values.astype(np.float32), name)

    initializers = [
        weight("w1", (16, 3, 3, 3), 0.3),
        weight("b1", (16,), 0.1),
        weight("w2", (16, 16, 1, 1), 0.4),
        weight("w3", (16, 6, 2, 2), 0.3),
        weight("w4", (6, 4), 0.5),
        weight("w5", (32, 4), 0.5),
        weight("w6", (4, 32), 0.5),
        numpy_helper.from_array(np.array([0, -1], np.int64), "flat_shape"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv2"),
        helper.make_node("ConvTranspose", ["c2", "w3"], ["u"], "up", strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["u"], ["p"], "pool"),
        helper.make_node("Reshape", ["p", "flat_shape"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "w4"], ["m"], "matmul"),
        helper.make_node("MatMul", ["m", "w6"], ["wide"], "widen"),
        helper.make_node("MatMul", ["wide", "w5"], ["y"], "classify"),
    ]
    graph = helper.make_graph(
        nodes,
        "aimet_net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return onnx.shape_inference.infer_shapes(model)


def samples():
    random = np.random.default_rng(7)
    return [{"x": random.standard_normal((1, 3, 8, 8)).astype(np.float32)} for _ in range(8)]


def make_sim(kind):
    sim = QuantizationSimModel(
        make_model(), param_type="int8", activation_type="int16" if kind in ("blockwise", "lpbq") else "int8",
        config_file="htp_v73", providers=["CPUExecutionProvider"],
    )
    if kind == "per_tensor":
        for name in sim.param_names:
            sim.qc_quantize_op_dict[name].enable_per_channel_quantization(False)
    elif kind == "blockwise":
        set_blockwise_quantization_for_weights(
            sim, ("Conv", "MatMul"), 4, True, 8, nodes_to_exclude=WITHOUT_BLOCKS)
    elif kind == "lpbq":
        set_grouped_blockwise_quantization_for_weights(
            sim, ("Conv", "MatMul"), 4, 8, 8, nodes_to_exclude=WITHOUT_BLOCKS)
    elif kind == "float16":
        for name in ("w2", "c2"):
            sim.qc_quantize_op_dict[name].set_precision(qtype.float(5, 10, False, False))
    sim.compute_encodings(samples())
    return sim


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "aimet")
    folder.mkdir(exist_ok=True)
    onnx.save(make_model(), folder / "net.onnx")
    for kind in ("per_tensor", "per_channel", "blockwise", "lpbq", "float16"):
        sim = make_sim(kind)
        for version in VERSIONS:
            try:
                with tempfile.TemporaryDirectory() as scratch:
                    sim.export(scratch, "net", export_model=False, encoding_version=version)
                    text = (pathlib.Path(scratch) / "net.encodings").read_text()
            except (RuntimeError, ValueError) as error:
                print(f"{kind} {version}: not exported: {error}")
                continue
            (folder / f"{kind}_{version}.encodings").write_text(text)


if __name__ == "__main__":
    main()
