#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace hexquant::data {

struct BatchOptions {
  std::int64_t batch_size = 64;  ///< samples of one training step
  std::int64_t epochs = 1;
  std::uint64_t seed = 0;
  Augmentation augmentation = {};
};

/// Samples in training order: a new random order each epoch, several of them in each batch.
///
/// Item i is a pure function of the options and i (order and augmentation are drawn from seed,
/// epoch and sample, not from a running state), so that training goes on at any place exactly as if
/// it had never stopped. The samples behind the last whole batch of an epoch are left out of it.
///
/// A model whose inputs have a free batch gets its samples stacked, one item a step. A model with a
/// fixed batch gets its own batches, `items_per_step()` of them for each step.
class ShuffledBatches final : public Dataset {
 public:
  /// @param samples  outlives this; holds at least one item
  /// @throws Error(kInvalidArgument) when the augmentation does not fit the inputs, or the batch
  ///         size is no multiple of the model's fixed batch
  ShuffledBatches(const Dataset& samples, const std::vector<ModelInput>& inputs,
                  const BatchOptions& options);

  /// Of all epochs.
  [[nodiscard]] std::int64_t size() const override {
    return options_.epochs * steps_per_epoch_ * items_per_step_;
  }
  [[nodiscard]] std::int64_t batch_size() const override;
  [[nodiscard]] Sample load(std::int64_t index) const override;
  [[nodiscard]] std::string describe(std::int64_t index) const override;

  /// Items of the samples' data set that make item `index`.
  [[nodiscard]] std::vector<std::int64_t> sources(std::int64_t index) const;
  [[nodiscard]] std::int64_t steps_per_epoch() const noexcept { return steps_per_epoch_; }
  [[nodiscard]] std::int64_t items_per_step() const noexcept { return items_per_step_; }

 private:
  [[nodiscard]] Sample load_one(std::int64_t epoch, std::int64_t item) const;

  const Dataset& samples_;
  BatchOptions options_;
  std::vector<std::pair<std::string, ImageLayout>> images_;  ///< inputs that are augmented
  std::int64_t stacked_ = 1;                                 ///< samples of one item
  std::int64_t items_per_step_ = 1;
  std::int64_t steps_per_epoch_ = 0;
  mutable std::mutex mutex_;
  mutable std::int64_t ordered_epoch_ = -1;
  mutable std::vector<std::int64_t> order_;  ///< of ordered_epoch_
};

}  // namespace hexquant::data
