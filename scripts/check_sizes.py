#!/usr/bin/env python3
"""Checks the size limits and the small text rules of hexquant and prints one line for each violation.

* No file has more than 500 lines, no function outside tests/ more than 80 lines of code, no class more
  than 300 (blank lines and comments do not count in functions and classes).
* No postponed-work marker anywhere.
* Nothing below apps/ prints, exits or aborts; no decision is taken by searching a name for a text.

usage: check_sizes.py [ROOT]        exit status: 0 clean, 1 violations
"""

import pathlib
import re
import sys

import cpp_text

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
MAX_CLASS_LINES = 300

# Spelled in two halves so that this file passes its own check.
_MARKER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
_PRINTS = re.compile(
    r"std::(cout|cerr|clog)\b|(?<![\w:.>])(std::|::)?(printf|puts|putchar|abort|exit|quick_exit|terminate)\s*\("
    r"|\bf(printf|puts)\s*\(\s*std(out|err)\b"
)
_NAME_SEARCH = re.compile(r'\bname(\(\))?\s*\.\s*(find|contains|starts_with|ends_with)\s*\(\s*"')
_CLASS = re.compile(r"\b(class|struct|union)\b(?!.*\))[^;={}]*$", re.DOTALL)
_TRANSPARENT = re.compile(r'\b(namespace|extern\s*"")[^;{}()]*$')


def without_template_heads(head):
    """`head` without its leading `template <...>`, whose default arguments look like initializers."""
    while match := re.match(r"\s*template\s*<", head):
        depth, end = 1, match.end()
        while depth and end < len(head):
            depth += {"<": 1, ">": -1}.get(head[end], 0)
            end += 1
        head = head[end:]
    return head


def block_kind(head):
    """What a brace after `head` opens: 'function', 'class', 'namespace' or 'other'."""
    head = without_template_heads(head)
    if _TRANSPARENT.search(head):
        return "namespace"
    if _CLASS.search(head):
        return "class"
    if "(" not in head:
        return "other"
    # `x = f(y) {` is an initializer; an operator's name may hold the sign itself.
    if "=" in re.sub(r"operator\s*[^\s\w(]+", "", head).split("(")[0]:
        return "other"
    return "function"


def blocks(stripped):
    """(kind, first line, last line) of every class and every outermost function of stripped text."""
    found, stack = [], []
    line, head, head_line = 1, "", None
    inside_function = 0
    text = re.sub(r"(?m)^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: "\n" * m.group().count("\n"), stripped)
    for character in text:
        if character == "\n":
            line += 1
        if character == "{":
            kind = "other" if inside_function else block_kind(head)
            inside_function += kind == "function"
            stack.append((kind, head_line or line))
            head, head_line = "", None
        elif character == "}":
            kind, first = stack.pop() if stack else ("other", line)
            inside_function -= kind == "function"
            if kind in ("function", "class"):
                found.append((kind, first, line))
            head, head_line = "", None
        elif character == ";" or (character == ":" and head.strip() in ("public", "private", "protected")):
            head, head_line = "", None
        else:
            if not character.isspace() and head_line is None:
                head_line = line
            head += character
    return found


def code_lines(lines, first, last):
    """How many of lines first..last (from 1) hold code."""
    return sum(1 for text in lines[first - 1 : last] if text.strip())


def size_violations(path, text):
    """(line, reason) of each limit that the file at `path` breaks."""
    found = []
    count = len(text.splitlines())
    if count > MAX_FILE_LINES:
        found.append((1, f"{count} lines, at most {MAX_FILE_LINES}: split the file"))
    if path.parts[0] == "tests":
        return found
    stripped = cpp_text.strip(text)
    lines = stripped.splitlines()
    limits = {"function": MAX_FUNCTION_LINES, "class": MAX_CLASS_LINES}
    for kind, first, last in blocks(stripped):
        size = code_lines(lines, first, last)
        if size > limits[kind]:
            found.append((first, f"{kind} of {size} lines of code, at most {limits[kind]}"))
    return found


def pattern_violations(text, pattern, reason):
    """(line, reason) of each match of `pattern` in `text`."""
    return [(text.count("\n", 0, match.start()) + 1, f"{reason} ({match.group().strip()})") for match in pattern.finditer(text)]


def text_violations(path, text):
    """(line, reason) of each text rule that the file at `path` breaks."""
    if path.parts[0] != "src":
        return []
    found = pattern_violations(cpp_text.strip(text), _PRINTS, "nothing below apps/ prints, exits or aborts")
    # A search for a text in a name decides by the name; literals are needed to see it.
    found += pattern_violations(cpp_text.strip_comments(text), _NAME_SEARCH, "decide by op type or position, not by a name")
    return found


def marked_files(root):
    """Files that are searched for postponed-work markers, relative to `root`."""
    for folder in ["src", "include", "apps", "tests", "bench", "scripts", "cmake", "docs", "examples"]:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in cpp_text.CPP_SUFFIXES | {".py", ".sh", ".md", ".cmake", ".txt"} and path.is_file():
                yield path.relative_to(root)


def violations(root):
    """Every violation below `root` as "path:line: reason"."""
    root = pathlib.Path(root)
    found = []
    for path in cpp_text.cpp_files(root, ["include", "src", "apps", "tests", "bench", "examples"]):
        text = (root / path).read_text(encoding="utf-8")
        found += [f"{path}:{line}: {reason}" for line, reason in size_violations(path, text) + text_violations(path, text)]
    for path in marked_files(root):
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        found += [f"{path}:{line}: {reason}" for line, reason in pattern_violations(text, _MARKER, "postponed work")]
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    found = violations(root)
    for line in found:
        print(line)
    print(f"size limits and text rules: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
