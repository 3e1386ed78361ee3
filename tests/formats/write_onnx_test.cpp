#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <numeric>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::formats {
namespace {

using test::TempFolder;
using test::test_data;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

/// y = x * big + small, with 2000 and 2 elements.
graph::Graph two_weights() {
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.info.graph_name = "g";
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {1, ""}}});
  std::vector<float> values(2000);
  std::iota(values.begin(), values.end(), 0.0F);
  graph.add_initializer("big", Tensor::from<float>({1, 2000}, values));
  graph.add_initializer("also_big", Tensor::from<float>({1, 2000}, values));
  graph.add_initializer("small", Tensor::from<float>({2}, std::vector<float>{1, 2}));
  graph.add_node({"Mul", {"x", "big"}, {"t"}});
  graph.add_node({"Add", {"t", "also_big"}, {"u"}});
  graph.add_node({"Add", {"u", "small"}, {"y"}});
  graph.add_output("y");
  return graph;
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

TEST(WriteOnnx, RoundTripOfEveryTestModel) {
  for (const auto& entry : fs::directory_iterator(test_data("models"))) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().filename());
    const graph::Graph graph = read_onnx(entry.path());
    const std::string bytes = serialize_onnx(graph);
    const graph::Graph again = parse_onnx(bytes, "again");
    EXPECT_EQ(serialize_onnx(again), bytes);
    EXPECT_TRUE(again.initializers() == graph.initializers());
    EXPECT_EQ(again.nodes().size(), graph.nodes().size());
    EXPECT_EQ(again.inputs(), graph.inputs());
    EXPECT_EQ(again.outputs(), graph.outputs());
    EXPECT_EQ(again.opsets, graph.opsets);
  }
}

TEST(WriteOnnx, IrVersionIsWhatTheContentNeeds) {
  graph::Graph graph = two_weights();
  const auto written_ir = [&] { return parse_onnx(serialize_onnx(graph), "m").info.ir_version; };
  graph.info.ir_version = 3;
  EXPECT_EQ(written_ir(), 4);  // initializers that are no inputs
  graph.opsets[""] = 19;
  EXPECT_EQ(written_ir(), 9);
  graph.opsets[""] = 21;
  EXPECT_EQ(written_ir(), 10);
  graph.info.ir_version = 11;
  EXPECT_EQ(written_ir(), 11);
}

TEST(WriteOnnx, InnerTypesAreKept) {
  graph::Graph graph = two_weights();
  graph.set_type("t", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {2000, ""}}});
  const graph::Graph again = parse_onnx(serialize_onnx(graph), "m");
  ASSERT_NE(again.find_type("t"), nullptr);
  EXPECT_EQ(again.find_type("t")->shape, graph.find_type("t")->shape);
  EXPECT_EQ(again.find_type("u"), nullptr);
}

TEST(WriteOnnx, EveryDomainMustBeImported) {
  graph::Graph graph = two_weights();
  graph::NodeSpec spec{"Gelu", {"x"}, {"z"}};
  spec.domain = "com.microsoft";
  graph.add_node(spec);
  try {
    (void)serialize_onnx(graph);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_THAT(error.what(), HasSubstr("domain 'com.microsoft'"));
  }
  graph.opsets["com.microsoft"] = 1;
  EXPECT_EQ(parse_onnx(serialize_onnx(graph), "m").opsets.at("com.microsoft"), 1);
}

TEST(WriteOnnx, SmallModelsTakeOneFile) {
  const TempFolder folder;
  write_onnx(two_weights(), folder.path() / "m.onnx");
  EXPECT_THAT(files_in(folder.path()), ElementsAre("m.onnx"));
  EXPECT_EQ(read_file(folder.path() / "m.onnx"), serialize_onnx(two_weights()));
}

TEST(WriteOnnx, LargeWeightsGoToADataFile) {
  const TempFolder folder;
  const graph::Graph graph = two_weights();
  write_onnx(graph, folder.path() / "m.onnx", 1000);
  EXPECT_THAT(files_in(folder.path()), UnorderedElementsAre("m.onnx", "m.onnx.data"));
  // Two tensors of 8000 bytes; the second starts at the next multiple of 64.
  EXPECT_EQ(fs::file_size(folder.path() / "m.onnx.data"), 8000U + 8000U);
  EXPECT_LT(fs::file_size(folder.path() / "m.onnx"), 1500U);
  const graph::Graph again = read_onnx(folder.path() / "m.onnx");
  EXPECT_TRUE(again.initializers() == graph.initializers());
  EXPECT_EQ(serialize_onnx(again), serialize_onnx(graph));
}

TEST(WriteOnnx, DataFileCanBeReplacedByTheModelReadFromIt) {
  const TempFolder folder;
  const fs::path path = folder.path() / "m.onnx";
  write_onnx(two_weights(), path, 0);
  graph::Graph mapped = read_onnx(path);
  mapped.erase_initializer("also_big");
  mapped.add_initializer("also_big", Tensor(DType::kFloat32, {1, 2000}));
  write_onnx(mapped, path, 0);
  EXPECT_TRUE(read_onnx(path).initializers() == mapped.initializers());
}

TEST(WriteOnnx, FailureLeavesNothingBehind) {
  const TempFolder folder;
  const fs::path blocked = folder.path() / "m.onnx";
  fs::create_directory(blocked);  // a folder cannot be replaced by a file
  write_file(blocked / "inside", "x");
  for (const std::uint64_t threshold : {std::uint64_t{0}, std::uint64_t{1'000'000}}) {
    try {
      write_onnx(two_weights(), blocked, threshold);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_THAT(error.what(), HasSubstr(blocked.string()));
    }
  }
  EXPECT_THAT(files_in(folder.path()), ElementsAre("m.onnx"));
  EXPECT_THROW(write_onnx(two_weights(), folder.path() / "none" / "m.onnx"), Error);
  EXPECT_THROW(write_onnx(two_weights(), folder.path() / "none" / "m.onnx", 0), Error);
}

TEST(WriteOnnx, FullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  const TempFolder folder;
  // The temporary name of a write to m.onnx.data, made to lead to a full device.
  const std::string temporary = ".tmp" + std::to_string(::getpid());
  fs::create_symlink("/dev/full", folder.path() / ("m.onnx.data" + temporary));
  try {
    write_onnx(two_weights(), folder.path() / "m.onnx", 0);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_THAT(error.what(), HasSubstr("m.onnx.data': No space left on device"));
  }
  EXPECT_TRUE(files_in(folder.path()).empty());
}

TEST(SerializeDetached, LargeWeightsAreHandedOver) {
  const graph::Graph graph = two_weights();
  const DetachedModel model = serialize_detached(graph, {"t"}, 100);
  ASSERT_EQ(model.initializers.size(), 2U);
  EXPECT_EQ(model.initializers[0].first, "also_big");
  EXPECT_EQ(model.initializers[1].first, "big");
  EXPECT_EQ(model.initializers[1].second.raw(), graph.find_initializer("big")->raw());
  EXPECT_LT(model.bytes.size(), 1500U);
  EXPECT_THAT(model.bytes, HasSubstr("small"));
}

}  // namespace
}  // namespace hexquant::formats
