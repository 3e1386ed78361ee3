#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hexquant/tensor.h"

namespace hexquant::pipeline {

/// A file name for a tensor, as the vendor's tools make it: everything but letters, digits, '_',
/// '.' and '-' becomes '_'.
[[nodiscard]] std::string raw_file_stem(const std::string& tensor);

/// File stems of some tensors, by position. @throws Error(kInvalidArgument) naming two tensors that
/// would share a file
[[nodiscard]] std::vector<std::string> raw_file_stems(const std::vector<std::string>& tensors);

/// The values as little-endian float32, whatever their type.
[[nodiscard]] std::string float_bytes(const Tensor& tensor);
/// The tensor's own bytes.
[[nodiscard]] std::string native_bytes(const Tensor& tensor);

}  // namespace hexquant::pipeline
