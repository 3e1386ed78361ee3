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
  /// The sound model with two maps of 5 MB in VTCM (8 MB) before its first layer: the first one
  /// has to leave it while the second is in use, and then VTCM is never full.
  void write_with_spill(const std::string& file) const {
    constexpr int kFactor = 25;  // 400 x 400 pixels, a block of 32 channels, one byte each
    graph::Graph model = formats::read_onnx(path("out/model.onnx"));
    const graph::Node* first = nullptr;
    for (const graph::Node* node : model.node_list()) {
      if (first == nullptr && node->is("Conv")) first = node;
    }
    const graph::Node* dequantize = model.producer(first->input(0));
    const std::string scale = dequantize->input(1);
    const std::string zero = dequantize->input(2);
    // An operation with Q/DQ behind it; `name` is also its value.
    const auto add = [&](const std::string& name, const std::string& op,
                         const std::vector<std::string>& inputs,
                         const std::map<std::string, graph::Attribute>& attributes) {
      model.insert_before(*first, {.op_type = op,
                                   .inputs = inputs,
                                   .outputs = {name + "_float"},
                                   .attributes = attributes,
                                   .name = name});
      model.insert_before(*first, {.op_type = "QuantizeLinear",
                                   .inputs = {name + "_float", scale, zero},
                                   .outputs = {name + "_codes"}});
      model.insert_before(*first, {.op_type = "DequantizeLinear",
                                   .inputs = {name + "_codes", scale, zero},
                                   .outputs = {name}});
    };
    const auto enlarge = [&](const std::string& name) {
      add(name, "Resize", {first->input(0), "", "factors"},
          {{"mode", "nearest"},
           {"coordinate_transformation_mode", "asymmetric"},
           {"nearest_mode", "floor"}});
    };
    const auto shrink = [&](const std::string& name, const std::string& input) {
      const std::vector<std::int64_t> factor = {kFactor, kFactor};
      add(name, "MaxPool", {input}, {{"kernel_shape", factor}, {"strides", factor}});
    };
    model.add_initializer("factors", Tensor::from<float>({4}, {1.0F, 1.0F, kFactor, kFactor}));
    enlarge("kept");
    enlarge("other");
    shrink("once", "other");
    shrink("twice", "other");
    shrink("back", "kept");
    model.set_input(*first, 0, "back");
    for (const char* output : {"once", "twice"}) model.add_output(output);
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

  // One sample in thirty has a white pixel, which no calibrated sample has.
  Tensor bright = data::read_npy(example("test_images.npy"));
  const std::size_t step = 30 * bright.bytes() / static_cast<std::size_t>(bright.shape()[0]);
  Tensor grey = images;
  const auto darken = [](Tensor& values) {
    std::byte* bytes = values.mutable_raw();
    for (std::size_t i = 0; i < values.bytes(); ++i) bytes[i] = std::min(bytes[i], std::byte{200});
  };
  darken(bright);
  darken(grey);
  for (std::size_t i = 0; i < bright.bytes(); i += step) {
    std::fill_n(bright.mutable_raw() + i, 3, std::byte{255});
  }
  data::write_npy(path("bright.npy"), bright);
  data::write_npy(path("grey.npy"), grey);
  copy_with("bright", [](Json& report) {
    report["recipe"]["data"]["sources"] = Json::array({"grey.npy"});
    report["recipe"]["evaluation"]["data"]["sources"] = Json::array({"bright.npy"});
  });
  expect_defect("bright", "data.out-of-range");

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

  copy_with("spill", [](Json&) {});
  write_with_spill("spill/model.onnx");
  expect_defect("spill", "performance.vtcm");

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
  // What a device measured wins over the chip's rules, which know no dice.
  write_file(path("trace.json"),
             R"([{"cat": "Node", "ph": "X", "name": "net_kernel_time", "ts": 1, "dur": 10, "args":
                {"op_name": "QNN", "provider": "QNNExecutionProvider"}}])");
  const Json json = check("dice", 1, {"--device", "cpu", "--profile", "trace.json"});
  EXPECT_THAT(ids(json, "fail"), ElementsAre("deployment.stability"));
}

/// What `net-run` measured, here or elsewhere, takes the place of runs by `check`.
class CheckOfRecordedRuns : public CheckCommand {
 protected:
  void SetUp() override {
    CheckCommand::SetUp();
    must_run({"net-run", "out", "--num_inferences", "1000", "--no_output", "--json", "runs.json"});
    // As a quiet machine would measure it.
    change([](Json& runs) {
      runs["latency"]["drift"] = 0.01;
      runs["stability"]["memory_growth_bytes"] = 4096;
      runs["peak_memory_bytes"] = 90'000'000;
    });
    sound_ = read_json(path("runs.json"));
  }
  void change(const std::function<void(Json&)>& edit) const {
    Json runs = sound_.is_null() ? read_json(path("runs.json")) : sound_;
    edit(runs);
    write_file(path("runs.json"), to_text(runs));
  }
  /// `check`, by the article's thresholds.
  [[nodiscard]] Json check_runs(int status, const Arguments& more = {}) const {
    write_file(path("loose.json"), "{}");
    Arguments arguments = {"--runs", "runs.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return check("out", status, arguments);
  }

  Json sound_;
};

TEST_F(CheckOfRecordedRuns, PassesWhatIsSound) {
  const Json json = check_runs(0, {"--device-memory-mb", "160"});
  EXPECT_THAT(ids(json, "fail"), IsEmpty());
  EXPECT_EQ(item(json, "deployment.stability")["figure"], "1000 runs, 0 with other bytes");
  EXPECT_EQ(item(json, "deployment.leak")["figure"], "0.00 MB over the last nine tenths");
  EXPECT_EQ(item(json, "deployment.memory")["figure"], "90.0 MB, 56.2 % of 160 MB");
  EXPECT_EQ(item(json, "deployment.steady")["figure"], "+1.0 %");
  EXPECT_EQ(item(json, "deployment.steady")["reason"], "by runs.json: out/model.onnx on cpu");
}

TEST_F(CheckOfRecordedRuns, FindsExactlyTheDefect) {
  const auto expect = [&](const std::string& id, const std::function<void(Json&)>& edit,
                          const Arguments& more = {}) {
    change(edit);
    const Json json = check_runs(1, more);
    EXPECT_THAT(ids(json, "fail"), ElementsAre(id));
    return item(json, id);
  };
  // 1000 runs that each keep 2 kB.
  const Json leak = expect(
      "deployment.leak", [](Json& runs) { runs["stability"]["memory_growth_bytes"] = 900 * 2048; });
  EXPECT_EQ(leak["figure"], "1.84 MB over the last nine tenths");
  EXPECT_EQ(leak["fix"],
            "hexquant net-run out/model.onnx --device cpu --num_inferences 1000 --json runs.json");
  // The clock goes down by a tenth once the chip is warm.
  const Json drift =
      expect("deployment.steady", [](Json& runs) { runs["latency"]["drift"] = 1.0 / 9.0; });
  EXPECT_EQ(drift["figure"], "+11.1 %");
  const Json differs =
      expect("deployment.stability", [](Json& runs) { runs["stability"]["differing"] = 1; });
  EXPECT_EQ(differs["figure"], "1000 runs, 1 with other bytes");
  expect("deployment.memory", [](Json&) {}, {"--device-memory-mb", "149"});
}

TEST_F(CheckOfRecordedRuns, KnowsWhatItDoesNotShow) {
  change([](Json& runs) {
    runs["latency"]["count"] = 19;
    runs["latency"]["first_tenth_us"] = 0.0;
  });
  const Json few = check_runs(0);
  for (const char* id : {"deployment.stability", "deployment.leak", "deployment.steady"}) {
    EXPECT_EQ(item(few, id)["status"], "not measured") << id;
  }
  EXPECT_EQ(item(few, "deployment.leak")["reason"],
            "only 19 runs, by runs.json: out/model.onnx on cpu");
  // Of the simulator fewer are demanded.
  change([](Json& runs) {
    runs["latency"]["count"] = 100;
    runs["device"] = "htp";
    runs["soc"] = "SM8650";
  });
  EXPECT_EQ(item(check_runs(0), "deployment.stability")["status"], "pass");
}

TEST_F(CheckOfRecordedRuns, RefusesWhatHasNoMeaning) {
  const auto refuse = [&](const std::function<void(Json&)>& edit, const std::string& expected) {
    change(edit);
    expect_refused_line(run({"check", "out", "--runs", "runs.json"}), expected);
  };
  refuse([](Json& runs) { runs["schema"] = "hexquant-profile-1"; },
         "runs.json: schema: expected \"hexquant-net-run-1\"");
  refuse([](Json& runs) { runs["stability"]["differing"] = 1001; },
         "runs.json: stability.differing: expected");
  refuse([](Json& runs) { runs["latency"].erase("drift"); }, "runs.json: latency");
  refuse(
      [](Json& runs) {
        runs["device"] = "htp";
        runs["soc"] = "SM8550";
      },
      "runs.json: soc: expected runs on SM8650, which is checked, got \"SM8550\"");
  expect_refused_line(run({"check", "out", "--runs", "runs.json", "--device", "cpu"}),
                      "--device excludes --runs");
  expect_refused_line(run({"check", "out", "--runs", "none.json"}), "none.json");
}

TEST_F(CheckCommand, RenewsTheChecklistOfThePage) {
  // Of quantize: what needs neither the samples nor a run.
  const Json before = page_of(path("out/report.html"))["checklist"];
  EXPECT_EQ(item(before, "quantization.per-channel")["status"], "pass");
  EXPECT_EQ(item(before, "accuracy.metric")["status"], "pass");
  EXPECT_EQ(item(before, "performance.vtcm")["status"], "pass");
  EXPECT_EQ(item(before, "data.edges")["status"], "not measured");
  EXPECT_EQ(item(before, "data.edges")["fix"], "hexquant check out");
  EXPECT_EQ(item(before, "deployment.leak")["status"], "not measured");

  (void)check("out", 0, {"--no-run", "--no-page"});
  EXPECT_EQ(page_of(path("out/report.html"))["checklist"], before);
  Json result = check("out", 0);
  for (const char* member : {"schema", "command", "versions"}) result.erase(member);
  const Json page = page_of(path("out/report.html"));
  EXPECT_EQ(page["checklist"], result);
  EXPECT_EQ(item(page["checklist"], "data.edges")["status"], "pass");
  EXPECT_GT(page["activations"][0]["histogram"]["counts"].size(), 0U) << "the rest stays";
}

TEST_F(CheckCommand, LeavesForeignPagesAlone) {
  write_file(path("out/report.html"), "<html>mine</html>");
  (void)check("out", 0);
  EXPECT_EQ(read_file(path("out/report.html")), "<html>mine</html>");
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
