#include "perf/vtcm_plan.h"

#include <algorithm>

namespace hexquant::perf {
namespace {

/// Strips of a value that exist at a time while it is passed on: being written, waiting for the
/// rows below them, being read.
constexpr std::int64_t kStripsInFlight = 4;
constexpr std::int64_t kStripRows = 8;
constexpr std::int64_t kChannelBlock = 32;
constexpr std::int64_t kChannelsOfTile = 256;

/// A value over the order of operations.
struct LiveValue {
  std::int64_t bytes = 0;         ///< as a whole, in blocks
  std::int64_t window_bytes = 0;  ///< of the strips in flight
  int born = 0;                   ///< operation
  int dies = 0;                   ///< last reader
  bool is_passed_on = false;      ///< never there as a whole
  std::int64_t ddr_bytes = 0;     ///< of it that lie in DDR
  bool is_in_vtcm = false;        ///< as a whole
};

class VtcmPlanner {
 public:
  VtcmPlanner(const Workload& workload, const Layout& layout,
              const std::vector<OperationWork>& work, const Timeline& timeline,
              const VtcmOptions& options)
      : workload_(workload), layout_(layout), work_(work), timeline_(timeline), options_(options) {
    find_live_ranges();
  }

  VtcmPlan run() {
    plan_.summary.size_bytes = options_.vtcm_bytes;
    plan_.operations.resize(work_.size());
    for (std::size_t i = 0; i < work_.size(); ++i) plan_operation(static_cast<int>(i));
    summarize();
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool computes(int operation) const {
    return !work_[static_cast<std::size_t>(operation)].stages.empty();
  }

  /// The next operation that does anything.
  [[nodiscard]] int next_of(int operation) const {
    int next = operation + 1;
    while (next < static_cast<int>(work_.size()) && !computes(next)) ++next;
    return next;
  }

  void find_live_ranges() {
    values_.resize(workload_.tensors.size());
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const WorkTensor& tensor = workload_.tensors[i];
      LiveValue& value = values_[i];
      if (tensor.is_constant || tensor.readers.empty()) continue;
      const auto index = static_cast<int>(i);
      value.bytes = layout_.padded_bytes(index);
      const std::int64_t strips = layout_.strips(index);
      value.window_bytes = std::min(value.bytes, kStripsInFlight * value.bytes / strips);
      value.born = std::max(0, tensor.producer);
      value.dies = *std::max_element(tensor.readers.begin(), tensor.readers.end());
      const bool single = tensor.readers.size() == 1;
      value.is_passed_on =
          tensor.is_graph_input || (single && tensor.readers[0] <= next_of(tensor.producer));
    }
  }

  [[nodiscard]] bool is_operand(int operation, int value) const {
    const auto& inputs = workload_.operations[static_cast<std::size_t>(operation)].inputs;
    return std::find(inputs.begin(), inputs.end(), value) != inputs.end();
  }

  LiveValue& value(int index) { return values_[static_cast<std::size_t>(index)]; }

  void plan_operation(int index) {
    if (!computes(index)) return;
    const Operation& operation = workload_.operations[static_cast<std::size_t>(index)];
    VtcmOperation& result = plan_.operations[static_cast<std::size_t>(index)];
    for (const int input : operation.inputs) read(input, index, result);
    for (const int output : operation.outputs) {
      LiveValue& written = value(output);
      written.is_in_vtcm = written.bytes > 0 && !written.is_passed_on;
      if (written.is_in_vtcm) alive_.push_back(output);
    }
    std::int64_t need = needed_bytes(index);
    while (need > options_.vtcm_bytes && evict(index, result)) need = needed_bytes(index);
    if (need > options_.vtcm_bytes) {
      send_result(index, result);
      need = options_.vtcm_bytes;
    }
    result.in_use_bytes = std::min(options_.vtcm_bytes, need + prefetched_bytes(index));
    result.tile = tile_of(index);
    std::erase_if(alive_, [&](int live) { return value(live).dies <= index; });
  }

  /// What lies in DDR is read back, and stays there for later readers. The operation behind the
  /// producer gets the strips before they leave.
  void read(int input, int index, VtcmOperation& result) {
    LiveValue& operand = value(input);
    const int producer = workload_.tensors[static_cast<std::size_t>(input)].producer;
    if (producer < 0 || next_of(producer) != index) {
      result.fill_bytes += compressed(operand.ddr_bytes);
    }
    if (operand.dies <= index) operand.ddr_bytes = 0;
  }

  [[nodiscard]] std::int64_t compressed(std::int64_t bytes) const {
    return static_cast<std::int64_t>(static_cast<double>(bytes) * options_.activation_compression);
  }

  /// Weights of the slices of output channels that are worked on and come next.
  [[nodiscard]] std::int64_t weight_window(int index) const {
    const OperationWork& work = work_[static_cast<std::size_t>(index)];
    const std::int64_t slices = std::max(1, work.transfers / 2);
    return std::min(work.weight_bytes / slices * std::min<std::int64_t>(2, slices),
                    options_.vtcm_bytes / 4);
  }

  std::int64_t needed_bytes(int index) {
    std::int64_t need = weight_window(index);
    for (const int live : alive_) {
      if (value(live).is_in_vtcm) need += value(live).bytes;
    }
    const Operation& operation = workload_.operations[static_cast<std::size_t>(index)];
    for (const auto* list : {&operation.inputs, &operation.outputs}) {
      for (const int operand : *list) {
        if (!value(operand).is_in_vtcm) need += value(operand).window_bytes;
      }
    }
    return need - reused_bytes(index);
  }

  /// The result of an element-wise operation takes the place of an operand that dies with it.
  std::int64_t reused_bytes(int index) {
    const Operation& operation = workload_.operations[static_cast<std::size_t>(index)];
    if (operation.outputs.empty() || !value(operation.outputs[0]).is_in_vtcm) return 0;
    const std::int64_t written = value(operation.outputs[0]).bytes;
    for (const int input : operation.inputs) {
      const LiveValue& operand = value(input);
      if (operand.is_in_vtcm && operand.dies == index && operand.bytes <= written) {
        return operand.bytes;
      }
    }
    return 0;
  }

  /// Sends the value that is needed last to DDR. @return false when all are operands
  bool evict(int index, VtcmOperation& result) {
    int victim = -1;
    int latest = index;
    for (const int live : alive_) {
      const LiveValue& candidate = value(live);
      if (!candidate.is_in_vtcm || is_operand(index, live) || candidate.born == index) continue;
      const int use = next_use(live, index);
      if (use > latest) {
        latest = use;
        victim = live;
      }
    }
    if (victim < 0) return false;
    send(value(victim), result);
    return true;
  }

  [[nodiscard]] int next_use(int index, int after) const {
    int next = static_cast<int>(work_.size());
    for (const int reader : workload_.tensors[static_cast<std::size_t>(index)].readers) {
      if (reader > after) next = std::min(next, reader);
    }
    return next;
  }

  void send(LiveValue& sent, VtcmOperation& result) {
    // What was read back and not changed is still in DDR.
    result.spill_bytes += compressed(sent.bytes - sent.ddr_bytes);
    sent.ddr_bytes = sent.bytes;
    sent.is_in_vtcm = false;
  }

  /// Not even operands and result fit: the largest of them that lives on goes to DDR. If there is
  /// none, smaller tiles will do.
  void send_result(int index, VtcmOperation& result) {
    LiveValue* largest = nullptr;
    for (const int live : alive_) {
      LiveValue& candidate = value(live);
      if (!candidate.is_in_vtcm || candidate.dies <= index) continue;
      if (largest == nullptr || candidate.bytes > largest->bytes) largest = &candidate;
    }
    if (largest != nullptr) send(*largest, result);
  }

  /// Weights of the operations behind this one that have been fetched already.
  [[nodiscard]] std::int64_t prefetched_bytes(int index) const {
    const double now = timeline_.operations[static_cast<std::size_t>(index)].end;
    std::int64_t bytes = 0;
    for (std::size_t i = static_cast<std::size_t>(index) + 1; i < work_.size(); ++i) {
      const std::int64_t more = bytes + work_[i].weight_bytes;
      if (static_cast<double>(more) > options_.prefetch_bytes ||
          timeline_.operations[i].weights_there > now) {
        break;
      }
      bytes = more;
    }
    return bytes;
  }

  /// Halves rows, then channels, then columns until a tile of the operation fits.
  [[nodiscard]] std::array<std::int64_t, 3> tile_of(int index) const {
    const Operation& operation = workload_.operations[static_cast<std::size_t>(index)];
    if (operation.outputs.empty()) return {1, 1, 1};
    const int output = operation.outputs[0];
    const Shape& shape = workload_.tensors[static_cast<std::size_t>(output)].shape;
    const bool is_map = layout_.is_map(output) && shape.size() > 3;
    std::int64_t rows = is_map ? shape[2] : (shape.size() > 1 ? shape[shape.size() - 2] : 1);
    std::int64_t columns = is_map ? shape[3] : 1;
    const std::int64_t channels = is_map ? shape[1] : (shape.empty() ? 1 : shape.back());
    std::int64_t slice = std::min(channels, kChannelsOfTile);
    const std::int64_t all = std::max<std::int64_t>(1, rows * columns * channels);
    std::int64_t operand_bytes = layout_.padded_bytes(output);
    for (const int input : operation.inputs) {
      const WorkTensor& tensor = workload_.tensors[static_cast<std::size_t>(input)];
      if (!tensor.is_constant) operand_bytes += layout_.padded_bytes(input);
    }
    const auto fits = [&] {
      const double part = static_cast<double>(rows * columns) * static_cast<double>(channels) /
                          static_cast<double>(all);
      const double weights = static_cast<double>(weight_window(index)) *
                             static_cast<double>(slice) / static_cast<double>(channels);
      return part * static_cast<double>(operand_bytes) + weights <=
             static_cast<double>(options_.vtcm_bytes);
    };
    while (!fits()) {
      if (rows > kStripRows) {
        rows = std::max(kStripRows, (rows / 2 + kStripRows - 1) / kStripRows * kStripRows);
      } else if (slice > kChannelBlock) {
        slice = std::max(kChannelBlock, slice / 2);
      } else if (columns > kStripRows) {
        columns = std::max(kStripRows, columns / 2);
      } else {
        break;
      }
    }
    return {rows, columns, slice};
  }

  void summarize() {
    VtcmSummary& summary = plan_.summary;
    double weighted = 0.0;
    double time = 0.0;
    for (std::size_t i = 0; i < plan_.operations.size(); ++i) {
      const VtcmOperation& operation = plan_.operations[i];
      const double cycles = timeline_.operations[i].exclusive;
      summary.peak_bytes = std::max(summary.peak_bytes, operation.in_use_bytes);
      summary.spill_bytes += operation.spill_bytes;
      summary.fill_bytes += operation.fill_bytes;
      weighted += cycles * static_cast<double>(operation.in_use_bytes);
      time += cycles;
    }
    const auto size = static_cast<double>(std::max<std::int64_t>(1, summary.size_bytes));
    summary.mean_utilization = time > 0.0 ? weighted / time / size : 0.0;
  }

  const Workload& workload_;
  const Layout& layout_;
  const std::vector<OperationWork>& work_;
  const Timeline& timeline_;
  const VtcmOptions& options_;
  std::vector<LiveValue> values_;
  std::vector<int> alive_;  ///< values that are there as a whole, or in DDR, and have readers left
  VtcmPlan plan_;
};

}  // namespace

VtcmPlan plan_vtcm(const Workload& workload, const Layout& layout,
                   const std::vector<OperationWork>& work, const Timeline& timeline,
                   const VtcmOptions& options) {
  return VtcmPlanner(workload, layout, work, timeline, options).run();
}

}  // namespace hexquant::perf
