#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/graph_builder.h"
#include "support/temp_folder.h"

namespace hexquant::formats {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

graph::Graph model() {
  test::GraphBuilder builder;
  builder.input("x", {1, 64}).constant("large", {64, 64}).constant("small", {64});
  builder.node("MatMul", {"x", "large"}, {"h"}, {1, 64});
  builder.node("Add", {"h", "small"}, {"y"}, {1, 64}).output("y");
  return builder.graph();
}

TEST(ReadOnnxOutline, KeepsTheFormAndTheSmallConstants) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.onnx";
  write_onnx(model(), path);
  const graph::Graph outline = read_onnx_outline(path, 1024);
  const graph::Graph whole = read_onnx(path);
  ASSERT_EQ(outline.nodes().size(), whole.nodes().size());
  EXPECT_EQ(outline.inputs(), whole.inputs());
  EXPECT_TRUE(*outline.find_initializer("small") == *whole.find_initializer("small"));
  const Tensor& large = *outline.find_initializer("large");
  EXPECT_EQ(large.shape(), (Shape{64, 64}));
  EXPECT_EQ(large.dtype(), DType::kFloat32);
  // Neither 0 nor 1, or the constant would be folded away.
  EXPECT_THAT(large.data<float>(), Each(0.5F));
}

TEST(ReadOnnxOutline, ReadsEverythingBelowTheLimit) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.onnx";
  write_onnx(model(), path);
  EXPECT_TRUE(read_onnx_outline(path, 1 << 20).initializers() == read_onnx(path).initializers());
}

TEST(ReadOnnxOutline, TakesExternalDataForMadeUpToo) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.onnx";
  write_onnx(model(), path, 1);
  std::filesystem::remove(folder.path() / "m.onnx.data");
  EXPECT_EQ(read_onnx_outline(path, 1024).find_initializer("large")->size(), 64 * 64);
}

TEST(ReadOnnxOutline, SaysWhatIsWrongAsTheWholeReaderDoes) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.onnx";
  write_onnx(model(), path);
  const std::string bytes = read_file(path);
  for (const std::size_t length : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(path, std::string_view(bytes).substr(0, length));
    std::string expected;
    std::string actual;
    try {
      (void)read_onnx(path);
    } catch (const Error& error) {
      expected = error.what();
    }
    try {
      (void)read_onnx_outline(path, 1024);
    } catch (const Error& error) {
      actual = error.what();
    }
    EXPECT_NE(expected, "");
    EXPECT_EQ(actual, expected);
  }
}

TEST(ReadOnnxOutline, DataThatDoesNotFitItsShapeIsAnError) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.onnx";
  write_onnx(model(), path);
  std::string bytes = read_file(path);
  // dims 64, 64 of "large" become 64, 65.
  const std::string dims("\x08\x40\x08\x40", 4);
  const std::size_t at = bytes.find(dims);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 3] = 0x41;
  write_file(path, bytes);
  try {
    (void)read_onnx_outline(path, 1024);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("16384 bytes of data, expected 16640"));
  }
}

}  // namespace
}  // namespace hexquant::formats
