#include "hexquant/encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"

namespace hexquant {
namespace {

std::vector<double> codes_of(const std::vector<float>& values, const Encoding& encoding) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  return to_doubles(quantize_tensor(Tensor::from<float>(shape, values), encoding));
}

Encoding unit_scale(DType type, std::int32_t zero_point, bool strict = false) {
  Encoding encoding;
  encoding.type = type;
  encoding.strict = strict;
  encoding.scale = {1.0F};
  encoding.zero_point = {zero_point};
  return encoding;
}

TEST(EncodingFromRange, AsymmetricByHand) {
  const Encoding encoding = encoding_from_range({-1.0F, 1.55F}, DType::kUInt8, false);
  EXPECT_FLOAT_EQ(encoding.scale[0], 0.01F);
  EXPECT_EQ(encoding.zero_point[0], 100);
  EXPECT_NEAR(encoding.range_min(), -1.0, 1e-6);
  EXPECT_NEAR(encoding.range_max(), 1.55, 1e-6);
}

TEST(EncodingFromRange, WidensToContainZero) {
  const Encoding positive = encoding_from_range({2.0F, 5.1F}, DType::kUInt8, false);
  EXPECT_EQ(positive.zero_point[0], 0);
  EXPECT_FLOAT_EQ(positive.scale[0], 0.02F);
  const Encoding negative = encoding_from_range({-5.1F, -2.0F}, DType::kUInt8, false);
  EXPECT_EQ(negative.zero_point[0], 255);
}

TEST(EncodingFromRange, ZeroRangeGetsTheSmallestRange) {
  const Encoding encoding = encoding_from_range({0.0F, 0.0F}, DType::kUInt8, false);
  EXPECT_FLOAT_EQ(encoding.scale[0], 1e-4F / 255.0F);
  EXPECT_EQ(encoding.zero_point[0], 0);
  const Encoding symmetric = encoding_from_range({0.0F, 0.0F}, DType::kInt8, true);
  EXPECT_FLOAT_EQ(symmetric.scale[0], 1e-4F / 127.0F);
}

TEST(EncodingFromRange, SymmetricGridsOfEveryWidth) {
  EXPECT_FLOAT_EQ(encoding_from_range({-0.5F, 0.25F}, DType::kInt4, true).scale[0], 0.5F / 7);
  EXPECT_FLOAT_EQ(encoding_from_range({-0.5F, 0.25F}, DType::kInt8, true).scale[0], 0.5F / 127);
  EXPECT_FLOAT_EQ(encoding_from_range({-0.5F, 0.25F}, DType::kInt16, true).scale[0], 0.5F / 32767);
  const Encoding full = encoding_from_range({-1.0F, 1.0F}, DType::kInt8, true, false);
  const Encoding strict = encoding_from_range({-1.0F, 1.0F}, DType::kInt8, true, true);
  EXPECT_EQ(full.q_min(), -128);
  EXPECT_EQ(strict.q_min(), -127);
  EXPECT_EQ(full.scale, strict.scale);
}

// AIMET and QNN write symmetric activations like this: offset -128, min = -128 * scale.
TEST(EncodingFromRange, SymmetricUnsignedIsCentred) {
  const Encoding encoding = encoding_from_range({-0.5F, 1.27F}, DType::kUInt8, true, true);
  EXPECT_TRUE(encoding.symmetric);
  EXPECT_FALSE(encoding.strict);
  EXPECT_FLOAT_EQ(encoding.scale[0], 0.01F);
  EXPECT_EQ(encoding.zero_point[0], 128);
  EXPECT_NEAR(encoding.range_min(), -1.28, 1e-6);
  const Encoding words = encoding_from_range({0.0F, 32767.0F}, DType::kUInt16, true);
  EXPECT_FLOAT_EQ(words.scale[0], 1.0F);
  EXPECT_EQ(words.zero_point[0], 32768);
}

TEST(EncodingFromRange, RejectsBadInput) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THROW((void)encoding_from_range({nan, 1.0F}, DType::kUInt8, false), Error);
  EXPECT_THROW((void)encoding_from_range({0.0F, infinity}, DType::kUInt8, false), Error);
  EXPECT_THROW((void)encoding_from_range({1.0F, -1.0F}, DType::kUInt8, false), Error);
  EXPECT_THROW((void)encoding_from_range({0.0F, 1.0F}, DType::kFloat32, false), Error);
}

TEST(Quantize, TiesGoToEvenBeforeTheZeroPointIsAdded) {
  // With zero point 1, rounding after adding it would give 2 for 0.5 and 2 for 1.5.
  EXPECT_EQ(codes_of({0.5F, 1.5F, 2.5F, -0.5F}, unit_scale(DType::kUInt8, 1)),
            (std::vector<double>{1, 3, 3, 1}));
}

TEST(Quantize, ClampsToTheGrid) {
  EXPECT_EQ(codes_of({-1e30F, 1e30F}, unit_scale(DType::kUInt8, 10)),
            (std::vector<double>{0, 255}));
  EXPECT_EQ(codes_of({-200.0F, 200.0F}, unit_scale(DType::kInt8, 0)),
            (std::vector<double>{-128, 127}));
  EXPECT_EQ(codes_of({-200.0F, 200.0F}, unit_scale(DType::kInt8, 0, true)),
            (std::vector<double>{-127, 127}));
}

TEST(Quantize, NanBecomesTheZeroPointAndInfinitiesTheEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(codes_of({std::nanf(""), infinity, -infinity}, unit_scale(DType::kUInt8, 7)),
            (std::vector<double>{7, 255, 0}));
}

TEST(Quantize, PacksFourBitsLowNibbleFirst) {
  const Tensor codes = quantize_tensor(Tensor::from<float>({3}, std::vector<float>{-8, 7, -1}),
                                       unit_scale(DType::kInt4, 0));
  ASSERT_EQ(codes.bytes(), 2U);
  EXPECT_EQ(std::to_integer<int>(codes.raw()[0]), 0x78);
  EXPECT_EQ(std::to_integer<int>(codes.raw()[1]), 0x0F);
}

TEST(Quantize, Int32KeepsCodesThatFloatCannotHold) {
  Encoding encoding = unit_scale(DType::kInt32, 0);
  encoding.scale = {1.0F / 1024};
  const float value = 123456.78125F;  // 126419744 steps: more than 24 bits
  EXPECT_EQ(codes_of({value}, encoding)[0], 126419744.0);
}

TEST(Quantize, PerChannelUsesTheScaleOfItsAxis) {
  Encoding encoding;
  encoding.type = DType::kInt8;
  encoding.granularity = Granularity::kChannel;
  encoding.axis = 1;
  encoding.scale = {1.0F, 0.5F};
  encoding.zero_point = {0, 0};
  const Tensor values = Tensor::from<float>({2, 2}, std::vector<float>{1, 1, 2, 2});
  EXPECT_EQ(to_doubles(quantize_tensor(values, encoding)), (std::vector<double>{1, 2, 2, 4}));
}

TEST(Quantize, PerGroupUsesBlocksAlongItsAxis) {
  Encoding encoding;
  encoding.type = DType::kInt8;
  encoding.granularity = Granularity::kGroup;
  encoding.axis = 0;
  encoding.block_size = 2;
  encoding.scale = {1.0F, 0.5F, 0.25F, 0.125F};  // [2 blocks, 2 columns]
  encoding.zero_point = {0, 0, 0, 0};
  const Tensor values = Tensor::from<float>({3, 2}, std::vector<float>{1, 1, 1, 1, 1, 1});
  EXPECT_EQ(to_doubles(quantize_tensor(values, encoding)), (std::vector<double>{1, 2, 1, 2, 4, 8}));
}

TEST(Quantize, RejectsEncodingsThatDoNotFit) {
  Encoding encoding;
  encoding.granularity = Granularity::kChannel;
  encoding.axis = 0;
  encoding.scale = {1.0F};
  encoding.zero_point = {0};
  const Tensor values = Tensor::from<float>({2, 2}, std::vector<float>{1, 1, 2, 2});
  EXPECT_THROW((void)quantize_tensor(values, encoding), Error);
  encoding.axis = 5;
  EXPECT_THROW((void)quantize_tensor(values, encoding), Error);
}

/// Index of the scale of element (a, b, c) of a [3, 5, 7] tensor.
std::size_t scale_at(const Encoding& encoding, const std::array<std::int64_t, 3>& element) {
  constexpr std::array<std::int64_t, 3> kShape = {3, 5, 7};
  const auto axis = static_cast<std::size_t>(encoding.axis);
  if (encoding.granularity == Granularity::kTensor) return 0;
  if (encoding.granularity == Granularity::kChannel) return static_cast<std::size_t>(element[axis]);
  std::int64_t index = 0;
  for (std::size_t d = 0; d < 3; ++d) {
    const bool is_blocked = d == axis;
    const std::int64_t size =
        is_blocked ? (kShape[d] + encoding.block_size - 1) / encoding.block_size : kShape[d];
    index = index * size + (is_blocked ? element[d] / encoding.block_size : element[d]);
  }
  return static_cast<std::size_t>(index);
}

/// One element, in double. Scales are powers of two, so float divides as exactly.
float slow_fake_quantize(float x, const Encoding& encoding, std::size_t s) {
  if (std::isnan(x)) return 0.0F;
  const double zero = encoding.zero_point[s];
  const double code = std::nearbyint(static_cast<double>(x) / encoding.scale[s]) + zero;
  const double kept = std::clamp(code, static_cast<double>(encoding.q_min()),
                                 static_cast<double>(encoding.q_max()));
  return static_cast<float>((kept - zero) * encoding.scale[s]);
}

/// Every granularity along every axis, blocks that do not divide the axis, ties, NaN, infinities.
TEST(Quantize, EveryLayoutEqualsElementByElement) {
  std::mt19937 random(11);
  std::uniform_int_distribution<int> halves(-400, 400);
  std::vector<float> values(105);
  for (float& value : values) value = 0.5F * static_cast<float>(halves(random));
  values[3] = values[90] = std::nanf("");
  values[50] = std::numeric_limits<float>::infinity();
  values[51] = -values[50];
  values[52] = -0.0F;
  const Tensor tensor = Tensor::from<float>({3, 5, 7}, values);
  for (const Granularity granularity :
       {Granularity::kTensor, Granularity::kChannel, Granularity::kGroup}) {
    for (int axis = 0; axis < 3; ++axis) {
      Encoding encoding;
      encoding.type = DType::kUInt8;
      encoding.granularity = granularity;
      encoding.axis = axis;
      encoding.block_size = granularity == Granularity::kGroup ? 2 : 0;
      const std::size_t scales = scale_at(encoding, {2, 4, 6}) + 1;
      for (std::size_t i = 0; i < scales; ++i) {
        encoding.scale.push_back(std::ldexp(1.0F, static_cast<int>(i % 4) - 2));
        encoding.zero_point.push_back(static_cast<std::int32_t>(i % 5 * 60));
      }
      const Tensor found = fake_quantize_tensor(tensor, encoding);
      EXPECT_EQ(dequantize_tensor(quantize_tensor(tensor, encoding), encoding), found);
      for (std::int64_t i = 0; i < 105; ++i) {
        const std::size_t s = scale_at(encoding, {i / 35, i / 7 % 5, i % 7});
        const auto at = static_cast<std::size_t>(i);
        EXPECT_EQ(found.data<float>()[at], slow_fake_quantize(values[at], encoding, s))
            << granularity_name(granularity) << " axis " << axis << " element " << i;
      }
    }
  }
}

/// Random ranges, types and values: dequantize(quantize(x)) stays within scale / 2 inside the
/// range, and fake quantization is the same thing.
TEST(QuantizeProperty, ErrorIsAtMostHalfAStep) {
  std::mt19937 random(7);
  for (const DType type :
       {DType::kUInt8, DType::kInt8, DType::kUInt16, DType::kInt16, DType::kInt4, DType::kUInt4}) {
    const bool is_unsigned =
        type == DType::kUInt8 || type == DType::kUInt16 || type == DType::kUInt4;
    for (int round = 0; round < 20; ++round) {
      std::uniform_real_distribution<float> pick(-3.0F, 5.0F);
      const float a = pick(random);
      const float b = pick(random);
      const Encoding encoding =
          encoding_from_range({std::min(a, b), std::max(a, b)}, type, !is_unsigned);
      std::vector<float> values;
      for (int i = 0; i < 33; ++i) values.push_back(pick(random));
      const Tensor tensor = Tensor::from<float>({33}, values);
      const Tensor back = dequantize_tensor(quantize_tensor(tensor, encoding), encoding);
      EXPECT_EQ(back, fake_quantize_tensor(tensor, encoding));
      // Half a step plus the float rounding of x / scale with up to 2^16 steps.
      const double limit = encoding.scale[0] * (0.5 + 65536.0 * 1.2e-7);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double x = std::clamp<double>(values[i], encoding.range_min(), encoding.range_max());
        EXPECT_TRUE(!(std::abs(x - back.data<float>()[i]) > limit)) << values[i];
      }
    }
  }
}

}  // namespace
}  // namespace hexquant
