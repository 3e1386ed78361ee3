#include "qat/operator.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "qat/trainable_network.h"

namespace hexquant::qat {
namespace {

const std::map<std::string, const Operator*>& registry() {
  static const std::map<std::string, const Operator*> all = [] {
    std::map<std::string, const Operator*> operators;
    for (const auto family : {linear_operators(), unary_operators(), binary_operators(),
                              pool_operators(), normalize_operators(), reduce_operators(),
                              shape_operators(), index_operators(), resize_operators()}) {
      for (const Operator& entry : family) operators[entry.type] = &entry;
    }
    return operators;
  }();
  return all;
}

}  // namespace

void unsupported(const std::string& reason) {
  throw Error(ErrorCode::kUnsupported, reason);
}

std::vector<std::int64_t> to_integers(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.to(torch::kInt64).contiguous();
  const auto* data = flat.data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

std::function<std::optional<std::vector<std::int64_t>>(const Values&)> OperatorContext::integers(
    const std::string& attribute, std::size_t index) const {
  using Result = std::optional<std::vector<std::int64_t>>;
  if (node.find_attribute(attribute) != nullptr) {
    return [given = node.ints_attribute(attribute, {})](const Values&) -> Result { return given; };
  }
  if (!has_input(index)) return [](const Values&) -> Result { return std::nullopt; };
  if (const Tensor* known = constant(index)) {
    return [given = to_int64s(*known)](const Values&) -> Result { return given; };
  }
  return [index](const Values& x) -> Result { return to_integers(x.at(index)); };
}

torch::Tensor pad_axes(const torch::Tensor& x, const std::vector<std::int64_t>& pads,
                       double value) {
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p == 0; })) return x;
  // LibTorch begins with the last axis.
  const std::size_t axes = pads.size() / 2;
  std::vector<std::int64_t> turned;
  for (std::size_t d = axes; d-- > 0;) {
    turned.push_back(pads[d]);
    turned.push_back(pads[d + axes]);
  }
  return torch::constant_pad_nd(x, turned, value);
}

Window Window::read(const graph::Node& node, std::vector<std::int64_t> kernel) {
  const std::size_t axes = kernel.size();
  Window window;
  window.strides = node.ints_attribute("strides", std::vector<std::int64_t>(axes, 1));
  window.dilations = node.ints_attribute("dilations", std::vector<std::int64_t>(axes, 1));
  window.pads = node.ints_attribute("pads", std::vector<std::int64_t>(2 * axes, 0));
  window.auto_pad = node.string_attribute("auto_pad", "NOTSET");
  window.ceil_mode = node.int_attribute("ceil_mode", 0) != 0;
  window.kernel = std::move(kernel);
  if (window.strides.size() != axes || window.dilations.size() != axes ||
      window.pads.size() != 2 * axes) {
    unsupported(format("strides, dilations or pads do not fit a kernel of {} axes", axes));
  }
  return window;
}

std::vector<std::int64_t> Window::pads_for(torch::IntArrayRef shape) const {
  if (auto_pad == "NOTSET" || auto_pad.empty()) return pads;
  const std::size_t axes = kernel.size();
  std::vector<std::int64_t> result(2 * axes, 0);
  if (auto_pad == "VALID") return result;
  for (std::size_t d = 0; d < axes; ++d) {
    const std::int64_t size = shape[shape.size() - axes + d];
    const std::int64_t outputs = (size + strides[d] - 1) / strides[d];
    const std::int64_t total =
        std::max<std::int64_t>(0, (outputs - 1) * strides[d] + extent(d) - size);
    const std::int64_t small = total / 2;
    const bool lower = auto_pad == "SAME_LOWER";
    result[d] = lower ? total - small : small;
    result[d + axes] = lower ? small : total - small;
  }
  return result;
}

std::int64_t Window::output_size(std::size_t d, std::int64_t size,
                                 const std::vector<std::int64_t>& given) const {
  const std::size_t axes = kernel.size();
  const std::int64_t room = size + given[d] + given[d + axes] - extent(d);
  const std::int64_t steps = room / strides[d] + 1;
  if (!ceil_mode || room % strides[d] == 0) return steps;
  // A last window that would begin in the padding behind the input is left out.
  return steps * strides[d] < size + given[d] ? steps + 1 : steps;
}

const Operator* find_operator(const graph::Node& node) {
  const std::string name =
      node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
  const auto found = registry().find(name);
  return found == registry().end() ? nullptr : found->second;
}

std::vector<std::string> supported_operators() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : registry()) names.push_back(name);
  return names;
}

}  // namespace hexquant::qat
