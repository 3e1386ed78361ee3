#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/encodings/encoding_file.h"
#include "hexquant/finding.h"

namespace hexquant::formats {

/// Operation types that follow one another: one operation of the target (`fuse`: nothing is
/// quantized between them), or explicitly not (a quantized value behind each).
struct Supergroup {
  std::vector<std::string> op_list;  ///< two or more
  bool fuse = true;
  friend bool operator==(const Supergroup&, const Supergroup&) = default;
};

/// What a user wants of single tensors: the contents of a `--overrides` file.
struct Overrides {
  std::string origin;  ///< file name for messages
  /// Width, symmetry, float, and numbers where given; without numbers: calibrate at this width. The
  /// name may hold '*' for any run of characters. A full name wins over patterns, then the later.
  std::vector<EncodingEntry> entries;
  std::vector<Supergroup> supergroups;
  bool allow_unmatched = false;  ///< a name without a tensor is a finding instead of an error
  Findings findings;             ///< what the vendor's converter would not accept
};

/// Reads a `--quantization_overrides` file in any of its forms, entry by entry:
///
/// - the vendor's: name -> list of {bitwidth, dtype "int"|"float", is_symmetric, min, max, scale,
///   offset}, the shape of AIMET encodings 0.6.1; a bitwidth alone means "calibrate at this width";
/// - AIMET encodings 1.0.0 and 2.0.0;
/// - the short form: name -> {"dtype": "int4" ... "int16" | "float16" | "float32",
///   "is_symmetric": true}.
///
/// Besides, `supergroups` may list {"op_list": ["Conv", "Relu"], "fuse": true}. Overrides::findings
/// says what the vendor's converter would not accept: the short form, '*' in names, supergroups.
/// @param origin  file name for messages
/// @throws Error(kInvalidData) "origin:line:column: ..." for malformed JSON; "origin: path of the
///         key: expected ..., got ..." otherwise
[[nodiscard]] Overrides parse_overrides(const std::string& text, const std::string& origin);
/// @throws Error(kIo), and as parse_overrides
[[nodiscard]] Overrides read_overrides(const std::filesystem::path& path);

}  // namespace hexquant::formats
