#include "pipeline/encodings_lint.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/finding_json.h"
#include "core/format.h"
#include "core/nearest_name.h"
#include "hexquant/error.h"
#include "passes/infer_shapes.h"
#include "passes/prepare.h"
#include "pipeline/lint_scene.h"

namespace hexquant::pipeline {
namespace {

using formats::EncodingEntry;
using formats::EntryGroup;
using graph::Graph;
using graph::Node;

constexpr std::size_t kNearestNames = 3;

bool has_untyped_values(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    return std::any_of(node.outputs().begin(), node.outputs().end(), [&](const std::string& value) {
      return !value.empty() && graph.find_type(value) == nullptr;
    });
  });
}

/// A tensor that should have an entry.
struct Missing {
  std::string name;
  Severity severity = Severity::kWarning;
  std::string reason;
};

/// What preparation, which converters do too, makes of the values of a model; nothing when the
/// model cannot be prepared.
class PreparedValues {
 public:
  PreparedValues(const formats::EncodingFile& file, const LintScene& scene)
      : graph_(scene.graph), prepared_(scene.graph) {
    try {
      reports_ = passes::prepare(prepared_, {});
      scene_ = std::make_unique<LintScene>(file, prepared_, scene.target);
    } catch (const Error&) {
      scene_.reset();
    }
  }

  /// The pass that removes the value; nullopt when it stays.
  [[nodiscard]] std::optional<std::string> removed_by(const std::string& value) const {
    if (scene_ == nullptr || prepared_.has_value(value)) return std::nullopt;
    std::set<std::string> names = {value};
    if (const Node* producer = graph_.producer(value)) names.insert(producer->name());
    for (const graph::Use& use : graph_.uses(value)) names.insert(use.node->name());
    for (const passes::PassReport& report : reports_) {
      const bool touched =
          std::any_of(report.applied_to.begin(), report.applied_to.end(),
                      [&](const std::string& place) { return names.contains(place); });
      if (touched) return report.pass;
    }
    return "folding";
  }

  /// Whether the value lies between operations that run as one, once folding has brought them
  /// together.
  [[nodiscard]] bool is_interior(const std::string& value) const {
    return scene_ != nullptr && scene_->fusions.interior.contains(value);
  }

 private:
  const Graph& graph_;
  Graph prepared_;
  std::vector<passes::PassReport> reports_;
  std::unique_ptr<LintScene> scene_;
};

class Lint {
 public:
  Lint(const formats::EncodingFile& file, const Graph& graph, const target::Target& target)
      : file_(file), scene_(file, graph, target) {
    result_.version = version_name(file.version);
  }

  EncodingsLint run(bool check_htp) {
    check_names();
    check_entries(scene_);
    check_nodes(scene_, check_htp);
    check_interiors();
    find_missing();
    report_missing();
    result_.findings = std::move(scene_.findings);
    std::stable_sort(result_.findings.begin(), result_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return std::move(result_);
  }

 private:
  void add(const std::string& name, TensorMatch match) {
    result_.tensors.push_back({name, match, {}});
  }

  /// Names of float values that no entry covers: what a misspelt entry may mean.
  [[nodiscard]] std::vector<std::string> uncovered() const {
    std::vector<std::string> names;
    const auto consider = [&](const std::string& value) {
      const DType type = plan::value_dtype(scene_.graph, value);
      if (value.empty() || scene_.find(value) != nullptr) return;
      if (type == DType::kUndefined || is_floating(type)) names.push_back(value);
    };
    for (const std::string& input : scene_.graph.inputs()) consider(input);
    for (const auto& [name, tensor] : scene_.graph.initializers()) consider(name);
    for (const Node& node : scene_.graph.nodes()) {
      for (const std::string& output : node.outputs()) consider(output);
    }
    return names;
  }

  void check_names() {
    std::vector<std::string> names;
    std::unique_ptr<NameIndex> index;
    std::unordered_map<std::string, EntryGroup> seen;
    for (const EncodingEntry& entry : file_.entries) {
      const auto [first, is_new] = seen.try_emplace(entry.name, entry.group);
      if (!is_new) {
        scene_.error("repeated-entry", entry.name,
                     first->second == entry.group ? "the tensor has more than one entry"
                                                  : "the tensor is listed in both groups",
                     "keep one");
        continue;
      }
      if (scene_.graph.has_value(entry.name)) {
        add(entry.name, TensorMatch::kMatched);
        continue;
      }
      if (index == nullptr) {
        names = uncovered();
        index = std::make_unique<NameIndex>(names);
      }
      add_unknown(entry.name, index->nearest(entry.name, kNearestNames));
    }
  }

  void add_unknown(const std::string& name, std::vector<std::string> nearest) {
    scene_.error("unknown-tensor", name,
                 "the model has no tensor of this name: converters ignore the entry",
                 nearest.empty() ? "remove it, or give the model it was made for"
                                 : format("did you mean '{}'?", join(nearest, "' or '")));
    result_.tensors.push_back({name, TensorMatch::kUnknown, std::move(nearest)});
  }

  void add_interior(const std::string& value) {
    add(value, TensorMatch::kFused);
    scene_.note("inside-chain", Severity::kInfo, value,
                "no entry: it lies between operations that run as one", "");
  }

  /// An encoding between two fused operations keeps the HTP from fusing them.
  void check_interiors() {
    std::set<std::string> interior(scene_.fusions.interior.begin(), scene_.fusions.interior.end());
    for (const std::string& value : interior) {
      if (scene_.graph.find_initializer(value) != nullptr) continue;
      if (scene_.find(value) == nullptr) {
        add_interior(value);
        continue;
      }
      scene_.note("encoding-inside-chain", Severity::kWarning, value,
                  "an entry between operations that the HTP runs as one", "remove it");
    }
  }

  [[nodiscard]] bool is_integer(const std::string& value) const {
    return scene_.find_integer(value) != nullptr;
  }

  /// A node that computes with integers as far as the file says.
  [[nodiscard]] bool wants_integers(const Node& node) const {
    const std::string weight = scene_.weight_of(node);
    return weight.empty() ? is_integer(scene_.result_of(node)) : is_integer(weight);
  }

  void find_missing() {
    for (const plan::SharingGroup& group : scene_.sharing.groups()) {
      if (group.carries) check_group(group);
    }
    for (const Node& node : scene_.graph.nodes()) {
      if (scene_.context.is_integer(node)) check_constants(node);
    }
  }

  void check_group(const plan::SharingGroup& group) {
    const auto known =
        std::find_if(group.members.begin(), group.members.end(),
                     [&](const std::string& member) { return scene_.find(member) != nullptr; });
    for (const std::string& member : group.members) {
      if (scene_.find(member) != nullptr) continue;
      if (known != group.members.end()) {
        add(member, TensorMatch::kShared);
        scene_.note("shares-encoding", Severity::kInfo, member,
                    format("no entry: data movers give it the encoding of '{}'", *known), "");
      } else if (scene_.graph.find_initializer(member) != nullptr) {
        add_constant(member);
      } else {
        missing_.push_back(judge_activation(group, member));
      }
    }
  }

  void add_constant(const std::string& name) {
    add(name, TensorMatch::kConstant);
    scene_.note("constant-without-entry", Severity::kInfo, name,
                "no entry: the converter takes the range of its values", "");
  }

  [[nodiscard]] Missing judge_activation(const plan::SharingGroup& group,
                                         const std::string& name) const {
    for (const std::string& member : group.members) {
      for (const graph::Use& use : scene_.graph.uses(member)) {
        if (scene_.context.is_integer(*use.node) && wants_integers(*use.node)) {
          return {name, Severity::kError,
                  format("no entry, but {} '{}' reads it with integers", use.node->op_type(),
                         use.node->name())};
        }
      }
      const Node* producer = scene_.graph.producer(member);
      if (producer == nullptr || !scene_.context.is_integer(*producer)) continue;
      const auto head = scene_.fusions.head.find(producer);
      const Node& layer = head == scene_.fusions.head.end() ? *producer : *head->second;
      if (is_integer(scene_.weight_of(layer))) {
        return {name, Severity::kError,
                format("no entry, but {} '{}' computes it with integer weights", layer.op_type(),
                       layer.name())};
      }
    }
    return {name, Severity::kWarning, "no entry: the operations around it run in float"};
  }

  /// Weights and parameters of an integer operation.
  void check_constants(const Node& node) {
    const std::string weight = scene_.weight_of(node);
    if (!weight.empty() && scene_.find(weight) == nullptr && seen_.insert(weight).second) {
      const bool wanted = is_integer(scene_.result_of(node));
      missing_.push_back(
          {weight, wanted ? Severity::kError : Severity::kWarning,
           wanted ? format("no entry, but the output of {} '{}' has one: the "
                           "converter makes up a range",
                           node.op_type(), node.name())
                  : format("no entry: {} '{}' runs in float", node.op_type(), node.name())});
    }
    for (const target::ParameterRule& parameter : scene_.context.choice(node).rule->parameters) {
      const std::string& name = node.input(static_cast<std::size_t>(parameter.input));
      if (name.empty() || parameter.bias_of >= 0 || scene_.find(name) != nullptr) continue;
      if (is_integer(scene_.result_of(node)) && seen_.insert(name).second) {
        missing_.push_back(
            {name, Severity::kWarning, "no entry: the converter takes the range of its values"});
      }
    }
  }

  void report_missing() {
    if (missing_.empty()) return;
    const PreparedValues prepared(file_, scene_);
    for (const Missing& missing : missing_) {
      if (const auto pass = prepared.removed_by(missing.name)) {
        add(missing.name, TensorMatch::kFolded);
        scene_.note("folded", Severity::kInfo, missing.name,
                    format("no entry: {} removes it", *pass), "");
        continue;
      }
      if (prepared.is_interior(missing.name)) {
        add_interior(missing.name);
        continue;
      }
      add(missing.name, TensorMatch::kMissing);
      scene_.note("missing-tensor", missing.severity, missing.name, missing.reason,
                  "add an entry, or make the operations around it float");
    }
  }

  const formats::EncodingFile& file_;
  LintScene scene_;
  EncodingsLint result_;
  std::vector<Missing> missing_;
  std::set<std::string> seen_;
};

}  // namespace

const char* match_name(TensorMatch match) noexcept {
  switch (match) {
    case TensorMatch::kMatched:
      return "matched";
    case TensorMatch::kUnknown:
      return "unknown";
    case TensorMatch::kMissing:
      return "missing";
    case TensorMatch::kShared:
      return "shared";
    case TensorMatch::kFused:
      return "fused";
    case TensorMatch::kFolded:
      return "folded";
    case TensorMatch::kConstant:
      return "constant";
  }
  return "matched";
}

std::int64_t EncodingsLint::count(TensorMatch match) const noexcept {
  return std::count_if(tensors.begin(), tensors.end(),
                       [&](const TensorLint& tensor) { return tensor.match == match; });
}

bool EncodingsLint::has_errors() const noexcept {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::kError; });
}

EncodingsLint lint_encodings(const formats::EncodingFile& file, const graph::Graph& graph,
                             const target::Target& target, bool check_htp) {
  if (!has_untyped_values(graph)) return Lint(file, graph, target).run(check_htp);
  graph::Graph typed = graph;
  (void)passes::complete_shapes(typed, {});
  return Lint(file, typed, target).run(check_htp);
}

Json to_json(const EncodingsLint& lint) {
  Json json;
  json["version"] = lint.version;
  for (const TensorMatch match :
       {TensorMatch::kMatched, TensorMatch::kUnknown, TensorMatch::kMissing, TensorMatch::kShared,
        TensorMatch::kFused, TensorMatch::kFolded, TensorMatch::kConstant}) {
    json["counts"][match_name(match)] = lint.count(match);
  }
  json["tensors"] = Json::array();
  for (const TensorLint& tensor : lint.tensors) {
    json["tensors"].push_back(
        {{"name", tensor.name}, {"match", match_name(tensor.match)}, {"nearest", tensor.nearest}});
  }
  json["findings"] = findings_json(lint.findings);
  return json;
}

}  // namespace hexquant::pipeline
