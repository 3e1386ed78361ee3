#!/usr/bin/env python3
"""Runs clang-tidy on the changed sources, the newest change first, or on all of them.

usage: tidy.py --build FOLDER [--full] [--budget SECONDS]

Changed means: differing from origin/main; where HEAD is origin/main (a fresh clone), touched by a commit
of the day before HEAD; and whatever is not committed yet. A changed header stands for the source of the
same name. Without --full the path-sensitive checks are left out, which take most of the
time, and no file is begun after --budget seconds; the files left out are counted.
exit status: 0 clean, 1 findings
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ONE_DAY_S = 24 * 3600
# What g++ alone understands: its precompiled headers (the sources include what they need), its OpenMP.
_GCC_ONLY = re.compile(r" -include \S*cmake_pch\.hxx| -Winvalid-pch| -fopenmp\b")


def git(*arguments):
    """The lines that git prints, none where it fails."""
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.splitlines() if run.returncode == 0 else []


def changed_paths():
    """Changed paths relative to the root, the newest first, each once."""
    paths = git("diff", "--name-only", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    head, base = git("rev-parse", "HEAD"), git("merge-base", "HEAD", "origin/main")
    if base and base != head:
        paths += git("log", "--format=", "--name-only", f"{base[0]}..HEAD")
    elif head:
        since = int(git("log", "-1", "--format=%ct")[0]) - ONE_DAY_S
        paths += git("log", "--format=", "--name-only", f"--since=@{since}")
    return list(dict.fromkeys(path for path in paths if path))


def write_commands(build):
    """The build's commands as clang takes them, in a folder below it."""
    text = (build / "compile_commands.json").read_text(encoding="utf-8")
    folder = build / "clang-tidy"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(_GCC_ONLY.sub("", text), encoding="utf-8")
    return folder


def compiled_sources(build):
    """Sources of the project that the build folder compiles, relative to the root."""
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    found = {}
    for command in commands:
        path = pathlib.Path(command["directory"], command["file"]).resolve()
        if path.is_relative_to(ROOT) and not path.is_relative_to(build.resolve()):
            found[str(path.relative_to(ROOT))] = True
    return list(found)


def select(sources, paths):
    """The sources that `paths` name, in the order of `paths`."""
    by_stem = {}
    for source in sources:
        by_stem.setdefault(str(pathlib.PurePath(source).with_suffix("")), source)
    chosen = [by_stem.get(str(pathlib.PurePath(path).with_suffix(""))) for path in paths]
    return list(dict.fromkeys(source for source in chosen if source))


def check(commands, source, deadline, options=()):
    """(source, status, output), or None where the time is over."""
    if deadline and time.monotonic() > deadline:
        return None
    run = subprocess.run(
        # The build uses g++: clang does not know all of its options, and its own warnings are no findings.
        ["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error", *options, "-p", str(commands), str(ROOT / source)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    return source, run.returncode, run.stdout.strip()


def is_foreign(output):
    """True if all that clang reports are errors in headers outside the project: some releases cannot read
    headers of LibTorch that g++ takes. The project's own code is checked all the same."""
    errors = [line for line in output.splitlines() if ": error: " in line]
    return bool(errors) and all("[clang-diagnostic-error]" in line and not line.startswith(str(ROOT)) for line in errors)


def main():
    parser = argparse.ArgumentParser(description="Runs clang-tidy on changed sources.")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--budget", type=float, default=600.0)
    options = parser.parse_args()
    sources = compiled_sources(options.build)
    chosen = sources if options.full else select(sources, changed_paths())
    deadline = None if options.full else time.monotonic() + options.budget
    commands = write_commands(options.build)
    checks = () if options.full else ("--checks=-clang-analyzer-*",)
    done, failed, foreign = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for result in pool.map(lambda source: check(commands, source, deadline, checks), chosen):
            if result is None:
                continue
            done += 1
            source, status, output = result
            if status != 0 and is_foreign(output):
                foreign += 1
            elif status != 0:
                failed += 1
                print(f"{source}:\n{output}")
    print(f"clang-tidy: {done} of {len(chosen)} chosen files checked, {failed} with findings ({len(sources)} in all)")
    if foreign:
        print(f"clang-tidy: {foreign} of them include headers of other libraries that this clang cannot read")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
