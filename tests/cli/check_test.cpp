#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "cli/cli_testing.h"
#include "formats/onnx/onnx_io.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A sound result of `quantize`, and what one defect each makes of it.
class CheckCommand : public ProgramTest {
 protected:
  using Arguments = std::vector<std::string>;

  void SetUp() override {
    ProgramTest::SetUp();
    must_run({"optimize", example("model.onnx"), "-o", "nhwc.onnx", "--nhwc-input", "--preprocess",
              example("preprocess.json")});
    must_run(quantized("out", {}));
    // Other processes slow us down, and a sanitizer keeps what was freed.
    write_file(path("loose.json"), R"({"max_slowdown": 10, "max_memory_growth_mb": 500})");
  }

  [[nodiscard]] Arguments quantized(const std::string& folder, const Arguments& more) const {
    Arguments arguments = {"quantize",
                           "nhwc.onnx",
                           "--data",
                           example("calibration_images.npy"),
                           "--preprocess",
                           "nhwc.preprocess.json",
                           "--samples",
                           "256",
                           "--evaluate",
                           "--eval-data",
                           example("test_images.npy"),
                           "--labels",
                           example("test_labels.npy"),
                           "-o",
                           folder};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void must_run(const Arguments& arguments) const {
    const RunResult result = run(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }
  /// `check` of a folder, with everything measured that can be without a device.
  [[nodiscard]] Json check(const std::string& folder, int status, Arguments more = {}) const {
    Arguments arguments = {"check", folder, "--json", "check.json", "--thresholds", "loose.json"};
    if (more.empty()) more = {"--no-run"};
    if (std::find(more.begin(), more.end(), "--labels") == more.end()) {
      more.insert(more.end(), {"--labels", example("calibration_labels.npy")});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.out << result.err;
    Json json = read_json(path("check.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("check"), json), IsEmpty());
    return json;
  }
  [[nodiscard]] static std::vector<std::string> ids(const Json& json, const std::string& status) {
    std::vector<std::string> found;
    for (const Json& item : json["items"]) {
      if (item["status"] == status) found.push_back(item["id"]);
    }
    return found;
  }
  /// A copy of the sound folder with another report.
  void copy_with(const std::string& folder, const std::function<void(Json&)>& change) const {
    fs::copy(path("out"), path(folder), fs::copy_options::recursive);
    Json report = read_json(path(folder + "/report.json"));
    change(report);
    write_file(path(folder + "/report.json"), to_text(report));
  }
  [[nodiscard]] static Json item(const Json& json, const std::string& id) {
    const auto found = std::find_if(json["items"].begin(), json["items"].end(),
                                    [&](const Json& item) { return item["id"] == id; });
    return found == json["items"].end() ? Json() : *found;
  }
  static void expect_refused_line(const RunResult& result, const std::string& expected) {
    EXPECT_EQ(result.status, 2) << result.out;
    EXPECT_THAT(result.err, HasSubstr(expected));
  }
  /// The sound model with a zero point at the weights of its first layer.
  void write_with_zero_point(const std::string& file) const {
    graph::Graph model = formats::read_onnx(path("out/model.onnx"));
    for (const graph::Node* node : model.node_list()) {
      if (!node->is("Conv")) continue;
      const std::string zero_point = model.producer(node->input(1))->input(2);
      Tensor values = *model.find_initializer(zero_point);
      values.mutable_data<std::int8_t>()[0] = 3;
      model.set_initializer(zero_point, values);
      break;
    }
    formats::write_onnx(model, path(file));
  }
  void expect_defect(const std::string& folder, const std::string& id) const {
    EXPECT_THAT(ids(check(folder, 1), "fail"), ElementsAre(id)) << folder;
  }
};

TEST_F(CheckCommand, PassesWhatIsSound) {
  const Json json = check("out", 0, {"--device-memory-mb", "100000"});
  EXPECT_THAT(ids(json, "fail"), IsEmpty());
  EXPECT_THAT(ids(json, "not measured"), ElementsAre("data.tags", "performance.top-layers"));
  EXPECT_EQ(json["passed"], 18);
}

TEST_F(CheckCommand, FindsADefectOfTheSettings) {
  Arguments few = quantized("few", {});
  *std::find(few.begin(), few.end(), "256") = "100";
  must_run(few);
  expect_defect("few", "data.samples");
  must_run(quantized("per_tensor", {"--granularity", "tensor"}));
  expect_defect("per_tensor", "quantization.per-channel");
  copy_with("symmetric", [](Json& report) {
    for (Json& activation : report["activations"]) {
      if (activation["observed_min"].get<double>() >= 0.0) activation["zero_point"] = 128;
    }
  });
  expect_defect("symmetric", "quantization.symmetry");
  copy_with("zero_points", [](Json&) {});
  write_with_zero_point("zero_points/model.onnx");
  // The chip's rules mind as well.
  EXPECT_THAT(ids(check("zero_points", 1), "fail"), testing::Contains("quantization.symmetry"));
  copy_with("outliers", [](Json& report) { report["activations"][1]["range_excess_db"] = 9.0; });
  expect_defect("outliers", "quantization.observer");
}

TEST_F(CheckCommand, FindsADefectOfTheAccuracy) {
  copy_with("cosine", [](Json& report) { report["summary"]["cosine"] = 0.99; });
  expect_defect("cosine", "accuracy.cosine");
  copy_with("noisy", [](Json& report) { report["summary"]["sqnr_db"] = 24.0; });
  expect_defect("noisy", "accuracy.sqnr");
  copy_with("loses", [](Json& report) {
    const double before = report["summary"]["fp32"]["value"].get<double>();
    report["summary"]["quantized"]["value"] = before - 0.02;
  });
  expect_defect("loses", "accuracy.metric");
}

TEST_F(CheckCommand, FindsADefectOfTheData) {
  const Tensor images = data::read_npy(example("calibration_images.npy"));
  const auto count = static_cast<std::size_t>(images.shape()[0]);
  const std::size_t bytes = images.bytes() / count;
  Tensor same = images;
  for (std::size_t i = 200; i < count; ++i) {
    std::copy_n(images.raw() + bytes * (i - 200), bytes, same.mutable_raw() + bytes * i);
  }
  data::write_npy(path("same.npy"), same);
  copy_with("repeated",
            [](Json& report) { report["recipe"]["data"]["sources"] = Json::array({"same.npy"}); });
  expect_defect("repeated", "data.near-duplicates");

  // A tenth of the scored images is blank, at a level that the others have too.
  Tensor blank = data::read_npy(example("test_images.npy"));
  std::fill_n(blank.mutable_raw(), blank.bytes() / 10, std::byte{78});
  data::write_npy(path("blank.npy"), blank);
  copy_with("blank", [](Json& report) {
    report["recipe"]["evaluation"]["data"]["sources"] = Json::array({"blank.npy"});
  });
  expect_defect("blank", "data.edges");

  std::vector<std::int64_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::int64_t>(i % 10 % 9);
  labels.back() = 9;
  data::write_npy(path("labels.npy"),
                  Tensor::from<std::int64_t>({static_cast<std::int64_t>(count)}, labels));
  const Json classes = check("out", 1, {"--no-run", "--labels", "labels.npy"});
  EXPECT_THAT(ids(classes, "fail"), ElementsAre("data.classes"));

  write_file(path("tags.json"), R"({"night": [3, 700], "rain": [255, 256], "snow": [300, 900]})");
  const Json tags = check("out", 1, {"--no-run", "--tags", "tags.json"});
  EXPECT_THAT(ids(tags, "fail"), ElementsAre("data.tags"));
  EXPECT_THAT(item(tags, "data.tags")["reason"].get<std::string>(), HasSubstr("snow"));
}

TEST_F(CheckCommand, FindsADefectOfTheModel) {
  Arguments nchw = quantized("nchw", {});
  nchw[1] = example("model.onnx");
  nchw[5] = example("preprocess.json");
  must_run(nchw);
  expect_defect("nchw", "performance.nhwc");

  copy_with("fallback", [](Json&) {});
  graph::Graph model = formats::read_onnx(path("out/model.onnx"));
  const std::string output = model.outputs().front();
  model.set_output(*model.producer(output), 0, "inner");
  model.add_node({.op_type = "Sinh", .inputs = {"inner"}, .outputs = {output}, .name = "odd"});
  formats::write_onnx(model, path("fallback/model.onnx"));
  expect_defect("fallback", "performance.no-fallback");

  const Json memory = check("out", 1, {"--device-memory-mb", "20"});
  EXPECT_THAT(ids(memory, "fail"), ElementsAre("deployment.memory"));
}

/// A model that rolls dice: no two inferences are alike.
TEST_F(CheckCommand, FindsAnUnstableModel) {
  copy_with("dice", [](Json&) {});
  graph::Graph model = formats::read_onnx(path("out/model.onnx"));
  const std::string output = model.outputs().front();
  model.set_output(*model.producer(output), 0, "inner");
  model.add_node({.op_type = "RandomNormalLike", .inputs = {"inner"}, .outputs = {"noise"}});
  model.add_node({.op_type = "Add", .inputs = {"inner", "noise"}, .outputs = {output}});
  formats::write_onnx(model, path("dice/model.onnx"));
  const Json json = check("dice", 1, {"--device", "cpu"});
  EXPECT_THAT(ids(json, "fail"), testing::Contains("deployment.stability"));
}

TEST_F(CheckCommand, WritesJunit) {
  copy_with("noisy", [](Json& report) { report["summary"]["sqnr_db"] = 24.0; });
  (void)check("noisy", 1, {"--no-run", "--junit", "check.xml"});
  const std::string xml = read_file(path("check.xml"));
  EXPECT_THAT(xml, HasSubstr("failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"24.0 dB; demanded: &gt; 30 dB"));
}

TEST_F(CheckCommand, TakesOtherThresholds) {
  write_file(path("loose.json"), R"({"min_samples": 1000, "min_sqnr_db": 99})");
  EXPECT_THAT(ids(check("out", 1), "fail"), ElementsAre("data.samples", "accuracy.sqnr"));
}

TEST_F(CheckCommand, RefusesBadInput) {
  expect_refused_line(run({"check", "none"}), "none/report.json: no such file");
  write_file(path("bad.json"), R"({"min_sample": 3})");
  expect_refused_line(run({"check", "out", "--no-run", "--thresholds", "bad.json"}),
                      "unknown threshold 'min_sample'");
  write_file(path("bad.json"), R"({"min_cosine": -1})");
  expect_refused_line(run({"check", "out", "--no-run", "--thresholds", "bad.json"}),
                      "min_cosine: expected a number of 0 or more");
  write_file(path("out/report.json"), "{}");
  expect_refused_line(run({"check", "out"}), "no report of this program");
}

}  // namespace
}  // namespace hexquant::cli
