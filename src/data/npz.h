#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "hexquant/tensor.h"

namespace hexquant::data {

/// All arrays of an .npz archive by name (without ".npy"), as numpy.savez and savez_compressed
/// write it. @throws Error(kInvalidData / kUnsupported) naming the archive and the array
[[nodiscard]] std::map<std::string, Tensor> parse_npz(std::span<const std::byte> archive,
                                                      const std::string& origin);
/// @throws Error(kIo), and as parse_npz
[[nodiscard]] std::map<std::string, Tensor> read_npz(const std::filesystem::path& path);

/// Writes an uncompressed archive with one entry "<name>.npy" for each array.
/// @throws Error(kIo), Error(kUnsupported) above 2 GB
void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays);

/// Name of the array in entry `entry_name`: without its ".npy".
/// @throws Error(kInvalidData) if the entry is something else
[[nodiscard]] std::string array_name(const std::string& entry_name, const std::string& origin);

}  // namespace hexquant::data
