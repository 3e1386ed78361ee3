#!/usr/bin/env python3
"""Quantizes every model of the assets folder and prints the accuracy table of the README.

usage: accuracy_table.py PROGRAM ASSETS [--only NAME] [--csv FILE]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/ (see docs/assets in the
README). Models without labelled data are scored by the SQNR of their outputs; inputs that the
folder has no data for are seeded noise. Needs nothing but the standard library.
"""

import argparse
import csv
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile


def npy_bytes(values, shape, code):
    """A .npy file: `values` as little-endian `code` ('<f4' or '<i8')."""
    header = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    kind = {"<f4": "f", "<i8": "q"}[code]
    body = struct.pack(f"<{len(values)}{kind}", *values)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def write_noise(folder, samples=32):
    """Inputs of a voice-activity model: noise frames, zero state, 16 kHz."""
    rng = random.Random(0)
    frames = [rng.gauss(0.0, 0.1) for _ in range(samples * 576)]
    (folder / "input.npy").write_bytes(npy_bytes(frames, (samples, 576), "<f4"))
    state = [0.0] * (samples * 2 * 128)
    (folder / "state.npy").write_bytes(npy_bytes(state, (samples, 2, 1, 128), "<f4"))
    (folder / "sr.npy").write_bytes(npy_bytes([16000] * samples, (samples,), "<i8"))
    return [f"{name}:={folder / name}.npy" for name in ("input", "state", "sr")]


def preprocess(folder, name, height, width):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"color": "bgr", "resize": [height, width], "mean": [127.5] * 3,
                                "std": [127.5] * 3}))
    return str(path)


def jobs(assets, scratch):
    """(name, extra description, arguments) of every row."""
    models, data = assets / "models", assets / "data"
    cifar = data / "cifar10"
    test = ["--data", cifar / "train_images.npy", "--evaluate", "--eval-data",
            cifar / "test_images.npy", "--labels", cifar / "test_labels.npy"]

    def prep(name):
        return ["--preprocess", models / f"{name}.preprocess.json"]

    yield ("efficientnet_lite0", "W8A8",
           ["--data", data / "imagenet_val", "--evaluate", "--labels",
            data / "imagenet_val" / "labels.csv", *prep("efficientnet_lite0")])
    for name in ("cifar10_resnet20", "cifar10_resnet8"):
        yield name, "W8A8", [*test, *prep(name)]
    for bits in ("8", "16"):
        yield ("cifar10_mobilenetv2_224", f"W8A{bits}",
               ["--data", cifar / "train_images.npy", "--samples", "64", "--act-bits", bits,
                "--evaluate", "500", "--eval-data", cifar / "test_images.npy", "--labels",
                cifar / "test_labels.npy", *prep("cifar10_mobilenetv2_224")])
    yield ("kws_dscnn", "W8A8", ["--data", data / "kws" / "mfcc.npy", "--evaluate", "--labels",
                                 data / "kws" / "labels.npy"])
    pairs = data / "stsb"
    for bits in ("8", "16"):
        yield ("minilm_l6_s64", f"W8A{bits}",
               ["--data", pairs / "sentence_a.npz", "--samples", "64", "--act-bits", bits,
                "--evaluate", "500", "--eval-data", pairs / "sentence_a.npz", "--data-b",
                pairs / "sentence_b.npz", "--labels", pairs / "scores.npy", "--metric",
                "spearman-pairs"])
        tokens = data / "tinystories"
        yield ("stories260k_s256", f"W8A{bits}",
               ["--data", tokens / "tokens.npy", "--samples", "32", "--act-bits", bits,
                "--evaluate", "--eval-data", tokens / "tokens.npy", "--lengths",
                tokens / "lengths.npy", "--metric", "perplexity"])
    photos = ["--data", data / "nanodet"]
    yield "nanodet_m_320", "W8A8", [*photos, *prep("nanodet_m_320")]
    yield "ppocr_v4_rec", "W8A8", [*photos, "--preprocess", preprocess(scratch, "rec", 48, 320)]
    yield "ppocr_v4_det", "W8A8", [*photos, "--preprocess", preprocess(scratch, "det", 320, 320)]
    yield "silero_vad_16k", "W8A8", ["--data", *write_noise(scratch)]


def run(program, model, arguments, out):
    command = [program, "quantize", model, *arguments, "-o", out]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{model}: {result.stderr.strip()}")
    return json.loads((out / "report.json").read_text())


def row_of(name, bits, report):
    summary = report["summary"]
    metric = summary["metric"]
    before, after = summary["fp32"].get(metric), summary["quantized"].get(metric)
    percent = metric.startswith("top")
    floating = sum(1 for finding in report["findings"] if finding["id"] == "stays-float")
    if metric == "sqnr":
        before = after = None
    return {"model": name, "bits": bits, "metric": metric if before is not None else "",
            "float": before, "quantized": after,
            "change": None if before is None else after - before, "percent": percent,
            "sqnr_db": summary["sqnr_db"], "agreement": summary["agreement"],
            "samples": summary["samples"], "float_nodes": floating,
            "seconds": report["seconds"]["total"] - report["seconds"]["verify"]}


def text(value, percent=False, digits=4):
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if percent else f"{value:.{digits}f}"


def write_csv(path, rows):
    """Raw rows of a table; no path, no file."""
    if not path:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--only", help="rows whose model name holds this")
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    print("| model | bits | metric | float | quantized | change | output SQNR | samples | "
          "seconds |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        for model, bits, arguments in jobs(options.assets, scratch):
            if options.only and options.only not in model:
                continue
            report = run(options.program, options.assets / "models" / f"{model}.onnx", arguments,
                         scratch / f"{model}-{bits}")
            row = row_of(model, bits, report)
            rows.append(row)
            print(f"| {model} | {bits} | {row['metric']} | {text(row['float'], row['percent'])} | "
                  f"{text(row['quantized'], row['percent'])} | "
                  f"{text(row['change'], row['percent'])} | {text(row['sqnr_db'], digits=1)} dB | "
                  f"{row['samples']} | {row['seconds']:.1f} |", flush=True)
    write_csv(options.csv, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
