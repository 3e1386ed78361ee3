#include "data/image_binding.h"

#include "core/format.h"
#include "data/column.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

bool dim_is(const ModelInput& input, std::size_t axis, std::int64_t value) {
  return input.shape[axis].value == value;
}

/// Where the channels stand in the model input; free dimensions count as NCHW.
ImageLayout layout_of(const ModelInput& input, std::int64_t channels) {
  return dim_is(input, 3, channels) && !dim_is(input, 1, channels) ? ImageLayout::kNhwc
                                                                   : ImageLayout::kNchw;
}

Preprocess resolved(const ModelInput& input, const Preprocess* preprocess,
                    const std::string& origin) {
  if (preprocess != nullptr) return *preprocess;
  if (input.dtype != DType::kUInt8) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: images need preprocessing: give --preprocess FILE with, for example, "
                       "{{\"resize\": {{\"shorter\": 256}}, \"crop\": [224, 224], \"mean\": "
                       "[123.675, 116.28, 103.53], \"std\": [58.395, 57.12, 57.375]}}",
                       origin));
  }
  Preprocess raw;
  const auto either = [&](std::int64_t n) { return dim_is(input, 1, n) || dim_is(input, 3, n); };
  if (either(1) && !either(3)) raw.color = ColorOrder::kGray;
  return raw;
}

ImagePreprocessor make_preprocessor(const ModelInput& input, const Preprocess* preprocess,
                                    const std::string& origin) {
  if (input.shape.size() != 4) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: images cannot feed the model input '{}' of shape {}: expected four "
                       "dimensions, [N,C,H,W] or [N,H,W,C]",
                       origin, input.name, input_shape_text(input)));
  }
  const Preprocess settings = resolved(input, preprocess, origin);
  return {settings, input.dtype, layout_of(input, settings.channels()), input.name};
}

}  // namespace

ImageBinding::ImageBinding(const ModelInput& input, const Preprocess* preprocess,
                           const std::string& origin)
    : input_(input), preprocessor_(make_preprocessor(input, preprocess, origin)) {}

Tensor ImageBinding::apply(const Image& image, const std::string& origin) const {
  Tensor tensor = preprocessor_.apply(image, origin);
  if (!shape_fits(tensor.shape(), input_, true)) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: {}x{} pixels become {} ({}), the model input '{}' expects {}: set "
                       "resize, crop, color or layout in the preprocessing",
                       origin, image.height, image.width, shape_text(tensor.shape()),
                       layout_name(preprocessor_.layout()), input_.name, input_shape_text(input_)));
  }
  return tensor;
}

}  // namespace hexquant::data
