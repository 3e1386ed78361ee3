#!/usr/bin/env python3
"""What each weight method recovers on the models of the assets folder, as a table with a check.

usage: rounding_table.py PROGRAM ASSETS [--runs N] [--only NAME] [--methods LIST]
                         [--csv FILE] [--from-csv FILE]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Every figure is the median
of N runs with different seeds; the interval is the paired 95 % one of the run with seed 0, seconds
are those of the whole run without scoring it. Ends with the requirements: exit status 1 when one
is not met. Needs nothing but the standard library.
"""

import argparse
import csv
import dataclasses
import pathlib
import statistics
import sys
import tempfile

from accuracy_table import run, text, write_csv

ADAPTIVE = ["--algorithms", "adaptive-rounding"]
METHODS = {
    "min-max": ["--observer", "min-max"],
    "nearest": [],
    "cle": ["--algorithms", "cle"],
    "bias-correction": ["--algorithms", "bias-correction"],
    "clip-search": ["--algorithms", "clip-search"],
    "gptq": ["--algorithms", "gptq"],
    "one-pass": [*ADAPTIVE, "--rounding-mode", "one-pass"],
    "sequential": [*ADAPTIVE, "--rounding-mode", "sequential"],
    "block": [*ADAPTIVE, "--rounding-mode", "block"],
    "all": ["--algorithms", "cle,adaptive-rounding"],
}


@dataclasses.dataclass
class Limit:
    """A requirement on one method of a setting."""
    what: str     # loss = float - quantized, ratio = quantized / float, seconds
    most: float
    goal: float = None
    method: str = "all"


def seconds_of_rounding(most):
    """Time of adaptive rounding, calibration included; equalization comes on top."""
    return Limit("seconds", most, method="block")


@dataclasses.dataclass
class Setting:
    model: str
    name: str
    arguments: list
    limits: list


POINT = 0.01  # of top-1


def image_settings(models, data):
    """Settings of the models that are scored by top-1."""
    def prep(name):
        return ["--preprocess", models / f"{name}.preprocess.json"]

    def cifar(name, images):
        folder = data / "cifar10"
        return ["--data", folder / "train_images.npy", "--samples", "256", "--evaluate", images,
                "--eval-data", folder / "test_images.npy", "--labels", folder / "test_labels.npy",
                *prep(name)]

    photos = data / "imagenet_val"
    lite = "efficientnet_lite0"
    base = ["--data", photos, "--samples", "256", "--evaluate", "--labels", photos / "labels.csv",
            *prep(lite)]
    yield Setting(lite, "W4A8", [*base, "--weight-bits", "4"],
                  [Limit("loss", 2 * POINT, 1 * POINT), seconds_of_rounding(20)])
    yield Setting(lite, "W4A8 all", [*base, "--weight-bits", "4:all"],
                  [Limit("loss", 3.5 * POINT), seconds_of_rounding(20)])
    mobile = "cifar10_mobilenetv2_224"
    base = cifar(mobile, "1000")
    yield Setting(mobile, "W8A8 tensor", [*base, "--granularity", "tensor"],
                  [Limit("loss", 5 * POINT, 2 * POINT)])
    yield Setting(mobile, "W8A8", base, [Limit("loss", 1 * POINT)])
    yield Setting(mobile, "W4A8", [*base, "--weight-bits", "4"],
                  [Limit("loss", 5 * POINT, 2 * POINT)])
    yield Setting(mobile, "W4A8 all", [*base, "--weight-bits", "4:all"],
                  [Limit("loss", 5 * POINT, 2 * POINT)])
    for name, limits in (("cifar10_resnet20", [Limit("loss", 0.4 * POINT), seconds_of_rounding(3)]),
                         ("cifar10_resnet8", [Limit("loss", 1 * POINT)])):
        yield Setting(name, "W4A8 all", [*cifar(name, "3000"), "--weight-bits", "4:all"], limits)
    kws = data / "kws"
    yield Setting("kws_dscnn", "W4A8 all",
                  ["--data", kws / "mfcc.npy", "--evaluate", "--labels", kws / "labels.npy",
                   "--weight-bits", "4:all"], [Limit("loss", 1 * POINT)])


def text_settings(data):
    """Settings of the language models, with the 16-bit activations that groups demand."""
    pairs, stories = data / "stsb", data / "tinystories"
    groups = ["--weight-bits", "4", "--granularity", "group:32"]
    yield Setting("minilm_l6_s64", "W4A16 group:32",
                  ["--data", pairs / "sentence_a.npz", "--samples", "64", "--act-bits", "16",
                   "--evaluate", "500", "--eval-data", pairs / "sentence_a.npz", "--data-b",
                   pairs / "sentence_b.npz", "--labels", pairs / "scores.npy", "--metric",
                   "spearman-pairs", *groups], [Limit("loss", 0.01), seconds_of_rounding(60)])
    base = ["--data", stories / "tokens.npy", "--samples", "32", "--act-bits", "16", "--evaluate",
            "--eval-data", stories / "tokens.npy", "--lengths", stories / "lengths.npy",
            "--metric", "perplexity"]
    yield Setting("stories260k_s256", "W4A16 group:32", [*base, *groups],
                  [Limit("ratio", 1.06, 1.03)])
    yield Setting("stories260k_s256", "W4A16 group:32, head and tables 8",
                  [*base, *groups, "--layer-bits", "op:Gather=8", "--layer-bits",
                   "/head/MatMul=8"], [])
    yield Setting("stories260k_s256", "W8A16", base, [Limit("ratio", 1.003)])


def settings(assets):
    yield from image_settings(assets / "models", assets / "data")
    yield from text_settings(assets / "data")


def measures_of(report):
    """Figures of one run."""
    summary = report["summary"]
    metric = summary["metric"]
    return {"float": summary["fp32"][metric], "quantized": summary["quantized"][metric],
            "agreement": summary["agreement"], "sqnr_db": summary["sqnr_db"],
            "seconds": report["seconds"]["total"] - report["seconds"]["verify"],
            "peak_mib": report["peak_rss_bytes"] / 2**20}


def row_of(setting, method, reports):
    """Medians of several runs."""
    first = reports[0]["summary"]
    runs = [measures_of(report) for report in reports]
    row = {"model": setting.model, "setting": setting.name, "method": method,
           "metric": first["metric"], "runs": len(runs)}
    for name in runs[0]:
        values = [one[name] for one in runs if one[name] is not None]
        row[name] = statistics.median(values) if values else None
    row["change"] = row["quantized"] - row["float"]
    spread = [one["quantized"] for one in runs]
    row["quantized_least"], row["quantized_most"] = min(spread), max(spread)
    row["interval_low"], row["interval_high"] = first["interval"] or (None, None)
    row["samples"] = first["samples"]
    return row


def change_text(row):
    """Points for accuracies, a ratio for perplexity."""
    if row["metric"] == "perplexity":
        return f"x {row['quantized'] / row['float']:.4f}"
    if row["metric"].startswith("top"):
        return f"{100 * row['change']:+.2f}"
    return f"{row['change']:+.4f}"


def interval_text(row):
    if row["interval_low"] is None:
        return ""
    factor = 100 if row["metric"].startswith("top") else 1
    return f"{factor * row['interval_low']:+.2f} .. {factor * row['interval_high']:+.2f}"


def line_of(row):
    percent = row["metric"].startswith("top")
    cells = [row["model"], row["setting"], row["method"], row["metric"],
             text(row["float"], percent), text(row["quantized"], percent), change_text(row),
             interval_text(row), text(row["agreement"], True),
             f"{text(row['sqnr_db'], digits=1)} dB", f"{row['seconds']:.1f}",
             f"{row['peak_mib']:.0f}"]
    return "| " + " | ".join(cells) + " |"


def print_summary(rows):
    """One line for each setting, the change under each method."""
    print("\n| model | setting | float | " + " | ".join(METHODS) + " |\n|---|---|---|"
          + "---|" * len(METHODS))
    lines = {}
    for row in rows:
        lines.setdefault((row["model"], row["setting"]), {})[row["method"]] = row
    for (model, name), methods in lines.items():
        any_row = next(iter(methods.values()))
        cells = [change_text(methods[method]) if method in methods else "" for method in METHODS]
        floating = text(any_row["float"], any_row["metric"].startswith("top"))
        print(f"| {model} | {name} | {floating} | " + " | ".join(cells) + " |")


def value_of(limit, row):
    if limit.what == "seconds":
        return row["seconds"]
    if limit.what == "ratio":
        return row["quantized"] / row["float"]
    return row["float"] - row["quantized"]


def check(wanted, rows):
    """Prints every requirement; returns the number of those that are not met."""
    print("\n| requirement | method | limit | goal | measured | |\n|---|---|---|---|---|---|")
    missed = 0
    for setting in wanted:
        for limit in setting.limits:
            row = next((row for row in rows if row["method"] == limit.method and
                        (row["model"], row["setting"]) == (setting.model, setting.name)), None)
            if row is None:
                continue
            value = value_of(limit, row)
            met = value <= limit.most
            missed += not met
            points = limit.what == "loss" and row["metric"].startswith("top")

            def show(number):
                if number is None:
                    return ""
                return f"{100 * number:.2f} points" if points else f"{number:.4g}"

            print(f"| {setting.model} {setting.name}: {limit.what} | {limit.method} | "
                  f"{show(limit.most)} | "
                  f"{show(limit.goal)} | {show(value)} | {'met' if met else 'NOT met'} |")
    return missed


def read_rows(path):
    """Rows of an earlier --csv."""
    numbers = {"float", "quantized", "change", "agreement", "sqnr_db", "seconds", "peak_mib",
               "interval_low", "interval_high"}
    with path.open(newline="") as file:
        return [{name: (float(value) if value else None) if name in numbers else value
                 for name, value in row.items()} for row in csv.DictReader(file)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3, help="runs of each row (default: 3)")
    parser.add_argument("--only", default="", help="rows whose model name holds this")
    parser.add_argument("--methods", default=",".join(METHODS),
                        help="columns to run, comma separated (default: all)")
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--from-csv", type=pathlib.Path,
                        help="print the tables of an earlier --csv again, run nothing")
    options = parser.parse_args()
    wanted = [setting for setting in settings(options.assets) if options.only in setting.model]
    if options.runs < 1 or not wanted:
        parser.error(f"--runs {options.runs} --only '{options.only}': nothing to run")
    rows = read_rows(options.from_csv) if options.from_csv else []
    print("| model | setting | method | metric | float | quantized | change | 95 % interval | "
          "agreement | output SQNR | seconds | peak MiB |\n" + "|---" * 12 + "|")
    for row in rows:
        print(line_of(row))
    with tempfile.TemporaryDirectory() as scratch:
        for setting in [] if rows else wanted:
            model = options.assets / "models" / f"{setting.model}.onnx"
            for method in options.methods.split(","):
                more = METHODS[method]
                reports = [run(options.program, model,
                               [*setting.arguments, *more, "--seed", seed],
                               pathlib.Path(scratch) / "out") for seed in range(options.runs)]
                rows.append(row_of(setting, method, reports))
                print(line_of(rows[-1]), flush=True)
    write_csv(options.csv, rows)
    print_summary(rows)
    return 1 if check(wanted, rows) else 0


if __name__ == "__main__":
    sys.exit(main())
