#!/usr/bin/env python3
"""Runs every quantized model of the assets folder again and again: same bytes, no memory growth.

usage: stability_table.py PROGRAM ASSETS [--only NAME] [--runs 1000] [--htp-runs 0] [--csv FILE]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Each model is quantized as
in htp_table.py and runs --runs times on the CPU with one seeded random input, and --htp-runs times
on the vendor's simulator where that is not 0. Exit status 1 when an inference gave other bytes
than the first one, or the memory grew by 1 MB or more over the last nine tenths of the runs.
"""

import argparse
import json
import pathlib
import tempfile

from accuracy_table import write_csv
from htp_table import jobs, run

MOST_GROWTH_BYTES = 1e6


def net_run(program, out, device, runs, shapes, scratch):
    file = scratch / "net-run.json"
    run(program, "net-run", out, "--device", device, "--num_inferences", runs, "--no_output",
        *shapes, "--threads", "1", "--json", file, statuses=(0, 1))
    return json.loads(file.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--only", action="append", help="models whose name holds this; repeatable")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--htp-runs", type=int, default=0)
    parser.add_argument("--csv", type=pathlib.Path)
    options = parser.parse_args()
    rows, problems = [], []
    print("| model | bits | device | runs | other bytes | growth, MB | median, ms |\n|" + "---|" * 7)
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for name, bits, quantize, _, shapes in jobs(options.assets, scratch):
            if options.only and not any(part in name for part in options.only):
                continue
            out = scratch / f"{name}-{bits}"
            run(options.program, "quantize", options.assets / "models" / f"{name}.onnx", *quantize,
                *shapes, "-o", out)
            for device, runs in (("cpu", options.runs), ("htp", options.htp_runs)):
                if runs == 0:
                    continue
                result = net_run(options.program, out, device, runs, shapes, scratch)
                stability = result["stability"]
                row = {"model": name, "bits": bits, "device": device,
                       "runs": result["latency"]["count"], "differing": stability["differing"],
                       "growth_bytes": stability["memory_growth_bytes"],
                       "median_us": result["latency"]["median_us"]}
                rows.append(row)
                if row["differing"] > 0:
                    problems.append(f"{name} on {device}: {row['differing']} runs differ")
                if row["growth_bytes"] >= MOST_GROWTH_BYTES:
                    problems.append(f"{name} on {device}: {row['growth_bytes']} bytes more")
                print(f"| {name} | {bits} | {device} | {row['runs']} | {row['differing']} | "
                      f"{row['growth_bytes'] / 1e6:.2f} | {row['median_us'] / 1e3:.2f} |",
                      flush=True)
    write_csv(options.csv, rows)
    for problem in problems:
        print("MISSED:", problem)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
