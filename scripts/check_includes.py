#!/usr/bin/env python3
"""Checks the include rules of hexquant and prints one line for each violation.

* A folder of src/ includes only itself and the layers above it (LAYERS); a stage includes no other stage.
* A third-party library is included only in its home (HOMES).
* A public header (include/) includes only the standard library and other public headers, and its
  content does not depend on a build flag.

usage: check_includes.py [ROOT]        exit status: 0 clean, 1 violations
"""

import pathlib
import re
import sys

import cpp_text

# From the bottom up. Folders of one entry are stages: none includes another of the same entry.
LAYERS = [
    {"core"},
    {"buffers"},
    {"graph"},
    {"target"},
    {"quant"},
    {"linalg"},
    {"formats"},
    {"runtime"},
    {"data"},
    {"passes", "calibrate", "plan", "weights", "mixed_precision", "qat", "evaluate", "perf", "profiling"},
    {"report"},
    {"pipeline"},
]
RANK = {folder: rank for rank, folders in enumerate(LAYERS) for folder in folders}

# (library, pattern of the include, prefixes of the files that may include it)
HOMES = [
    ("nlohmann-json", r"nlohmann/", ["src/core/json"]),
    ("fmt", r"fmt/", ["src/core/format"]),
    ("onnx", r"onnx/|onnx[-_.]", ["src/formats/onnx/"]),
    ("protobuf", r"google/protobuf/", ["src/formats/onnx/"]),
    ("ONNX Runtime", r"onnxruntime|(cpu|dnnl)_provider_", ["src/runtime/"]),
    ("OpenCV", r"opencv", ["src/data/"]),
    ("zlib", r"zlib\.h", ["src/data/"]),
    ("Eigen", r"Eigen/|unsupported/Eigen", ["src/linalg/"]),
    ("BLAS", r"cblas|lapack|openblas", ["src/linalg/"]),
    ("LibTorch", r"torch/|ATen/|c10/", ["src/qat/"]),
    ("CLI11", r"CLI/", ["apps/"]),
    ("spdlog", r"spdlog/", ["apps/"]),
]
HOMES = [(library, re.compile(pattern), homes) for library, pattern, homes in HOMES]

STANDARD = set(
    """
    algorithm any array atomic barrier bit bitset charconv chrono codecvt compare complex concepts
    condition_variable coroutine deque exception execution filesystem forward_list fstream functional future
    initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory
    memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator
    semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string
    string_view syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map
    unordered_set utility valarray variant vector version
    cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal cstdarg cstddef cstdint
    cstdio cstdlib cstring ctime cuchar cwchar cwctype
    """.split()
)
# The operating system and the compiler's intrinsics: sources may use them, public headers may not.
PLATFORM = re.compile(r"(sys/|netinet/|arpa/|linux/)[\w-]+\.h|\w*intrin\.h|(unistd|fcntl|dirent|poll|dlfcn|pthread|sched|spawn|signal|time|cpuid|malloc|termios|errno|strings|stdlib|stdio)\.h")

_CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b[ \t]*(\w*)", re.MULTILINE)


def layer_violation(path, name):
    """Why the file at `path` must not include project header `name`, or None."""
    target = name.split("/")[0]
    if target not in RANK:
        return None
    if path.parts[0] == "include":
        return "a public header may include only hexquant/ and the standard library"
    if path.parts[0] != "src":
        return None
    own = path.parts[1]
    if own == target:
        return None
    if RANK[target] == RANK[own]:
        return f"stages never include each other: {own} includes {target}"
    if RANK[target] > RANK[own]:
        return f"{own} lies below {target} and must not include it"
    return None


def third_party_violation(path, name):
    """Why the file at `path` must not include foreign header `name`, or None."""
    if name in STANDARD:
        return None
    for library, pattern, homes in HOMES:
        if pattern.match(name):
            if any(str(path).startswith(home) for home in homes):
                return None
            return f"{library} may be included only in {', '.join(homes)}"
    if PLATFORM.fullmatch(name):
        return "a public header may include only hexquant/ and the standard library" if path.parts[0] == "include" else None
    return "no home is known for this header; give its library one in scripts/check_includes.py"


def is_project_header(root, path, name):
    """Whether `name` is a file of the project, seen from src/, include/ or the including file."""
    places = [root / "src", root / "include", root / path.parent]
    if path.parts[0] == "apps":
        places += [root / "apps", root.joinpath(*path.parts[:2])]
    return any((place / name).is_file() for place in places)


def include_violations(root, path, text):
    """(line, reason) of each forbidden include of one file."""
    found = []
    for line, name, is_quoted in cpp_text.includes(text):
        if is_project_header(root, path, name):
            if "/" in name and not is_quoted:
                found.append((line, f"<{name}> is a header of this project: write it in quotes"))
            reason = layer_violation(path, name)
        elif is_quoted and name.split("/")[0] in RANK.keys() | {"hexquant"}:
            reason = "this header of the project does not exist"
        else:
            reason = third_party_violation(path, name)
        if reason:
            found.append((line, f'{reason} ("{name}")'))
    return found


def conditional_violations(text):
    """(line, reason) of each preprocessor condition of a public header other than its include guard."""
    stripped = cpp_text.strip(text)
    found = []
    for index, match in enumerate(_CONDITIONAL.finditer(stripped)):
        is_guard = index == 0 and match[1] == "ifndef" and re.search(rf"#[ \t]*define[ \t]+{match[2]}\b", stripped)
        if not is_guard:
            line = stripped.count("\n", 0, match.start(1)) + 1
            found.append((line, f"a public header must not depend on a build flag (#{match[1]})"))
    return found


def violations(root):
    """Every violation below `root` as "path:line: reason"."""
    root = pathlib.Path(root)
    found = []
    for path in cpp_text.cpp_files(root, ["include", "src", "apps"]):
        if path.parts[0] == "src" and (len(path.parts) < 3 or path.parts[1] not in RANK):
            found.append(f"{path}:1: this folder has no place in the layers of scripts/check_includes.py")
            continue
        text = (root / path).read_text(encoding="utf-8")
        reasons = include_violations(root, path, text)
        if path.parts[0] == "include":
            reasons += conditional_violations(text)
        found += [f"{path}:{line}: {reason}" for line, reason in reasons]
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    found = violations(root)
    for line in found:
        print(line)
    files = len(cpp_text.cpp_files(root, ["include", "src", "apps"]))
    print(f"include rule: {files} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
