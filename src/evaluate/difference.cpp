#include "evaluate/difference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// Independent partial sums: the compiler may not reorder one chain of additions, and a fixed number
// of chains gives the same bytes on every machine.
constexpr std::size_t kLanes = 8;

struct Lanes {
  std::array<double, kLanes> reference{};
  std::array<double, kLanes> other{};
  std::array<double, kLanes> product{};
  std::array<double, kLanes> error{};
  std::array<double, kLanes> largest{};

  void add(std::size_t lane, double r, double x) noexcept {
    const double e = r - x;
    reference[lane] += r * r;
    other[lane] += x * x;
    product[lane] += r * x;
    error[lane] += e * e;
    largest[lane] = std::max(largest[lane], std::abs(e));
  }

  [[nodiscard]] Difference total() const {
    Difference sums;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums.reference_squared += reference[lane];
      sums.other_squared += other[lane];
      sums.product += product[lane];
      sums.error_squared += error[lane];
      sums.max_abs = std::max(sums.max_abs, largest[lane]);
    }
    return sums;
  }
};

template <typename T>
Difference finite_sums(std::span<const T> reference, std::span<const T> other) {
  Lanes lanes;
  const std::size_t whole = reference.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes.add(lane, reference[i + lane], other[i + lane]);
    }
  }
  for (std::size_t i = whole; i < reference.size(); ++i) {
    lanes.add(i - whole, reference[i], other[i]);
  }
  return lanes.total();
}

/// The slow way, for tensors that hold a NaN or an infinity.
template <typename T>
Difference checked_sums(std::span<const T> reference, std::span<const T> other) {
  Difference sums;
  Lanes lanes;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = reference[i];
    const double x = other[i];
    if (std::isfinite(r) && std::isfinite(x)) {
      lanes.add(i % kLanes, r, x);
    } else if (!(r == x || (std::isnan(r) && std::isnan(x)))) {
      ++sums.non_finite;
    }
  }
  sums.merge(lanes.total());
  return sums;
}

template <typename T>
Difference sums_of(std::span<const T> reference, std::span<const T> other) {
  HEXQUANT_CHECK(reference.size() == other.size(), "tensors of different size");
  Difference sums = finite_sums(reference, other);
  if (!std::isfinite(sums.reference_squared + sums.other_squared)) {
    sums = checked_sums(reference, other);
  }
  sums.count = static_cast<std::int64_t>(reference.size());
  return sums;
}

}  // namespace

void Difference::add(std::span<const float> reference, std::span<const float> other) {
  merge(sums_of(reference, other));
}

void Difference::add(std::span<const double> reference, std::span<const double> other) {
  merge(sums_of(reference, other));
}

void Difference::add(const Tensor& reference, const Tensor& other) {
  if (reference.shape() != other.shape()) {
    throw Error(ErrorCode::kInvalidModel, "shape " + shape_text(other.shape()) + ", expected " +
                                              shape_text(reference.shape()));
  }
  if (reference.dtype() == DType::kFloat32 && other.dtype() == DType::kFloat32) {
    add(reference.data<float>(), other.data<float>());
    return;
  }
  add(std::span<const double>(to_doubles(reference)), std::span<const double>(to_doubles(other)));
}

void Difference::merge(const Difference& later) {
  reference_squared += later.reference_squared;
  other_squared += later.other_squared;
  product += later.product;
  error_squared += later.error_squared;
  max_abs = std::max(max_abs, later.max_abs);
  count += later.count;
  non_finite += later.non_finite;
}

double Difference::sqnr_db() const {
  if (count == 0 || non_finite > 0) return kNan;
  if (error_squared == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(reference_squared / error_squared);
}

double Difference::cosine() const {
  if (count == 0 || non_finite > 0) return kNan;
  if (reference_squared == 0.0 && other_squared == 0.0) return 1.0;
  if (reference_squared == 0.0 || other_squared == 0.0) return 0.0;
  // Rounding may carry the quotient of parallel vectors just past 1.
  return std::clamp(product / (std::sqrt(reference_squared) * std::sqrt(other_squared)), -1.0, 1.0);
}

double Difference::mse() const {
  if (count == 0 || non_finite > 0) return kNan;
  return error_squared / static_cast<double>(count);
}

}  // namespace hexquant::evaluate
