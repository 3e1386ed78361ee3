#!/usr/bin/env python3
"""What quantization-aware training recovers on the models of the assets folder, as a table with a check.

usage: qat_table.py PROGRAM ASSETS OUT [--only NAME] [--epochs N] [--threads N]

PROGRAM is the hexquant binary, ASSETS a folder with models/ and data/. Every case trains once with
seed 0 and is scored on samples that took part in nothing: neither in training nor in the choice of
the epoch. OUT gets qat.csv (one row a case; rows of cases that are not run stay) and the report.json
of each case. `lost` and `gained` are points of the metric (of 100), for perplexity its own unit. Ends with the requirements: exit status 1 when one is not met. Standard library only.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

VALIDATED = 1000  # first test samples choose the epoch, the others score it
COLUMNS = ["case", "metric", "float", "start", "trained", "lost", "gained", "epochs", "best_epoch",
           "first_loss", "last_loss", "train_minutes", "minutes", "peak_mb"]
STEPS_50 = ["--max-steps", 50, "--epochs", 1000, "--batch-size", 8, "--optimizer", "adam"]


@dataclasses.dataclass
class Case:
    name: str
    model: str
    arguments: list   # of qat
    score: list       # data arguments of evaluate
    points: bool = True  # False: perplexity, in its own unit and lower is better


def cifar_cases(models, data):
    folder = data / "cifar10"

    def arguments(name, labelled=True, samples=0):
        given = ["--train-data", folder / "train_images.npy", "--train-samples", samples,
                 "--preprocess", models / f"{name}.preprocess.json",
                 "--val-data", folder / "test_images.npy", "--val-labels", folder / "test_labels.npy",
                 "--evaluate", VALIDATED]
        return given + (["--train-labels", folder / "train_labels.npy"] if labelled else [])

    def scored(name):
        return ["--data", folder / "test_images.npy", "--labels", folder / "test_labels.npy",
                "--preprocess", models / f"{name}.preprocess.json", "--skip", VALIDATED]

    resnet = "cifar10_resnet20"
    rounded = ["--algorithms", "adaptive-rounding", "--weight-bits", "4:all"]
    augmented = ["--augment", "flip,crop:4"]
    both = ["--loss", "both", *augmented]
    cosine = ["--schedule", "cosine"]
    # What adaptive rounding leaves is too little for the top-1 of 1000 images to see: the outputs of
    # the float model are followed, and the epoch is chosen by how near they are.
    followed = [*augmented, *cosine, "--loss", "distillation", "--distance", "mse", "--metric", "cosine",
                "--optimizer", "adam", "--lr", 1e-4, "--epochs", 6]
    yield Case("resnet20 W4A8", resnet, [*arguments(resnet, labelled=False), *rounded, *followed],
               scored(resnet))
    yield Case("resnet20 W4A4", resnet,
               [*arguments(resnet, labelled=False), *rounded, "--act-bits", 4, *followed],
               scored(resnet))
    yield Case("resnet20 W2A8", resnet,
               [*arguments(resnet), "--weight-bits", 2, *both, *cosine, "--lr", 0.01, "--epochs", 10],
               scored(resnet))
    yield Case("resnet20 W2A8, no labels", resnet,
               [*arguments(resnet, labelled=False), "--weight-bits", 2, *augmented, *cosine, "--lr", 0.01,
                "--epochs", 10], scored(resnet))
    yield Case("resnet8 W4A8", "cifar10_resnet8",
               [*arguments("cifar10_resnet8", labelled=False), *rounded, *followed],
               scored("cifar10_resnet8"))
    mobile = "cifar10_mobilenetv2_224"
    short = ["--samples", 256, "--data", folder / "train_images.npy", "--batch-size", 16,
             "--max-seconds", 1200]
    yield Case("mobilenetv2 224 W4A8, no labels", mobile,
               [*arguments(mobile, labelled=False, samples=4000), *rounded, *short,
                *replaced(followed, epochs=2, augment="flip,crop:16")],
               scored(mobile))
    yield Case("mobilenetv2 224 W4A8 nearest, no labels", mobile,
               [*arguments(mobile, labelled=False, samples=4000), "--weight-bits", "4:all", *short,
                *cosine, "--augment", "flip,crop:16", "--optimizer", "adam", "--lr", 1e-4, "--epochs", 3],
               scored(mobile))


def other_cases(models, data):
    kws = data / "kws"
    mfcc = ["--data", kws / "mfcc.npy", "--labels", kws / "labels.npy"]
    yield Case("kws W4A8", "kws_dscnn",
               ["--train-data", kws / "mfcc.npy", "--train-labels", kws / "labels.npy", "--train-samples", 500,
                "--val-data", kws / "mfcc.npy", "--val-labels", kws / "labels.npy", "--val-skip", 500,
                "--evaluate", 250, "--loss", "both", "--schedule", "cosine", "--weight-bits", "4:all",
                "--algorithms", "adaptive-rounding", "--batch-size", 32],
               [*mfcc, "--skip", 750])
    tokens, lengths = data / "tinystories" / "tokens.npy", data / "tinystories" / "lengths.npy"
    perplexity = ["--metric", "perplexity", "--lengths", lengths]
    yield Case("stories260k W4A8, 50 steps", "stories260k_s256",
               ["--train-data", tokens, "--train-samples", 60, "--val-data", tokens, "--val-skip", 60,
                "--evaluate", 18, *perplexity, "--weight-bits", "4:all", *STEPS_50, "--lr", 3e-4],
               ["--data", tokens, "--skip", 78, *perplexity], points=False)
    pairs, other = data / "stsb" / "sentence_a.npz", data / "stsb" / "sentence_b.npz"
    yield Case("minilm W8A8, 50 steps", "minilm_l6_s64",
               ["--train-data", pairs, "--train-samples", 1000, "--val-data", pairs, "--val-skip", 1000,
                "--evaluate", 100, "--metric", "cosine", *STEPS_50, "--lr", 1e-5],
               ["--data", other, "--skip", 1100, "--metric", "cosine"])


def run(arguments):
    """Seconds that a command took. Raises with its message when it fails."""
    start = time.monotonic()
    done = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(word) for word in arguments)}: {done.stderr.strip()}")
    return time.monotonic() - start


def read(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def scored(program, case, model, reference, scratch):
    """(metric, value of the float model, value of the model) on the samples that are kept for it."""
    file = scratch / "evaluation.json"
    run([program, "evaluate", model, "--reference", reference, *case.score, "--json", file])
    result = read(file)
    metric = result["metric"]
    return metric, result["models"][0]["metrics"].get(metric), result["models"][1]["metrics"][metric]


def replaced(arguments, **options):
    """The arguments with other values of these options."""
    words = list(arguments)
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return words


def measure(case, program, models, out, threads):
    """One row of the table."""
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        model = models / f"{case.model}.onnx"
        command = [program, "qat", model, *case.arguments, "--threads", threads]
        # One step of no length: the model that training starts from.
        run([*replaced(command, max_steps=1, lr=1e-12), "-o", scratch / "start"])
        seconds = run([*command, "-o", scratch / "out"])
        report = read(scratch / "out" / "report.json")
        shutil.copy(scratch / "out" / "report.json", out / f"{case.name.replace(' ', '_').replace(',', '')}.json")
        _, _, start = scored(program, case, scratch / "start" / "model.onnx", model, scratch)
        metric, reference, trained = scored(program, case, scratch / "out" / "model.onnx", model, scratch)
    training = report["training"]
    reference = 1.0 if reference is None else reference  # cosine of the float model with itself
    unit = 100.0 if case.points else -1.0
    return {"case": case.name, "metric": metric, "float": reference, "start": start, "trained": trained,
            "lost": round(unit * (reference - trained), 4), "gained": round(unit * (trained - start), 4),
            "epochs": len(training["curve"]) - 1, "best_epoch": training["best_epoch"],
            "first_loss": training["curve"][1]["loss"], "last_loss": training["curve"][-1]["loss"],
            "train_minutes": round(report["seconds"]["train"] / 60, 1), "minutes": round(seconds / 60, 1),
            "peak_mb": round(report["peak_rss_bytes"] / 1e6)}


# (case, column, comparison, limit): points for classifiers.
REQUIREMENTS = [
    ("resnet20 W4A8", "lost", "<=", 0.2),
    ("resnet20 W4A4", "lost", "<=", 2.5),
    ("resnet20 W4A4", "gained", ">", 0.0),
    ("resnet8 W4A8", "lost", "<=", 0.3),
    ("kws W4A8", "lost", "<=", 0.3),
    ("mobilenetv2 224 W4A8, no labels", "gained", ">", 0.0),
    ("stories260k W4A8, 50 steps", "gained", ">", 0.0),
    ("minilm W8A8, 50 steps", "gained", ">", 0.0),
]
# Where labels recover much: at W4A4 adaptive rounding leaves little to recover.
LABELS, NO_LABELS, SHARE = "resnet20 W2A8", "resnet20 W2A8, no labels", 0.8


def misses(rows):
    """A line for each requirement on the rows that is not met."""
    holds = {"<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, ">": lambda a, b: a > b}
    found = []
    for case, column, comparison, limit in REQUIREMENTS:
        if case in rows and not holds[comparison](float(rows[case][column]), limit):
            found.append(f"{case}: {column} {rows[case][column]}, expected {comparison} {limit}")
    if LABELS in rows and NO_LABELS in rows:
        gained = float(rows[LABELS]["gained"])
        share = float(rows[NO_LABELS]["gained"]) / gained if gained > 0.0 else 0.0
        if not share >= SHARE:
            found.append(f"without labels: {share:.2f} of what labels recover, expected {SHARE}")
    return found


def table(rows):
    """The rows as Markdown."""
    lines = ["| case | metric | float | start | trained | lost | gained | epochs (best) | minutes | peak MB |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows.values():
        figures = [f"{float(row[name]):.4f}" for name in ("float", "start", "trained")]
        lines.append(f"| {row['case']} | {row['metric']} | {' | '.join(figures)} | {float(row['lost']):.2f} | "
                     f"{float(row['gained']):.2f} | {row['epochs']} ({row['best_epoch']}) | {row['minutes']} | "
                     f"{row['peak_mb']} |")
    return "\n".join(lines)


def read_rows(file):
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as lines:
        return {row["case"]: row for row in csv.DictReader(lines)}


def write_rows(file, rows):
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[], help="cases whose name holds this text (repeatable)")
    parser.add_argument("--epochs", type=int, help="of every case that is not given in steps, instead of its own")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "qat.csv"
    rows = read_rows(file)
    models, data = arguments.assets / "models", arguments.assets / "data"
    for case in [*cifar_cases(models, data), *other_cases(models, data)]:
        if not arguments.only or any(text in case.name for text in arguments.only):
            if arguments.epochs and "--max-steps" not in case.arguments:
                case.arguments = replaced(case.arguments, epochs=arguments.epochs)
            rows[case.name] = measure(case, arguments.program.resolve(), models, arguments.out, arguments.threads)
            write_rows(file, rows)
    print(table(rows))
    missed = misses(rows)
    print("\n".join(missed) or "every requirement on these rows is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
