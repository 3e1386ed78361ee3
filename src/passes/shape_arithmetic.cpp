#include "passes/shape_arithmetic.h"

#include <algorithm>
#include <limits>
#include <set>

namespace hexquant::passes {
namespace {

/// Shape that both broadcast to.
std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

/// Element of `tensor` that meets element `index` of the broadcast shape.
const ShapeElement& element_at(const ShapeTensor& tensor, const Shape& shape, std::size_t index) {
  auto rest = static_cast<std::int64_t>(index);
  std::int64_t offset = 0;
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t dim = shape[shape.size() - 1 - i];
    const std::int64_t position = rest % dim;
    rest /= dim;
    if (i >= tensor.shape.size()) continue;
    const std::int64_t own = tensor.shape[tensor.shape.size() - 1 - i];
    if (own != 1) offset += position * stride;
    stride *= own;
  }
  return tensor.elements[static_cast<std::size_t>(offset)];
}

/// Division as ONNX Runtime's integer kernels do it: towards zero.
std::optional<std::int64_t> divide(std::int64_t a, std::int64_t b) {
  const bool overflows = a == std::numeric_limits<std::int64_t>::min() && b == -1;
  if (b == 0 || overflows) return std::nullopt;
  return a / b;
}

/// Remainder with the sign of the divisor (Mod with fmod = 0) or of the dividend (fmod = 1).
std::optional<std::int64_t> remainder(std::int64_t a, std::int64_t b, bool as_dividend) {
  if (b == 0 || b == -1) return b == 0 ? std::nullopt : std::optional<std::int64_t>(0);
  const std::int64_t rest = a % b;
  const bool flips = !as_dividend && rest != 0 && (rest < 0) != (b < 0);
  return flips ? rest + b : rest;
}

/// Wrapping like the kernels' machine arithmetic, without undefined behaviour.
std::int64_t wrap(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> compute(const std::string& op, std::int64_t a, std::int64_t b,
                                    bool remainder_as_dividend) {
  const auto x = static_cast<std::uint64_t>(a);
  const auto y = static_cast<std::uint64_t>(b);
  if (op == "Add") return wrap(x + y);
  if (op == "Sub") return wrap(x - y);
  if (op == "Mul") return wrap(x * y);
  if (op == "Div") return divide(a, b);
  if (op == "Mod") return remainder(a, b, remainder_as_dividend);
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "Equal") return a == b ? 1 : 0;
  if (op == "Less") return a < b ? 1 : 0;
  if (op == "LessOrEqual") return a <= b ? 1 : 0;
  if (op == "Greater") return a > b ? 1 : 0;
  if (op == "GreaterOrEqual") return a >= b ? 1 : 0;
  if (op == "And") return a != 0 && b != 0 ? 1 : 0;
  if (op == "Or") return a != 0 || b != 0 ? 1 : 0;
  return std::nullopt;
}

/// What is certain although one operand is not known.
ShapeElement deduce(const std::string& op, const ShapeElement& a, const ShapeElement& b) {
  const auto is = [](const ShapeElement& element, std::int64_t value) {
    return element.value == value;
  };
  if (op == "Mul" && (is(a, 0) || is(b, 0))) return {0, ""};
  if (op == "Mul" && is(a, 1)) return b;
  if ((op == "Mul" || op == "Div") && is(b, 1)) return a;
  if (op == "Add" && is(a, 0)) return b;
  if ((op == "Add" || op == "Sub") && is(b, 0)) return a;
  const bool a_is_dim = !a.symbol.empty();
  const bool b_is_dim = !b.symbol.empty();
  if (op == "Equal" && a_is_dim && b.value && *b.value < 0) return {0, ""};
  if (op == "Equal" && b_is_dim && a.value && *a.value < 0) return {0, ""};
  if (op == "Equal" && a_is_dim && a.symbol == b.symbol) return {1, ""};
  if (op == "Sub" && a_is_dim && a.symbol == b.symbol) return {0, ""};
  if ((op == "Min" || op == "Max") && a_is_dim && a.symbol == b.symbol) return a;
  return {};
}

bool is_comparison(const std::string& op) {
  static const std::set<std::string> kOps = {"Equal",          "Less", "LessOrEqual", "Greater",
                                             "GreaterOrEqual", "And",  "Or"};
  return kOps.contains(op);
}

bool fits(DType dtype, std::int64_t value) {
  return dtype != DType::kInt32 || (value >= std::numeric_limits<std::int32_t>::min() &&
                                    value <= std::numeric_limits<std::int32_t>::max());
}

bool are_equal(const ShapeElement& a, const ShapeElement& b) {
  if (a.value || b.value) return a.value == b.value;
  return !a.symbol.empty() && a.symbol == b.symbol;
}

}  // namespace

bool is_shape_operation(const std::string& op_type) {
  static const std::set<std::string> kOps = {"Add", "Sub", "Mul", "Div", "Mod", "Min", "Max"};
  return kOps.contains(op_type) || is_comparison(op_type);
}

std::optional<ShapeTensor> combine(const graph::Node& node, const ShapeTensor& a,
                                   const ShapeTensor& b) {
  const auto shape = broadcast(a.shape, b.shape);
  if (!shape) return std::nullopt;
  const std::string& op = node.op_type();
  const bool as_dividend = op == "Mod" && node.int_attribute("fmod", 0) != 0;
  ShapeTensor result{is_comparison(op) ? DType::kBool : a.dtype, *shape, {}};
  const auto count = static_cast<std::size_t>(element_count(*shape));
  for (std::size_t i = 0; i < count; ++i) {
    const ShapeElement& x = element_at(a, *shape, i);
    const ShapeElement& y = element_at(b, *shape, i);
    ShapeElement element;
    if (x.value && y.value) {
      element.value = compute(op, *x.value, *y.value, as_dividend);
      if (element.value && !fits(result.dtype, *element.value)) element.value.reset();
    } else {
      element = deduce(op, x, y);
    }
    result.elements.push_back(std::move(element));
  }
  return result;
}

std::optional<ShapeTensor> select(const ShapeTensor& condition, const ShapeTensor& yes,
                                  const ShapeTensor& no) {
  const auto sides = broadcast(yes.shape, no.shape);
  const auto shape = sides ? broadcast(*sides, condition.shape) : std::nullopt;
  if (!shape) return std::nullopt;
  ShapeTensor result{yes.dtype, *shape, {}};
  const auto count = static_cast<std::size_t>(element_count(*shape));
  for (std::size_t i = 0; i < count; ++i) {
    const ShapeElement& chosen = element_at(condition, *shape, i);
    const ShapeElement& x = element_at(yes, *shape, i);
    const ShapeElement& y = element_at(no, *shape, i);
    if (chosen.value) {
      result.elements.push_back(*chosen.value != 0 ? x : y);
    } else {
      result.elements.push_back(are_equal(x, y) ? x : ShapeElement{});
    }
  }
  return result;
}

ShapeTensor sliced(const ShapeTensor& data, std::int64_t begin, std::int64_t end,
                   std::int64_t step) {
  const std::int64_t size = data.shape[0];
  // Huge positions mean "to the end"; only then is adding `size` safe.
  const auto from_end = [size](std::int64_t position) {
    return position < 0 ? std::max(position, -size - 1) + size : position;
  };
  begin = from_end(begin);
  end = from_end(end);
  ShapeTensor result{data.dtype, {0}, {}};
  if (step > 0) {
    begin = std::clamp<std::int64_t>(begin, 0, size);
    end = std::clamp<std::int64_t>(end, 0, size);
    step = std::min(step, size + 1);
    for (std::int64_t i = begin; i < end; i += step) {
      result.elements.push_back(data.elements[static_cast<std::size_t>(i)]);
    }
  } else {
    begin = std::clamp<std::int64_t>(begin, -1, size - 1);
    end = std::clamp<std::int64_t>(end, -1, size);
    step = std::max(step, -size - 1);
    for (std::int64_t i = begin; i > end; i += step) {
      result.elements.push_back(data.elements[static_cast<std::size_t>(i)]);
    }
  }
  result.shape[0] = static_cast<std::int64_t>(result.elements.size());
  return result;
}

std::optional<ShapeTensor> counted(DType dtype, std::int64_t start, std::int64_t limit,
                                   std::int64_t delta) {
  if (delta == 0) return std::nullopt;
  ShapeTensor result{dtype, {}, {}};
  for (std::int64_t value = start; delta > 0 ? value < limit : value > limit; value += delta) {
    if (static_cast<std::int64_t>(result.elements.size()) == kLargestShapeTensor) {
      return std::nullopt;
    }
    result.elements.push_back({value, ""});
  }
  result.shape = {static_cast<std::int64_t>(result.elements.size())};
  return result;
}

}  // namespace hexquant::passes
