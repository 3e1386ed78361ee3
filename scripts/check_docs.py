#!/usr/bin/env python3
"""Checks that the documentation matches the tree and the program.

* Every path of the project that a document names exists: `code spans` and [links](...), relative to the
  root or to the document.
* docs/help/<command>.txt is, byte for byte, what `hexquant <command> --help` prints; docs/help/hexquant.txt
  what `hexquant --help` prints, docs/help/<command>-<sub>.txt what `hexquant <command> <sub> --help` prints;
  there is one for each command and none for others.

usage: check_docs.py [--program FILE] [--update-help] [ROOT]
       without --program only the paths are checked; --update-help rewrites docs/help
exit status: 0 clean, 1 violations
"""

import argparse
import pathlib
import re
import subprocess
import sys

FOLDERS = ["src", "include", "apps", "tests", "bench", "docs", "examples", "scripts", "cmake", "data", ".ci"]
_PATH = re.compile(r"(?:\./)?(?:" + "|".join(re.escape(folder) for folder in FOLDERS) + r")/[\w./*-]*\w/?")
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_COMMAND = re.compile(r"^  ([a-z][a-z-]*)\b", re.MULTILINE)


def documents(root):
    """The documents whose paths are checked."""
    found = sorted(root.glob("*.md"))
    for folder in ["docs", "bench", "examples", "tests", "data"]:
        found += sorted((root / folder).rglob("*.md"))
    return found


def exists(root, document, name):
    """Whether `name` stands for something in the tree; a * matches any text."""
    for base in (root, document.parent):
        if "*" in name:
            if any(base.glob(name.rstrip("/"))):
                return True
        elif (base / name).exists():
            return True
    return False


def path_violations(root):
    """Every named path that does not exist, as "document:line: reason"."""
    found = []
    for document in documents(root):
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), start=1):
            names = [name for span in _SPAN.findall(line) for name in span.split() if _PATH.fullmatch(name)]
            names += [link for link in _LINK.findall(line) if "://" not in link and not link.startswith("mailto:")]
            for name in names:
                if not exists(root, document, name):
                    found.append(f"{document.relative_to(root)}:{number}: {name} does not exist")
    return found


def help_texts(program):
    """{file name: text} of the help of the program and of each of its commands."""

    def help_of(*command):
        # The usage line repeats the name that the program was started by.
        run = subprocess.run(
            ["hexquant", *command, "--help"], executable=program, capture_output=True, text=True, check=False, timeout=60
        )
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command) or 'hexquant'} --help exits with {run.returncode}: {run.stderr.strip()}")
        return run.stdout

    def commands_in(text):
        _, _, listing = text.partition("\nCommands:")
        if not listing:
            _, _, listing = text.partition("\nSubcommands:")
        return _COMMAND.findall(listing)

    top = help_of()
    texts = {"hexquant.txt": top}
    for command in commands_in(top):
        texts[f"{command}.txt"] = help_of(command)
        for sub in commands_in(texts[f"{command}.txt"]):
            texts[f"{command}-{sub}.txt"] = help_of(command, sub)
    return texts


def help_violations(root, program, update):
    """Differences between docs/help and the program; with `update` they are mended instead."""
    folder = root / "docs" / "help"
    texts = help_texts(program)
    if update:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    found = [] if len(texts) > 1 else ["hexquant --help lists no command"]
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            found.append(f"docs/help/{name} is missing: run scripts/check_docs.py --program <hexquant> --update-help")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"docs/help/{name} differs from what the program prints: run with --update-help")
    for path in sorted(folder.glob("*.txt")):
        if path.name not in texts:
            found.append(f"docs/help/{path.name} describes a command that the program does not have")
    return found


def main():
    parser = argparse.ArgumentParser(description="Checks paths and help texts in the documentation.")
    parser.add_argument("--program")
    parser.add_argument("--update-help", action="store_true")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parent.parent, type=pathlib.Path)
    options = parser.parse_args()
    found = path_violations(options.root)
    if options.program:
        found += help_violations(options.root, options.program, options.update_help)
    for line in found:
        print(line)
    print(f"documentation: {len(documents(options.root))} documents, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
