#include "data/shuffled_batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Mixes numbers to 64 random bits. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014 (SplitMix64).
std::uint64_t mixed_bits(std::uint64_t seed, std::int64_t a, std::int64_t b) {
  std::uint64_t state = seed;
  for (const std::int64_t value : {a, b}) {
    state += 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(value);
    state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
    state = (state ^ (state >> 27U)) * 0x94d049bb133111ebU;
    state ^= state >> 31U;
  }
  return state;
}

/// 0 ... count-1 in random order, the same on every platform (Fisher and Yates).
std::vector<std::int64_t> random_order(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  constexpr std::int64_t kOrder = -1;  // apart from the numbers that augmentation draws
  std::mt19937_64 random(mixed_bits(seed, epoch, kOrder));
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random() % left]);
  }
  return order;
}

/// Inputs that hold images: float32, rank 4, one or three channels in front or behind.
std::vector<std::pair<std::string, ImageLayout>> image_inputs(
    const std::vector<ModelInput>& inputs) {
  std::vector<std::pair<std::string, ImageLayout>> images;
  const auto holds_channels = [](const graph::Dim& dim) {
    return dim.value == 1 || dim.value == 3;
  };
  for (const ModelInput& input : inputs) {
    if (input.dtype != DType::kFloat32 || input.shape.size() != 4) continue;
    if (holds_channels(input.shape[1])) {
      images.emplace_back(input.name, ImageLayout::kNchw);
    } else if (holds_channels(input.shape[3])) {
      images.emplace_back(input.name, ImageLayout::kNhwc);
    }
  }
  return images;
}

bool has_free_batch(const std::vector<ModelInput>& inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const ModelInput& input) {
    return !input.shape.empty() && !input.shape[0].is_fixed();
  });
}

/// Puts `row` behind the first `at` rows of `batch`, which has room for `rows`.
void put_row(Tensor& batch, const Tensor& row, std::int64_t at, std::int64_t rows,
             const std::string& input) {
  if (at == 0) {
    Shape shape = row.shape();
    shape[0] *= rows;
    batch = Tensor(row.dtype(), shape);
  }
  if (row.bytes() * static_cast<std::size_t>(rows) != batch.bytes()) {
    throw Error(ErrorCode::kInvalidData,
                format("training samples of the input '{}' have different shapes ({} is one): they "
                       "cannot share a batch; use --batch-size 1",
                       input, shape_text(row.shape())));
  }
  std::memcpy(batch.mutable_raw() + static_cast<std::size_t>(at) * row.bytes(), row.raw(),
              row.bytes());
}

}  // namespace

ShuffledBatches::ShuffledBatches(const Dataset& samples, const std::vector<ModelInput>& inputs,
                                 const BatchOptions& options)
    : samples_(samples), options_(options) {
  if (options_.augmentation.any()) {
    images_ = image_inputs(inputs);
    if (images_.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "augmentation: the model has no image input (float [N,C,H,W] or [N,H,W,C] with 1 "
                  "or 3 channels)");
    }
  }
  const std::int64_t all = samples_.size() * samples_.batch_size();
  const std::int64_t wanted = std::min(options_.batch_size, all);
  if (wanted % samples_.batch_size() != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                format("batch size {}: expected a multiple of the model's fixed batch of {}",
                       wanted, samples_.batch_size()));
  }
  if (has_free_batch(inputs)) {
    stacked_ = wanted;
  } else {
    items_per_step_ = wanted / samples_.batch_size();
  }
  steps_per_epoch_ = samples_.size() / (stacked_ * items_per_step_);
}

std::int64_t ShuffledBatches::batch_size() const {
  return stacked_ * samples_.batch_size();
}

std::vector<std::int64_t> ShuffledBatches::sources(std::int64_t index) const {
  const std::int64_t per_epoch = steps_per_epoch_ * items_per_step_;
  const std::int64_t epoch = index / per_epoch;
  const std::scoped_lock lock(mutex_);
  if (epoch != ordered_epoch_) {
    order_ = random_order(samples_.size(), options_.seed, epoch);
    ordered_epoch_ = epoch;
  }
  const auto first = order_.begin() + static_cast<std::ptrdiff_t>(index % per_epoch * stacked_);
  return {first, first + static_cast<std::ptrdiff_t>(stacked_)};
}

Sample ShuffledBatches::load_one(std::int64_t epoch, std::int64_t item) const {
  Sample sample = samples_.load(item);
  for (const auto& [input, layout] : images_) {
    augment_image(sample.at(input), layout, options_.augmentation,
                  mixed_bits(options_.seed, epoch, item));
  }
  return sample;
}

Sample ShuffledBatches::load(std::int64_t index) const {
  const std::int64_t epoch = index / (steps_per_epoch_ * items_per_step_);
  const std::vector<std::int64_t> items = sources(index);
  if (stacked_ == 1) return load_one(epoch, items.front());
  Sample batch;
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const auto& [input, row] : load_one(epoch, items[i])) {
      put_row(batch[input], row, static_cast<std::int64_t>(i), stacked_, input);
    }
  }
  return batch;
}

std::string ShuffledBatches::describe(std::int64_t index) const {
  return samples_.describe(sources(index).front());
}

}  // namespace hexquant::data
