#!/usr/bin/env python3
"""The article's worked case on networks that lose accuracy: one method more in every row.

usage: worked_case.py PROGRAM ASSETS [--only NAME] [--csv FILE] [--document FILE]
       worked_case.py --from CSV --document FILE

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Each network is quantized as
it is, with equalization, with adaptive rounding, with a width for every layer, and trained from
there, always from the same calibration samples, and scored on others. --csv keeps the rows,
--document writes them as docs/worked-case.md; --from writes the document from rows that were kept.
Rows of a network that is not run again are taken from the CSV file that is there. Needs nothing but
the standard library.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

STEPS = [("direct PTQ", []), ("+ CLE", ["--algorithms", "cle"]),
         ("+ CLE + adaptive rounding", ["--algorithms", "cle,adaptive-rounding"])]

HEAD = """# A worked case: getting accuracy back

The article's ResNet-50 case goes from direct quantization over equalization and rounding to mixed precision, with accuracy and latency in each row. Here is the same table for networks that lose more than ResNet-50 does, measured by `bench/worked_case.py` (raw rows: `bench/results/`). Every row is calibrated on the same samples and scored on others. Latency is the [latency model](methods/latency-model.md)'s prediction for SM8650 (an estimate, for comparing rows); times of the float model are left out, as in the article.

| network | loss that is good enough | why it is hard |
|---|---|---|
"""

TAIL = """
How to read it:
- **One command does all of it**: `hexquant auto MODEL --data D --labels L --max-loss P -o OUT` climbs the same steps and stops at the first that is good enough ([auto](commands/auto.md)).
- **Equalization alone** moves ranges from one layer to the next. It helps weights with one scale a tensor; with a scale for each channel it is kept only where the measured error falls, so its row may equal the one before ([equalization](methods/equalization.md)).
- **Adaptive rounding** costs no latency: same widths, other codes ([method](methods/adaptive-rounding.md)).
- **Training** goes on from the mixed model, with few samples, and keeps it where nothing got better on samples of their own: then both rows are equal.
- **Mixed precision** pays with latency, as little as its search finds ([method](methods/mixed-precision.md)). It can also get faster: an 8-bit operation that the HTP is slow at, with conversions around it, may cost more than the same in 16 bits. The last column says how many of the weights got more bits.
- Differences below a few tenths of a point over some hundred samples are luck.
"""


class Case:
    """A network, its precision, and how it is calibrated, scored, mixed and trained.

    What is trained with, and what chooses the epoch, is never among the scored samples.
    """

    def __init__(self, name, why, target, quantize, mixed, train, score):
        self.name, self.why, self.target = name, why, target
        self.quantize, self.mixed, self.train, self.score = quantize, mixed, train, score


def cases(assets):
    models, data = assets / "models", assets / "data"
    images, cifar, pairs = data / "imagenet_val", data / "cifar10", data / "stsb"

    def prep(name):
        return ["--preprocess", models / f"{name}.preprocess.json"]

    yield Case("efficientnet_lite0", "all weights in 4 bits, values in 8 (W4A8)", "0.5",
               ["--data", images, *prep("efficientnet_lite0"), "--weight-bits", "4:all",
                "--evaluate", "--labels", images / "labels.csv"],
               ["--max-raised-weights", "0.5", "--max-evaluations", "12"],
               ["--train-data", images, "--train-samples", "192", "--val-data", images,
                "--val-labels", images / "labels.csv", "--val-skip", "192", "--evaluate", "64",
                "--batch-size", "16", "--epochs", "2"],
               ["--data", images, "--skip", "256", *prep("efficientnet_lite0"), "--labels",
                images / "labels.csv"])
    yield Case("cifar10_mobilenetv2_224", "one scale for each weight tensor; ranges of channels "
               "differ by a factor of millions", "1",
               ["--data", cifar / "train_images.npy", "--samples", "64", "--granularity", "tensor",
                *prep("cifar10_mobilenetv2_224"), "--evaluate", "400", "--eval-data",
                cifar / "test_images.npy", "--labels", cifar / "test_labels.npy"],
               ["--max-evaluations", "12"],
               ["--train-data", cifar / "train_images.npy", "--train-samples", "512", "--val-data",
                cifar / "train_images.npy", "--val-labels", cifar / "train_labels.npy",
                "--val-skip", "4000", "--evaluate", "200", "--batch-size", "16", "--epochs", "2"],
               ["--data", cifar / "test_images.npy", "--labels", cifar / "test_labels.npy",
                "--samples", "400", *prep("cifar10_mobilenetv2_224")])
    yield Case("minilm_l6_s64", "a transformer with 8-bit values: outliers in its residual stream",
               "0.3",
               ["--data", pairs / "sentence_a.npz", "--skip", "1400", "--samples", "64", "--evaluate",
                "400", "--eval-data", pairs / "sentence_a.npz", "--data-b", pairs / "sentence_b.npz",
                "--labels", pairs / "scores.npy", "--metric", "spearman-pairs"],
               ["--max-evaluations", "16"],
               ["--train-data", pairs / "sentence_a.npz", "--train-skip", "400", "--train-samples",
                "900", "--val-data", pairs / "sentence_a.npz", "--data-b",
                pairs / "sentence_b.npz", "--val-labels", pairs / "scores.npy", "--val-skip",
                "1300", "--evaluate", "100", "--optimizer", "adam", "--lr", "1e-5",
                "--batch-size", "8", "--epochs", "1", "--max-steps", "50"],
               ["--data", pairs / "sentence_a.npz", "--data-b", pairs / "sentence_b.npz",
                "--labels", pairs / "scores.npy", "--metric", "spearman-pairs", "--samples", "400"])


def run(program, *arguments, statuses=(0,)):
    command = [str(part) for part in (program, *arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode not in statuses:
        raise SystemExit(f"{' '.join(command)}: {result.stderr.strip()}")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def row_of(case, step, summary, time, share):
    return {"network": case.name, "step": step, "metric": summary["metric"],
            "float": summary["fp32"]["value"], "value": summary["quantized"]["value"],
            "sqnr_db": summary["sqnr_db"], "samples": summary["samples"],
            "predicted_us": time["time_us"], "lower_us": time["lower_us"],
            "upper_us": time["upper_us"], "raised_weight_share": share, "kept_back_samples": "",
            "kept_back_loss": "", "all_raised_loss": "", "all_raised_us": ""}


def row_of_search(case, found, report):
    """The row of the mixed model: also on samples that the search has not seen, and with everything
    raised."""
    share = found["points"][found["chosen"]]["raised_weight_share"]
    row = row_of(case, "+ mixed precision", report["summary"], report["performance"], share)
    kept, everything = found["final"]["kept_back"], found["points"][1]
    if kept:
        row |= {"kept_back_samples": kept["samples"], "kept_back_loss": kept["loss"]}
    return row | {"all_raised_loss": everything["loss"], "all_raised_us": everything["predicted_us"]}


def rows_of(case, program, assets, scratch):
    model = assets / "models" / f"{case.name}.onnx"
    for index, (step, algorithms) in enumerate(STEPS):
        out = scratch / f"{case.name}-{index}"
        run(program, "quantize", model, *case.quantize, *algorithms, "-o", out)
        report = read(out / "report.json")
        yield row_of(case, step, report["summary"], report["performance"], 0.0)
    out, result = scratch / f"{case.name}-mixed", scratch / "mixed.json"
    run(program, "mixed-precision", model, *case.quantize, *STEPS[-1][1], "--max-loss", case.target,
        *case.mixed, "-o", out, "--json", result, statuses=(0, 1))
    found, report = read(result), read(out / "report.json")
    mixed = row_of_search(case, found, report)
    yield mixed
    trained, scores = scratch / f"{case.name}-qat", scratch / "scores.json"
    run(program, "qat", out, *case.train, "-o", trained)
    run(program, "evaluate", trained / "model.onnx", "--reference", model, *case.score, "--json",
        scores)
    yield row_of(case, "+ QAT", read(scores)["summary"], read(trained / "report.json")["performance"],
                 mixed["raised_weight_share"])


def metric_text(value, metric):
    return f"{100 * value:.2f} %" if metric.startswith("top") else f"{value:.4f}"


def table(case, rows):
    first = rows[0]
    lines = [f"\n## {case.name}\n", f"{first['metric']} over {first['samples']} samples.\n",
             f"| method | {first['metric']} | loss, points | SQNR, dB | predicted latency, ms | "
             "weights raised |", "|---|---|---|---|---|---|",
             f"| float | {metric_text(float(first['float']), first['metric'])} | | | | |"]
    for row in rows:
        loss = 100 * (float(row["float"]) - float(row["value"]))
        share = float(row["raised_weight_share"])
        lines.append(f"| {row['step']} | {metric_text(float(row['value']), row['metric'])} | "
                     f"{loss:.2f} | {float(row['sqnr_db']):.1f} | "
                     f"{float(row['predicted_us']) / 1000:.3f} "
                     f"({float(row['lower_us']) / 1000:.2f} to {float(row['upper_us']) / 1000:.2f})"
                     f" | {f'{100 * share:.0f} %' if share else ''} |")
    return "\n".join(lines) + "\n" + "".join(search_text(row) for row in rows
                                           if row["all_raised_us"])


def search_text(row):
    everything = float(row["all_raised_us"])
    text = (f"\nEverything that the search can raise raised: a loss of "
            f"{100 * float(row['all_raised_loss']):.2f} points, {everything / 1000:.3f} ms; the mixed "
            f"model takes {100 * float(row['predicted_us']) / everything:.0f} % of that.")
    if row["kept_back_samples"]:
        text += (f" On {row['kept_back_samples']} samples that the search has not seen the mixed model "
                 f"loses {100 * float(row['kept_back_loss']):.2f} points.")
    return text + "\n"


def command_text(case):
    """The last step as a command, ASSETS standing for the folder."""
    parts = ["hexquant mixed-precision", f"ASSETS/models/{case.name}.onnx",
             *(str(part) for part in case.quantize), *STEPS[-1][1], "--max-loss", case.target,
             *case.mixed, "-o", "out"]
    return "\n```\n" + " ".join(parts) + "\n```\n"


def document(rows):
    known = [case for case in cases(pathlib.Path("ASSETS"))
             if any(row["network"] == case.name for row in rows)]
    text = HEAD + "".join(f"| {case.name} | {case.target} points | {case.why} |\n"
                          for case in known)
    for case in known:
        text += table(case, [row for row in rows if row["network"] == case.name])
        text += command_text(case)
    return text + TAIL


def read_rows(path):
    if path is None or not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?")
    parser.add_argument("assets", nargs="?", type=pathlib.Path)
    parser.add_argument("--only", help="networks whose name holds this")
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--from", dest="kept", type=pathlib.Path)
    parser.add_argument("--document", type=pathlib.Path)
    options = parser.parse_args()
    rows = read_rows(options.kept or options.csv)
    if options.kept is None:
        if options.assets is None:
            parser.error("PROGRAM and ASSETS, or --from")
        with tempfile.TemporaryDirectory() as folder:
            for case in cases(options.assets):
                if options.only and options.only not in case.name:
                    continue
                rows = [row for row in rows if row["network"] != case.name]
                for row in rows_of(case, options.program, options.assets, pathlib.Path(folder)):
                    print(json.dumps(row), flush=True)
                    rows.append(row)
                if options.csv:
                    write_rows(options.csv, rows)
    if options.document:
        options.document.write_text(document(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
