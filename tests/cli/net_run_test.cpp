#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>

#include "cli/cli_testing.h"
#include "evaluate/quantized_models.h"
#include "formats/onnx/onnx_io.h"
#include "runtime/session.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

class NetRunCommand : public ProgramTest {
 protected:
  using Arguments = std::vector<std::string>;

  static std::vector<float> ramp(std::size_t count, float scale) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = scale * static_cast<float>(static_cast<int>(i % 13) - 6);
    }
    return values;
  }

  /// tiny_cnn with 8-bit codes, and three raw inputs of it.
  void write_model(const std::string& name = "model.onnx") const {
    formats::write_onnx(test::quantized_tiny_cnn(DType::kUInt8, DType::kInt8), path(name));
  }
  void write_inputs() const {
    fs::create_directory(path("test_inputs"));
    std::string list;
    for (int i = 0; i < 3; ++i) {
      const std::vector<float> values = ramp(3 * 8 * 8, 0.1F * static_cast<float>(i + 1));
      write_file(path(format("test_inputs/in{}.raw", i)),
                 {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
      list += format("in{}.raw\n", i);
    }
    write_file(path("test_inputs/input_list.txt"), list);
  }
  [[nodiscard]] Json json(Arguments arguments, int status = 0) const {
    arguments.insert(arguments.begin(), "net-run");
    arguments.insert(arguments.end(), {"--json", "r.json"});
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    Json json = read_json(path("r.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("net-run"), json), IsEmpty());
    return json;
  }
  [[nodiscard]] std::vector<float> floats(const std::string& name) const {
    const std::string bytes = read_file(path(name));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
};

/// The first command line of the article, word for word behind the program's name, with its
/// $QNN_SDK empty.
TEST_F(NetRunCommand, ArticleProfilingRun) {
  fs::create_directories(path("model_libs/aarch64-android"));
  write_model("model_libs/aarch64-android/model.onnx");
  write_inputs();
  const RunResult result =
      run({"net-run", "--model", "model_libs/aarch64-android/libmodel_qnn.so", "--backend",
           "/lib/aarch64-android/libQnnHtp.so", "--input_list", "test_inputs/input_list.txt",
           "--perf_profile", "burst", "--profiling_level", "detailed", "--log_level", "verbose",
           "--output_dir", "profiling_results", "--num_inferences", "100", "--json", "r.json"},
          "env HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + path("none"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("model_libs/aarch64-android/model.onnx"),
                                HasSubstr("'/lib/aarch64-android/libQnnHtp.so' -> cpu"),
                                HasSubstr("--perf_profile burst")));
  EXPECT_THAT(result.out, AllOf(HasSubstr("100 in "), HasSubstr("3 sets"), HasSubstr("p99")));
  const Json written = read_json(path("r.json"));
  EXPECT_EQ(written["latency"]["count"], 100);
  EXPECT_EQ(written["stability"]["differing"], 0);
  EXPECT_TRUE(fs::exists(path("profiling_results/Result_2/")));
  const RunResult profile = run({"profile", "profiling_results/profile.json"});
  EXPECT_EQ(profile.status, 0) << profile.err;
  EXPECT_THAT(profile.out, HasSubstr("Conv"));
}

/// The two recommended configurations: no model and no inputs are named, the profile has its short
/// name and the level is "off".
TEST_F(NetRunCommand, ArticleRecommendedConfigurations) {
  write_model();
  const std::string prefix = "env HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + path("none");
  const RunResult realtime =
      run({"net-run", "--backend", "libQnnHtp.so", "--perf_profile", "sustained_high",
           "--profiling_level", "basic", "--duration", "0", "--num_inferences", "1000"},
          prefix);
  EXPECT_EQ(realtime.status, 0) << realtime.err;
  EXPECT_THAT(realtime.out, AllOf(HasSubstr("1000 in "), HasSubstr("seeded random numbers"),
                                  HasSubstr("last tenth"), HasSubstr("the same bytes")));
  EXPECT_THAT(realtime.err, HasSubstr("MODEL '' -> model.onnx"));
  const RunResult batch = run({"net-run", "--backend", "libQnnHtp.so", "--perf_profile", "burst",
                               "--profiling_level", "off", "--num_inferences", "10000"},
                              prefix);
  EXPECT_EQ(batch.status, 0) << batch.err;
  EXPECT_THAT(batch.out, HasSubstr("10000 in "));
}

/// What a device would be told is taken and said to mean nothing; what would change the results
/// is refused.
TEST_F(NetRunCommand, KnowsTheOptionsForADevice) {
  write_model();
  const Json result = json({"model.onnx", "--no_output", "--config_file", "htp.json",
                            "--synchronous", "--timeout", "1000", "--platform_options", "a:b",
                            "--model_prefix", "Qnn", "--max_input_cache_tensor_sets", "3",
                            "--max_input_cache_size_mb", "4", "--profiling_option", "optrace"});
  ASSERT_EQ(result["mappings"].size(), 8U);
  EXPECT_EQ(result["mappings"][0]["option"], "--config_file");
  EXPECT_EQ(result["mappings"][0]["given"], "htp.json");
  EXPECT_EQ(result["mappings"][0]["used"], "nothing");
  const auto refuse = [&](const std::string& option, const std::string& reason) {
    expect_refused(run({"net-run", "model.onnx", option, "x"}),
                   option + " 'x': not possible here: " + reason);
  };
  refuse("--op_packages", "packages of operations");
  refuse("--save_context", "'hexquant compile MODEL -o FILE.bin'");
  refuse("--set_output_tensors", "--debug");
  refuse("--native_input_tensor_names", "--use_native_input_files");
  EXPECT_FALSE(fs::exists(path("output")));
}

TEST_F(NetRunCommand, WritesWhatTheModelComputes) {
  write_model();
  write_inputs();
  const Json result = json({"model.onnx", "--input_list", "test_inputs/input_list.txt",
                            "--output_data_type", "float_and_native"});
  EXPECT_EQ(result["outputs"].size(), 3U);
  const graph::Graph graph = formats::read_onnx(path("model.onnx"));
  const runtime::Session session(graph, {});
  const std::string output = session.outputs().front().name;
  const Tensor expected =
      session.run({{session.inputs().front().name,
                    Tensor::from<float>({1, 3, 8, 8}, ramp(3 * 8 * 8, 0.2F))}})[0];
  const auto written = floats("output/Result_1/" + output + ".raw");
  ASSERT_EQ(written.size(), static_cast<std::size_t>(expected.size()));
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_NEAR(written[i], expected.data<float>()[i], 1e-5) << i;
  }
  EXPECT_EQ(read_file(path("output/Result_1/" + output + "_native.raw")).size(), expected.bytes());
}

TEST_F(NetRunCommand, SharedBuffersGiveTheSameOutputs) {
  write_model();
  write_inputs();
  const Arguments inputs = {"model.onnx", "--input_list", "test_inputs/input_list.txt"};
  Arguments plain = inputs;
  plain.insert(plain.end(), {"--output_dir", "plain"});
  Arguments shared = inputs;
  shared.insert(shared.end(),
                {"--output_dir", "shared", "--shared_buffer", "--num_inferences", "30"});
  EXPECT_EQ(json(plain)["shared_buffer"], nullptr);
  const Json result = json(shared);
  EXPECT_GT(result["shared_buffer"]["bytes"].get<int>(), 3 * 8 * 8 * 4);
  EXPECT_GT(result["shared_buffer"]["copied_us"].get<double>(), 0.0);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path("plain"))) {
    if (!entry.is_regular_file()) continue;
    const fs::path other = path("shared") / fs::relative(entry.path(), path("plain"));
    EXPECT_EQ(read_file(entry.path()), read_file(other)) << other;
    ++files;
  }
  EXPECT_EQ(files, 3);
}

TEST_F(NetRunCommand, KeepsAndDumpsWhatIsAsked) {
  write_model();
  write_inputs();
  const Json result = json({"model.onnx", "--input_list", "test_inputs/input_list.txt",
                            "--keep_num_outputs", "1", "--debug"});
  EXPECT_EQ(result["outputs"].size(), 1U);
  EXPECT_FALSE(fs::exists(path("output/Result_1")));
  const auto files =
      std::distance(fs::directory_iterator(path("output/Result_0")), fs::directory_iterator());
  EXPECT_GT(files, 5);
  EXPECT_TRUE(json({"model.onnx", "--no_output"})["outputs"].empty());
}

TEST_F(NetRunCommand, StopsAfterTheDuration) {
  write_model();
  const Json result = json({"model.onnx", "--duration", "0.3", "--no_output"});
  EXPECT_GT(result["latency"]["count"].get<int>(), 10);
  EXPECT_LT(result["seconds"].get<double>(), 5.0);
}

TEST_F(NetRunCommand, MultipliesAFreeBatch) {
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {2, ""}}});
  graph.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"y"}});
  graph.add_output("y");
  formats::write_onnx(graph, path("net.onnx"));
  std::string list;
  for (int i = 0; i < 4; ++i) {
    const std::vector<float> row = {static_cast<float>(i), 0.5F};
    write_file(path(format("{}.raw", i)),
               {reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)});
    list += format("x:={}.raw\n", i);
  }
  write_file(path("list.txt"), list);
  const Json result = json({"net.onnx", "--input_list", "list.txt", "--batch_multiplier", "2"});
  EXPECT_EQ(result["sets"], 2);
  EXPECT_THAT(floats("output/Result_1/y.raw"), testing::ElementsAre(-2, -0.5F, -3, -0.5F));
  expect_refused(
      run({"net-run", "net.onnx", "--input_list", "list.txt", "--batch_multiplier", "9"}),
      "list.txt has 4 inferences");
}

TEST_F(NetRunCommand, FixesFreeDimensionsOnRequest) {
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {-1, "length"}}});
  graph.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"y"}});
  graph.add_output("y");
  formats::write_onnx(graph, path("free.onnx"));
  expect_refused(run({"net-run", "free.onnx"}), "give --input-shape");
  (void)json({"free.onnx", "--input-shape", "x=1,7"});
  EXPECT_EQ(floats("output/Result_0/y.raw").size(), 7U);
}

TEST_F(NetRunCommand, RefusesBadInput) {
  write_model();
  expect_refused(run({"net-run", "none.onnx"}), "none.onnx");
  graph::Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {2, ""}}});
  graph.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"y"}});
  graph.add_output("y");
  formats::write_onnx(graph, path("fixed.onnx"));
  expect_refused(run({"net-run", "fixed.onnx", "--batch_multiplier", "2"}), "is fixed");
  expect_refused(run({"net-run", "model.onnx", "--input_list", "none.txt"}), "none.txt");
  expect_refused(run({"net-run", "model.onnx", "--backend", "libQnnDsp.so"}), "libQnnDsp.so");
  expect_refused(run({"net-run", "model.onnx", "--debug", "--shared_buffer"}),
                 "exclude each other");
  EXPECT_FALSE(fs::exists(path("output")));
}

}  // namespace
}  // namespace hexquant::cli
