#include "perf/advice.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "perf/workload_edit.h"

namespace hexquant::perf {
namespace {

using target::Unit;

constexpr double kLeastShare = 0.005;

class Adviser {
 public:
  Adviser(const Workload& work, const target::Soc& soc, const PredictOptions& options)
      : work_(work), soc_(soc), options_(options), now_(predict(work, soc, options)) {}

  std::vector<Advice> run() {
    float_borders();
    float_operations();
    cpu_operations();
    narrow_weights();
    narrow_activations();
    larger_vtcm();
    divisions();
    transposes();
    std::stable_sort(advice_.begin(), advice_.end(),
                     [](const Advice& a, const Advice& b) { return a.saves_us > b.saves_us; });
    return std::move(advice_);
  }

 private:
  using Filter = std::function<bool(const Operation&, const OperationCost&)>;

  [[nodiscard]] std::vector<std::size_t> find(const Filter& filter) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < work_.operations.size(); ++i) {
      if (filter(work_.operations[i], now_.operations[i])) found.push_back(i);
    }
    return found;
  }

  void add(Advice advice, double after_us, const std::vector<std::size_t>& where) {
    advice.saves_us = now_.time_us.value - after_us;
    if (!(advice.saves_us > kLeastShare * now_.time_us.value)) return;
    for (const std::size_t i : where) advice.nodes.push_back(work_.operations[i].name);
    advice_.push_back(std::move(advice));
  }

  /// Time once `edit` was done at all of `where`.
  template <typename Edit>
  [[nodiscard]] double after(const std::vector<std::size_t>& where, const Edit& edit) const {
    Workload changed = work_;
    for (const std::size_t i : where) edit(changed, i);
    return predict(changed, soc_, options_).time_us.value;
  }

  void float_borders() {
    Workload changed = work_;
    quantize_borders(changed);
    add({.id = "float-borders",
         .reason = "inputs and outputs are re-laid or converted at the border of the graph",
         .fix = "take uint8 inputs with the channels last, as a camera gives them",
         .remedy = Remedy::kConvertedBorders},
        predict(changed, soc_, options_).time_us.value, {});
  }

  void float_operations() {
    const auto where = find([](const Operation& operation, const OperationCost&) {
      return operation.unit == Unit::kNpuFloat && operation.kind != WorkKind::kConversion;
    });
    if (where.empty()) return;
    const int bits = narrowest_width();
    add({.id = "float-operations",
         .reason = format("{} operations run in float16", where.size()),
         .fix = "quantize their inputs and outputs; the placement says why each one runs in float",
         .remedy = Remedy::kPlacement,
         .keeps_numbers = false},
        after(where, [bits](Workload& work, std::size_t i) { make_integer(work, i, bits); }),
        where);
  }

  void cpu_operations() {
    const auto where = find([](const Operation& operation, const OperationCost&) {
      return operation.unit == Unit::kCpu && operation.kind != WorkKind::kConversion;
    });
    if (where.empty()) return;
    const int bits = narrowest_width();
    add({.id = "cpu-operations",
         .reason =
             format("{} operations run on the CPU, with a transfer on either side", where.size()),
         .fix = "replace them by operations that the NPU has",
         .remedy = Remedy::kOptimize},
        after(where, [bits](Workload& work, std::size_t i) { make_integer(work, i, bits); }),
        where);
  }

  /// Only there the HTP gains from 4 bits: 1x1 stride-1 convolutions, fully connected layers.
  static bool gains_from_4_bits(const Operation& operation, const WorkTensor& output) {
    const bool pointwise = operation.kind == WorkKind::kConvolution && operation.groups == 1 &&
                           std::all_of(operation.kernel.begin(), operation.kernel.end(),
                                       [](std::int64_t size) { return size == 1; }) &&
                           std::all_of(operation.strides.begin(), operation.strides.end(),
                                       [](std::int64_t step) { return step == 1; });
    if (!pointwise && operation.kind != WorkKind::kFullyConnected) return false;
    const std::size_t channel_axis = pointwise ? 1 : output.shape.size() - 1;
    return output.shape.size() > channel_axis && output.shape[channel_axis] > 32;
  }

  void narrow_weights() {
    const auto where = find([this](const Operation& operation, const OperationCost&) {
      const WorkTensor& output = work_.tensors[static_cast<std::size_t>(operation.outputs.at(0))];
      return operation.weight_bits == 8 && operation.unit == Unit::kNpuInteger &&
             gains_from_4_bits(operation, output);
    });
    if (where.empty()) return;
    add({.id = "weights-in-4-bits",
         .reason = "these layers read their weights from DDR once an inference",
         .fix = "store their weights in 4 bits",
         .remedy = Remedy::kNarrowWeights,
         .keeps_numbers = false},
        after(where, [](Workload& work, std::size_t i) { set_weight_bits(work, i, 4); }), where);
  }

  void narrow_activations() {
    const auto where = find([](const Operation& operation, const OperationCost&) {
      return operation.act_bits == 16 && operation.unit == Unit::kNpuInteger &&
             operation.kind != WorkKind::kConversion;
    });
    if (where.empty()) return;
    Workload changed = work_;
    set_activation_bits(changed, 8);
    add({.id = "activations-in-8-bits",
         .reason = format("{} operations compute with 16-bit activations", where.size()),
         .fix = "keep 16 bits only where accuracy needs them",
         .remedy = Remedy::kMixedPrecision,
         .keeps_numbers = false},
        predict(changed, soc_, options_).time_us.value, where);
  }

  void larger_vtcm() {
    const auto largest = static_cast<std::int64_t>(soc_.vtcm_max_mb.value.value_or(0.0));
    if (options_.vtcm_mb <= 0 || options_.vtcm_mb >= largest) return;
    PredictOptions more = options_;
    more.vtcm_mb = largest;
    add({.id = "vtcm-larger",
         .reason =
             format("planned with {} MB of VTCM; {} has {}", options_.vtcm_mb, soc_.name, largest),
         .fix = "give the graph all of it",
         .remedy = Remedy::kLargerVtcm},
        predict(work_, soc_, more).time_us.value, {});
  }

  void divisions() {
    const auto where = find([](const Operation& operation, const OperationCost&) {
      return operation.op == "Div" && operation.kind == WorkKind::kDivision;
    });
    if (where.empty()) return;
    add({.id = "division",
         .reason = "division is the slowest element-wise operation of the vector units",
         .fix = "multiply by the reciprocal",
         .remedy = Remedy::kOptimize},
        after(where, [](Workload& work,
                        std::size_t i) { work.operations[i].kind = WorkKind::kElementwise; }),
        where);
  }

  void transposes() {
    const auto where = find([](const Operation& operation, const OperationCost& cost) {
      return operation.op == "Transpose" && cost.time_us.value > 0.0;
    });
    if (where.empty()) return;
    add({.id = "transposes",
         .reason = format("{} Transpose nodes only re-lay values", where.size()),
         .fix = "cancel pairs of them, or use the layout that the next operation wants",
         .remedy = Remedy::kOptimize},
        after(where, [](Workload& work, std::size_t i) { make_free(work, i); }), where);
  }

  /// The narrowest width of the integer part.
  [[nodiscard]] int narrowest_width() const {
    int bits = 16;
    for (const Operation& operation : work_.operations) {
      if (operation.unit == Unit::kNpuInteger && operation.kind != WorkKind::kConversion &&
          operation.act_bits <= 16) {
        bits = std::min(bits, std::max(operation.act_bits, 8));
      }
    }
    return bits;
  }

  const Workload& work_;
  const target::Soc& soc_;
  const PredictOptions& options_;
  Prediction now_;
  std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> advise(const Workload& work, const target::Soc& soc,
                           const PredictOptions& options) {
  return Adviser(work, soc, options).run();
}

}  // namespace hexquant::perf
