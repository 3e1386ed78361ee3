#include "plan/tensor_overrides.h"

#include <algorithm>
#include <set>
#include <vector>

#include "core/finding_list.h"
#include "core/format.h"
#include "formats/encodings/encoding_table.h"
#include "hexquant/error.h"
#include "plan/classify.h"
#include "plan/pattern.h"

namespace hexquant::plan {
namespace {

using formats::EncodingEntry;
using formats::EntryGroup;
using formats::Overrides;
using graph::Graph;
using quant::QuantPlan;

constexpr std::size_t kNamesInMessage = 5;

bool is_wildcard(const std::string& pattern) {
  return pattern.find('*') != std::string::npos;
}

std::vector<std::string> value_names(const Graph& graph) {
  std::set<std::string> names(graph.inputs().begin(), graph.inputs().end());
  for (const auto& [name, tensor] : graph.initializers()) names.insert(name);
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      if (!output.empty()) names.insert(output);
    }
  }
  return {names.begin(), names.end()};
}

/// The first names, and how many more there are.
std::string list_text(const std::vector<std::string>& names) {
  const std::vector<std::string> first(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesInMessage)));
  const std::string text = format("'{}'", join(first, "', '"));
  return names.size() > first.size() ? format("{} and {} more", text, names.size() - first.size())
                                     : text;
}

std::vector<std::string> matches(const std::string& pattern,
                                 const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (glob_match(pattern, name)) found.push_back(name);
  }
  return found;
}

/// Matches the patterns of one file.
class Matcher {
 public:
  Matcher(const Overrides& overrides, const Graph& graph, const Graph* original, Findings& findings)
      : overrides_(overrides), graph_(graph), findings_(findings), names_(value_names(graph)) {
    if (original != nullptr) original_names_ = value_names(*original);
  }

  std::map<std::string, const EncodingEntry*> run() {
    for (const EncodingEntry& one : overrides_.entries) {
      if (is_wildcard(one.name)) add_pattern(one);
    }
    std::size_t exact = 0;
    for (const EncodingEntry& one : overrides_.entries) {
      if (is_wildcard(one.name)) continue;
      if (!graph_.has_value(one.name)) {
        note_missing(one);
        continue;
      }
      by_tensor_[one.name] = &one;
      ++exact;
    }
    if (exact > 0) {
      findings_.push_back({"override-matched", Severity::kInfo, overrides_.origin,
                           format("{} tensors are named in full", exact), ""});
    }
    report_missing();
    for (const auto& [tensor, one] : by_tensor_) check_section(tensor, *one);
    report_sections();
    return std::move(by_tensor_);
  }

 private:
  void add_pattern(const EncodingEntry& one) {
    std::vector<std::string> found = matches(one.name, names_);
    std::erase_if(found, [&](const std::string& name) {
      return value_dtype(graph_, name) != DType::kFloat32 || !fits_section(name, one);
    });
    if (found.empty()) {
      note_missing(one);
      return;
    }
    for (const std::string& name : found) by_tensor_[name] = &one;
    findings_.push_back(
        {"override-matched", Severity::kInfo, one.name,
         format("{} matches {} tensors: {}", overrides_.origin, found.size(), list_text(found)),
         ""});
  }

  /// A pattern means the tensors of its own list only.
  [[nodiscard]] bool fits_section(const std::string& name, const EncodingEntry& one) const {
    const bool is_constant = graph_.find_initializer(name) != nullptr;
    return one.group == EntryGroup::kUnknown ||
           is_constant == (one.group == EntryGroup::kParameter);
  }

  void note_missing(const EncodingEntry& one) {
    if (matches(one.name, original_names_).empty()) {
      missing_.push_back(one.name);
    } else {
      removed_.push_back(one.name);
    }
  }

  void report_missing() {
    if (!removed_.empty()) {
      findings_.push_back({"override-removed", Severity::kWarning, overrides_.origin,
                           format("{} names stand for tensors that the preparation folded or "
                                  "fused: {}",
                                  removed_.size(), list_text(removed_)),
                           "name the tensors of model_float.onnx"});
    }
    if (missing_.empty()) return;
    const std::string what =
        format("{} of {} names match no tensor of the model: {}", missing_.size(),
               overrides_.entries.size(), list_text(missing_));
    if (!overrides_.allow_unmatched) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("{}: {}; --allow-unmatched-overrides goes on without them",
                         overrides_.origin, what));
    }
    findings_.push_back({"override-unmatched", Severity::kWarning, overrides_.origin, what,
                         "compare the names with those of model_float.onnx"});
  }

  void check_section(const std::string& tensor, const EncodingEntry& one) {
    if (fits_section(tensor, one)) return;
    (one.group == EntryGroup::kParameter ? misplaced_activations_ : misplaced_constants_)
        .push_back(tensor);
  }

  void report_sections() {
    const auto report = [&](std::vector<std::string>& names, const char* kind, const char* list) {
      if (names.empty()) return;
      std::sort(names.begin(), names.end());
      findings_.push_back({"override-section", Severity::kWarning, overrides_.origin,
                           format("{} under {}: {}; applied here, ignored by the vendor's "
                                  "converter",
                                  kind, list, list_text(names)),
                           "move the entries to the other list"});
    };
    report(misplaced_activations_, "activations", "param_encodings");
    report(misplaced_constants_, "constants", "activation_encodings");
  }

  const Overrides& overrides_;
  const Graph& graph_;
  Findings& findings_;
  std::vector<std::string> names_;
  std::vector<std::string> original_names_;
  std::map<std::string, const EncodingEntry*> by_tensor_;
  std::vector<std::string> missing_;
  std::vector<std::string> removed_;
  std::vector<std::string> misplaced_activations_;
  std::vector<std::string> misplaced_constants_;
};

/// An entry as it applies to one tensor: numbers get the axis and the order of that tensor.
TensorOverride resolve(EncodingEntry entry, const std::string& tensor,
                       const formats::ModelView& model, Findings& findings) {
  TensorOverride one;
  one.is_float = entry.is_float;
  one.bits = entry.bits;
  one.symmetric = entry.symmetric;
  if (entry.is_float || !formats::has_numbers(entry)) return one;
  entry.name = tensor;
  Findings obstacles;
  if (!formats::place_entry(entry, &model, obstacles)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("override of '{}': {}", tensor, obstacles.back().reason));
  }
  append(findings, obstacles);
  one.encoding =
      formats::to_encoding(entry, formats::known_shape(model.graph, tensor).value_or(Shape{}));
  return one;
}

/// What became of an override that asks for codes; empty when it was followed.
std::string difference(const TensorOverride& one, const quant::TensorPolicy& policy) {
  const int bits = dtype_bits(policy.type);
  if (bits != one.bits) {
    return format("asked {} bits, got {}{}", one.bits, bits,
                  policy.reason.empty() ? "" : ": " + policy.reason);
  }
  if (one.encoding && !policy.fixed_encoding) return "its numbers are not used";
  return "";
}

}  // namespace

TensorOverrides::TensorOverrides(const Overrides& overrides, const formats::ModelView& model,
                                 const Graph* original, Findings& findings) {
  for (const auto& [tensor, entry] : Matcher(overrides, model.graph, original, findings).run()) {
    by_tensor_[tensor] = resolve(*entry, tensor, model, findings);
  }
}

const TensorOverride* TensorOverrides::find(const std::string& tensor) const {
  const auto found = by_tensor_.find(tensor);
  return found == by_tensor_.end() ? nullptr : &found->second;
}

void TensorOverrides::report_effects(QuantPlan& plan) const {
  std::vector<std::string> idle;
  for (const auto& [tensor, one] : by_tensor_) {
    const auto policy = plan.tensors.find(tensor);
    if (policy == plan.tensors.end()) {
      // A bias of 32 bits follows its layer, and that is what such an entry says.
      const bool follows = plan.biases.contains(tensor) && !one.is_float && one.bits == 32;
      if (!one.is_float && !follows) idle.push_back(tensor);
      continue;
    }
    // A float value at the border of integer operations carries an encoding for them.
    if (one.is_float && policy->second.role == quant::Role::kActivation) continue;
    const std::string what =
        one.is_float ? "asked for float, but it is quantized" : difference(one, policy->second);
    if (what.empty()) continue;
    plan.findings.push_back({"override-changed", Severity::kWarning, tensor, what, ""});
  }
  if (idle.empty()) return;
  plan.findings.push_back(
      {"override-without-effect", Severity::kWarning, format("{} tensors", idle.size()),
       format("nothing is quantized there (inside a supergroup, among float operations, or no "
              "float values): {}",
              list_text(idle)),
       "name the value behind the supergroup"});
}

}  // namespace hexquant::plan
