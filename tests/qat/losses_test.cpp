#include "qat/losses.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hexquant::qat {
namespace {

TEST(Losses, CrossEntropyByHand) {
  // softmax(ln 1, ln 3) = (1/4, 3/4); the second row is even.
  const torch::Tensor logits = torch::tensor({{0.0F, std::log(3.0F)}, {2.0F, 2.0F}});
  const torch::Tensor labels = torch::tensor({1, 0}, torch::kInt64);
  const double expected = (-std::log(0.75) - std::log(0.5)) / 2.0;
  EXPECT_NEAR(cross_entropy(logits, labels).item<double>(), expected, 1e-6);
  EXPECT_NEAR(cross_entropy(logits.reshape({2, 2, 1, 1}), labels).item<double>(), expected, 1e-6);
}

TEST(Losses, KlDivergenceByHand) {
  const torch::Tensor teacher = torch::tensor({{0.0F, std::log(3.0F)}});
  const torch::Tensor student = torch::zeros({1, 2});
  const double expected = 0.25 * std::log(0.25 / 0.5) + 0.75 * std::log(0.75 / 0.5);
  EXPECT_NEAR(kl_divergence(student, teacher).item<double>(), expected, 1e-6);
  EXPECT_NEAR(kl_divergence(teacher, teacher).item<double>(), 0.0, 1e-7);
  // Mean over rows, whatever axes they stand on.
  EXPECT_NEAR(kl_divergence(torch::zeros({3, 5, 2}), teacher.expand({3, 5, 2})).item<double>(),
              expected, 1e-6);
}

TEST(Losses, RelativeErrorByHand) {
  const torch::Tensor teacher = torch::tensor({1.0F, 3.0F});  // mean 2, energy 2
  const torch::Tensor student = torch::tensor({1.0F, 2.0F});
  EXPECT_NEAR(relative_error(student, teacher).item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(relative_error(torch::full({2}, 2.0F), teacher).item<double>(), 1.0, 1e-6);
  EXPECT_TRUE(std::isfinite(relative_error(student, torch::ones({2})).item<double>()));
}

}  // namespace
}  // namespace hexquant::qat
