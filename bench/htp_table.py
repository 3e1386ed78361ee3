#!/usr/bin/env python3
"""Compiles every quantized model of the assets folder for five chips and runs it on the simulator.

usage: htp_table.py PROGRAM ASSETS [--only NAME] [--samples 200] [--csv FILE] [--keep FOLDER]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Needs the vendor's simulator
(hexquant setup htp). For each model: the nodes that do not run in integers on the NPU for SM8550,
SM8650, SM8750, SM8850 and X Elite; the metric on the CPU and with HTP numerics on the same samples,
their agreement and the SQNR between the two runs. Exit status 1 when a requirement is missed:
every compute node in integers (or a finding says why not), top-1 within 0.5 points of the CPU's,
Spearman within 0.002, perplexity within 0.5 %, 16-bit attention models at 50 dB or more.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from accuracy_table import preprocess, text, write_csv, write_noise

CHIPS = ["SM8550", "SM8650", "SM8750", "SM8850", "SC8380XP"]


def jobs(assets, scratch):
    """(name, bits, arguments of quantize, arguments of evaluate, shapes)."""
    models, data = assets / "models", assets / "data"
    cifar, kws, pairs, tokens = (data / n for n in ("cifar10", "kws", "stsb", "tinystories"))

    def prep(name):
        return ["--preprocess", models / f"{name}.preprocess.json"]

    imagenet = ["--data", data / "imagenet_val", *prep("efficientnet_lite0")]
    yield ("efficientnet_lite0", "W8A8", imagenet,
           [*imagenet, "--skip", "256", "--labels", data / "imagenet_val" / "labels.csv"], [])
    test = ["--data", cifar / "test_images.npy", "--labels", cifar / "test_labels.npy"]
    for name in ("cifar10_resnet20", "cifar10_resnet8"):
        yield (name, "W8A8", ["--data", cifar / "train_images.npy", *prep(name)],
               [*test, *prep(name)], [])
    name = "cifar10_mobilenetv2_224"
    yield (name, "W8A8", ["--data", cifar / "train_images.npy", "--samples", "64", "--algorithms",
                          "cle,adaptive-rounding", *prep(name)], [*test, *prep(name)], [])
    yield ("kws_dscnn", "W8A8", ["--data", kws / "mfcc.npy"],
           ["--data", kws / "mfcc.npy", "--skip", "256", "--labels", kws / "labels.npy"], [])
    yield ("minilm_l6_s64", "W8A16",
           ["--data", pairs / "sentence_a.npz", "--samples", "64", "--act-bits", "16"],
           ["--data", pairs / "sentence_a.npz", "--data-b", pairs / "sentence_b.npz", "--labels",
            pairs / "scores.npy", "--metric", "spearman-pairs"], [])
    yield ("stories260k_s256", "W8A16",
           ["--data", tokens / "tokens.npy", "--samples", "32", "--act-bits", "16"],
           ["--data", tokens / "tokens.npy", "--lengths", tokens / "lengths.npy", "--metric",
            "perplexity"], [])
    photos = ["--data", data / "nanodet"]
    for name, arguments, shape in (
            ("nanodet_m_320", prep("nanodet_m_320"), []),
            ("ppocr_v4_rec", ["--preprocess", preprocess(scratch, "rec", 48, 320)],
             ["--input-shape", "x=1,3,48,320"]),
            ("ppocr_v4_det", ["--preprocess", preprocess(scratch, "det", 320, 320)],
             ["--input-shape", "x=1,3,320,320"])):
        yield name, "W8A8", [*photos, *arguments], [*photos, *arguments], shape
    yield ("silero_vad_16k", "W8A8", ["--data", *write_noise(scratch)], None,
           ["--input-shape", "input=1,576", "--input-shape", "state=2,1,128"])


def run(program, *arguments, statuses=(0,)):
    command = [str(part) for part in (program, *arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode not in statuses:
        raise SystemExit(f"{' '.join(command)}: {result.stderr.strip()}")


def compile_for(program, model, chip, shapes, scratch):
    """Counts of the nodes by unit, and the reasons of those not in integers; None = not compiled."""
    file = scratch / "compile.json"
    run(program, "compile", model, "--soc", chip, *shapes, "--json", file, "-o",
        scratch / "compiled.bin", statuses=(0, 1))
    result = json.loads(file.read_text())["models"][0]
    nodes = [node for node in result["placement"]["nodes"]
             if node["unit"] in ("npu-float", "cpu")]
    return result, nodes


def on_simulator(program, model, arguments, samples, scratch):
    file = scratch / "evaluate.json"
    run(program, "evaluate", model, "--device", "htp", "--soc", "SM8650", "--samples", samples,
        *arguments, "--json", file)
    result = json.loads(file.read_text())
    cpu, htp = result["models"][0], result["models"][1]
    metric = result["metric"]
    own = metric not in ("sqnr", "cosine")
    return {"metric": metric if own else "",
            "cpu": cpu["metrics"]["value"] if own else None,
            "htp": htp["metrics"]["value"] if own else None,
            "agreement": htp["against_cpu"]["agreement"],
            "sqnr_db": htp["against_cpu"]["sqnr_db"], "samples": result["samples"],
            "ms_per_sample": htp["ms_per_sample"]}


def missed(name, bits, row):
    """What the row misses of the requirements in the head of this file."""
    metric, cpu, htp = row["metric"], row["cpu"], row["htp"]
    problems = []
    if metric == "top1" and abs(htp - cpu) > 0.005 + 1e-9:
        problems.append(f"top-1 differs by {100 * (htp - cpu):+.2f} points")
    if metric == "spearman-pairs" and abs(htp - cpu) > 0.002:
        problems.append(f"Spearman differs by {htp - cpu:+.4f}")
    if metric == "perplexity" and abs(htp / cpu - 1) > 0.005:
        problems.append(f"perplexity differs by {100 * (htp / cpu - 1):+.2f} %")
    if bits.endswith("A16") and row["sqnr_db"] < 50:
        problems.append(f"{row['sqnr_db']:.1f} dB against the CPU")
    return [f"{name}: {problem}" for problem in problems]


def chip_cells(program, model, shapes, scratch, name, problems):
    cells = {}
    for chip in CHIPS:
        result, nodes = compile_for(program, model, chip, shapes, scratch)
        if not result["compiled"]:
            cells[chip] = f"not compiled: {result['failure']['kind']}"
            problems.append(f"{name}: {chip}: {result['failure']['reason']}")
            continue
        unexplained = [node["name"] for node in nodes if not node["reason"]]
        summary = result["placement"]["summary"]
        cells[chip] = f"{summary['npu-integer']}/{summary['npu-float']}/{summary['cpu']}"
        problems += [f"{name}: {chip}: {node} runs elsewhere without a reason"
                     for node in unexplained]
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--only", help="rows whose model name holds this")
    parser.add_argument("--samples", default="200")
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="keep the quantized models here")
    options = parser.parse_args()
    rows, problems = [], []
    print("| model | bits | " + " | ".join(CHIPS) + " | metric | CPU | HTP | agreement | SQNR | "
          "samples |\n|" + "---|" * (8 + len(CHIPS)))
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for name, bits, quantize, evaluate, shapes in jobs(options.assets, scratch):
            if options.only and options.only not in name:
                continue
            out = (options.keep or scratch) / f"{name}-{bits}"
            run(options.program, "quantize", options.assets / "models" / f"{name}.onnx", *quantize,
                *shapes, "-o", out)
            row = {"model": name, "bits": bits}
            row.update(chip_cells(options.program, out / "model.onnx", shapes, scratch, name,
                                  problems))
            score = dict.fromkeys(("metric", "cpu", "htp", "agreement", "sqnr_db", "samples",
                                   "ms_per_sample"))
            if evaluate is not None:
                score = on_simulator(options.program, out / "model.onnx", evaluate,
                                     options.samples, scratch)
                problems += missed(name, bits, score)
            row.update(score)
            rows.append(row)
            percent = (row["metric"] or "").startswith("top")
            cells = [name, bits, *(row[chip] for chip in CHIPS), row["metric"] or "",
                     text(row["cpu"], percent), text(row["htp"], percent),
                     text(row["agreement"], True), text(row["sqnr_db"], digits=1),
                     str(row["samples"] or "")]
            print("| " + " | ".join(cells) + " |", flush=True)
    write_csv(options.csv, rows)
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
