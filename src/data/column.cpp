#include "data/column.h"

#include <cmath>
#include <span>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

bool dims_fit(const Shape& shape, std::span<const graph::Dim> dims) {
  if (shape.size() != dims.size()) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].is_fixed() && dims[i].value != shape[i]) return false;
  }
  return true;
}

}  // namespace

std::string input_shape_text(const ModelInput& input) {
  std::vector<std::string> dims;
  for (const graph::Dim& dim : input.shape) {
    dims.push_back(dim.is_fixed()       ? std::to_string(dim.value)
                   : dim.symbol.empty() ? "?"
                                        : dim.symbol);
  }
  return format("[{}]", join(dims, ","));
}

bool shape_fits(const Shape& shape, const ModelInput& input, bool any_batch) {
  if (!any_batch || shape.empty() || input.shape.empty()) return dims_fit(shape, input.shape);
  return dims_fit({shape.begin() + 1, shape.end()},
                  std::span<const graph::Dim>(input.shape).subspan(1));
}

RowFit fit_row(const Shape& row, const ModelInput& input, const std::string& origin) {
  Shape batched = row;
  batched.insert(batched.begin(), 1);
  if (!input.shape.empty() && shape_fits(batched, input, true)) return {batched, true};
  if (shape_fits(row, input, false)) return {row, false};
  throw Error(ErrorCode::kInvalidData,
              format("{}: one sample has shape {}, the model input '{}' expects {}: the first axis "
                     "of the data must count samples, the others must be those of the input",
                     origin, shape_text(row), input.name, input_shape_text(input)));
}

void check_no_nan(const Tensor& tensor, const std::string& origin) {
  if (tensor.dtype() != DType::kFloat32) return;
  const auto values = tensor.data<float>();
  bool found = false;
  for (const float value : values) found |= std::isnan(value);
  if (found) throw Error(ErrorCode::kInvalidData, origin + ": holds NaN: expected numbers");
}

}  // namespace hexquant::data
