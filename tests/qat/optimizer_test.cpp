#include "qat/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hexquant/error.h"

namespace hexquant::qat {
namespace {

Parameter parameter(const std::string& name, double value, double magnitude = 1.0) {
  return {name, torch::full({1}, value, torch::kFloat32).requires_grad_(true), magnitude};
}

void give_gradient(const Parameter& parameter, double value) {
  parameter.tensor.mutable_grad() = torch::full({1}, value, torch::kFloat32);
}

double value_of(const Parameter& parameter) {
  return parameter.tensor.detach().item<double>();
}

TEST(ScheduledRate, FollowsItsFormula) {
  TrainOptions options;
  options.learning_rate = 0.1;
  EXPECT_DOUBLE_EQ(scheduled_rate(options, 99, 100), 0.1);
  options.schedule = Schedule::kCosine;
  EXPECT_DOUBLE_EQ(scheduled_rate(options, 0, 100), 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(options, 50, 100), 0.05);
  EXPECT_NEAR(scheduled_rate(options, 99, 100), 0.0, 1e-4);
  options.schedule = Schedule::kStep;
  EXPECT_DOUBLE_EQ(scheduled_rate(options, 49, 100), 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(options, 50, 100), 0.01);
  EXPECT_NEAR(scheduled_rate(options, 75, 100), 0.001, 1e-12);
}

TEST(Optimizer, SgdByHand) {
  TrainOptions options;
  options.momentum = 0.5;
  options.weight_decay = 0.1;
  options.range_rate = 2.0;
  options.trust = 0.0;
  const Parameter weight = parameter("w", 1.0);
  const Parameter range = parameter("r", 1.0);
  Optimizer optimizer({weight}, {range}, options);
  give_gradient(weight, 1.0);
  give_gradient(range, 1.0);
  optimizer.step(0.1);
  // v = 1 + 0.1 * 1 = 1.1; the range has no decay and twice the rate.
  EXPECT_NEAR(value_of(weight), 1.0 - 0.1 * 1.1, 1e-6);
  EXPECT_NEAR(value_of(range), 1.0 - 0.2 * 1.0, 1e-6);
  give_gradient(weight, 1.0);
  give_gradient(range, 1.0);
  optimizer.step(0.1);
  // v = 0.5 * 1.1 + 1 + 0.1 * 0.89 = 1.639
  EXPECT_NEAR(value_of(weight), 0.89 - 0.1 * 1.639, 1e-6);
  EXPECT_NEAR(value_of(range), 0.8 - 0.2 * 1.5, 1e-6);
}

TEST(Optimizer, AdamStepsBySizeNotByGradient) {
  TrainOptions options;
  options.optimizer = OptimizerKind::kAdam;
  options.range_rate = 1.0;
  options.weight_decay = 0.0;
  options.trust = 0.0;
  const Parameter weight = parameter("w", 1.0);
  const Parameter range = parameter("r", 1e-3, 1e-3);
  Optimizer optimizer({weight}, {range}, options);
  give_gradient(weight, 250.0);
  give_gradient(range, -1.0);
  optimizer.step(0.1);
  EXPECT_NEAR(value_of(weight), 0.9, 1e-6);    // sign(g) x rate in the first step
  EXPECT_NEAR(value_of(range), 1.1e-3, 1e-9);  // relative to its magnitude
}

TEST(Optimizer, GradientsAreLimitedTogether) {
  TrainOptions options;
  options.momentum = 0.0;
  options.weight_decay = 0.0;
  options.clip_gradient = 1.0;
  const Parameter a = parameter("a", 0.0);
  const Parameter b = parameter("b", 0.0);
  Optimizer optimizer({a, b}, {}, options);
  give_gradient(a, 3.0);
  give_gradient(b, 4.0);
  EXPECT_NEAR(optimizer.step(1.0), 5.0, 1e-6);
  EXPECT_NEAR(value_of(a), -0.6, 1e-6);
  EXPECT_NEAR(value_of(b), -0.8, 1e-6);
}

TEST(Optimizer, SgdMovesATensorByAShareOfItsNorm) {
  TrainOptions options;
  options.learning_rate = 0.1;
  options.momentum = 0.0;
  options.weight_decay = 0.0;
  options.range_rate = 0.5;
  options.trust = 0.01;
  const Parameter steep{"steep", torch::full({1, 1}, 2.0), 1.0};
  const Parameter flat{"flat", torch::full({1, 1}, 2.0), 1.0};
  const Parameter bias = parameter("bias", 2.0);
  const Parameter range = parameter("range", 4.0);
  Optimizer optimizer({steep, flat, bias}, {range}, options);
  give_gradient(steep, 1000.0);  // 0.1 x 1000 is more than 1 % of 2
  give_gradient(flat, 0.1);      // 0.1 x 0.1 is not
  give_gradient(bias, 1000.0);   // may start at 0: not limited
  give_gradient(range, -1000.0);
  optimizer.step(0.1);
  EXPECT_NEAR(value_of(steep), 2.0 - 0.02, 1e-6);
  EXPECT_NEAR(value_of(flat), 2.0 - 0.01, 1e-6);
  EXPECT_NEAR(value_of(bias), 2.0 - 100.0, 1e-4);
  EXPECT_NEAR(value_of(range), 4.0 + 0.04, 1e-6);
  // A schedule lowers the limit with the rate.
  give_gradient(steep, 1000.0);
  optimizer.step(0.05);
  EXPECT_NEAR(value_of(steep), 1.98 - 0.5 * 0.0198, 1e-5);
}

TEST(Optimizer, AdamMovesATensorByAShareOfItsNorm) {
  TrainOptions options;
  options.optimizer = OptimizerKind::kAdam;
  options.learning_rate = 0.1;
  options.weight_decay = 0.0;
  options.trust = 0.01;
  const Parameter small{"small", torch::full({1, 1}, 2.0), 1.0};
  const Parameter large{"large", torch::full({1, 1}, 20.0), 1.0};
  const Parameter bias = parameter("bias", 2.0);
  Optimizer optimizer({small, large, bias}, {}, options);
  for (const Parameter& each : {small, large, bias}) give_gradient(each, 3.0);
  optimizer.step(0.1);
  EXPECT_NEAR(value_of(small), 2.0 - 0.02, 1e-6);  // 0.1 is more than 1 % of 2
  EXPECT_NEAR(value_of(large), 20.0 - 0.1, 1e-5);  // and less than 1 % of 20
  EXPECT_NEAR(value_of(bias), 2.0 - 0.1, 1e-6);
}

TEST(Optimizer, ARestoredOneGoesOnExactly) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdam}) {
    TrainOptions options;
    options.optimizer = kind;
    const Parameter through = parameter("w", 1.0);
    Optimizer whole({through}, {}, options);
    for (int i = 0; i < 3; ++i) {
      give_gradient(through, 0.3 * (i + 1));
      whole.step(0.1);
    }
    const auto values = values_of({{through}, {}});
    const Parameter again = parameter("w", -7.0);
    Optimizer resumed({again}, {}, options);
    restore_values(values, {{again}, {}});
    resumed.restore(whole.state(), 3);
    for (const Parameter& each : {through, again}) give_gradient(each, 0.7);
    whole.step(0.05);
    resumed.step(0.05);
    EXPECT_EQ(value_of(through), value_of(again));
  }
}

TEST(Optimizer, AStateOfOtherParametersIsRefused) {
  const Parameter weight = parameter("w", 1.0);
  EXPECT_THROW(restore_values({}, {{weight}, {}}), Error);
  EXPECT_THROW(restore_values({{"weight/w", torch::zeros({2})}}, {{weight}, {}}), Error);
}

}  // namespace
}  // namespace hexquant::qat
