#include "data/convert.h"

#include <bit>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/float16.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

struct Half {
  std::uint16_t bits;
};

/// Calls `action` with a value of the C++ type of `dtype`; false for types without one.
template <typename Action>
bool with_type(DType dtype, Action action) {
  switch (dtype) {
    case DType::kFloat32:
      action(float{});
      return true;
    case DType::kFloat64:
      action(double{});
      return true;
    case DType::kFloat16:
      action(Half{});
      return true;
    case DType::kInt8:
      action(std::int8_t{});
      return true;
    case DType::kInt16:
      action(std::int16_t{});
      return true;
    case DType::kInt32:
      action(std::int32_t{});
      return true;
    case DType::kInt64:
      action(std::int64_t{});
      return true;
    case DType::kUInt8:
      action(std::uint8_t{});
      return true;
    case DType::kUInt16:
      action(std::uint16_t{});
      return true;
    case DType::kUInt32:
      action(std::uint32_t{});
      return true;
    case DType::kUInt64:
      action(std::uint64_t{});
      return true;
    case DType::kBool:
      action(bool{});
      return true;
    default:
      return false;
  }
}

/// Integer of at most 64 bits from a float that may be out of range, fractional or not finite.
template <typename To>
bool float_to_integer(double value, To& out) {
  // Both limits are powers of two (or 0), so they are exact doubles.
  constexpr auto kLow = static_cast<double>(std::numeric_limits<To>::min());
  const double high = std::ldexp(1.0, std::numeric_limits<To>::digits);
  if (!(value >= kLow && value < high) || value != std::trunc(value)) return false;
  out = static_cast<To>(value);
  return true;
}

template <typename From, typename To>
bool convert_value(From value, To& out) {
  if constexpr (std::is_same_v<From, Half>) {
    return convert_value(float16_to_float(value.bits), out);
  } else if constexpr (std::is_same_v<To, bool>) {
    out = value == From{1};
    return out || value == From{0};
  } else if constexpr (std::is_same_v<To, Half>) {
    float single = 0.0F;
    if (!convert_value(value, single)) return false;
    out.bits = float_to_float16(single);
    const float back = float16_to_float(out.bits);
    return std::floating_point<From> ? std::isfinite(back) || !std::isfinite(single)
                                     : back == single;
  } else if constexpr (std::floating_point<From> && std::floating_point<To>) {
    out = static_cast<To>(value);
    return std::isfinite(out) || !std::isfinite(value);
  } else if constexpr (std::floating_point<From>) {
    return float_to_integer(static_cast<double>(value), out);
  } else if constexpr (std::floating_point<To>) {
    out = static_cast<To>(value);
    From back{};
    return float_to_integer(static_cast<double>(out), back) && back == value;
  } else if constexpr (std::is_same_v<From, bool>) {
    out = value ? 1 : 0;
    return true;
  } else {
    out = static_cast<To>(value);
    return std::in_range<To>(value);
  }
}

template <typename T>
std::string value_text(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    return format("{}", float16_to_float(value.bits));
  } else {
    return format("{}", value);
  }
}

template <typename From, typename To>
void convert_all(const Tensor& tensor, Tensor& out, const std::string& origin) {
  const auto* source = reinterpret_cast<const From*>(tensor.raw());
  auto* target = reinterpret_cast<To*>(out.mutable_raw());
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    if (convert_value(source[i], target[i])) continue;
    throw Error(ErrorCode::kInvalidData,
                format("{}: element {} is {}, which {} cannot hold: store the data as {}", origin,
                       i, value_text(source[i]), dtype_name(out.dtype()), dtype_name(out.dtype())));
  }
}

}  // namespace

Tensor convert_exactly(const Tensor& tensor, DType dtype, const std::string& origin) {
  if (tensor.dtype() == dtype) return tensor;
  Tensor out(dtype, tensor.shape());
  bool known = false;
  with_type(tensor.dtype(), [&]<typename From>(From) {
    known = with_type(dtype, [&]<typename To>(To) {
      if constexpr (!std::is_same_v<From, To>) convert_all<From, To>(tensor, out, origin);
    });
  });
  if (!known) {
    throw Error(ErrorCode::kUnsupported, format("{}: cannot feed {} data to a {} input", origin,
                                                dtype_name(tensor.dtype()), dtype_name(dtype)));
  }
  return out;
}

std::uint16_t float_to_float16(float value) noexcept {
  const auto sign =
      static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(value) >> 16) & 0x8000);
  if (std::isnan(value)) return sign | 0x7E00;
  if (value == 0.0F) return sign;
  const float magnitude = std::fabs(value);
  constexpr float kOverflow = 65520.0F;  // half way between the largest half and the next step
  if (magnitude >= kOverflow) return sign | 0x7C00;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // Step between neighbouring halves: 2^-24 below 2^-14, else 11 significant bits.
  const int step = exponent - 1 < -14 ? -24 : exponent - 11;
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, -step)));
  // 1024 units carry into the exponent field by themselves.
  return static_cast<std::uint16_t>(sign | (units + ((step + 24) << 10)));
}

}  // namespace hexquant::data
