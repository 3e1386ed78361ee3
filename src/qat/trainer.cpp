#include "qat/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "core/finding_list.h"
#include "core/format.h"
#include "core/stopwatch.h"
#include "data/prefetch.h"
#include "data/shuffled_batches.h"
#include "hexquant/error.h"
#include "qat/checkpoint.h"
#include "qat/freed_memory.h"
#include "qat/losses.h"
#include "qat/optimizer.h"
#include "qat/torch_tensor.h"
#include "qat/trainable_network.h"

namespace hexquant::qat {
namespace {

/// Batches that are loaded ahead.
constexpr int kPrefetched = 4;

std::int64_t elements_of(const std::vector<Parameter>& parameters) {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters) count += parameter.tensor.numel();
  return count;
}

TrainableNetwork make_student(const TrainRequest& request) {
  NetworkOptions options;
  options.narrow_weight_bits = request.options.narrow_weight_bits;
  options.norm_mode = request.options.norm_mode;
  options.norms = request.norms;
  return TrainableNetwork::make(*request.start, *request.plan, *request.encodings, options);
}

/// Inputs as the network takes them: a batch that shape arithmetic fixed is no longer free.
std::vector<data::ModelInput> network_inputs(const TrainRequest& request,
                                             const TrainableNetwork& network) {
  std::vector<data::ModelInput> inputs = request.inputs;
  if (!network.fixed_batch()) return inputs;
  for (data::ModelInput& input : inputs) {
    if (!input.shape.empty()) input.shape[0].value = *network.fixed_batch();
  }
  return inputs;
}

class Trainer {
 public:
  explicit Trainer(const TrainRequest& request)
      : request_(request),
        options_(request.options),
        student_(make_student(request)),
        loss_(*request.start, options_, student_),
        batches_(*request.data, network_inputs(request, student_),
                 {.batch_size = options_.batch_size,
                  .epochs = options_.epochs,
                  .seed = options_.seed,
                  .augmentation = options_.augmentation}),
        optimizer_(student_.weights(), student_.ranges(), options_) {
    const std::int64_t all = options_.epochs * batches_.steps_per_epoch();
    total_ = options_.max_steps > 0 ? std::min(all, options_.max_steps) : all;
    if (loss_.needs_labels() && request.labels.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "loss cross-entropy needs labels of the training data: give --train-labels, or "
                  "--loss distillation");
    }
    if (!student_.statistics().empty() && student_.fixed_batch() == 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  "batch norm 'kept' needs batches of several samples, and the model fixes 1: "
                  "expected a model with a free batch, or batch norm 'frozen'");
    }
    if (loss_.needs_teacher()) teacher_ = TrainableNetwork::make(*request.teacher, {}, {});
  }

  TrainResult run() {
    take_up();
    try {
      if (state_.curve.empty()) validate(0);
      while (state_.stopped.empty() && (state_.step < total_ || steps_to_validate() > 0)) {
        run_epoch();
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCancelled || request_.checkpoint.empty()) throw;
      save();
      throw Error(ErrorCode::kCancelled,
                  format("stopped at step {} of {}: {} holds the state, the same command goes on",
                         state_.step, total_, request_.checkpoint.string()));
    }
    return finish();
  }

 private:
  using Tensors = std::vector<torch::Tensor>;

  [[nodiscard]] Trained trained() const {
    return {student_.weights(), student_.ranges(), student_.statistics()};
  }

  /// Goes on from the checkpoint, where there is one.
  void take_up() {
    std::error_code ignored;
    if (request_.checkpoint.empty() || !std::filesystem::exists(request_.checkpoint, ignored)) {
      return;
    }
    state_ = read_checkpoint(request_.checkpoint, request_.digest);
    restore_values(state_.values, trained());
    optimizer_.restore(state_.optimizer_state, state_.step);
    resumed_step_ = state_.step;
    for (const EpochRow& row : state_.curve) report(row);
  }

  /// Up to the end of the epoch that runs, and its validation.
  void run_epoch() {
    const auto epoch = static_cast<std::int64_t>(state_.curve.size());
    const std::int64_t last = std::min(total_, epoch * batches_.steps_per_epoch());
    train_until(last, epoch);
    if (is_lost_) return;  // the epoch that lost its way is not worth a row
    if (is_out_of_time()) {
      save();  // before the row of a part of an epoch: a run with more time goes on from here
      state_.stopped = format("{} s are over", options_.max_seconds);
      return validate(epoch);
    }
    validate(epoch);
    stop_early(epoch);
    save();
  }

  [[nodiscard]] bool is_out_of_time() const {
    return options_.max_seconds > 0.0 && state_.seconds >= options_.max_seconds &&
           state_.step < total_;
  }

  void train_until(std::int64_t last, std::int64_t epoch) {
    const std::int64_t per_step = batches_.items_per_step();
    data::PrefetchReader reader(batches_, state_.step * per_step, last * per_step, kPrefetched);
    const std::int64_t first = (epoch - 1) * batches_.steps_per_epoch();
    ProgressStage stage(*request_.progress, format("epoch {}/{}", epoch, options_.epochs),
                        last - first);
    stage.step(state_.step - first);
    while (state_.step < last && !is_out_of_time()) {
      Stopwatch watch;
      const double loss = step(reader);
      if (!std::isfinite(loss)) return lose(loss);
      const double took = watch.total_seconds();
      state_.loss_sum += loss;
      state_.train_seconds += took;
      state_.seconds += took;
      since_save_ += took;
      ++state_.step;
      request_.progress->note(note(epoch));
      if (since_save_ >= request_.checkpoint_seconds) save();
      stage.step();  // throws when the user asks to stop
    }
  }

  /// One change of the parameters. @return the loss before it
  double step(data::PrefetchReader& reader) {
    optimizer_.clear_gradients();
    const std::int64_t items = batches_.items_per_step();
    double sum = 0.0;
    for (std::int64_t i = 0; i < items; ++i) {
      const torch::Tensor loss =
          loss_of(*reader.next(), state_.step * items + i) / static_cast<double>(items);
      sum += loss.item<double>();
      if (!std::isfinite(sum)) return sum;
      loss.backward();
    }
    optimizer_.step(scheduled_rate(options_, state_.step, total_));
    student_.project_ranges();
    return sum;
  }

  torch::Tensor loss_of(const data::Sample& sample, std::int64_t index) {
    const Tensors inputs = inputs_of(sample);
    std::optional<ForwardResult> expected;
    if (teacher_) {
      const torch::NoGradGuard no_gradient;
      expected = teacher_->forward(inputs, Mode::kFloat, loss_.taps());
    }
    const torch::Tensor labels = loss_.needs_labels() ? labels_of(index) : torch::Tensor();
    return loss_(student_.forward(inputs, Mode::kTraining, loss_.taps()), expected, labels);
  }

  [[nodiscard]] Tensors inputs_of(const data::Sample& sample) const {
    Tensors inputs;
    for (const std::string& name : request_.start->inputs()) {
      inputs.push_back(to_torch(sample.at(name)));
    }
    return inputs;
  }

  [[nodiscard]] torch::Tensor labels_of(std::int64_t index) const {
    const std::int64_t rows = request_.data->batch_size();
    std::vector<std::int64_t> labels;
    for (const std::int64_t item : batches_.sources(index)) {
      for (std::int64_t row = 0; row < rows; ++row) {
        labels.push_back(request_.labels.at(static_cast<std::size_t>(item * rows + row)));
      }
    }
    return torch::tensor(labels, torch::kInt64);
  }

  /// Steps behind the last epoch that was validated.
  [[nodiscard]] std::int64_t steps_to_validate() const {
    return steps_in_epoch(static_cast<std::int64_t>(state_.curve.size()));
  }

  [[nodiscard]] std::int64_t steps_in_epoch(std::int64_t epoch) const {
    return epoch == 0 ? 0 : state_.step - (epoch - 1) * batches_.steps_per_epoch();
  }

  [[nodiscard]] double samples_per_step() const {
    return static_cast<double>(batches_.batch_size() * batches_.items_per_step());
  }

  [[nodiscard]] std::string note(std::int64_t epoch) const {
    const auto steps = static_cast<double>(steps_in_epoch(epoch));
    const double rate = steps / state_.train_seconds;
    return format("loss {:.4f}, metric {:.4f}, {:.0f} samples/s, {:.0f} s to the end",
                  state_.loss_sum / steps, state_.curve.back().value, rate * samples_per_step(),
                  static_cast<double>(total_ - state_.step) / rate);
  }

  /// Statistics of kept BatchNorms over batches of the training data, without augmentation. Twice:
  /// new variances change the folded weights' codes, and the means must be those of the final ones.
  void estimate_statistics() {
    if (student_.statistics().empty()) return;
    const data::ShuffledBatches batches(*request_.data, network_inputs(request_, student_),
                                        {.batch_size = options_.batch_size,
                                         .epochs = 1,
                                         .seed = options_.seed,
                                         .augmentation = {}});
    const std::int64_t count =
        std::min(options_.statistics_batches * batches.items_per_step(), batches.size());
    const torch::NoGradGuard no_gradient;
    for (const bool means_only : {false, true}) {
      student_.begin_estimate();
      data::PrefetchReader reader(batches, 0, count, kPrefetched);
      while (const auto sample = reader.next()) {
        (void)student_.forward(inputs_of(*sample), Mode::kTraining);
      }
      student_.end_estimate(means_only);
    }
  }

  /// Scores the model as it would be written.
  void validate(std::int64_t epoch) {
    Stopwatch watch;
    const Trained statistics{{}, {}, student_.statistics()};
    const auto before = values_of(statistics);
    if (epoch > 0) estimate_statistics();
    try {
      add_row(epoch, watch);
    } catch (const Error&) {
      restore_values(before, statistics);  // a run that goes on estimates them again
      throw;
    }
  }

  void add_row(std::int64_t epoch, const Stopwatch& watch) {
    graph::Graph graph = *request_.start;
    quant::EncodingTable encodings = *request_.encodings;
    student_.write_back(graph, encodings);
    EpochRow row;
    row.epoch = epoch;
    row.steps = steps_in_epoch(epoch);
    row.value = request_.validate(graph, encodings);
    const auto steps = static_cast<double>(row.steps);
    row.loss = epoch == 0 ? std::numeric_limits<double>::quiet_NaN() : state_.loss_sum / steps;
    row.learning_rate =
        scheduled_rate(options_, std::max<std::int64_t>(state_.step - 1, 0), total_);
    if (epoch > 0) row.samples_per_s = steps * samples_per_step() / state_.train_seconds;
    const double took = watch.total_seconds();
    row.seconds = state_.train_seconds + took;
    row.is_best = is_better(row.value);
    state_.seconds += took;
    state_.loss_sum = 0.0;
    state_.train_seconds = 0.0;
    if (row.is_best) {
      state_.best_epoch = epoch;
      state_.best_values = values_of(trained());
    }
    state_.curve.push_back(row);
    report(row);
  }

  /// Better than all epochs before; a value that is no number is never better.
  [[nodiscard]] bool is_better(double value) const {
    if (state_.curve.empty()) return true;
    const double best = state_.curve[static_cast<std::size_t>(state_.best_epoch)].value;
    if (std::isnan(best)) return !std::isnan(value);
    return request_.higher_is_better ? value > best : value < best;
  }

  void stop_early(std::int64_t epoch) {
    if (options_.patience > 0 && epoch - state_.best_epoch >= options_.patience &&
        state_.step < total_) {
      state_.stopped = format("no improvement in {} epochs", options_.patience);
    }
  }

  /// The loss is no number: nothing good can come of these parameters any more.
  void lose(double loss) {
    is_lost_ = true;
    state_.stopped = format("the loss became {} at step {}", loss, state_.step + 1);
    findings_.push_back(
        {"loss-not-finite", Severity::kWarning, "",
         format("{}: the result is that of epoch {}", state_.stopped, state_.best_epoch),
         "train with a lower --lr or with --clip-gradient 1"});
  }

  void report(const EpochRow& row) const {
    if (request_.on_epoch) request_.on_epoch(row);
  }

  void save() {
    if (request_.checkpoint.empty()) return;
    state_.values = values_of(trained());
    state_.optimizer_state = optimizer_.state();
    write_checkpoint(request_.checkpoint, state_, request_.digest);
    since_save_ = 0.0;
  }

  TrainResult finish() {
    restore_values(state_.best_values, trained());
    TrainResult result;
    result.weights = *request_.start;
    result.encodings = *request_.encodings;
    student_.write_back(result.weights, result.encodings);
    result.curve = state_.curve;
    result.best_epoch = state_.best_epoch;
    result.resumed_step = resumed_step_;
    result.ranges = elements_of(student_.ranges());
    result.parameters = elements_of(student_.weights()) + result.ranges;
    result.stopped = state_.stopped;
    result.findings = student_.findings();
    append(result.findings, findings_);
    if (state_.best_epoch == 0) {
      result.findings.push_back({"training-gained-nothing", Severity::kWarning, "",
                                 "no epoch is better than the model before training, which is the "
                                 "result",
                                 "train longer, or with another --lr"});
    }
    return result;
  }

  const TrainRequest& request_;
  TrainOptions options_;
  TrainableNetwork student_;
  std::optional<TrainableNetwork> teacher_;
  LossFunction loss_;
  data::ShuffledBatches batches_;
  Optimizer optimizer_;
  TrainState state_;
  std::int64_t total_ = 0;  ///< steps of all epochs
  std::int64_t resumed_step_ = 0;
  double since_save_ = 0.0;  ///< seconds
  bool is_lost_ = false;
  Findings findings_;
};

}  // namespace

TrainResult train(const TrainRequest& request) {
  torch::set_num_threads(request.threads);
  keep_freed_memory();
  try {
    return Trainer(request).run();
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::kInternal, format("LibTorch: {}", error.what_without_backtrace()));
  }
}

}  // namespace hexquant::qat

extern "C" __attribute__((visibility("default"))) hexquant::qat::TrainResult hexquant_train(
    const hexquant::qat::TrainRequest& request) {
  return hexquant::qat::train(request);
}
