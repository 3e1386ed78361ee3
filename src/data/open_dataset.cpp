#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/format.h"
#include "data/dataset.h"
#include "data/selection.h"
#include "data/sources.h"
#include "data/text_lines.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

struct BoundInput {
  std::string name;
  std::unique_ptr<const Column> column;
  std::unique_ptr<const BoundColumn> rows;  // refers to `column`
};

/// Puts single rows [1, ...] of equal shape one behind the other.
Tensor stacked(const BoundColumn& rows, std::span<const std::int64_t> indices,
               const std::string& input) {
  Tensor out;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Tensor row = rows.load(indices[i]);
    if (i == 0) {
      Shape shape = row.shape();
      shape[0] = static_cast<std::int64_t>(indices.size());
      out = Tensor(row.dtype(), shape);
    }
    if (row.bytes() * indices.size() != out.bytes()) {
      throw Error(ErrorCode::kInvalidData,
                  format("samples {} and {} have different shapes and cannot share a batch of the "
                         "model input '{}'",
                         indices[0], indices[i], input));
    }
    if (row.bytes() != 0) {
      std::memcpy(out.mutable_raw() + i * row.bytes(), row.raw(), row.bytes());
    }
  }
  return out;
}

class SelectedDataset final : public Dataset {
 public:
  SelectedDataset(std::vector<BoundInput> inputs, std::vector<std::int64_t> indices,
                  std::int64_t batch)
      : inputs_(std::move(inputs)), indices_(std::move(indices)), batch_(batch) {}

  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(indices_.size()) / batch_;
  }
  [[nodiscard]] std::int64_t batch_size() const override { return batch_; }

  [[nodiscard]] Sample load(std::int64_t index) const override {
    const auto rows = rows_of(index);
    Sample sample;
    for (const BoundInput& input : inputs_) {
      sample.emplace(input.name, batch_ == 1 ? input.rows->load(rows.front())
                                             : stacked(*input.rows, rows, input.name));
    }
    return sample;
  }

  [[nodiscard]] std::string describe(std::int64_t index) const override {
    const auto rows = rows_of(index);
    const Column& column = *inputs_.front().column;
    std::string text = column.describe(rows.front());
    if (rows.size() > 1) text += " .. " + column.describe(rows.back());
    return text;
  }

  /// Finds missing files and wrong sizes before any work, and that the first sample loads.
  void check() const {
    for (const BoundInput& input : inputs_) {
      for (std::int64_t i = 0; i < size() * batch_; ++i) {
        input.rows->check(indices_[static_cast<std::size_t>(i)]);
      }
    }
    static_cast<void>(load(0));
  }

 private:
  [[nodiscard]] std::span<const std::int64_t> rows_of(std::int64_t index) const {
    HEXQUANT_CHECK(index >= 0 && index < size(), format("sample {} of {}", index, size()));
    return std::span<const std::int64_t>(indices_).subspan(static_cast<std::size_t>(index * batch_),
                                                           static_cast<std::size_t>(batch_));
  }

  std::vector<BoundInput> inputs_;
  std::vector<std::int64_t> indices_;
  std::int64_t batch_;
};

std::vector<std::string> names_of(const std::vector<ModelInput>& inputs) {
  std::vector<std::string> names;
  for (const ModelInput& input : inputs) names.push_back(input.name);
  return names;
}

/// Name of the model input that each column feeds.
///
/// A file's own array name counts unless there is exactly one column and one input. Columns without
/// a name go to the inputs that are left, in order, if their numbers agree.
void resolve_names(std::vector<SourceColumn>& columns, const std::vector<ModelInput>& inputs) {
  const std::vector<std::string> names = names_of(inputs);
  if (columns.size() == 1 && inputs.size() == 1 && !columns[0].name_binds) {
    columns[0].input = names[0];
    return;
  }
  std::vector<std::string> left = names;
  std::vector<SourceColumn*> unnamed;
  for (SourceColumn& column : columns) {
    if (column.input.empty()) {
      unnamed.push_back(&column);
      continue;
    }
    const auto found = std::find(left.begin(), left.end(), column.input);
    if (found == left.end()) {
      const bool twice = std::find(names.begin(), names.end(), column.input) != names.end();
      throw Error(ErrorCode::kInvalidData,
                  format("{}: '{}' {}: the model has {}", column.origin, column.input,
                         twice ? "is given twice" : "is no input of the model",
                         nearest_names(column.input, names)));
    }
    left.erase(found);
  }
  if (unnamed.size() > left.size() || (left.size() > 1 && unnamed.size() < left.size())) {
    throw Error(ErrorCode::kInvalidData,
                format("no data for the model inputs {}: give name:=file for each, or an .npz with "
                       "arrays of these names",
                       nearest_names("", left.empty() ? names : left)));
  }
  for (std::size_t i = 0; i < unnamed.size(); ++i) unnamed[i]->input = left[i];
  if (unnamed.size() < left.size()) {
    throw Error(ErrorCode::kInvalidData,
                format("no data for the model input '{}': add {}:=file", left.back(), left.back()));
  }
}

/// Fixed batch of the model when its rows must be stacked, else 1.
std::int64_t batch_of(const std::vector<BoundInput>& bound, const std::vector<ModelInput>& inputs) {
  std::int64_t batch = 1;
  for (const ModelInput& input : inputs) {
    const auto column = std::find_if(bound.begin(), bound.end(), [&](const BoundInput& candidate) {
      return candidate.name == input.name;
    });
    if (input.shape.empty() || !column->rows->stacks()) continue;
    const std::int64_t fixed = std::max<std::int64_t>(input.shape[0].value, 1);
    if (batch != 1 && fixed != batch) {
      throw Error(ErrorCode::kInvalidData,
                  format("model input '{}' has a fixed batch of {}, another input {}: give arrays "
                         "that hold whole batches",
                         input.name, fixed, batch));
    }
    batch = std::max(batch, fixed);
  }
  const bool all_stack = std::all_of(bound.begin(), bound.end(),
                                     [](const BoundInput& input) { return input.rows->stacks(); });
  if (batch > 1 && !all_stack) {
    throw Error(ErrorCode::kInvalidData,
                format("the model has a fixed batch of {}: either all inputs or none must be given "
                       "as single samples",
                       batch));
  }
  return batch;
}

std::optional<Preprocess> preprocess_of(const DataOptions& options) {
  if (options.preprocess.empty()) return std::nullopt;
  return read_preprocess(options.preprocess.string());
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const DataOptions& options,
                                      const std::vector<ModelInput>& inputs) {
  if (inputs.empty()) throw Error(ErrorCode::kInvalidData, "the model has no inputs to feed");
  const std::optional<Preprocess> preprocess = preprocess_of(options);
  Sources sources = open_sources(options.sources);
  resolve_names(sources.columns, inputs);
  std::vector<std::int64_t> indices = select_samples(sources.rows, options);

  const BindOptions bind{preprocess ? &*preprocess : nullptr, options.native_input_files};
  std::vector<BoundInput> bound;
  for (SourceColumn& source : sources.columns) {
    const auto input = std::find_if(inputs.begin(), inputs.end(), [&](const ModelInput& candidate) {
      return candidate.name == source.input;
    });
    auto rows = source.column->bind(*input, bind);
    bound.push_back({source.input, std::move(source.column), std::move(rows)});
  }
  const std::int64_t batch = batch_of(bound, inputs);
  if (static_cast<std::int64_t>(indices.size()) < batch) {
    throw Error(
        ErrorCode::kInvalidData,
        format("{} samples cannot fill the model's fixed batch of {}", indices.size(), batch));
  }
  auto dataset = std::make_unique<SelectedDataset>(std::move(bound), std::move(indices), batch);
  dataset->check();
  return dataset;
}

}  // namespace hexquant::data
