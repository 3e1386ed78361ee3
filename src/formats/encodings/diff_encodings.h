#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "formats/encodings/encoding_file.h"

namespace hexquant::formats {

/// How two entries of one tensor differ; the first that applies. Order: worst first.
enum class DiffKind {
  kRemoved,  ///< only in the first file
  kAdded,    ///< only in the second
  kType,     ///< float against integer, another float type, numbers against a width alone
  kScales,   ///< per tensor, channel, block: other kind, number, axis or block size
  kWidth,    ///< other number of bits
  kGroup,    ///< activation against parameter
  kNumbers   ///< other scale, offset or block integer
};

/// "removed", "added", "type", "scales", "width", "group" or "numbers".
[[nodiscard]] const char* diff_name(DiffKind kind) noexcept;

struct EncodingDiff {
  std::string name;
  DiffKind kind = DiffKind::kNumbers;
  /// kNumbers: largest movement of an end of a range over the length of that range.
  double change = 0.0;
  std::string before;  ///< one line each; empty where there is no entry
  std::string after;
};

/// Differences between two files, whatever their versions, worst first: by kind, then by change,
/// then by name. Axis and group are compared only where both files say them; changes of numbers up
/// to `tolerance` are left out.
[[nodiscard]] std::vector<EncodingDiff> diff_encodings(const EncodingFile& before,
                                                       const EncodingFile& after, double tolerance);

/// "int8 symmetric, 16 channels, scale 0.0018 ... 0.0121": an entry on one line.
[[nodiscard]] std::string entry_text(const EncodingEntry& entry);

/// Members of docs/schema/encodings-diff.schema.json after the header.
[[nodiscard]] Json diff_json(const std::vector<EncodingDiff>& diffs);

}  // namespace hexquant::formats
