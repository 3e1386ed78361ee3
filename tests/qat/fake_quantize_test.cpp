#include "qat/fake_quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/cpu_features.h"
#include "hexquant/error.h"
#include "qat/qat_testing.h"
#include "qat/quantizer.h"

namespace hexquant::qat {
namespace {

using testing::random_tensor;

Encoding per_tensor(DType type, float scale, std::int32_t zero_point, bool symmetric) {
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = symmetric;
  encoding.scale = {scale};
  encoding.zero_point = {zero_point};
  return encoding;
}

/// n scales around 0.1 for a weight.
Encoding many_scales(DType type, Granularity granularity, int axis, std::size_t n) {
  Encoding encoding = per_tensor(type, 0.1F, 0, true);
  encoding.granularity = granularity;
  encoding.axis = axis;
  encoding.scale.clear();
  for (std::size_t s = 0; s < n; ++s) {
    encoding.scale.push_back(0.05F + 0.013F * static_cast<float>(s % 7));
  }
  encoding.zero_point.assign(n, 0);
  return encoding;
}

Grid scale_grid(const Encoding& encoding, bool is_activation = false) {
  Grid grid;
  grid.encoding = encoding;
  grid.learned = GridParameter::kScale;
  grid.is_activation = is_activation;
  return grid;
}

torch::Tensor leaf(const std::vector<float>& values) {
  return torch::tensor(values).requires_grad_();
}

std::vector<float> to_vector(const torch::Tensor& tensor) {
  const Tensor rows = from_torch(tensor);
  return {rows.data<float>().begin(), rows.data<float>().end()};
}

/// Hand-computed: int4, scale 0.5, so low = -8, high = 7.
TEST(FakeQuantize, GradientsOfTheScaleAreThoseOfLsq) {
  const std::vector<float> values = {0.6F, -1.1F, 10.0F, -10.0F};
  torch::Tensor x = leaf(values);
  torch::Tensor scale = leaf({0.5F});
  const Grid grid = scale_grid(per_tensor(DType::kInt4, 0.5F, 0, true));
  const torch::Tensor y = fake_quantize(x, scale, grid);
  EXPECT_THAT(to_vector(y), ::testing::ElementsAre(0.5F, -1.0F, 3.5F, -4.0F));
  y.backward(torch::tensor(std::vector<float>{1, 2, 3, 4}));
  EXPECT_THAT(to_vector(x.grad()), ::testing::ElementsAre(1, 2, 0, 0));
  // round(u) - u: 1 - 1.2, -2 + 2.2; then high and low. N = 4 elements, 7 positive codes.
  const double sum = 1 * -0.2 + 2 * 0.2 + 3 * 7 + 4 * -8;
  EXPECT_NEAR(scale.grad().item<double>(), sum / std::sqrt(4.0 * 7.0), 1e-5);
}

/// The ends of the range themselves still pass gradients: weights lie there after clipping.
TEST(FakeQuantize, TheLastCodesPassTheGradient) {
  torch::Tensor x = leaf({3.5F, -4.0F});
  const Grid grid = scale_grid(per_tensor(DType::kInt4, 0.5F, 0, true));
  torch::Tensor scale = leaf({0.5F});
  fake_quantize(x, scale, grid).sum().backward();
  EXPECT_THAT(to_vector(x.grad()), ::testing::ElementsAre(1, 1));
  EXPECT_EQ(scale.grad().item<float>(), 0.0F);
}

/// Hand-computed: uint4 with zero point 5, scale 0.2: values from -1 to 2 in 15 steps.
TEST(FakeQuantize, GradientsOfARangeGoToItsEnds) {
  torch::Tensor x = leaf({0.5F, 3.0F, -2.0F});
  Grid grid;
  grid.encoding = per_tensor(DType::kUInt4, 0.2F, 5, false);
  grid.learned = GridParameter::kRange;
  torch::Tensor range = leaf({-1.0F / 15.0F, 2.0F / 15.0F});
  const torch::Tensor y = fake_quantize(x, range, grid);
  EXPECT_THAT(to_vector(y), ::testing::ElementsAre(::testing::FloatNear(0.4F, 1e-6F),
                                                   ::testing::FloatNear(2.0F, 1e-6F),
                                                   ::testing::FloatNear(-1.0F, 1e-6F)));
  y.backward(torch::tensor(std::vector<float>{1, 10, 100}));
  EXPECT_THAT(to_vector(x.grad()), ::testing::ElementsAre(1, 0, 0));
  const double rest = 2.0 - 2.5;  // ties to even
  const double factor = 1.0 / std::sqrt(3.0 * 15.0);
  EXPECT_NEAR(range.grad()[0].item<double>(), factor * (15.0 * 100.0 - rest), 1e-3);
  EXPECT_NEAR(range.grad()[1].item<double>(), factor * (15.0 * 10.0 + rest), 1e-3);
}

/// An activation counts the elements of one sample.
TEST(FakeQuantize, TheBatchDoesNotDampTheGradient) {
  const auto gradient = [](std::int64_t batch) {
    torch::Tensor scale = leaf({0.5F});
    const Grid grid = scale_grid(per_tensor(DType::kInt4, 0.5F, 0, true), true);
    fake_quantize(torch::full({batch, 3}, 10.0F), scale, grid).mean().backward();
    return scale.grad().item<double>();
  };
  EXPECT_NEAR(gradient(1), gradient(8), 1e-6);
}

/// The surrogate whose derivative the straight-through estimator is: the rounding error of each
/// element, in steps, is taken for a constant.
double surrogate(const std::vector<double>& x, const std::vector<double>& rest, double scale,
                 double low, double high, const std::vector<double>& weights) {
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = x[i] / scale;
    const double code = u < low ? low : u > high ? high : u + rest[i];
    sum += weights[i] * code * scale;
  }
  return sum;
}

TEST(FakeQuantize, GradientsAreFiniteDifferencesOfTheSurrogate) {
  const Tensor values = random_tensor({200}, 4, 2.0F);
  const Tensor slopes = random_tensor({200}, 5);
  const std::vector<double> x = to_doubles(values);
  const std::vector<double> weights = to_doubles(slopes);
  struct Setting {
    DType type;
    std::int32_t zero_point;
    bool symmetric;
  };
  for (const Setting setting : {Setting{DType::kInt4, 0, true}, Setting{DType::kInt8, 0, true},
                                Setting{DType::kUInt8, 0, false}, Setting{DType::kInt16, 0, true},
                                Setting{DType::kUInt8, 128, true}}) {
    const float scale = setting.type == DType::kInt16 ? 1e-4F : 0.02F;
    const Encoding encoding =
        per_tensor(setting.type, scale, setting.zero_point, setting.symmetric);
    const Grid grid = scale_grid(encoding);
    const CodeBounds bounds = grid.bounds(0);
    std::vector<double> rest;
    for (const double v : x) {
      const auto u = static_cast<double>(static_cast<float>(v) / scale);
      rest.push_back(std::nearbyint(u) - u);
    }
    torch::Tensor parameter = leaf({scale});
    torch::Tensor input = to_torch(values).requires_grad_();
    fake_quantize(input, parameter, grid).backward(to_torch(slopes));
    const double step = 1e-7 * scale;
    const auto at = [&](double s) {
      return surrogate(x, rest, s, bounds.low, bounds.high, weights);
    };
    const double difference = (at(scale + step) - at(scale - step)) / (2.0 * step);
    const double factor = std::sqrt(200.0 * static_cast<double>(bounds.high));
    EXPECT_NEAR(parameter.grad().item<double>() * factor, difference,
                1e-3 * std::max(1.0, std::abs(difference)))
        << dtype_name(setting.type);
  }
}

/// y as a function of both ends, with the zero point that follows from them left real.
double range_surrogate(double x, double rest, double min, double max, double steps) {
  const double scale = (max - min) / steps;
  const double zero = -min / scale;
  const double u = x / scale;
  const double code = u < -zero ? -zero : u > steps - zero ? steps - zero : u + rest;
  return code * scale;
}

TEST(FakeQuantize, GradientsOfARangeAreFiniteDifferencesToo) {
  const double steps = 255.0;
  const double min = -102.0 * 0.01;
  const double max = 153.0 * 0.01;
  for (const float x : {0.3333F, 1.0F, 5.0F, -3.0F, -0.777F}) {
    Grid grid;
    grid.encoding = per_tensor(DType::kUInt8, 0.01F, 102, false);
    grid.learned = GridParameter::kRange;
    torch::Tensor range = leaf({static_cast<float>(min / steps), static_cast<float>(max / steps)});
    fake_quantize(torch::tensor(std::vector<float>{x}), range, grid).sum().backward();
    const double rest = std::nearbyint(x / 0.01) - x / 0.01;
    const double h = 1e-6;
    const double by_min = (range_surrogate(x, rest, min + h, max, steps) -
                           range_surrogate(x, rest, min - h, max, steps)) /
                          (2 * h);
    const double by_max = (range_surrogate(x, rest, min, max + h, steps) -
                           range_surrogate(x, rest, min, max - h, steps)) /
                          (2 * h);
    // The parameters are the ends divided by the steps, the gradient by sqrt(1 element * steps).
    const double factor = steps / std::sqrt(steps);
    EXPECT_NEAR(range.grad()[0].item<double>(), factor * by_min, 1e-3) << x;
    EXPECT_NEAR(range.grad()[1].item<double>(), factor * by_max, 1e-3) << x;
  }
}

/// Values are those of the project's own fake quantization, for every granularity and layout.
TEST(FakeQuantize, ValuesAreThoseOfFakeQuantizeTensor) {
  const Tensor weight = random_tensor({6, 10, 3, 5}, 6, 0.7F);
  std::vector<Encoding> encodings = {per_tensor(DType::kUInt8, 0.013F, 77, false),
                                     per_tensor(DType::kInt16, 1e-4F, 0, true),
                                     many_scales(DType::kInt4, Granularity::kChannel, 0, 6),
                                     many_scales(DType::kInt8, Granularity::kChannel, 1, 10),
                                     many_scales(DType::kInt4, Granularity::kChannel, 3, 5)};
  Encoding groups = many_scales(DType::kInt4, Granularity::kGroup, 1, 6 * 3 * 3 * 5);
  groups.block_size = 4;  // the last block is shorter
  encodings.push_back(groups);
  encodings.push_back(many_scales(DType::kInt4, Granularity::kChannel, 0, 6));
  encodings.back().strict = true;
  for (const Encoding& encoding : encodings) {
    const Tensor expected = fake_quantize_tensor(weight, encoding);
    const torch::Tensor scale = torch::tensor(encoding.scale);
    const torch::Tensor rows = to_torch(weight);
    for (const torch::Tensor& x : {rows, rows.contiguous(at::MemoryFormat::ChannelsLast),
                                   rows.permute({3, 2, 1, 0}).contiguous().permute({3, 2, 1, 0})}) {
      EXPECT_EQ(from_torch(fake_quantize(x, scale, scale_grid(encoding))), expected);
    }
  }
}

/// Each scale gets the gradient that its own elements give when they stand alone.
TEST(FakeQuantize, EachScaleHasItsOwnGradient) {
  const Shape shape = {3, 8, 2};
  const Tensor weight = random_tensor(shape, 7, 0.5F);
  const Tensor slopes = random_tensor(shape, 8);
  std::vector<Encoding> encodings = {many_scales(DType::kInt4, Granularity::kChannel, 0, 3),
                                     many_scales(DType::kInt4, Granularity::kChannel, 1, 8),
                                     many_scales(DType::kInt4, Granularity::kGroup, 1, 3 * 2 * 2)};
  encodings.back().block_size = 4;
  for (const Encoding& encoding : encodings) {
    torch::Tensor scales = torch::tensor(encoding.scale).requires_grad_();
    torch::Tensor x = to_torch(weight).requires_grad_();
    fake_quantize(x, scales, scale_grid(encoding)).backward(to_torch(slopes));
    for (std::size_t s = 0; s < encoding.scale.size(); ++s) {
      std::vector<float> mine;
      std::vector<float> my_slopes;
      for (std::int64_t e = 0; e < weight.size(); ++e) {
        const std::int64_t c = e / 16, p = e / 2 % 8, i = e % 2;
        const std::int64_t index = encoding.granularity == Granularity::kGroup
                                       ? (c * 2 + p / 4) * 2 + i
                                   : encoding.axis == 0 ? c
                                                        : p;
        if (index != static_cast<std::int64_t>(s)) continue;
        mine.push_back(weight.data<float>()[static_cast<std::size_t>(e)]);
        my_slopes.push_back(slopes.data<float>()[static_cast<std::size_t>(e)]);
      }
      torch::Tensor own = leaf({encoding.scale[s]});
      fake_quantize(torch::tensor(mine), own,
                    scale_grid(per_tensor(DType::kInt4, encoding.scale[s], 0, true)))
          .backward(torch::tensor(my_slopes));
      EXPECT_NEAR(scales.grad()[static_cast<std::int64_t>(s)].item<double>(),
                  own.grad().item<double>(), 1e-5);
    }
  }
}

TEST(FakeQuantize, NanIsSeenAndNotRounded) {
  const Grid grid = scale_grid(per_tensor(DType::kInt8, 0.1F, 0, true));
  const torch::Tensor x = torch::tensor(std::vector<float>{NAN, 1.04F, INFINITY});
  const std::vector<float> y = to_vector(fake_quantize(x, torch::tensor(0.1F).reshape({1}), grid));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_FLOAT_EQ(y[1], 1.0F);
  EXPECT_FLOAT_EQ(y[2], 12.7F);
}

TEST(FakeQuantize, ResultsDoNotDependOnThreads) {
  const torch::Tensor x = to_torch(random_tensor({40, 5001}, 9));
  const torch::Tensor slopes = to_torch(random_tensor({40, 5001}, 10));
  const auto gradient = [&](int threads) {
    at::set_num_threads(threads);
    torch::Tensor scale = leaf({0.02F});
    fake_quantize(x, scale, scale_grid(per_tensor(DType::kInt8, 0.02F, 0, true))).backward(slopes);
    return scale.grad().item<float>();
  };
  const float one = gradient(1);
  EXPECT_EQ(one, gradient(2));
  EXPECT_EQ(one, gradient(5));
  at::set_num_threads(1);
}

TEST(FakeQuantizeKernels, AllVariantsGiveTheSameBits) {
  if (!cpu_has_avx2()) GTEST_SKIP() << "no AVX2";
  for (const std::int64_t count : {1, 15, 16, 17, 1023, 4097}) {
    const Tensor x = random_tensor({count}, 11, 3.0F);
    const Tensor g = random_tensor({count}, 12);
    std::vector<std::vector<float>> results;
    for (const FakeQuantizeKernels* kernels :
         {&scalar_fake_quantize_kernels(), &avx2_fake_quantize_kernels()}) {
      std::vector<float> out(static_cast<std::size_t>(2 * count));
      RangeSums sums{0.0, 0.0, 0.0};
      const CodeBounds bounds{-8.0F, 7.0F};
      kernels->forward(x.data<float>().data(), out.data(), count, 0.3F, bounds);
      kernels->backward(x.data<float>().data(), g.data<float>().data(), out.data() + count, count,
                        0.3F, bounds, &sums);
      out.insert(out.end(), {static_cast<float>(sums.inside), static_cast<float>(sums.below),
                             static_cast<float>(sums.above)});
      results.push_back(out);
    }
    EXPECT_EQ(results[0], results[1]) << count;
  }
}

}  // namespace
}  // namespace hexquant::qat
