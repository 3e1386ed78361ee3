#include <algorithm>
#include <cmath>
#include <optional>

#include "core/format.h"
#include "formats/encodings/convert_encodings.h"
#include "formats/encodings/encoding_table.h"
#include "hexquant/error.h"
#include "pipeline/lint_scene.h"
#include "quant/fake_quant.h"
#include "target/weight_axes.h"

namespace hexquant::pipeline {
namespace {

using formats::EncodingEntry;
using formats::EntryGroup;
using formats::ScaleKind;

/// Largest weight over the end of its range: clipping for accuracy stays below a factor of 2 or so.
constexpr double kMaxClip = 4.0;

bool has_blocks(const EncodingEntry& entry) {
  return entry.kind == ScaleKind::kBlock || entry.kind == ScaleKind::kLpbq;
}

/// Checks one entry; holds what the checks share.
class EntryCheck {
 public:
  EntryCheck(LintScene& scene, EncodingEntry& entry)
      : scene_(scene),
        entry_(entry),
        constant_(scene.graph.find_initializer(entry.name)),
        shape_(formats::known_shape(scene.graph, entry.name)) {}

  void run() {
    if (!check_type()) return;
    check_group();
    if (entry_.is_float || !formats::has_numbers(entry_)) return;
    if (!check_numbers()) return;
    formats::complete_entry(entry_);
    if (!check_counts()) return;
    if (!formats::code_type(entry_)) {
      error("unknown-width",
            format("{} bits: integer tensors have 4, 8, 16 or (signed) 32 bits", entry_.bits));
      return;
    }
    check_fixed_range();
    if (constant_ != nullptr) check_values();
  }

 private:
  void error(const char* id, const std::string& reason, const std::string& fix = "") {
    scene_.error(id, entry_.name, reason, fix);
  }

  bool check_type() {
    const DType type = plan::value_dtype(scene_.graph, entry_.name);
    if (type == DType::kUndefined || is_floating(type)) return true;
    error("not-a-float-tensor",
          format("the tensor holds {}: only float tensors are quantized", dtype_name(type)),
          "remove the entry");
    return false;
  }

  void check_group() {
    if (entry_.group == EntryGroup::kUnknown) return;
    const graph::Node* producer = scene_.graph.producer(entry_.name);
    const bool constant = constant_ != nullptr || (producer != nullptr && producer->is("Constant"));
    if (constant == (entry_.group == EntryGroup::kParameter)) return;
    error("wrong-group",
          constant ? "a constant listed under activation_encodings: converters ignore it there"
                   : "an activation listed under param_encodings: converters ignore it there",
          constant ? "move it to param_encodings" : "move it to activation_encodings");
  }

  /// Scale, offset, min, max and symmetry must tell the same story.
  bool check_numbers() {
    const double steps = std::ldexp(1.0, entry_.bits) - 1.0;
    for (std::size_t i = 0; i < entry_.scale.size(); ++i) {
      const double scale = entry_.scale[i];
      const double offset = entry_.offset[i];
      if (entry_.kind != ScaleKind::kLpbq && (offset > 0.0 || offset < -steps)) {
        error("zero-outside-range",
              format("offset {} of scale {}: 0 must be one of the codes, offsets lie in [{}, 0]",
                     offset, scale, -steps),
              "widen the range until it holds 0");
        return false;
      }
      if (entry_.min.empty()) continue;
      const double min = offset * scale;
      const double max = (offset + steps) * scale;
      if (std::abs(entry_.min[i] - min) > scale || std::abs(entry_.max[i] - max) > scale) {
        error("range-disagrees",
              format("min {} and max {}, but scale {} and offset {} mean [{:.6g}, {:.6g}]",
                     entry_.min[i], entry_.max[i], scale, offset, min, max),
              "remove one of the pairs");
        return false;
      }
    }
    return check_symmetry();
  }

  bool check_symmetry() {
    if (!entry_.symmetric.value_or(false) || entry_.kind == ScaleKind::kLpbq) return true;
    const double middle = -std::ldexp(1.0, entry_.bits - 1);
    const auto odd = std::find_if(entry_.offset.begin(), entry_.offset.end(), [&](double offset) {
      return offset != middle && offset != middle + 1.0 && offset != 0.0;
    });
    if (odd == entry_.offset.end()) return true;
    error("not-symmetric",
          format("said to be symmetric, but has offset {}: expected {}", *odd, middle),
          "say is_symmetric False, or correct the offset");
    return false;
  }

  bool check_counts() {
    if (!shape_) return true;
    if (entry_.kind == ScaleKind::kChannel) return check_channels();
    return !has_blocks(entry_) || check_blocks();
  }

  [[nodiscard]] std::optional<target::WeightAxes> weight_axes() const {
    return target::weight_axes(scene_.target.rules, scene_.graph, entry_.name);
  }

  bool check_channels() {
    const auto count = static_cast<std::int64_t>(entry_.scale.size());
    const int rank = static_cast<int>(shape_->size());
    const auto axes = weight_axes();
    if (!entry_.axis) {
      Findings assumed;
      const formats::ModelView model{scene_.graph, scene_.target.rules};
      (void)formats::place_entry(entry_, &model, assumed);
    }
    const int axis = *entry_.axis < 0 ? *entry_.axis + rank : *entry_.axis;
    if (axis < 0 || axis >= rank) {
      error("axis-outside-shape",
            format("axis {} of a tensor of shape {}", *entry_.axis, shape_text(*shape_)));
      return false;
    }
    if ((*shape_)[static_cast<std::size_t>(axis)] != count) {
      error("channel-count",
            format("{} scales, but axis {} of the tensor {} has {} channels", count, axis,
                   shape_text(*shape_), (*shape_)[static_cast<std::size_t>(axis)]),
            "check that the file belongs to this model");
      return false;
    }
    entry_.axis = axis;
    if (!axes || axes->channel < 0 || axes->channel == axis) return true;
    error("wrong-axis",
          format("scales along axis {}, but the output channels of {} lie on axis {}", axis,
                 shape_text(*shape_), axes->channel),
          "quantize per output channel");
    return false;
  }

  bool check_blocks() {
    const formats::ModelView model{scene_.graph, scene_.target.rules};
    Findings problems;
    bool fits = formats::place_entry(entry_, &model, problems);
    if (fits) {
      try {
        (void)formats::to_encoding(entry_, *shape_);
        return true;
      } catch (const Error&) {
        fits = false;
      }
    }
    error("block-count",
          format(
              "{} blocks of {} do not fit the tensor {}",
              entry_.kind == ScaleKind::kLpbq ? entry_.block_int_scale.size() : entry_.scale.size(),
              entry_.block_size, shape_text(*shape_)),
          "check that the file belongs to this model");
    return false;
  }

  /// Softmax, Sigmoid and Tanh have known ranges, which converters enforce.
  void check_fixed_range() {
    const graph::Node* producer = scene_.graph.producer(entry_.name);
    if (producer == nullptr || entry_.kind != ScaleKind::kTensor) return;
    const target::OpRule* rule = target::find_rule(scene_.target.rules, *producer);
    if (rule == nullptr || !rule->fixed_range) return;
    const double scale = entry_.scale.front();
    const double min = entry_.offset.front() * scale;
    const double max = min + (std::ldexp(1.0, entry_.bits) - 1.0) * scale;
    // A power of two as scale ends one step early, and so may a symmetric grid begin.
    const double slack = 2.0 * scale + 1e-6;
    if (std::abs(min - double{rule->fixed_range->min}) <= slack &&
        std::abs(max - double{rule->fixed_range->max}) <= slack) {
      return;
    }
    scene_.note("fixed-range", Severity::kWarning, entry_.name,
                format("[{:.6g}, {:.6g}], but the results of {} lie in [{}, {}]", min, max,
                       producer->op_type(), rule->fixed_range->min, rule->fixed_range->max),
                "give it that range: the HTP uses it whatever the file says");
  }

  /// Compares a constant's own values with its encoding.
  void check_values() {
    if (constant_->dtype() != DType::kFloat32 || entry_.bits > 16) return;
    Encoding encoding;
    try {
      encoding = formats::to_encoding(entry_, constant_->shape());
    } catch (const Error& problem) {
      error("unusable-encoding", problem.what());
      return;
    }
    const quant::ScaleLayout layout = quant::scale_layout(constant_->shape(), encoding);
    const auto values = constant_->data<float>();
    std::int64_t at = 0;
    double largest_code = 0.0;
    double worst_clip = 0.0;
    for (std::int64_t o = 0; o < layout.outer; ++o) {
      for (std::int64_t p = 0; p < layout.length; ++p) {
        for (std::int64_t i = 0; i < layout.inner; ++i, ++at) {
          const auto index = static_cast<std::size_t>(layout.index(o, p, i));
          const double code =
              double{values[static_cast<std::size_t>(at)]} / double{encoding.scale[index]};
          largest_code = std::max(largest_code, code);
          const double end = static_cast<double>(code < 0.0 ? encoding.q_min() : encoding.q_max()) -
                             encoding.zero_point[index];
          if (end != 0.0) worst_clip = std::max(worst_clip, code / end);
        }
      }
    }
    report_values(encoding, largest_code, worst_clip);
  }

  void report_values(const Encoding& encoding, double largest_code, double worst_clip) {
    if (worst_clip > kMaxClip) {
      error("weights-clipped",
            format("values reach {:.1f} times the end of their range: the scales belong to another "
                   "tensor or order of channels",
                   worst_clip),
            "check that the file belongs to this model");
      return;
    }
    const std::int32_t limit = scene_.target.rules.int16_max_code;
    if (encoding.type == DType::kInt16 && std::nearbyint(largest_code) > limit) {
      error("int16-range",
            format("codes reach {:.0f}: 16-bit weights above {} (0x{:X}) saturate on the HTP",
                   std::min(largest_code, 32767.0), limit, limit),
            format("enlarge the scale by {:.5f}", largest_code / limit));
    }
  }

  LintScene& scene_;
  EncodingEntry& entry_;
  const Tensor* constant_;
  std::optional<Shape> shape_;
};

}  // namespace

void check_entries(LintScene& scene) {
  for (EncodingEntry& entry : scene.entries) EntryCheck(scene, entry).run();
}

}  // namespace hexquant::pipeline
