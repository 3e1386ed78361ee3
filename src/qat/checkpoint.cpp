#include "qat/checkpoint.h"

#include <cmath>
#include <limits>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json_cursor.h"
#include "core/tensor_file.h"
#include "hexquant/error.h"
#include "qat/torch_tensor.h"

namespace hexquant::qat {
namespace {

constexpr const char* kKind = "qat-checkpoint";
constexpr int kVersion = 1;
constexpr std::int64_t kLargest = std::int64_t{1} << 53;  // what JSON numbers hold exactly

/// The three groups of tensors, by the beginning of their names.
template <typename State, typename Visit>
void visit_groups(State& state, const Visit& visit) {
  visit("values/", state.values);
  visit("best/", state.best_values);
  visit("optimizer/", state.optimizer_state);
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

double number_or_nan(const JsonCursor& cursor) {
  return cursor.json().is_null() ? std::numeric_limits<double>::quiet_NaN() : cursor.number();
}

Json row_json(const EpochRow& row) {
  return {{"epoch", row.epoch},
          {"steps", row.steps},
          {"loss", number_or_null(row.loss)},
          {"value", number_or_null(row.value)},
          {"learning_rate", row.learning_rate},
          {"samples_per_s", row.samples_per_s},
          {"seconds", row.seconds},
          {"is_best", row.is_best}};
}

EpochRow row_from(const JsonCursor& cursor) {
  EpochRow row;
  row.epoch = cursor.at("epoch").integer(0, kLargest);
  row.steps = cursor.at("steps").integer(0, kLargest);
  row.loss = number_or_nan(cursor.at("loss"));
  row.value = number_or_nan(cursor.at("value"));
  row.learning_rate = cursor.at("learning_rate").number();
  row.samples_per_s = cursor.at("samples_per_s").number();
  row.seconds = cursor.at("seconds").number();
  row.is_best = cursor.at("is_best").boolean();
  return row;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const TrainState& state,
                      const std::string& digest) {
  TensorFile file;
  Json curve = Json::array();
  for (const EpochRow& row : state.curve) curve.push_back(row_json(row));
  file.header = {{"digest", digest},
                 {"step", state.step},
                 {"loss_sum", state.loss_sum},
                 {"seconds", state.seconds},
                 {"train_seconds", state.train_seconds},
                 {"best_epoch", state.best_epoch},
                 {"stopped", state.stopped},
                 {"curve", std::move(curve)}};
  visit_groups(state, [&](const std::string& group, const auto& tensors) {
    for (const auto& [name, tensor] : tensors) file.tensors[group + name] = from_torch(tensor);
  });
  write_file(path, tensor_file_bytes(file, kKind, kVersion));
}

TrainState read_checkpoint(const std::filesystem::path& path, const std::string& digest) {
  const std::string origin = path.string();
  TensorFile file = parse_tensor_file(read_file(path), origin, kKind, kVersion);
  const JsonCursor header(file.header, origin);
  if (header.at("digest").text() != digest) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: left by a run with another model, other data or other options: remove "
                       "it, choose another output folder, or give --restart to begin anew",
                       origin));
  }
  TrainState state;
  state.step = header.at("step").integer(0, kLargest);
  state.loss_sum = header.at("loss_sum").number();
  state.seconds = header.at("seconds").number();
  state.train_seconds = header.at("train_seconds").number();
  state.best_epoch = header.at("best_epoch").integer(0, kLargest);
  state.stopped = header.at("stopped").text();
  const JsonCursor curve = header.at("curve");
  for (std::size_t i = 0; i < curve.expect_array().size(); ++i) {
    state.curve.push_back(row_from(curve.at(i)));
  }
  visit_groups(state, [&](const std::string& group, auto& tensors) {
    for (const auto& [name, tensor] : file.tensors) {
      if (name.starts_with(group)) tensors[name.substr(group.size())] = to_torch(tensor);
    }
  });
  return state;
}

}  // namespace hexquant::qat
