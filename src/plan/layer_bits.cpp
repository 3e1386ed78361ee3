#include "plan/layer_bits.h"

#include <string_view>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::plan {
namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw Error(
      ErrorCode::kInvalidArgument,
      format("--layer-bits '{}': expected PATTERN=BITS with BITS one of 4, 8, 16 (weights), "
             "a8, a16 (activations), or both, as in w8a16",
             text));
}

/// Takes a width from the front of `bits`; 0 when there is none.
int take_width(std::string_view& bits) {
  for (const auto& [digits, width] : {std::pair{"16", 16}, std::pair{"8", 8}, std::pair{"4", 4}}) {
    if (!bits.starts_with(digits)) continue;
    bits.remove_prefix(std::string_view(digits).size());
    return width;
  }
  return 0;
}

}  // namespace

LayerBits parse_layer_bits(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) refuse(text);
  LayerBits layer;
  layer.pattern = text.substr(0, equals);
  std::string_view bits = std::string_view(text).substr(equals + 1);
  if (!bits.starts_with('a')) {
    if (bits.starts_with('w')) bits.remove_prefix(1);
    layer.weight_bits = take_width(bits);
    if (layer.weight_bits == 0) refuse(text);
  }
  if (bits.starts_with('a')) {
    bits.remove_prefix(1);
    layer.act_bits = take_width(bits);
    if (layer.act_bits != 8 && layer.act_bits != 16) refuse(text);
  }
  if (!bits.empty()) refuse(text);
  return layer;
}

}  // namespace hexquant::plan
