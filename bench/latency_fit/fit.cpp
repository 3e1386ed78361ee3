#include "latency_fit/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "core/file_io.h"
#include "networks/evaluation.h"
#include "target/target.h"

namespace hexquant::latency_fit {
namespace {

using networks::Case;
using networks::KnownCase;

/// Weight of a whole network beside that of a chain of layers.
constexpr double kNetworkWeight = 2.0;
/// Units that hardly work say nothing.
constexpr double kLeastCycles = 300.0;
/// Cycles that the start of a task may be given: more is the oddity of a few cases.
constexpr double kLargestStart = 2000.0;

/// Grows linearly: a few cases that the simulator prices oddly do not rule the fit.
double robust(double log_ratio) {
  constexpr double kSoft = 0.05;
  return std::sqrt(log_ratio * log_ratio + kSoft * kSoft) - kSoft;
}

class Fit {
 public:
  Fit(perf::FittedMachine machine, std::vector<KnownCase> cases)
      : machine_(std::move(machine)),
        soc_(target::load_target(machine_.soc).soc),
        cases_(std::move(cases)) {
    for (const KnownCase& known : cases_) {
      targets_.push_back(layer_targets(known));
      borders_.push_back(border_target(known));
    }
  }

  /// First the units' work, layer by layer; then what the layers do not show (borders of the graph,
  /// transfers, overlap) by the totals; then everything, gently.
  /// With `only`: the constants whose keys begin so, by layers and totals, all others as they are.
  perf::FittedMachine run(int sweeps, const std::vector<std::string>& only) {
    if (!only.empty()) {
      search(sweeps, 1.0, 1.0, [&](const std::string& key) {
        return std::any_of(only.begin(), only.end(),
                           [&](const std::string& part) { return key.starts_with(part); });
      });
      return machine_;
    }
    search(sweeps, 1.0, 0.0, [](const std::string& key) { return !is_whole(key); });
    search(sweeps, 1.0, 1.0, is_whole);
    search(sweeps / 2, 1.0, 1.0, [](const std::string&) { return true; });
    return machine_;
  }

 private:
  using Wanted = std::function<bool(const std::string& key)>;

  void search(int sweeps, double layer_weight, double case_weight, const Wanted& wanted) {
    layer_weight_ = layer_weight;
    case_weight_ = case_weight;
    search(sweeps, wanted);
  }

  /// Shows in the time of a whole case alone.
  static bool is_whole(const std::string& key) {
    for (const char* part : {"quantize", "tile_", "tile", "untile", "swap_", "image_layout",
                             "image_strips", "short_rows", "slice_input", "copy_"}) {
      if (key.rfind(std::string("vector_") + part, 0) == 0) return true;
    }
    if (key.rfind("vector_dequantize", 0) == 0) return true;
    return key.rfind("vector_", 0) != 0 && key.rfind("matrix_", 0) != 0;
  }

  void search(int sweeps, const Wanted& wanted) {
    double best = loss();
    std::vector<double> steps(perf::named_constants(machine_.constants).size(), 0.2);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      const double before = best;
      const auto constants = perf::named_constants(machine_.constants);
      for (std::size_t i = 0; i < constants.size(); ++i) {
        if (is_fact(constants[i].key) || !wanted(constants[i].key)) continue;
        const bool is_start = constants[i].key.ends_with("_tile");
        best = improve(*constants[i].value, is_start ? kLargestStart : 1e300, steps[i], best);
      }
      std::printf("  sweep %d: loss %.5f\n", sweep, best);
      std::fflush(stdout);
      if (before - best < 1e-4 * best) break;
    }
  }

  /// Seen in the vendor's traces, not fitted.
  static bool is_fact(const std::string& key) {
    return key == "vector_threads" || key == "dma_bytes_per_cycle" || key.starts_with("serial_") ||
           key == "cpu_rate" || key == "cpu_transfer";
  }

  struct LayerTarget {
    double matrix = 0.0;
    double vector = 0.0;
  };

  /// Cycles of the vendor's layers by operation.
  static std::vector<LayerTarget> layer_targets(const KnownCase& known) {
    std::unordered_map<std::string, std::size_t> by_name;
    const auto& operations = known.workload.operations;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      by_name[operations[i].name] = i;
      for (const std::string& node : operations[i].nodes) by_name[node] = i;
    }
    std::vector<LayerTarget> targets(operations.size());
    for (const networks::VendorLayer& layer : known.vendor.layers) {
      const auto found = by_name.find(layer.name);
      if (found == by_name.end()) continue;
      targets[found->second].matrix += layer.matrix_cycles;
      targets[found->second].vector += layer.vector_thread_cycles;
    }
    return targets;
  }

  /// Thread cycles of the vendor's layers that stand for no operation: the layout and type of
  /// inputs and outputs. 0 = not known: in networks, and with transposes between, they are
  /// something else too.
  static double border_target(const KnownCase& known) {
    if (known.item.is_network) return 0.0;
    std::unordered_set<std::string> names;
    for (const perf::Operation& operation : known.workload.operations) {
      if (operation.op == "Transpose") return 0.0;
      if (operation.kind == perf::WorkKind::kConversion) continue;
      names.insert(operation.nodes.begin(), operation.nodes.end());
      names.insert(operation.name);
    }
    double cycles = 0.0;
    for (const networks::VendorLayer& layer : known.vendor.layers) {
      if (!names.contains(layer.name)) cycles += layer.vector_thread_cycles;
    }
    return cycles;
  }

  /// The same of a prediction.
  [[nodiscard]] double border_cycles(std::size_t index, const perf::Prediction& prediction) const {
    const auto& operations = cases_[index].workload.operations;
    double cycles = 0.0;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].kind != perf::WorkKind::kConversion) continue;
      cycles += prediction.operations[i].vector_cycles * machine_.constants.vector_threads;
    }
    return cycles;
  }

  /// @param largest  bound on the value, unless it is above already
  double improve(double& value, double largest, double& step, double best) {
    if (value <= 0.0) return best;
    const double start = value;
    for (const double factor : {1.0 + step, 1.0 / (1.0 + step)}) {
      value = std::min(start * factor, std::max(start, largest));
      const double now = loss();
      if (now < best) {
        step = std::min(0.5, step * 1.3);
        return now;
      }
    }
    value = start;
    step = std::max(0.01, step * 0.5);
    return best;
  }

  [[nodiscard]] double loss() const {
    double sum = 0.0;
    double weights = 0.0;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      const perf::Prediction prediction = networks::predict_case(cases_[i], soc_, machine_);
      const double cycles = prediction.time_us.value * prediction.clock_mhz;
      const double weight = cases_[i].item.is_network ? kNetworkWeight : 1.0;
      if (case_weight_ > 0.0) {
        sum += case_weight_ * weight * robust(std::log(cycles / cases_[i].vendor.cycles));
        weights += case_weight_ * weight;
      }
      sum += layer_weight_ * layer_loss(i, prediction);
      weights += layer_weight_;
    }
    return sum / weights;
  }

  /// Mean error of the units' work over the layers of a case and its borders.
  [[nodiscard]] double layer_loss(std::size_t index, const perf::Prediction& prediction) const {
    double sum = 0.0;
    int count = 0;
    const auto& operations = cases_[index].workload.operations;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].kind == perf::WorkKind::kConversion) continue;
      const LayerTarget& target = targets_[index][i];
      if (target.matrix > kLeastCycles && prediction.operations[i].matrix_cycles > 0.0) {
        sum += robust(std::log(prediction.operations[i].matrix_cycles / target.matrix));
        ++count;
      }
      const double threads =
          prediction.operations[i].vector_cycles * machine_.constants.vector_threads;
      if (target.vector > kLeastCycles && threads > 0.0) {
        sum += robust(std::log(threads / target.vector));
        ++count;
      }
    }
    const double border = borders_[index] > kLeastCycles ? border_cycles(index, prediction) : 0.0;
    if (border > 0.0) {
      sum += robust(std::log(border / borders_[index]));
      ++count;
    }
    return count > 0 ? sum / count : 0.0;
  }

  double layer_weight_ = 1.0;
  double case_weight_ = 1.0;
  perf::FittedMachine machine_;
  target::Soc soc_;
  std::vector<KnownCase> cases_;
  std::vector<std::vector<LayerTarget>> targets_;
  std::vector<double> borders_;  ///< by case
};

/// Errors of the cases that were kept out.
Json error_json(const perf::FittedMachine& machine, const std::vector<KnownCase>& cases) {
  const target::Soc soc = target::load_target(machine.soc).soc;
  const std::vector<double> cycles = networks::ratios(cases, soc, machine).cycles;
  const auto kept = [](const Case& item) {
    return item.kept_out && item.kind != "variants" && item.kind != "vtcm";
  };
  const auto micro = networks::summarize(
      cases, cycles, [&](const Case& item) { return kept(item) && !item.is_network; });
  const auto whole = networks::summarize(
      cases, cycles, [&](const Case& item) { return kept(item) && item.is_network; });
  const auto fitted =
      networks::summarize(cases, cycles, [](const Case& item) { return !item.kept_out; });
  std::vector<double> inverse;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (kept(cases[i].item)) inverse.push_back(1.0 / cycles[i]);
  }
  Json json;
  json["fitted_cases"] = fitted.cases;
  json["fitted_median_error"] = fitted.median;
  json["fitted_percentile90_error"] = fitted.percentile90;
  json["micro_cases"] = micro.cases;
  json["median_error"] = micro.median;
  json["percentile90_error"] = micro.percentile90;
  json["networks"] = whole.cases;
  json["median_network_error"] = whole.median;
  json["worst_network_error"] = whole.worst;
  json["lower_ratio"] = networks::quantile(inverse, 0.05);
  json["upper_ratio"] = networks::quantile(inverse, 0.95);
  return json;
}

}  // namespace

int fit(const std::filesystem::path& data, const std::filesystem::path& results, int sweeps,
        const std::vector<std::string>& only) {
  Json json = read_json(data);
  for (const auto& machine : perf::parse_latency_data(read_file(data), data.string())) {
    const std::filesystem::path table = results / (machine.soc + ".csv");
    if (!std::filesystem::exists(table)) continue;
    std::printf("%s\n", machine.soc.c_str());
    auto estimates = networks::read_estimates(table);
    networks::read_layers(results / (machine.soc + "_layers.csv"), estimates);
    const std::vector<KnownCase> cases = networks::known_cases(machine.soc, estimates);
    std::vector<KnownCase> fitted;
    std::copy_if(cases.begin(), cases.end(), std::back_inserter(fitted),
                 [](const KnownCase& known) { return !known.item.kept_out; });
    const perf::FittedMachine result = Fit(machine, std::move(fitted)).run(sweeps, only);
    Json& entry = json["architectures"][machine.htp_arch];
    entry["constants"] = perf::to_json(result.constants);
    entry["errors"] = error_json(result, cases);
    write_file(data, to_text(json));
  }
  return 0;
}

}  // namespace hexquant::latency_fit
