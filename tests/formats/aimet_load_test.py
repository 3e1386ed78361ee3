#!/usr/bin/env python3
"""Loads what `hexquant quantize` exports into aimet-onnx and compares the fake-quantized outputs.

usage: aimet_load_test.py PROGRAM
For every version of the encodings, model_float.onnx + model.encodings simulated by aimet-onnx must give the
output of model.onnx (Q/DQ, run by ONNX Runtime without optimizations) within one step of the output's encoding.
Needs the pip package aimet-onnx (tried with 2.42.0) in this Python or in the one that HEXQUANT_AIMET_PYTHON names.
exit status: 0 same, 1 different, 77 skipped because aimet-onnx is absent
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
TESTS = pathlib.Path(__file__).resolve().parent.parent
STEPS_ALLOWED = 1.0
ALL = ("0.6.1", "1.0.0", "2.0.0")
WITH_BLOCKS = ("1.0.0", "2.0.0")
GROUPS = ["--act-bits", "16", "--weight-bits", "4:all", "--granularity", "group:16"]
LPBQ = [*GROUPS, "--block-scale", "lpbq"]
NET = TESTS / "formats/aimet/net.onnx"

# 16-bit activations with one layer each: float32 sums in another order move an intermediate tensor by a step now
# and then, which the finer steps of tensors behind it multiply (3 of 65536 steps on NET).
CASES = [
    ("per channel", NET, [], ALL),
    ("per tensor", NET, ["--granularity", "tensor"], ALL),
    ("small network", TESTS / "data/models/tiny_cnn.onnx", [], ALL),
    ("16-bit activations, Conv", "Conv", ["--act-bits", "16"], ALL),
    ("16-bit activations, MatMul", "MatMul", ["--act-bits", "16"], ALL),
    ("groups, Conv", "Conv", GROUPS, WITH_BLOCKS),
    ("groups, MatMul", "MatMul", GROUPS, WITH_BLOCKS),
    ("LPBQ, Conv", "Conv", LPBQ, WITH_BLOCKS),
    ("LPBQ, MatMul", "MatMul", LPBQ, WITH_BLOCKS),
]


def find_aimet():
    """Goes on in the Python that has aimet-onnx, or skips."""
    try:
        import aimet_onnx  # noqa: F401  pylint: disable=unused-import,import-outside-toplevel
    except ImportError as error:
        python = os.environ.pop("HEXQUANT_AIMET_PYTHON", None)
        if python:
            os.execv(python, [python, *sys.argv])
        print(f"skipped: aimet-onnx cannot be imported ({error}); set HEXQUANT_AIMET_PYTHON to a Python that has it")
        sys.exit(SKIPPED)


def one_layer(op_type, path):
    """Writes y = MatMul(x, w) or a 1x1 Conv, of 32 inputs and 24 outputs."""
    import numpy as np  # pylint: disable=import-outside-toplevel
    import onnx  # pylint: disable=import-outside-toplevel
    from onnx import TensorProto, helper, numpy_helper  # pylint: disable=import-outside-toplevel

    is_conv = op_type == "Conv"
    shape = (24, 32, 1, 1) if is_conv else (32, 24)
    weight = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    dims = ([1, 32, 6, 6], [1, 24, 6, 6]) if is_conv else ([1, 8, 32], [1, 8, 24])
    graph = helper.make_graph(
        [helper.make_node(op_type, ["x", "w"], ["y"], "layer")],
        "one_layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims[0])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims[1])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return dims[0][1:]


def quantize(program, model, options, version, folder, samples):
    import numpy as np  # pylint: disable=import-outside-toplevel

    np.save(folder / "x.npy", samples)
    command = [program, "quantize", str(model), "--data", str(folder / "x.npy"), "-o", str(folder / "out")]
    subprocess.run(
        [*command, "--encodings-version", version, *options], check=True, capture_output=True, text=True, timeout=120
    )
    return folder / "out"


def output_step(encodings, name):
    """The scale of a per-tensor encoding, whatever the version."""
    if "encodings" in encodings:
        return next(e["y_scale"] for e in encodings["encodings"] if e["name"] == name)
    activations = encodings["activation_encodings"]
    if isinstance(activations, dict):
        return activations[name][0]["scale"]
    return next(e["scale"][0] for e in activations if e["name"] == name)


def simulate(out, samples):
    """(output of aimet-onnx, output of the Q/DQ model, name of the output)."""
    import numpy as np  # pylint: disable=import-outside-toplevel
    import onnx  # pylint: disable=import-outside-toplevel
    import onnxruntime  # pylint: disable=import-outside-toplevel
    from aimet_onnx.quantsim import QuantizationSimModel, load_encodings_to_sim  # pylint: disable=import-outside-toplevel

    sim = QuantizationSimModel(
        onnx.load(out / "model_float.onnx"), config_file="htp_v73", providers=["CPUExecutionProvider"]
    )
    load_encodings_to_sim(sim, str(out / "model.encodings"), strict=False)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    ours = onnxruntime.InferenceSession(str(out / "model.onnx"), options, providers=["CPUExecutionProvider"])
    name = ours.get_inputs()[0].name
    theirs = [sim.session.run(None, {name: samples[i : i + 1]})[0] for i in range(len(samples))]
    mine = [ours.run(None, {name: samples[i : i + 1]})[0] for i in range(len(samples))]
    return np.concatenate(theirs), np.concatenate(mine), ours.get_outputs()[0].name


def main():
    find_aimet()
    import numpy as np  # pylint: disable=import-outside-toplevel

    program = os.path.abspath(sys.argv[1])
    failures = 0
    for title, model, options, versions in CASES:
        for version in versions:
            with tempfile.TemporaryDirectory() as scratch:
                folder = pathlib.Path(scratch)
                dims = [3, 8, 8]
                path = model
                if isinstance(model, str):
                    path = folder / "layer.onnx"
                    dims = one_layer(model, path)
                samples = np.random.default_rng(3).standard_normal((8, *dims)).astype(np.float32)
                out = quantize(program, path, options, version, folder, samples)
                theirs, mine, output = simulate(out, samples)
                step = output_step(json.loads((out / "model.encodings").read_text()), output)
            steps = float(np.abs(np.rint(theirs / step) - np.rint(mine / step)).max())
            spread = float(np.ptp(mine) / step)
            # A constant output would agree with anything.
            good = steps <= STEPS_ALLOWED and spread > 8
            failures += 0 if good else 1
            print(f"{'ok' if good else 'DIFFERENT'}: {title}, {version}: {steps:.0f} steps of {output}, spread {spread:.0f}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
