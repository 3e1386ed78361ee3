#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "hexquant/tensor.h"

namespace hexquant::data {

/// What an .npy file holds and where its elements lie.
struct NpyHeader {
  DType dtype = DType::kUndefined;
  Shape shape;
  bool fortran_order = false;   ///< first index varies fastest; never set for rank 0 and 1
  std::size_t data_offset = 0;  ///< of the first element, in bytes
  std::size_t data_bytes = 0;
};

/// Reads the header of an .npy file (format versions 1, 2 and 3) and checks that the elements are
/// all there: bool, (u)int8..64 and float16/32/64, little-endian.
///
/// @param file    the whole file; only the header is looked at
/// @param origin  name of the file, for messages
/// @throws Error(kInvalidData) on a damaged header or a file shorter than its shape;
///         Error(kUnsupported) on other element types (structured, object, text, big-endian)
/// Source: numpy.lib.format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
[[nodiscard]] NpyHeader parse_npy_header(std::span<const std::byte> file,
                                         const std::string& origin);

/// Array in `file`, copied into row-major order. @throws as parse_npy_header
[[nodiscard]] Tensor parse_npy(std::span<const std::byte> file, const std::string& origin);

/// Array in a file. C-order elements stay in the mapped file, Fortran order is transposed.
/// @throws Error(kIo), and as parse_npy_header
[[nodiscard]] Tensor read_npy(const std::filesystem::path& path);

/// The .npy file of a tensor (format 1.0, as numpy.save writes it).
/// @throws Error(kUnsupported) on types numpy has no name for (4-bit, bfloat16, string)
[[nodiscard]] std::string npy_bytes(const Tensor& tensor);

/// Writes `npy_bytes` to a file. @throws Error(kIo)
void write_npy(const std::filesystem::path& path, const Tensor& tensor);

/// @throws Error(kInvalidData) if a bool tensor holds a byte other than 0 and 1
void check_bools(const Tensor& tensor, const std::string& origin);

}  // namespace hexquant::data
