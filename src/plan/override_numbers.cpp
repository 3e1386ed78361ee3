#include "plan/override_numbers.h"

#include <algorithm>

#include "core/format.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::plan {
namespace {

using quant::TensorPolicy;

[[noreturn]] void refuse(const std::string& tensor, const std::string& reason) {
  throw Error(ErrorCode::kInvalidArgument, format("override of '{}': {}", tensor, reason));
}

/// Lowest code of the type, whatever `strict` says.
std::int64_t lowest_code(DType type) {
  Encoding encoding;
  encoding.type = type;
  return encoding.q_min();
}

/// The grid must hold 0, which padding and skipped values need exactly.
void check_zero(const std::string& tensor, const Encoding& encoding) {
  for (std::size_t i = 0; i < encoding.zero_point.size(); ++i) {
    const std::int64_t zero = encoding.zero_point[i];
    if (zero >= lowest_code(encoding.type) && zero <= encoding.q_max()) continue;
    refuse(tensor, format("the range {:g} ... {:g} does not contain 0", encoding.range_min(i),
                          encoding.range_max(i)));
  }
}

}  // namespace

Encoding with_type(const Encoding& encoding, DType type) {
  Encoding result = encoding;
  const std::int64_t shift = lowest_code(type) - lowest_code(encoding.type);
  for (std::int32_t& zero_point : result.zero_point) {
    zero_point += static_cast<std::int32_t>(shift);
  }
  result.type = type;
  result.strict = encoding.strict && lowest_code(type) < 0;
  return result;
}

void use_tensor_numbers(const TensorOverride& wanted, const std::string& tensor,
                        TensorPolicy& policy) {
  if (!wanted.encoding || wanted.bits != dtype_bits(policy.type)) return;
  if (wanted.encoding->scale.size() != 1) {
    refuse(tensor, format("{} encodings: expected one for the tensor, as it is no layer's weight",
                          wanted.encoding->scale.size()));
  }
  Encoding encoding = with_type(*wanted.encoding, policy.type);
  encoding.granularity = Granularity::kTensor;
  encoding.axis = 0;
  check_zero(tensor, encoding);
  policy.symmetric = encoding.symmetric;
  policy.strict = encoding.strict;
  policy.fixed_encoding = std::move(encoding);
}

void use_weight_numbers(const TensorOverride& wanted, const std::string& weight, const Shape& shape,
                        TensorPolicy& policy) {
  if (!wanted.encoding || wanted.bits != dtype_bits(policy.type)) return;
  Encoding encoding = *wanted.encoding;
  if (encoding.granularity == Granularity::kTensor && policy.granularity == Granularity::kChannel &&
      shape.at(static_cast<std::size_t>(policy.axis)) == 1) {
    // One channel: files write both in the same way.
    encoding.granularity = Granularity::kChannel;
    encoding.axis = policy.axis;
  }
  const bool is_known_axis = encoding.axis >= 0 && encoding.axis < std::ssize(shape);
  if (encoding.granularity != Granularity::kTensor && !is_known_axis) {
    refuse(weight, format("axis {}: the shape is {}", encoding.axis, shape_text(shape)));
  }
  const std::int64_t scales = element_count(quant::scale_shape(shape, encoding));
  if (scales != std::ssize(encoding.scale)) {
    refuse(weight, format("{} encodings: shape {} per {} on axis {} has {}", encoding.scale.size(),
                          shape_text(shape), granularity_name(encoding.granularity), encoding.axis,
                          scales));
  }
  check_zero(weight, encoding);
  policy.type = encoding.type;
  policy.symmetric = encoding.symmetric;
  policy.strict = encoding.strict;
  policy.granularity = encoding.granularity;
  policy.axis = encoding.granularity == Granularity::kTensor ? 0 : encoding.axis;
  policy.block_size = encoding.block_size;
  policy.block_scale_bits = encoding.has_two_level_scales() ? encoding.bits() : 0;
  policy.range_factor = 1.0F;
  policy.fixed_encoding = std::move(encoding);
}

}  // namespace hexquant::plan
