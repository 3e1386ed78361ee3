#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hexquant::formats {

/// A model's bytes without the raw data of large initializers, which become external data of their
/// length at `kOutlineLocation`: a few kilobytes to parse instead of the whole file.
/// @param model      onnx.ModelProto bytes
/// @param min_bytes  smaller initializers stay
/// @return nullopt when the bytes are no well-formed message
[[nodiscard]] std::optional<std::string> outline_of(std::string_view model, std::size_t min_bytes);

inline constexpr const char* kOutlineLocation = "outline";

}  // namespace hexquant::formats
