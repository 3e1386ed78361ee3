#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "core/format.h"
#include "formats/encodings/convert_encodings.h"
#include "target/weight_axes.h"

namespace hexquant::formats {
namespace {

struct Place {
  std::optional<Shape> shape;
  std::optional<target::WeightAxes> axes;
};

Place find_place(const std::string& name, const ModelView* model) {
  if (model == nullptr) return {};
  return {known_shape(model->graph, name), target::weight_axes(model->rules, model->graph, name)};
}

void assume_axis(EncodingEntry& entry, int axis, const Place& place, Findings& findings) {
  entry.axis = axis;
  findings.push_back(
      {"axis-assumed", Severity::kWarning, entry.name,
       format("the file does not say on which axis its {} {} lie: taken as axis {}",
              entry.kind == ScaleKind::kChannel ? entry.scale.size() : entry.block_int_scale.size(),
              entry.kind == ScaleKind::kChannel ? "channels" : "blocks", axis),
       place.shape ? "check the number of channels against the model" : "give the model: --model"});
}

void place_channels(EncodingEntry& entry, const Place& place, Findings& findings) {
  const auto count = static_cast<std::int64_t>(entry.scale.size());
  const int channel = place.axes ? place.axes->channel : -1;
  if (place.shape) {
    const Shape& shape = *place.shape;
    if (channel >= 0 && shape.at(static_cast<std::size_t>(channel)) == count) {
      entry.axis = channel;
      return;
    }
    if (std::count(shape.begin(), shape.end(), count) == 1) {
      entry.axis = static_cast<int>(std::find(shape.begin(), shape.end(), count) - shape.begin());
      return;
    }
  }
  assume_axis(entry, std::max(channel, 0), place, findings);
}

std::int64_t product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Shape of `count` blocks of a weight: one for each channel (AIMET), or for every index of the
/// other axes (ONNX).
std::optional<Shape> blocks_of(const Place& place, std::int64_t block_size, std::int64_t count) {
  const auto axis = static_cast<std::size_t>(place.axes->reduction);
  Shape full = *place.shape;
  full.at(axis) = (full[axis] + block_size - 1) / block_size;
  Shape channels(full.size(), 1);
  channels[axis] = full[axis];
  if (place.axes->channel >= 0) {
    channels.at(static_cast<std::size_t>(place.axes->channel)) =
        full.at(static_cast<std::size_t>(place.axes->channel));
  }
  if (product(channels) == count) return channels;
  if (product(full) == count) return full;
  return std::nullopt;
}

/// [rows, columns] -> [columns, rows].
template <typename T>
void transpose(std::vector<T>& numbers, std::int64_t column_count) {
  const auto columns = static_cast<std::size_t>(column_count);
  const std::size_t rows = numbers.size() / columns;
  std::vector<T> turned(numbers.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) turned[c * rows + r] = numbers[r * columns + c];
  }
  numbers = std::move(turned);
}

Finding block_finding(const EncodingEntry& entry, const Place& place) {
  if (!place.axes || !place.shape) {
    return {"blocks-need-model", Severity::kError, entry.name,
            "the file does not say how the blocks lie in the weight", "give the model: --model"};
  }
  return {"block-count", Severity::kError, entry.name,
          format("{} blocks of {} do not fit the weight {}",
                 entry.kind == ScaleKind::kLpbq ? entry.block_int_scale.size() : entry.scale.size(),
                 entry.block_size, shape_text(*place.shape)),
          "check that the file belongs to this model"};
}

bool place_blocks(EncodingEntry& entry, const Place& place, Findings& findings) {
  const bool lpbq = entry.kind == ScaleKind::kLpbq;
  const auto count =
      static_cast<std::int64_t>(lpbq ? entry.block_int_scale.size() : entry.scale.size());
  if (!place.axes || !place.shape) {
    if (!lpbq || place.shape) {
      findings.push_back(block_finding(entry, place));
      return false;
    }
    const auto channels = static_cast<std::int64_t>(entry.scale.size());
    entry.block_shape = {channels, count / channels};
    assume_axis(entry, 1, place, findings);
    return true;
  }
  const auto shape = blocks_of(place, entry.block_size, count);
  const int axis = place.axes->reduction;
  if (!shape || (lpbq && count / shape->at(static_cast<std::size_t>(axis)) !=
                             static_cast<std::int64_t>(entry.scale.size()))) {
    findings.push_back(block_finding(entry, place));
    return false;
  }
  entry.block_shape = *shape;
  entry.axis = axis;
  if (shape->size() == 2 && axis == 0) transpose_blocks(entry, shape->front());
  return true;
}

}  // namespace

std::optional<Shape> known_shape(const graph::Graph& graph, const std::string& value) {
  if (const Tensor* constant = graph.find_initializer(value)) return constant->shape();
  const graph::ValueType* type = graph.find_type(value);
  return type == nullptr ? std::nullopt : type->fixed_shape();
}

void transpose_blocks(EncodingEntry& entry, std::int64_t columns) {
  if (entry.kind == ScaleKind::kLpbq) {
    transpose(entry.block_int_scale, columns);
    return;
  }
  transpose(entry.scale, columns);
  transpose(entry.offset, columns);
}

bool place_entry(EncodingEntry& entry, const ModelView* model, Findings& findings) {
  const bool blocks = entry.kind == ScaleKind::kBlock || entry.kind == ScaleKind::kLpbq;
  if (blocks ? !entry.block_shape.empty()
             : entry.kind != ScaleKind::kChannel || entry.axis.has_value()) {
    return true;
  }
  const Place place = find_place(entry.name, model);
  if (blocks) return place_blocks(entry, place, findings);
  place_channels(entry, place, findings);
  return true;
}

}  // namespace hexquant::formats
