#include "pipeline/lint_scene.h"

namespace hexquant::pipeline {
namespace {

using formats::EncodingEntry;
using graph::Node;

/// Most of the file's activations decide at which width operations are asked for their rules.
int activation_bits(const formats::EncodingFile& file, const graph::Graph& graph) {
  std::int64_t wide = 0;
  std::int64_t all = 0;
  for (const EncodingEntry& entry : file.entries) {
    if (entry.is_float || graph.find_initializer(entry.name) != nullptr) continue;
    ++all;
    wide += entry.bits == 16 ? 1 : 0;
  }
  return 2 * wide > all ? 16 : 8;
}

plan::PlanOptions plan_options(const formats::EncodingFile& file, const graph::Graph& graph) {
  plan::PlanOptions options;
  options.act_bits = activation_bits(file, graph);
  return options;
}

}  // namespace

LintScene::LintScene(const formats::EncodingFile& file, const graph::Graph& model,
                     const target::Target& chip)
    : graph(model),
      target(chip),
      options_(plan_options(file, model)),
      context{model,      chip,
              options_,   config_,
              overrides_, plan::classify_nodes(model, chip, options_, config_, {}, unused_)},
      fusions(plan::find_fusions(context, {}, unused_)),
      sharing(context, fusions) {
  for (const EncodingEntry& entry : file.entries) {
    if (!graph.has_value(entry.name)) continue;
    const auto [place, is_new] = index_.try_emplace(entry.name, entries.size());
    if (is_new) {
      entries.push_back(entry);
    } else {
      entries[place->second] = entry;
    }
  }
}

const EncodingEntry* LintScene::find(const std::string& tensor) const {
  const auto found = index_.find(tensor);
  return found == index_.end() ? nullptr : &entries[found->second];
}

const EncodingEntry* LintScene::find_integer(const std::string& tensor) const {
  const EncodingEntry* entry = find(tensor);
  return entry == nullptr || entry->is_float ? nullptr : entry;
}

void LintScene::error(const char* id, const std::string& where, const std::string& reason,
                      const std::string& fix) {
  faulty.insert(where);
  note(id, Severity::kError, where, reason, fix);
}

void LintScene::note(const char* id, Severity severity, const std::string& where,
                     const std::string& reason, const std::string& fix) {
  findings.push_back({id, severity, where, reason, fix});
}

std::string LintScene::weight_of(const Node& node) const {
  const target::OpRule* rule = context.choice(node).rule;
  if (rule == nullptr || !rule->weight) return "";
  const std::string& name = node.input(static_cast<std::size_t>(rule->weight->input));
  return graph.find_initializer(name) == nullptr ? "" : name;
}

std::vector<std::string> LintScene::activations_of(const Node& node) const {
  std::vector<std::string> values;
  if (!context.is_integer(node)) return values;
  for (const int index : plan::activation_inputs(context, node)) {
    const std::string& value = node.input(static_cast<std::size_t>(index));
    if (!fusions.interior.contains(value)) values.push_back(value);
  }
  return values;
}

const std::string& LintScene::result_of(const Node& node) const {
  return fusions.tail_of(node).output();
}

}  // namespace hexquant::pipeline
