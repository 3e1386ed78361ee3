// Whole models against ONNX Runtime: the committed example, and those of HEXQUANT_ASSETS where that
// folder is at hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/format.h"
#include "data/dataset.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/prepare.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "qat/qat_testing.h"
#include "quant/insert_qdq.h"
#include "weights/quantize_weights.h"

namespace hexquant::qat {
namespace {

namespace fs = std::filesystem;

/// Float arithmetic in another order over up to 80 layers, relative to the largest output.
constexpr double kModelTolerance = 1e-4;

/// Sums in one order on any machine.
const bool kSingleThread = (at::set_num_threads(1), true);

struct Model {
  std::string file;
  std::vector<std::string> data;
  std::string preprocess = {};
  std::map<std::string, Shape> shapes = {};
};

std::string cifar(const std::string& resize) {
  return format(R"({{"resize": {}, "color": "rgb", "mean": [123.675, 116.28, 103.53],
                    "std": [58.395, 57.12, 57.375], "layout": "nchw"}})",
                resize);
}

const std::vector<Model>& asset_models() {
  static const std::vector<Model> models = {
      {"cifar10_resnet20", {"cifar10/test_images.npy"}, cifar("null")},
      {"cifar10_resnet8",
       {"cifar10/test_images.npy"},
       R"({"color": "rgb", "mean": [0, 0, 0], "std": [1, 1, 1], "layout": "nchw"})"},
      {"cifar10_mobilenetv2_224", {"cifar10/test_images.npy"}, cifar("[224, 224]")},
      {"efficientnet_lite0",
       {"imagenet_val"},
       R"({"crop": [224, 224], "color": "rgb", "mean": [127, 127, 127], "std": [128, 128, 128],
           "layout": "nchw"})"},
      {"kws_dscnn", {"kws/mfcc.npy"}},
      {"minilm_l6_s64", {"stsb/sentence_a.npz"}},
      {"stories260k_s256", {"tinystories/tokens.npy"}},
      {"nanodet_m_320",
       {"nanodet"},
       R"({"resize": [320, 320], "color": "bgr", "mean": [103.53, 116.28, 123.675],
           "std": [57.375, 57.12, 58.395], "layout": "nchw"})"},
      {"ppocr_v4_det",
       {"nanodet"},
       R"({"resize": [160, 192], "color": "bgr", "mean": [123.675, 116.28, 103.53],
           "std": [58.395, 57.12, 57.375], "layout": "nchw"})",
       {{"x", {1, 3, 160, 192}}}},
      {"ppocr_v4_rec",
       {"nanodet"},
       R"({"resize": [48, 320], "color": "bgr", "mean": [127.5, 127.5, 127.5],
           "std": [127.5, 127.5, 127.5], "layout": "nchw"})",
       {{"x", {1, 3, 48, 320}}}}};
  return models;
}

/// The prepared graph and its data.
struct Scene {
  graph::Graph graph;
  std::unique_ptr<data::Dataset> data;
};

Scene prepare_model(const Recipe& recipe) {
  const pipeline::QuantizeOptions options = pipeline::resolve_recipe(recipe, 1);
  pipeline::QuantizedModel model;
  Scene scene;
  scene.data = pipeline::read_and_prepare(recipe, options, target::load_target(recipe.soc), 1,
                                          model, silent_progress());
  scene.graph = model.prepared;
  return scene;
}

void compare(const Scene& scene, int samples) {
  const auto network = TrainableNetwork::make(scene.graph, {}, {});
  const runtime::Session session(scene.graph, {});
  for (int i = 0; i < samples; ++i) {
    const data::Sample sample = scene.data->load(i);
    testing::expect_same_outputs(testing::by_network(network, scene.graph, sample, Mode::kFloat),
                                 session.run(sample), kModelTolerance);
  }
}

class AssetModel : public ::testing::TestWithParam<Model> {};

Recipe asset_recipe(const Model& model, const fs::path& assets) {
  Recipe recipe;
  recipe.output = "unused";
  recipe.model = (assets / "models" / (model.file + ".onnx")).string();
  for (const std::string& source : model.data) {
    recipe.data.sources.push_back((assets / "data" / source).string());
  }
  recipe.data.preprocess = model.preprocess;
  recipe.data.samples = 16;
  recipe.input_shapes = model.shapes;
  return recipe;
}

TEST_P(AssetModel, FloatNetworkGivesWhatOnnxRuntimeGives) {
  const char* assets = std::getenv("HEXQUANT_ASSETS");
  if (assets == nullptr) GTEST_SKIP() << "HEXQUANT_ASSETS is not set";
  compare(prepare_model(asset_recipe(GetParam(), assets)), 3);
}

Recipe digits() {
  const fs::path folder = fs::path(HEXQUANT_SOURCE_DIR) / "examples" / "digits";
  Recipe recipe;
  recipe.output = "unused";
  recipe.model = (folder / "model.onnx").string();
  recipe.data.sources = {(folder / "calibration_images.npy").string()};
  recipe.data.preprocess = (folder / "preprocess.json").string();
  recipe.data.samples = 64;
  return recipe;
}

TEST(ExampleModel, FloatNetworkGivesWhatOnnxRuntimeGives) {
  compare(prepare_model(digits()), 3);
}

TEST(ExampleModel, ABatchIsItsSamples) {
  const Scene scene = prepare_model(digits());
  const auto network = TrainableNetwork::make(scene.graph, {}, {});
  const runtime::Session session(scene.graph, {});
  std::vector<torch::Tensor> images;
  std::vector<torch::Tensor> logits;
  for (int i = 0; i < 5; ++i) {
    const data::Sample sample = scene.data->load(i);
    images.push_back(to_torch(sample.at("image")));
    logits.push_back(to_torch(session.run(sample).front()));
  }
  const torch::NoGradGuard no_gradient;
  const torch::Tensor batch = network.forward({torch::cat(images)}, Mode::kFloat).outputs.front();
  EXPECT_FALSE(network.fixed_batch().has_value());
  EXPECT_LE(testing::relative_difference(from_torch(batch), from_torch(torch::cat(logits))),
            kModelTolerance);
}

/// A model quantized by the pipeline, and its network.
struct QuantizedScene {
  pipeline::QuantizedModel model;
  std::unique_ptr<data::Dataset> data;
};

QuantizedScene quantize_model(const Recipe& recipe) {
  pipeline::QuantizeOptions options = pipeline::resolve_recipe(recipe, 1);
  const target::Target target = target::load_target(recipe.soc);
  QuantizedScene scene;
  scene.data =
      data::open_dataset(options.data, pipeline::model_inputs(formats::read_onnx(recipe.model)));
  scene.model = pipeline::run_stages(recipe, options, target, 1, silent_progress());
  return scene;
}

/// The QDQ model of what the network has learned, as the pipeline would make it.
graph::Graph exported(const TrainableNetwork& network, const pipeline::QuantizedModel& model) {
  graph::Graph graph = model.prepared;
  quant::EncodingTable encodings = model.encodings;
  network.write_back(graph, encodings);
  static_cast<void>(weights::quantize_biases(graph, model.plan, encodings));
  return quant::insert_qdq(graph, encodings);
}

/// How many elements of a quantized tensor differ, and by how many steps at most.
struct StepDifference {
  double share = 0.0;
  double largest_steps = 0.0;
};

StepDifference step_difference(const Tensor& network, const Tensor& runtime, double scale) {
  StepDifference difference;
  const std::vector<double> a = to_doubles(network);
  const std::vector<double> b = to_doubles(runtime);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double steps = std::abs(a[i] - b[i]) / scale;
    difference.largest_steps = std::max(difference.largest_steps, steps);
    if (steps > 0.5) difference.share += 1.0 / static_cast<double>(a.size());
  }
  return difference;
}

/// Every quantized activation is the QDQ model's, but for sums that fall beside a rounding border
/// in another order of addition, and what these set off in later layers.
void expect_qdq_values(const QuantizedScene& scene, double share, double steps = 1.01) {
  const pipeline::QuantizedModel& model = scene.model;
  const auto network = TrainableNetwork::make(model.weights_on_grid, model.plan, model.encodings);
  const graph::Graph qdq = exported(network, model);
  std::vector<std::string> taps;
  std::vector<std::string> twins;
  for (const auto& [name, encoding] : model.encodings.tensors) {
    if (model.prepared.find_initializer(name) != nullptr) continue;
    const std::string twin = qdq.is_output(name) ? name : name + "_DequantizeLinear_Output";
    if (!qdq.has_value(twin)) continue;
    taps.push_back(name);
    twins.push_back(twin);
  }
  ASSERT_GT(taps.size(), 5U);
  runtime::SessionOptions options;
  options.optimize = false;
  const runtime::Session session(qdq, options, twins);
  const data::Sample sample = scene.data->load(0);
  const std::vector<Tensor> expected = session.run(sample);
  const torch::NoGradGuard no_gradient;
  const ForwardResult result =
      network.forward(testing::torch_inputs(model.prepared, sample), Mode::kQuantized, taps);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const double scale = model.encodings.tensors.at(taps[i]).scale[0];
    const StepDifference difference =
        step_difference(from_torch(result.taps[i]), expected[i], scale);
    EXPECT_LE(difference.share, share) << taps[i];
    EXPECT_LE(difference.largest_steps, steps) << taps[i];
  }
}

TEST(ExampleModel, QuantizedNetworkGivesWhatTheQdqModelGives) {
  expect_qdq_values(quantize_model(digits()), 0.01);
}

/// A 16-bit step is not far above the error of float sums.
TEST(ExampleModel, FourBitWeightsAndSixteenBitActivationsToo) {
  Recipe recipe = digits();
  recipe.weight_bits = 4;
  recipe.weight_bits_everywhere = true;
  expect_qdq_values(quantize_model(recipe), 0.01);
  recipe.weight_bits_everywhere = false;
  recipe.act_bits = 16;
  expect_qdq_values(quantize_model(recipe), 0.25, 3.0);
}

TEST(ExampleModel, OtherFormsOfEncodingsToo) {
  std::vector<Recipe> recipes(5, digits());
  recipes[0].granularity = "tensor";
  recipes[1].weight_schema = "asymmetric";
  recipes[2].weight_schema = "strict";
  recipes[3].bias_bits = 8;
  recipes[4].granularity = "group:16";
  recipes[4].weight_bits = 4;
  recipes[4].weight_bits_everywhere = true;
  recipes[4].block_scale = "lpbq";
  for (const Recipe& recipe : recipes) {
    SCOPED_TRACE(recipe.granularity + " " + recipe.weight_schema);
    expect_qdq_values(quantize_model(recipe), 0.01);
  }
}

TEST(ExampleModel, WhatIsWrittenBackUntrainedIsWhatWasRead) {
  const QuantizedScene scene = quantize_model(digits());
  const pipeline::QuantizedModel& model = scene.model;
  const auto network = TrainableNetwork::make(model.weights_on_grid, model.plan, model.encodings);
  graph::Graph graph = model.weights_on_grid;
  quant::EncodingTable encodings = model.encodings;
  network.write_back(graph, encodings);
  for (const auto& [name, tensor] : model.weights_on_grid.initializers()) {
    EXPECT_EQ(*graph.find_initializer(name), tensor) << name;
  }
  for (const auto& [name, before] : model.encodings.tensors) {
    const Encoding& after = encodings.tensors.at(name);
    EXPECT_EQ(after.zero_point, before.zero_point) << name;
    ASSERT_EQ(after.scale.size(), before.scale.size()) << name;
    for (std::size_t s = 0; s < before.scale.size(); ++s) {
      // A range is stored as its two ends.
      EXPECT_NEAR(after.scale[s] / before.scale[s], 1.0F, 1e-6F) << name;
    }
  }
}

TEST(ExampleModel, StepsOfGradientDescentLowerTheLossThatTheExportHas) {
  Recipe recipe = digits();
  recipe.weight_bits = 4;
  recipe.weight_bits_everywhere = true;
  const QuantizedScene scene = quantize_model(recipe);
  const pipeline::QuantizedModel& model = scene.model;
  TrainableNetwork network = TrainableNetwork::make(model.prepared, model.plan, model.encodings);
  std::vector<torch::Tensor> images;
  for (int i = 0; i < 32; ++i) images.push_back(to_torch(scene.data->load(i).at("image")));
  const torch::Tensor batch = torch::cat(images);
  torch::Tensor target;
  {
    const torch::NoGradGuard no_gradient;
    target = network.forward({batch}, Mode::kFloat).outputs.front();
  }
  std::vector<torch::Tensor> parameters;
  for (const Parameter& parameter : network.weights()) parameters.push_back(parameter.tensor);
  for (const Parameter& parameter : network.ranges()) parameters.push_back(parameter.tensor);
  torch::optim::SGD optimizer(parameters, torch::optim::SGDOptions(1e-3).momentum(0.9));
  const auto loss = [&] {
    return torch::mse_loss(network.forward({batch}, Mode::kQuantized).outputs.front(), target);
  };
  const double before = loss().item<double>();
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
    network.project_ranges();
  }
  const double after = loss().item<double>();
  EXPECT_LT(after, 0.7 * before);
  // The exported model has learned the same.
  const runtime::Session session(exported(network, model), {});
  double exported_loss = 0.0;
  for (int i = 0; i < 32; ++i) {
    const Tensor logits = session.run(scene.data->load(i)).front();
    exported_loss += torch::mse_loss(to_torch(logits), target.slice(0, i, i + 1)).item<double>();
  }
  EXPECT_NEAR(exported_loss / 32.0, after, 0.1 * after);
}

double squared_distance(const Tensor& first, const Tensor& second) {
  const std::vector<double> a = to_doubles(first);
  const std::vector<double> b = to_doubles(second);
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// A sum beside a rounding border falls to either side, and dozens of layers carry that on: the two
/// runs differ as two runs of the same model with another order of addition do, which is less
/// than quantization itself changes.
TEST_P(AssetModel, QuantizedNetworkIsNearTheQdqModel) {
  const char* assets = std::getenv("HEXQUANT_ASSETS");
  if (assets == nullptr) GTEST_SKIP() << "HEXQUANT_ASSETS is not set";
  const QuantizedScene scene = quantize_model(asset_recipe(GetParam(), assets));
  const pipeline::QuantizedModel& model = scene.model;
  const auto network = TrainableNetwork::make(model.weights_on_grid, model.plan, model.encodings);
  runtime::SessionOptions options;
  options.optimize = false;
  const runtime::Session quantized(exported(network, model), options);
  const runtime::Session exact(model.prepared, options);
  const data::Sample sample = scene.data->load(0);
  const Tensor ours =
      testing::by_network(network, model.prepared, sample, Mode::kQuantized).front();
  const Tensor theirs = quantized.run(sample).front();
  const double noise = squared_distance(exact.run(sample).front(), theirs);
  EXPECT_LE(squared_distance(theirs, ours), 0.8 * noise);
}

INSTANTIATE_TEST_SUITE_P(All, AssetModel, ::testing::ValuesIn(asset_models()),
                         [](const ::testing::TestParamInfo<Model>& info) {
                           return info.param.file;
                         });

}  // namespace
}  // namespace hexquant::qat
