#include "cli/preprocess_options.h"

namespace hexquant::cli {

void PreprocessOptions::add_to(CLI::App& command, const std::string& group) {
  const auto add = [&](const char* name, std::optional<std::string>& value, const char* help) {
    return command.add_option(name, value, help)->group(group);
  };
  command
      .add_option("--preprocess", file_,
                  "JSON with resize, crop, interpolation, color, mean, std, layout\n"
                  "(images need it, or the flags below, which win over it)")
      ->group(group);
  add("--resize", flags_.resize, "256 = shorter side, 224x224 = height x width");
  add("--crop", flags_.crop, "Centred: 224 = square, 224x224 = height x width");
  add("--interpolation", flags_.interpolation, "nearest, bilinear or bicubic");
  command
      .add_flag_function(
          "--no-antialias", [this](std::int64_t) { flags_.antialias = false; },
          "Resize by point sampling, as OpenCV and torch; default: as Pillow")
      ->group(group);
  add("--color", flags_.color, "rgb, bgr or gray");
  add("--mean", flags_.mean, "Subtracted, 0..255 scale: one number or one a channel, by commas");
  add("--std", flags_.std, "Divided by, 0..255 scale: like --mean");
  add("--layout", flags_.layout, "nchw or nhwc (default: whichever fits the input)");
}

std::string PreprocessOptions::resolve() const {
  if (flags_.empty()) return file_;
  const data::Preprocess base = file_.empty() ? data::Preprocess{} : data::read_preprocess(file_);
  return data::preprocess_json(data::apply_flags(base, flags_));
}

}  // namespace hexquant::cli
