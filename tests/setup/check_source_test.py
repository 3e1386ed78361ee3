"""Tests of scripts/check_includes.py and scripts/check_sizes.py: each rule catches its violation."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import check_includes
import check_sizes
import cpp_text


class SourceTree(unittest.TestCase):
    """A scratch tree in which each test writes the files it needs."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.root = pathlib.Path(self._folder.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


class IncludeRule(SourceTree):
    def found(self):
        return check_includes.violations(self.root)

    def expect_one(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_allowed_includes_pass(self):
        self.write("include/hexquant/error.h", "#pragma once\n#include <string>\n")
        self.write("src/core/json.h", '#include "hexquant/error.h"\n#include <nlohmann/json.hpp>\n')
        self.write("src/graph/graph.h", '#include "core/json.h"\n#include <unistd.h>\n')
        self.write("src/plan/plan.h", '#include "graph/graph.h"\n')
        self.write("src/pipeline/run.cpp", '#include "plan/plan.h"\n')
        self.write("apps/hexquant/commands/info.h", "")
        self.write("apps/hexquant/main.cpp", '#include "commands/info.h"\n#include <CLI/CLI.hpp>\n#include "plan/plan.h"\n')
        self.assertEqual(self.found(), [])

    def test_lower_layer_must_not_see_a_higher_one(self):
        self.write("src/graph/graph.h", "")
        self.write("src/core/a.cpp", '#include <vector>\n#include "graph/graph.h"\n')
        self.expect_one("src/core/a.cpp:2:", "core lies below graph")

    def test_stages_never_include_each_other(self):
        self.write("src/plan/plan.h", "")
        self.write("src/weights/a.cpp", '#include "plan/plan.h"\n')
        self.expect_one("src/weights/a.cpp:1:", "stages never include each other")

    def test_stage_must_not_include_the_pipeline(self):
        self.write("src/pipeline/p.h", "")
        self.write("src/plan/a.cpp", '#include "pipeline/p.h"\n')
        self.expect_one("plan lies below pipeline")

    def test_each_library_has_one_home(self):
        for header, home in [
            ("onnx/onnx_pb.h", "src/formats/onnx/a.cpp"),
            ("onnx.pb.h", "src/formats/onnx/b.cpp"),
            ("google/protobuf/message.h", "src/formats/onnx/c.cpp"),
            ("onnxruntime_cxx_api.h", "src/runtime/a.cpp"),
            ("opencv2/core.hpp", "src/data/a.cpp"),
            ("zlib.h", "src/data/b.cpp"),
            ("Eigen/Core", "src/linalg/a.cpp"),
            ("cblas.h", "src/linalg/b.cpp"),
            ("fmt/format.h", "src/core/format.h"),
            ("nlohmann/json.hpp", "src/core/json.cpp"),
            ("torch/torch.h", "src/qat/a.cpp"),
            ("CLI/CLI.hpp", "apps/hexquant/a.cpp"),
            ("spdlog/spdlog.h", "apps/hexquant/b.cpp"),
        ]:
            with self.subTest(header):
                self.write(home, f"#include <{header}>\n")
                self.assertEqual(self.found(), [])
                self.write("src/graph/wrong.cpp", f"#include <{header}>\n")
                self.expect_one("src/graph/wrong.cpp:1:", "may be included only in")
                (self.root / "src/graph/wrong.cpp").unlink()

    def test_unknown_library_needs_a_home(self):
        self.write("src/core/a.cpp", "#include <boost/any.hpp>\n")
        self.expect_one("no home is known", "boost/any.hpp")

    def test_public_header_sees_only_the_standard_library(self):
        self.write("src/core/json.h", "")
        for include in ['"core/json.h"', "<unistd.h>", "<onnxruntime_cxx_api.h>"]:
            with self.subTest(include):
                self.write("include/hexquant/a.h", f"#pragma once\n#include {include}\n")
                self.expect_one("include/hexquant/a.h:2:")

    def test_public_header_has_no_build_flags(self):
        self.write("include/hexquant/a.h", "#ifndef A_H\n#define A_H\n#endif\n")
        self.assertEqual(self.found(), [])
        self.write("include/hexquant/a.h", "#pragma once\n#ifdef HEXQUANT_HTP\nint a();\n#endif\n")
        self.expect_one("include/hexquant/a.h:2:", "build flag")
        self.write("include/hexquant/a.h", "#pragma once\n#if defined(__AVX2__)\n#endif\n")
        self.expect_one("build flag")

    def test_unknown_folder_and_missing_header_are_reported(self):
        self.write("src/misc/a.cpp", "")
        self.expect_one("no place in the layers")
        (self.root / "src/misc/a.cpp").unlink()
        self.write("src/graph/a.cpp", '#include "core/gone.h"\n')
        self.expect_one("does not exist")

    def test_project_header_in_angle_brackets_is_reported(self):
        self.write("src/core/json.h", "")
        self.write("src/graph/a.cpp", "#include <core/json.h>\n")
        self.expect_one("write it in quotes")

    def test_commented_includes_do_not_count(self):
        self.write("src/core/a.cpp", '// #include <boost/any.hpp>\n/*\n#include <boost/any.hpp>\n*/\n')
        self.assertEqual(self.found(), [])


class SizeLimits(SourceTree):
    def found(self):
        return check_sizes.violations(self.root)

    def expect_one(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    @staticmethod
    def function(head, lines):
        """A function of `lines` lines of code in all."""
        return head + " {\n" + "  work();\n" * (lines - 2) + "}\n"

    def test_function_limit_is_80_lines_of_code(self):
        self.write("src/core/a.cpp", "namespace a {\n" + self.function("int f(int x)", 80) + "}\n")
        self.assertEqual(self.found(), [])
        self.write("src/core/a.cpp", "namespace a {\n" + self.function("int f(int x)", 81) + "}\n")
        self.expect_one("src/core/a.cpp:2: function of 81 lines")

    def test_comments_and_blank_lines_do_not_count(self):
        self.write("src/core/a.cpp", "int f() {\n" + "  // why\n\n" * 60 + "  work();\n}\n")
        self.assertEqual(self.found(), [])

    def test_long_functions_are_found_behind_every_head(self):
        for head in [
            "template <typename T = int>\nT f(T x = 3)",
            "A& A::operator=(const A& other)",
            "bool operator==(const A& a, const A& b) noexcept",
            "A::A(int x) : a_{x}, b_(x)",
            "auto f() -> std::vector<int>",
            "struct B { int x; };\nint f()",
        ]:
            with self.subTest(head):
                self.write("src/core/a.cpp", self.function(head, 90))
                self.expect_one("function of 9")

    def test_method_inside_a_class_is_measured(self):
        self.write("src/core/a.h", "class A {\n public:\n" + self.function("int f()", 90) + "};\n")
        self.expect_one("src/core/a.h:3: function of 90 lines")

    def test_tables_and_raw_strings_are_no_functions(self):
        table = "const std::map<int, int> kTable = make({\n" + "  {1, 2},\n" * 100 + "});\n"
        raw = 'const char* kPage = R"html(\nfunction f() {\n' + "  x();\n" * 100 + '}\n)html";\n'
        self.write("src/core/a.cpp", table + raw)
        self.assertEqual(self.found(), [])

    def test_class_limit(self):
        self.write("src/core/a.h", "class A {\n" + "  int x;\n" * 299 + "};\n")
        self.expect_one("class of 301 lines")

    def test_file_limit(self):
        self.write("tests/core/a_test.cpp", "int x;\n" * 501)
        self.expect_one("tests/core/a_test.cpp:1: 501 lines")

    def test_function_limit_spares_tests(self):
        self.write("tests/core/a_test.cpp", self.function("int f()", 200))
        self.assertEqual(self.found(), [])

    def test_postponed_work_is_reported(self):
        self.write("src/core/a.cpp", "// TO" + "DO later\n")
        self.expect_one("src/core/a.cpp:1: postponed work")
        (self.root / "src/core/a.cpp").unlink()
        self.write("docs/a.md", "text\nFIX" + "ME\n")
        self.expect_one("docs/a.md:2: postponed work")

    def test_library_must_not_print_or_exit(self):
        for code in ["std::cout << 1;", "std::exit(1);", "abort();", 'printf("x");', "std::fprintf(stderr, x);", "::exit(1);"]:
            with self.subTest(code):
                self.write("src/core/a.cpp", f"void f() {{\n  {code}\n}}\n")
                self.expect_one("src/core/a.cpp:2:", "prints, exits or aborts")
        self.write("src/core/a.cpp", 'void f() {\n  g("std::cout"); loop.exit(); on_exit(); // printf(\n}\n')
        self.assertEqual(self.found(), [])

    def test_decision_by_name_is_reported(self):
        self.write("src/plan/a.cpp", 'bool f() { return node.name.find("conv") != npos; }\n')
        self.expect_one("decide by op type")


class Stripping(unittest.TestCase):
    def test_keeps_lines_and_hides_literals(self):
        text = "int a = 1'000'000; // {\nchar b = '{';\nauto c = R\"x(\n{\n)x\";\nauto d = \"\\\"{\"; /* {\n */ int e;\n"
        stripped = cpp_text.strip(text)
        self.assertEqual(stripped.count("\n"), text.count("\n"))
        self.assertNotIn("{", stripped)
        self.assertIn("int e;", stripped)
        self.assertIn("1'000'000;", stripped)


if __name__ == "__main__":
    unittest.main()
