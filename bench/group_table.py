#!/usr/bin/env python3
"""Group quantization of the weights on the language models of the assets folder, as a table.

usage: group_table.py PROGRAM ASSETS [--only NAME] [--csv FILE]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Everything runs with 16-bit
activations, which the HTP demands of groups. Needs nothing but the standard library.
"""

import argparse
import pathlib
import sys
import tempfile

from accuracy_table import row_of, run, text, write_csv

GROUPS = ["--weight-bits", "4", "--granularity", "group:32"]
TABLES = ["--layer-bits", "op:Gather=8"]


def variants(head):
    """(description, arguments); `head` is a pattern for the last MatMul, or None."""
    yield "W8 channel", ["--weight-bits", "8"]
    yield "W8 group:32", ["--weight-bits", "8", "--granularity", "group:32"]
    yield "W4 channel", ["--weight-bits", "4"]
    yield "W4 group:128", ["--weight-bits", "4", "--granularity", "group:128"]
    yield "W4 group:32", GROUPS
    yield "W4 group:16", ["--weight-bits", "4", "--granularity", "group:16"]
    yield "W4 group:32, lpbq", [*GROUPS, "--block-scale", "lpbq"]
    yield "W4 group:32, matmulnbits", [*GROUPS, "--group-format", "matmulnbits"]
    yield "W4 group:32, tables 8", [*GROUPS, *TABLES]
    if head:
        kept = [*GROUPS, *TABLES, "--layer-bits", f"{head}=8"]
        yield "W4 group:32, head and tables 8", kept
        yield "W4 group:32, head and tables 8, clip-search", [*kept, "--algorithms", "clip-search"]
    yield "W4 group:32, clip-search", [*GROUPS, "--algorithms", "clip-search"]


def jobs(assets):
    """(model, description, arguments) of every row."""
    data = assets / "data"
    stories, pairs = data / "tinystories", data / "stsb"
    perplexity = ["--data", stories / "tokens.npy", "--samples", "32", "--evaluate", "--eval-data",
                  stories / "tokens.npy", "--lengths", stories / "lengths.npy", "--metric", "perplexity"]
    spearman = ["--data", pairs / "sentence_a.npz", "--samples", "64", "--evaluate", "500",
                "--eval-data", pairs / "sentence_a.npz", "--data-b", pairs / "sentence_b.npz",
                "--labels", pairs / "scores.npy", "--metric", "spearman-pairs"]
    for name, scored, head in (("stories260k_s256", perplexity, "/head/MatMul"),
                               ("minilm_l6_s64", spearman, None)):
        for description, arguments in variants(head):
            yield name, description, [*scored, "--act-bits", "16", *arguments]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--only", help="rows whose model name holds this")
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    print("| model | weights | metric | float | quantized | ratio | output SQNR | seconds |\n"
          "|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for model, description, arguments in jobs(options.assets):
            if options.only and options.only not in model:
                continue
            report = run(options.program, options.assets / "models" / f"{model}.onnx", arguments,
                         pathlib.Path(scratch) / str(len(rows)))
            row = row_of(model, description, report)
            rows.append(row)
            print(f"| {model} | {description} | {row['metric']} | {text(row['float'])} | "
                  f"{text(row['quantized'])} | {row['quantized'] / row['float']:.4f} | "
                  f"{text(row['sqnr_db'], digits=1)} dB | {row['seconds']:.1f} |", flush=True)
    write_csv(options.csv, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
