"""Tests of scripts/check_docs.py and of the choice of files in scripts/tidy.py."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import check_docs
import tidy

# A program with one command, `info`, that prints what a command-line library prints for help.
PROGRAM = """#!/bin/sh
if [ "$1" = info ]; then echo "Shows a model."; exit 0; fi
printf 'demo\\n\\nSubcommands:\\n  info                shows a model\\n'
"""


class Documents(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.program = self.root / "program"
        self.write("program", PROGRAM)
        self.program.chmod(0o755)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def help_violations(self, update=False):
        return check_docs.help_violations(self.root, str(self.program), update)

    def test_existing_paths_pass(self):
        self.write("src/core/json.h", "")
        self.write("docs/a.md", "`src/core/json.h`, `src/core/*.h`, [source](../src/core/json.h#top), [web](http://host.invalid/x)\n")
        self.assertEqual(check_docs.path_violations(self.root), [])

    def test_vanished_paths_are_reported_with_their_line(self):
        self.write("README.md", "first\nsee `src/gone.h`\nand [there](docs/gone.md) and `src/*.gone`\n")
        self.assertEqual(
            check_docs.path_violations(self.root),
            [
                "README.md:2: src/gone.h does not exist",
                "README.md:3: src/*.gone does not exist",
                "README.md:3: docs/gone.md does not exist",
            ],
        )

    def test_paths_inside_commands_are_checked(self):
        self.write("README.md", "`hexquant info examples/gone.onnx --json out.json`\n")
        self.assertEqual(check_docs.path_violations(self.root), ["README.md:1: examples/gone.onnx does not exist"])

    def test_help_is_written_and_then_matches(self):
        self.assertEqual(len(self.help_violations()), 2)
        self.assertEqual(self.help_violations(update=True), [])
        self.assertEqual((self.root / "docs/help/info.txt").read_text(encoding="utf-8"), "Shows a model.\n")
        self.assertEqual(self.help_violations(), [])

    def test_drifted_and_orphaned_help_is_reported(self):
        self.help_violations(update=True)
        self.write("docs/help/info.txt", "Shows something else.\n")
        self.write("docs/help/old.txt", "")
        found = self.help_violations()
        self.assertEqual(len(found), 2, found)
        self.assertIn("docs/help/info.txt differs", found[0])
        self.assertIn("docs/help/old.txt describes a command", found[1])

    def test_program_without_commands_is_reported(self):
        self.write("program", "#!/bin/sh\necho demo\n")
        self.assertIn("hexquant --help lists no command", self.help_violations(update=True))


class TidyChoice(unittest.TestCase):
    def test_keeps_the_order_of_the_changes_and_maps_headers(self):
        sources = ["src/a/x.cpp", "src/a/y.cpp", "src/b/z.cpp"]
        paths = ["README.md", "src/b/z.h", "src/a/x.cpp", "src/b/z.cpp"]
        self.assertEqual(tidy.select(sources, paths), ["src/b/z.cpp", "src/a/x.cpp"])


if __name__ == "__main__":
    unittest.main()
