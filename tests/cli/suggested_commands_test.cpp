#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/cli_testing.h"
#include "formats/onnx/onnx_io.h"
#include "support/graph_builder.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

/// Commands that `check`, `advise` and the report tell their reader to run.
class SuggestedCommands : public ProgramTest {
 protected:
  using Arguments = std::vector<std::string>;

  [[nodiscard]] Arguments quantized(const std::string& folder, const Arguments& more) const {
    Arguments arguments = {
        "quantize",     example("model.onnx"),      "--data", example("calibration_images.npy"),
        "--preprocess", example("preprocess.json"), "-o",     folder};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// What `check` advises, whatever it finds.
  void collect_check(const Arguments& options) {
    Arguments arguments = {"check", "out", "--no-page", "--json", "check.json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const RunResult result = run(arguments);
    ASSERT_THAT(result.status, AnyOf(0, 1)) << result.err;
    const Json json = read_json(path("check.json"));
    for (const Json& item : json["items"]) {
      const auto fix = item["fix"].get<std::string>();
      if (fix.empty()) continue;
      found_.insert(item["id"].get<std::string>());
      if (fix.find("hexquant ") != std::string::npos) {
        EXPECT_THAT(fix, StartsWith("hexquant "));
        commands_.insert(fix);
      }
    }
  }
  /// What the latency model advises in a JSON result.
  void collect_advice(const Json& findings) {
    for (const Json& finding : findings) {
      if (finding["saves_us"].is_null()) continue;
      found_.insert(finding["id"].get<std::string>());
      commands_.insert("hexquant " + finding["command"].get<std::string>());
    }
  }
  void collect_advice_of(const Arguments& arguments) {
    Arguments all = {"advise", "--json", "advise.json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    must_run(all);
    collect_advice(read_json(path("advise.json"))["findings"]);
  }

  /// A model of which every part has something better: divisions, an operation that only the CPU
  /// has, a float one among integers, weights that are read from DDR, values that are only re-laid.
  void quantize_improvable(const std::string& folder, std::int64_t rows) const {
    constexpr std::int64_t kWidth = 512;
    const Shape shape = {rows, kWidth};
    const Shape turned = {kWidth, rows};
    const graph::Attributes turn = {{"perm", std::vector<std::int64_t>{1, 0}}};
    const test::GraphBuilder builder = test::GraphBuilder()
                                           .input("x", shape)
                                           .constant("w1", {kWidth, kWidth})
                                           .constant("w2", {kWidth, kWidth})
                                           .constant("w3", {kWidth, kWidth})
                                           .scalar("one", 1.0F)
                                           .node("MatMul", {"x", "w1"}, {"hidden"}, shape)
                                           .node("Sigmoid", {"hidden"}, {"gate"}, shape)
                                           .node("Sinh", {"gate"}, {"odd"}, shape)
                                           .node("Add", {"gate", "one"}, {"above"}, shape)
                                           .node("Div", {"odd", "above"}, {"divided"}, shape)
                                           .node("MatMul", {"divided", "w2"}, {"smooth"}, shape)
                                           .node("Transpose", {"smooth"}, {"over"}, turned, turn)
                                           .node("Relu", {"over"}, {"positive"}, turned)
                                           .node("Transpose", {"positive"}, {"back"}, shape, turn)
                                           .node("MatMul", {"back", "w3"}, {"y"}, shape)
                                           .output("y");
    formats::write_onnx(builder.graph(), path("improvable.onnx"));
    write_samples("data.npy", {2, rows, kWidth});
    must_run({"quantize", "improvable.onnx", "--data", "data.npy", "--keep-float", "smooth", "-o",
              folder});
  }

  /// With the user's own files in the place of the words that stand for them.
  [[nodiscard]] std::string filled_in(std::string command) const {
    const std::string images = quoted(example("calibration_images.npy"));
    // A recipe knows how images are preprocessed.
    const std::string preprocess = " --preprocess " + quoted(example("preprocess.json"));
    const bool has_recipe = command.find("--recipe") != std::string::npos;
    const std::map<std::string, std::string> own = {
        {" DATA", " " + (has_recipe ? images : images + preprocess)},
        {" LABELS", " " + quoted(example("calibration_labels.npy"))},
        {" FLOAT.onnx", " " + quoted(example("model.onnx"))},
        {" TAGS.json", " tags.json"},
        {" --profile FILE", " --profile trace.json"},
        {" MB", " 4000"}};
    for (const auto& [word, file] : own) {
      for (std::size_t at = command.find(word); at != std::string::npos;
           at = command.find(word, at + file.size())) {
        command.replace(at, word.size(), file);
      }
    }
    return command;
  }
  /// Pasted into a shell.
  void expect_runs(const std::string& command) const {
    const std::string options = filled_in(command).substr(std::string("hexquant ").size());
    const std::string line = "cd " + quoted(folder_.string()) + " && " + quoted(HEXQUANT_PROGRAM) +
                             " " + options + " >.stdout 2>.stderr </dev/null";
    const int status = std::system(line.c_str());
    ASSERT_TRUE(WIFEXITED(status)) << command;
    // Done, a check that was missed, or the vendor's part is not installed; never bad usage.
    EXPECT_THAT(WEXITSTATUS(status), AnyOf(0, 1, 3)) << command << "\n"
                                                     << read_file(folder_ / ".stderr");
  }

  std::set<std::string> commands_;
  std::set<std::string> found_;  ///< lines and findings that they come from
};

/// One folder with nearly every defect: only its report was changed, so that it is quick.
TEST_F(SuggestedCommands, OfTheChecklistRunWhenPasted) {
  must_run(
      quantized("out", {"--samples", "100", "--granularity", "tensor", "--evaluate", "--eval-data",
                        example("test_images.npy"), "--labels", example("test_labels.npy")}));
  collect_check({});
  Json report = read_json(path("out/report.json"));
  report["activations"][1]["range_excess_db"] = 9.0;
  report["activations"][1]["observed_min"] = 0.0;
  report["activations"][1]["zero_point"] = 128;
  report["summary"]["cosine"] = 0.5;
  report["summary"]["sqnr_db"] = 3.0;
  report["summary"]["quantized"]["value"] = 0.1;
  write_file(path("out/report.json"), to_text(report));
  graph::Graph model = formats::read_onnx(path("out/model.onnx"));
  const std::string output = model.outputs().front();
  model.set_output(*model.producer(output), 0, "inner");
  model.add_node({.op_type = "Sinh", .inputs = {"inner"}, .outputs = {output}, .name = "odd"});
  formats::write_onnx(model, path("out/model.onnx"));
  write_file(path("tags.json"), R"({"night": [3], "snow": [200, 300]})");
  write_file(path("tight.json"),
             R"({"max_near_duplicates": 0, "min_class_share": 1, "max_outside_edges": 0,
                 "max_out_of_range": 0, "max_memory_growth_mb": 0, "max_slowdown": 0,
                 "stability_runs": 20})");
  collect_check({"--labels", example("calibration_labels.npy"), "--tags", "tags.json",
                 "--thresholds", "tight.json", "--device-memory-mb", "1"});
  write_file(path("trace.json"),
             R"([{"cat": "Node", "ph": "X", "name": "net_kernel_time", "ts": 1, "dur": 10, "args":
                {"op_name": "QNN", "provider": "QNNExecutionProvider"}}])");
  for (const char* id :
       {"data.samples", "data.tags", "data.classes", "quantization.per-channel",
        "quantization.observer", "quantization.symmetry", "accuracy.cosine", "accuracy.sqnr",
        "accuracy.metric", "performance.top-layers", "performance.no-fallback", "performance.nhwc",
        "deployment.leak", "deployment.memory"}) {
    EXPECT_TRUE(found_.contains(id)) << id;
  }
  EXPECT_TRUE(
      commands_.contains("hexquant quantize --recipe out/recipe.json --samples 201 -o "
                         "OTHER"))
      << "as many samples as the tag needs";
  for (const std::string& command : commands_) expect_runs(command);
}

TEST_F(SuggestedCommands, OfTheLatencyModelRunWhenPasted) {
  must_run(quantized("out", {"--samples", "8"}));
  collect_advice(page_of(path("out/report.html"))["analysis"]["findings"]);
  EXPECT_FALSE(commands_.empty());
  collect_advice_of({"out/model.onnx"});
  EXPECT_TRUE(commands_.contains(
      "hexquant optimize out/model.onnx --nhwc-input --quantized-io -o FILE.onnx"));
  must_run(quantized("wi de", {"--samples", "8", "--act-bits", "16"}));
  collect_advice_of({"wi de/model.onnx"});
  EXPECT_TRUE(commands_.contains(
      "hexquant mixed-precision --recipe 'wi de/recipe.json' --max-loss 1 -o OTHER"));
  // Without its recipe: the user has to say which model and data it came from.
  fs::copy_file(path("wi de/model.onnx"), path("alone.onnx"));
  collect_advice_of({"alone.onnx"});
  collect_advice_of({example("model.onnx"), "--act-bits", "16", "--vtcm-mb", "1"});
  quantize_improvable("small", 64);  // waits for its weights
  collect_advice_of({"small/model.onnx"});
  quantize_improvable("large", 4096);  // activations of 2 MB: more than 1 MB of VTCM holds
  collect_advice_of({"large/model.onnx", "--vtcm-mb", "1"});
  EXPECT_THAT(found_, testing::IsSupersetOf({"float-borders", "float-operations", "cpu-operations",
                                             "weights-in-4-bits", "activations-in-8-bits",
                                             "vtcm-larger", "division", "transposes"}));
  for (const std::string& command : commands_) expect_runs(command);
}

}  // namespace
}  // namespace hexquant::cli
