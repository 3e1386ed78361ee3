#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "runtime/htp/htp_worker_client.h"
#include "support/graph_builder.h"
#include "support/htp.h"
#include "support/temp_folder.h"

namespace hexquant::runtime {
namespace {

using ::testing::HasSubstr;

constexpr int kSm8650 = 57;

HtpOptions options() {
  HtpOptions htp;
  htp.soc_model = kSm8650;
  htp.vtcm_mb = 8;
  return htp;
}

/// x -> uint8 Q/DQ -> OP -> Q/DQ -> y; with a constant, that is OP's second input.
graph::Graph small_model(const std::string& op_type, const Shape& in, const Shape& out,
                         const Shape& constant = {}) {
  test::GraphBuilder builder;
  builder.input("x", in).scalar("scale", 0.5F);
  builder.node("QuantizeLinear", {"x", "scale", "zero"}, {"q"}, in, {}, "", DType::kUInt8)
      .node("DequantizeLinear", {"q", "scale", "zero"}, {"d"}, in);
  std::vector<std::string> inputs = {"d"};
  if (!constant.empty()) {
    builder.node("DequantizeLinear", {"codes", "scale"}, {"w"}, constant);
    inputs.emplace_back("w");
  }
  builder.node(op_type, inputs, {"r"}, out)
      .node("QuantizeLinear", {"r", "scale", "zero"}, {"rq"}, out, {}, "", DType::kUInt8)
      .node("DequantizeLinear", {"rq", "scale", "zero"}, {"y"}, out)
      .output("y");
  graph::Graph graph = builder.graph();
  graph.add_initializer("zero", Tensor::scalar<std::uint8_t>(128));
  if (!constant.empty()) graph.add_initializer("codes", Tensor(DType::kInt8, constant));
  return graph;
}

/// One integer node for the NPU.
graph::Graph relu_model(std::int64_t width = 4) {
  return small_model("Relu", {1, width}, {1, width});
}

std::filesystem::path write_model(const test::TempFolder& folder, const graph::Graph& graph) {
  const std::filesystem::path file = folder.path() / "model.onnx";
  formats::write_onnx(graph, file);
  return file;
}

TEST(HtpWorker, ComputesOnTheSimulator) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  HtpWorker worker(*test::find_htp(), write_model(folder, relu_model()), options());
  ASSERT_FALSE(worker.failure()) << worker.failure()->reason << "\n" << worker.log();
  ASSERT_EQ(worker.inputs().size(), 1U);
  EXPECT_EQ(worker.inputs()[0].name, "x");
  // Multiples of the step: exact. 3.3 is rounded to 3.5; what is below 0 is cut off.
  const auto outputs = worker.run({{"x", Tensor::from<float>({1, 4}, {-2.0F, 0.0F, 3.3F, 20.0F})}});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0], Tensor::from<float>({1, 4}, {0.0F, 0.0F, 3.5F, 20.0F}));
  EXPECT_GT(worker.peak_memory_bytes(), 10'000'000);
}

TEST(HtpWorker, LeavesTheFilesThatWereAskedFor) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  HtpOptions asked = options();
  asked.write_context = true;
  asked.trace = true;
  std::filesystem::path scratch;
  {
    HtpWorker worker(*test::find_htp(), write_model(folder, relu_model()), asked);
    ASSERT_FALSE(worker.failure()) << worker.failure()->reason;
    worker.close();
    scratch = worker.folder();
    for (const char* file : {kContextModelFile, kContextBinaryFile, kOperationTraceFile}) {
      EXPECT_TRUE(std::filesystem::exists(scratch / file)) << file;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(scratch));
}

TEST(HtpWorker, SurvivesAModelThatKillsTheProvider) {
  HEXQUANT_NEEDS_HTP();
  // A matrix without rows makes the provider divide by zero.
  const test::TempFolder folder;
  const graph::Graph no_rows = small_model("MatMul", {0, 8}, {0, 4}, {8, 4});
  const HtpWorker worker(*test::find_htp(), write_model(folder, no_rows), options());
  ASSERT_TRUE(worker.failure());
  EXPECT_EQ(worker.failure()->kind, HtpFailureKind::kCrashed);
  EXPECT_THAT(worker.failure()->reason, HasSubstr("killed by signal 8"));
}

TEST(HtpWorker, EndsWhatTakesTooLong) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  const HtpWorker worker(*test::find_htp(), write_model(folder, relu_model()), options(),
                         {.seconds = 0.01});
  ASSERT_TRUE(worker.failure());
  EXPECT_EQ(worker.failure()->kind, HtpFailureKind::kTimeLimit);
}

TEST(HtpWorker, EndsWhatNeedsTooMuchMemory) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  const HtpWorker worker(*test::find_htp(), write_model(folder, relu_model(1 << 22)), options(),
                         {.seconds = 60.0, .memory_bytes = 20 << 20});
  ASSERT_TRUE(worker.failure());
  EXPECT_EQ(worker.failure()->kind, HtpFailureKind::kMemoryLimit);
}

TEST(HtpWorker, TellsWhyTheProviderSaysNo) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  const std::filesystem::path file = folder.path() / "broken.onnx";
  std::ofstream(file) << "no model";
  const HtpWorker worker(*test::find_htp(), file, options());
  ASSERT_TRUE(worker.failure());
  EXPECT_EQ(worker.failure()->kind, HtpFailureKind::kRejected);
  EXPECT_THAT(worker.failure()->reason, HasSubstr("broken.onnx"));
}

}  // namespace
}  // namespace hexquant::runtime
