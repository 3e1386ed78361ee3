#include "qat/torch_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::qat {
namespace {

using ::testing::ElementsAre;

TEST(TorchTensor, ValuesAndShapesSurviveTheRoundTrip) {
  const Tensor floats = Tensor::from<float>({2, 3}, {1, 2, 3, -4, 5, 0.5F});
  const Tensor integers = Tensor::from<std::int64_t>({2}, {7, -(std::int64_t{1} << 40)});
  EXPECT_EQ(from_torch(to_torch(floats)), floats);
  EXPECT_EQ(from_torch(to_torch(integers)), integers);
  EXPECT_EQ(from_torch(to_torch(Tensor::scalar<float>(3))), Tensor::scalar<float>(3));
  EXPECT_EQ(from_torch(to_torch(Tensor(DType::kFloat32, {0, 4}))), Tensor(DType::kFloat32, {0, 4}));
}

TEST(TorchTensor, OtherMemoryFormatsBecomeRowMajor) {
  const torch::Tensor turned = to_torch(Tensor::from<float>({2, 2}, {1, 2, 3, 4})).t();
  const Tensor rows = from_torch(turned);
  EXPECT_THAT(rows.data<float>(), ElementsAre(1, 3, 2, 4));
}

TEST(TorchTensor, TheCopyIsItsOwn) {
  const Tensor one = Tensor::scalar<float>(1);
  to_torch(one).add_(1);
  EXPECT_EQ(one.data<float>()[0], 1.0F);
}

TEST(TorchTensor, TypesOfOneSideAloneAreRefused) {
  EXPECT_THROW(static_cast<void>(to_torch(Tensor(DType::kUInt16, {1}))), Error);
  EXPECT_THROW(static_cast<void>(from_torch(torch::zeros({1}, torch::kComplexFloat))), Error);
}

}  // namespace
}  // namespace hexquant::qat
