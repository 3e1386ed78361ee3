#!/usr/bin/env python3
"""Writes article.txt and pattern_cases.txt: what the article's parse_profiling.py says.

article.txt is the output of its listing on article.log; pattern_cases.txt holds random lines with what its
regular expression finds, one case a line: <name> TAB <time as Python's repr> TAB <line>, or two empty fields
where it finds nothing.

usage: make_article_files.py       (in this folder)
"""

import random
import re
from collections import defaultdict

PATTERN = r"Node\s+(\S+)\s+.*execute.*?(\d+\.?\d*)\s*us"
PIECES = ["Node", "Node ", " ", "  ", "conv1", "a/b.c", "execute", " execute ", "execute:", "12", "3.5", "4.", ".5", "1.2.3",
          "us", " us", "users", "HTP", "CPU", "time: ", "\v", "x", "7 us", "100us", "executeexecute", "Nodes", "(2)"]


def parse_qnn_profiling(log_path):
    """The article's listing; what it prints, as lines."""
    layer_times = defaultdict(list)
    with open(log_path, encoding="utf-8") as log:
        for line in log:
            match = re.search(PATTERN, line)
            if match:
                layer_times[match.group(1)].append(float(match.group(2)))
    results = []
    total_us = 0
    for name, times in layer_times.items():
        avg_us = sum(times) / len(times)
        results.append((name, avg_us))
        total_us += avg_us
    results.sort(key=lambda item: item[1], reverse=True)
    lines = [f"{'层名称':<50} {'平均耗时(us)':>12} {'占比':>8}", "-" * 72]
    for name, avg_us in results[:20]:
        pct = avg_us / total_us * 100
        lines.append(f"{name:<50} {avg_us:>10.1f} us {pct:>6.1f}% {'*' * int(pct / 2)}")
    lines += ["-" * 72, f"{'总计':<50} {total_us:>10.1f} us {100:>6.1f}%", "", f"平均推理延迟: {total_us/1000:.2f} ms"]
    return lines


def pattern_cases(count):
    """Random lines, half of them near a match."""
    dice = random.Random(7)
    for number in range(count):
        pieces = [dice.choice(PIECES) for _ in range(dice.randint(1, 14))]
        if number % 2 == 0:
            pieces = ["Node ", "n1", " "] + pieces[:4] + ["execute"] + pieces[4:] + ["5 us"][: dice.randint(0, 1)]
        line = "".join(pieces)
        match = re.search(PATTERN, line)
        name, time = (match.group(1), repr(float(match.group(2)))) if match else ("", "")
        yield f"{name}\t{time}\t{line}"


def main():
    """Writes both files."""
    with open("article.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(parse_qnn_profiling("article.log")) + "\n")
    with open("pattern_cases.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(pattern_cases(400)) + "\n")


if __name__ == "__main__":
    main()
