#include "hexquant/encoding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/format.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant {
namespace {

bool is_signed_type(DType type) {
  return type == DType::kInt4 || type == DType::kInt8 || type == DType::kInt16 ||
         type == DType::kInt32;
}

std::int64_t type_min(DType type) {
  return is_signed_type(type) ? -(std::int64_t{1} << (dtype_bits(type) - 1)) : 0;
}

std::int64_t type_max(DType type) {
  return is_signed_type(type) ? (std::int64_t{1} << (dtype_bits(type) - 1)) - 1
                              : (std::int64_t{1} << dtype_bits(type)) - 1;
}

bool is_grid_type(DType type) {
  switch (type) {
    case DType::kInt4:
    case DType::kUInt4:
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return true;
    default:
      return false;
  }
}

void check_range(Range range, DType type) {
  if (!is_grid_type(type)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("no encoding of type {}: expected int4, uint4, int8, uint8, int16 or uint16",
                       dtype_name(type)));
  }
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max) {
    throw Error(ErrorCode::kInvalidArgument,
                format("[{}, {}] is not a finite range with min <= max", range.min, range.max));
  }
}

Encoding symmetric_encoding(double low, double high, DType type, bool strict) {
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = true;
  encoding.strict = strict && is_signed_type(type);
  const std::int64_t centre = type_min(type) + (std::int64_t{1} << (dtype_bits(type) - 1));
  double max_abs = std::max(-low, high);
  if (max_abs == 0.0) max_abs = kMinRange;
  const double scale = max_abs / static_cast<double>(type_max(type) - centre);
  // Never a denormal: x / scale must stay accurate.
  encoding.scale = {std::max(static_cast<float>(scale), std::numeric_limits<float>::min())};
  encoding.zero_point = {static_cast<std::int32_t>(centre)};
  return encoding;
}

}  // namespace

const char* granularity_name(Granularity granularity) noexcept {
  switch (granularity) {
    case Granularity::kTensor:
      return "tensor";
    case Granularity::kChannel:
      return "channel";
    case Granularity::kGroup:
      return "group";
  }
  return "tensor";
}

std::int64_t Encoding::q_min() const noexcept {
  return type_min(type) + (strict && is_signed_type(type) ? 1 : 0);
}

std::int64_t Encoding::q_max() const noexcept {
  return type_max(type);
}

double Encoding::range_min(std::size_t index) const {
  return static_cast<double>(q_min() - zero_point.at(index)) * scale.at(index);
}

double Encoding::range_max(std::size_t index) const {
  return static_cast<double>(q_max() - zero_point.at(index)) * scale.at(index);
}

Encoding encoding_from_range(Range range, DType type, bool symmetric, bool strict) {
  check_range(range, type);
  const double low = std::min(0.0, static_cast<double>(range.min));
  double high = std::max(0.0, static_cast<double>(range.max));
  if (symmetric) return symmetric_encoding(low, high, type, strict);
  if (high - low < kMinRange) high = low + kMinRange;
  Encoding encoding;
  encoding.type = type;
  const double scale = (high - low) / static_cast<double>(type_max(type) - type_min(type));
  const auto steps_below_zero = static_cast<std::int64_t>(std::nearbyint(-low / scale));
  encoding.scale = {static_cast<float>(scale)};
  encoding.zero_point = {static_cast<std::int32_t>(type_min(type) + steps_below_zero)};
  return encoding;
}

Tensor quantize_tensor(const Tensor& values, const Encoding& encoding) {
  return quant::quantize_values(values, encoding);
}

Tensor fake_quantize_tensor(const Tensor& values, const Encoding& encoding) {
  return quant::fake_quantize_values(values, encoding);
}

Tensor dequantize_tensor(const Tensor& codes, const Encoding& encoding) {
  return quant::dequantize_values(codes, encoding);
}

}  // namespace hexquant
