#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "formats/onnx/onnx_io.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "passes/prepare.h"
#include "plan/overrides_testing.h"
#include "plan/plan_text.h"
#include "support/temp_folder.h"

namespace hexquant::plan {
namespace {

using quant::QuantPlan;
using quant::QuantsimConfig;
using test::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The configuration of the tests: what the HTP does, in its shortest form.
QuantsimConfig base() {
  QuantsimConfig config;
  config.origin = "c.json";
  config.default_op.is_output_quantized = true;
  config.default_op.per_channel = true;
  config.default_param = {true, true};
  config.params["bias"].is_quantized = false;
  config.supergroups = {{"Conv", "Relu"}};
  config.supergroup_passes = {"MatmulAdd"};
  config.model_input_quantized = true;
  return config;
}

PlanOptions options_of(const std::function<void(QuantsimConfig&)>& change) {
  QuantsimConfig config = base();
  change(config);
  PlanOptions options;
  options.config = std::make_shared<const QuantsimConfig>(std::move(config));
  return options;
}

QuantPlan planned(const std::function<void(QuantsimConfig&)>& change,
                  const GraphBuilder& builder = chain()) {
  return plan_of(builder, options_of(change));
}

const auto kUnchanged = [](QuantsimConfig&) {};

TEST(PlanConfig, TheBaseOfTheseTestsPlansWhatTheRulesDo) {
  EXPECT_EQ(plan_text(planned(kUnchanged)), plan_text(plan_of(chain(), {})));
}

TEST(PlanConfig, OutputsOfAllOperationsOrNone) {
  EXPECT_THAT(activations(planned([](auto& c) { c.default_op.is_output_quantized = false; })),
              ElementsAre("x"));
}

TEST(PlanConfig, InputsOfAllOperations) {
  const QuantPlan plan = planned([](auto& c) {
    c.default_op.is_output_quantized = false;
    c.default_op.is_input_quantized = true;
  });
  EXPECT_THAT(activations(plan), ElementsAre("d", "r", "x"));
}

TEST(PlanConfig, OutputsAndInputsOfOneOperationType) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Softplus", {"c"}, {"s"}, kImage).node("Abs", {"s"}, {"y"}, kImage);
  b.output("y");
  const auto off = [](QuantsimConfig& c) { c.op_types["Softplus"].is_output_quantized = false; };
  EXPECT_THAT(activations(planned(off, b)), ElementsAre("c", "x", "y"));
  const auto both = [&](QuantsimConfig& c) {
    off(c);
    c.op_types["Abs"].is_input_quantized = true;
  };
  EXPECT_THAT(activations(planned(both, b)), ElementsAre("c", "s", "x", "y"));
}

TEST(PlanConfig, MoversShareWhateverTheirEntrySays) {
  GraphBuilder b;
  b.input("x", kImage).int64s("shape", {1, 512});
  conv(b, "x", "c").node("Reshape", {"c", "shape"}, {"y"}, {1, 512}).output("y");
  const auto off = [](QuantsimConfig& c) { c.op_types["Reshape"].is_output_quantized = false; };
  EXPECT_EQ(planned(off, b).tensors.at("y").shares_encoding_of, "c");
  const auto source_off = [&](QuantsimConfig& c) {
    off(c);
    c.op_types["Conv"].is_output_quantized = false;
  };
  EXPECT_THAT(activations(planned(source_off, b)), ElementsAre("x"));
}

TEST(PlanConfig, ModelInputsAndOutputs) {
  const QuantPlan open = planned([](auto& c) { c.model_input_quantized = false; });
  EXPECT_THAT(activations(open), ElementsAre("d", "r", "y"));
  // The scale of an int32 bias is the product with that of the input.
  EXPECT_FALSE(open.biases.contains("c_b"));
  EXPECT_TRUE(open.biases.contains("d_b"));
  const QuantPlan closed = planned([](auto& c) {
    c.default_op.is_output_quantized = false;
    c.model_output_quantized = true;
  });
  EXPECT_THAT(activations(closed), ElementsAre("x", "y"));
}

TEST(PlanConfig, SymmetricActivations) {
  const QuantPlan all = planned([](auto& c) { c.default_op.is_symmetric = true; });
  EXPECT_TRUE(all.tensors.at("d").symmetric);
  EXPECT_TRUE(all.tensors.at("x").symmetric);
  const QuantPlan one = planned([](auto& c) { c.op_types["Conv"].is_symmetric = true; });
  EXPECT_TRUE(one.tensors.at("d").symmetric);
  EXPECT_FALSE(one.tensors.at("r").symmetric);
}

TEST(PlanConfig, StrictAndUnsignedSymmetric) {
  const QuantPlan strict = planned([](auto& c) { c.strict_symmetric = true; });
  EXPECT_TRUE(strict.tensors.at("c_w").strict);
  const QuantPlan positive = planned([](auto& c) {
    c.default_op.is_symmetric = true;
    c.unsigned_symmetric = true;
  });
  EXPECT_TRUE(positive.tensors.at("d").unsigned_if_positive);
  EXPECT_FALSE(planned(kUnchanged).tensors.at("d").unsigned_if_positive);
}

TEST(PlanConfig, PerChannelByDefaultAndByType) {
  EXPECT_EQ(
      planned([](auto& c) { c.default_op.per_channel = false; }).tensors.at("c_w").granularity,
      Granularity::kTensor);
  EXPECT_EQ(planned([](auto& c) {
              c.default_op.per_channel = false;
              c.op_types["Conv"].per_channel = true;
            })
                .tensors.at("c_w")
                .granularity,
            Granularity::kChannel);
}

TEST(PlanConfig, ParametersByDefaultByKindAndByType) {
  const QuantPlan none = planned([](auto& c) { c.default_param.is_quantized = false; });
  EXPECT_FALSE(none.tensors.contains("c_w"));
  EXPECT_EQ(row(none, "c").weight_bits, 32);
  const QuantPlan kind = planned([](auto& c) { c.params["weight"].is_quantized = false; });
  EXPECT_FALSE(kind.tensors.contains("c_w"));
  const QuantPlan type = planned([](auto& c) {
    c.default_param.is_quantized = false;
    c.op_types["Conv"].params["weight"].is_quantized = true;
  });
  EXPECT_TRUE(type.tensors.contains("c_w"));
  const QuantPlan asymmetric = planned([](auto& c) {
    c.default_param.is_symmetric = false;
    c.default_op.per_channel = false;
  });
  EXPECT_EQ(asymmetric.tensors.at("c_w").type, DType::kUInt8);
}

TEST(PlanConfig, AQuantizedBiasHasAQuantizerOfItsOwn) {
  const QuantPlan plan = planned([](auto& c) { c.params["bias"].is_quantized = true; });
  EXPECT_EQ(plan.tensors.at("c_b").type, DType::kInt8);
  EXPECT_TRUE(plan.biases.empty());
}

TEST(PlanConfig, EncodingConstraints) {
  const QuantPlan both = planned([](auto& c) { c.op_types["Conv"].constraints = {-1.0, 1.0}; });
  // A power of two as scale, as the HTP computes such operations: 2 / 256.
  ASSERT_TRUE(both.tensors.at("d").fixed_range.has_value());
  EXPECT_FLOAT_EQ(both.tensors.at("d").fixed_range->max, 1.0F - 1.0F / 128.0F);
  const QuantPlan low = planned([](auto& c) { c.op_types["Conv"].constraints = {0.0, {}}; });
  EXPECT_EQ(low.tensors.at("d").range_limits,
            (Range{0.0F, std::numeric_limits<float>::infinity()}));
  // What the configuration does not bound is observed.
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Sigmoid", {"c"}, {"y"}, kImage).output("y");
  EXPECT_FALSE(planned(kUnchanged, b).tensors.at("y").fixed_range.has_value());
}

TEST(PlanConfig, KernelsChooseWidths) {
  const QuantPlan wide = planned([](auto& c) {
    c.op_types["Conv"].kernels = {{16, false, 8, false}};
  });
  EXPECT_EQ(row(wide, "d").act_bits, 16);
  EXPECT_THAT(row(wide, "d").reason, HasSubstr("no kernel of 8 bits"));
  const QuantPlan real = planned([](auto& c) {
    c.op_types["Conv"].kernels = {{16, true, 16, true}};
  });
  EXPECT_EQ(row(real, "d").act_bits, 32);
  const QuantPlan narrow = planned([](auto& c) { c.default_op.kernels = {{8, false, 4, false}}; });
  EXPECT_EQ(row(narrow, "d").weight_bits, 4);
  EXPECT_EQ(row(narrow, "d").act_bits, 8);
}

TEST(PlanConfig, SupergroupsTakeThePlaceOfTheRules) {
  EXPECT_THAT(activations(planned([](auto& c) { c.supergroups.clear(); })),
              ElementsAre("c", "d", "r", "x", "y"));
  const QuantPlan more = planned([](auto& c) { c.supergroups.push_back({"Conv", "Conv"}); });
  EXPECT_THAT(activations(more), ElementsAre("r", "x", "y"));
}

TEST(PlanConfig, AMoverInsideASupergroup) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Transpose", {"c"}, {"t"}, kImage).node("LeakyRelu", {"t"}, {"y"}, kImage);
  b.output("y");
  const QuantPlan plan = planned(
      [](auto& c) {
        c.supergroups = {{"Conv", "Transpose", "LeakyRelu"}};
      },
      b);
  EXPECT_THAT(activations(plan), ElementsAre("x", "y"));
}

TEST(PlanConfig, PassListSaysWhetherAProductTakesItsBias) {
  GraphBuilder b;
  b.input("x", {1, 3, 8}).constant("w", {8, 8}).constant("b", {8});
  b.node("MatMul", {"x", "w"}, {"m"}, {1, 3, 8}).node("Add", {"m", "b"}, {"y"}, {1, 3, 8});
  b.output("y");
  EXPECT_TRUE(planned(kUnchanged, b).biases.contains("b"));
  const QuantPlan apart = planned([](auto& c) { c.supergroup_passes.reset(); }, b);
  EXPECT_FALSE(apart.biases.contains("b"));
  EXPECT_TRUE(apart.tensors.contains("m"));
  EXPECT_TRUE(has_finding(planned([](auto& c) { c.supergroup_passes = {"Magic"}; }, b),
                          "config-unknown-pass", "'Magic'"));
}

TEST(PlanConfig, AnotherHardwareVersionIsAFinding) {
  EXPECT_TRUE(has_finding(planned([](auto& c) { c.hw_version = "V68"; }), "config-hw-version",
                          "for V68, but SM8650 has HTP v75"));
  EXPECT_FALSE(has_finding(planned([](auto& c) { c.hw_version = "V75"; }), "config-hw-version"));
}

/// Written out and read again, the rules of a chip plan what the rules themselves plan.
TEST(PlanConfig, TheRulesAsAConfigurationPlanTheSame) {
  for (const char* soc : {"SM8650", "SM8350", "SM8750"}) {
    const target::Target target = target::load_target(soc);
    Findings lost;
    const std::string text =
        to_text(formats::quantsim_config_json(formats::config_of_target(target, lost)));
    for (const char* model : {"tiny_cnn.onnx", "tiny_transformer.onnx"}) {
      graph::Graph graph = formats::read_onnx(test::test_data(std::string("models/") + model));
      (void)passes::prepare(graph, {});
      for (const int act_bits : {8, 16}) {
        PlanOptions options;
        options.act_bits = act_bits;
        options.weight_bits = 4;
        const std::string by_rules = plan_text(make_plan(graph, target, options));
        options.config =
            std::make_shared<const QuantsimConfig>(formats::parse_quantsim_config(text, "rules"));
        EXPECT_EQ(plan_text(make_plan(graph, target, options)), by_rules)
            << soc << " " << model << " " << act_bits;
      }
    }
  }
}

}  // namespace
}  // namespace hexquant::plan
