"""Reads C++ text for the source checks: strips comments and literals, lists files and includes."""

import pathlib
import re

CPP_SUFFIXES = {".h", ".hpp", ".cpp", ".cc"}

# One alternative for each thing that may hide code-like text; earlier alternatives win.
_TOKEN = re.compile(
    r"""
      (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")
    | (?P<line>//[^\n]*(?:\\\n[^\n]*)*)
    | (?P<block>/\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<char>(?<![0-9A-Za-z_])'(?:[^'\\\n]|\\.)+')
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<open>[<"])(?P<name>[^>"\n]+)[>"]', re.MULTILINE)


def strip(text):
    """`text` with comments and the inside of literals blanked; every line stays where it was."""

    def blank(match):
        newlines = "".join(re.findall(r"\n", match.group()))
        if match.group("string") is not None or match.group("raw") is not None:
            return '""' + newlines
        if match.group("char") is not None:
            return "' '"
        return " " + newlines

    return _TOKEN.sub(blank, text)


def strip_comments(text):
    """`text` with comments blanked and literals kept."""

    def blank(match):
        if match.group("line") is None and match.group("block") is None:
            return match.group()
        return " " + "".join(re.findall(r"\n", match.group()))

    return _TOKEN.sub(blank, text)


def includes(text):
    """(line, name, is_quoted) of every include directive outside comments."""
    stripped = strip_comments(text)
    return [
        (stripped.count("\n", 0, match.start("name")) + 1, match["name"].strip(), match["open"] == '"')
        for match in _INCLUDE.finditer(stripped)
    ]


def cpp_files(root, folders):
    """Paths below `root`/`folders` of C++ files, sorted, relative to `root`."""
    root = pathlib.Path(root)
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.suffix in CPP_SUFFIXES and path.is_file():
                found.append(path.relative_to(root))
    return sorted(found)
