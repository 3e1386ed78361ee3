#include "evaluate/remembered_session.h"

#include <gtest/gtest.h>

#include <memory>

namespace hexquant::evaluate {
namespace {

using runtime::Feeds;
using runtime::ValueSpec;

/// Doubles its input and counts how often it was asked.
class CountingSession : public runtime::InferenceSession {
 public:
  explicit CountingSession(int& runs) : runs_(&runs) {}
  [[nodiscard]] const std::vector<ValueSpec>& inputs() const noexcept override { return inputs_; }
  [[nodiscard]] const std::vector<ValueSpec>& outputs() const noexcept override { return outputs_; }
  [[nodiscard]] std::vector<Tensor> run(const Feeds& feeds) const override {
    ++*runs_;
    const float value = feeds.at("x").data<float>()[0];
    return {Tensor::from<float>({1}, std::vector<float>{2.0F * value})};
  }

 private:
  int* runs_;
  std::vector<ValueSpec> inputs_ = {{"x", DType::kFloat32, {}}};
  std::vector<ValueSpec> outputs_ = {{"y", DType::kFloat32, {}}};
};

Feeds feeds(float value) {
  return {{"x", Tensor::from<float>({1}, std::vector<float>{value})}};
}

float first_value(const std::vector<Tensor>& outputs) {
  return outputs.at(0).data<float>()[0];
}

TEST(RememberOutputs, RunsEachInputOnceInAllSessions) {
  int runs = 0;
  int loads = 0;
  const OpenSession open = remember_outputs([&] {
    ++loads;
    return std::make_unique<CountingSession>(runs);
  });
  EXPECT_EQ(loads, 0) << "loaded when it is needed";
  const auto one = open();
  const auto other = open();
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(one->inputs().at(0).name, "x");
  EXPECT_EQ(other->outputs().at(0).name, "y");
  EXPECT_EQ(first_value(one->run(feeds(3.0F))), 6.0F);
  EXPECT_EQ(first_value(other->run(feeds(3.0F))), 6.0F);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(first_value(other->run(feeds(4.0F))), 8.0F);
  EXPECT_EQ(runs, 2);
}

TEST(RememberOutputs, RunsAgainWhatHasNoRoom) {
  int runs = 0;
  const OpenSession open =
      remember_outputs([&] { return std::make_unique<CountingSession>(runs); }, sizeof(float));
  const auto session = open();
  for (const float value : {1.0F, 2.0F, 1.0F, 2.0F}) {
    EXPECT_EQ(first_value(session->run(feeds(value))), 2.0F * value);
  }
  EXPECT_EQ(runs, 3) << "the first input is remembered, the second is not";
}

TEST(RememberOutputs, OutlivesItsMaker) {
  int runs = 0;
  std::unique_ptr<runtime::InferenceSession> session;
  {
    const OpenSession open =
        remember_outputs([&] { return std::make_unique<CountingSession>(runs); });
    session = open();
  }
  EXPECT_EQ(first_value(session->run(feeds(5.0F))), 10.0F);
}

}  // namespace
}  // namespace hexquant::evaluate
