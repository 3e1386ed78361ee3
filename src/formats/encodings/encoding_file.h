#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "hexquant/tensor.h"

namespace hexquant::formats {

/// Schemas of AIMET encodings. QNN `--quantization_overrides` have the shape of 0.6.1.
enum class EncodingsVersion { k0_6_1, k1_0_0, k2_0_0 };

/// "0.6.1", "1.0.0" or "2.0.0".
[[nodiscard]] const char* version_name(EncodingsVersion version) noexcept;
/// nullopt for other texts.
[[nodiscard]] std::optional<EncodingsVersion> find_version(std::string_view name) noexcept;

/// List in which the file keeps an entry; 2.0.0 has one list for all.
enum class EntryGroup { kActivation, kParameter, kUnknown };

/// What the numbers of an entry belong to.
enum class ScaleKind {
  kNone,     ///< no numbers: a float entry, or a width alone ("calibrate me at this width")
  kTensor,   ///< one for the tensor
  kChannel,  ///< one for each index of an axis
  kBlock,    ///< one for each block along an axis
  kLpbq      ///< integers for each block times one float for each channel
};

/// The quantization of one tensor as a file states it, the same for every version.
///
/// Numbers mean x = (q + offset) * scale with codes q of the unsigned grid 0 ... 2^bits - 1 (AIMET
/// and QNN), so min = offset * scale. y_zero_point of 2.0.0 is converted while reading:
/// offset = q_min - y_zero_point, q_min = 0 for unsigned and -2^(bits-1) for signed types.
struct EncodingEntry {
  std::string name;
  EntryGroup group = EntryGroup::kUnknown;
  bool is_float = false;
  /// Width of the codes (of the float type where is_float); kLpbq: of the compressed codes.
  int bits = 8;
  int grid_bits = 0;              ///< kLpbq: width of the channel's grid (decompressed), else 0
  std::string float_type;         ///< 2.0.0: "bfloat16", "float8e4m3fn" ...; "" = IEEE of `bits`
  std::optional<bool> symmetric;  ///< absent where an override does not say
  /// Type of the codes in 2.0.0 words (intN); the other versions call symmetric what is signed.
  bool is_signed = false;
  ScaleKind kind = ScaleKind::kNone;
  /// Channel axis; block axis of kBlock and kLpbq. Absent in 0.6.1 and 1.0.0.
  std::optional<int> axis;
  std::int64_t block_size = 0;  ///< kBlock, kLpbq
  /// kTensor 1, kChannel C, kBlock all blocks, kLpbq one a channel. Empty when an override gives
  /// only min and max (see complete_entry).
  std::vector<double> scale;
  /// As many as scale; kLpbq: of the channel's grid. Not whole only with AIMET's zero_point_shift.
  std::vector<double> offset;
  std::vector<double> min;  ///< 0.6.1 and overrides, where the file gives them
  std::vector<double> max;
  std::vector<std::int64_t> block_int_scale;  ///< kLpbq: all blocks
  /// Shape of the nested list that 2.0.0 writes: of the blocks (rank of the weight, in which the
  /// numbers are row-major) for kBlock and kLpbq. Empty in 1.0.0, which lists blocks of a matrix
  /// channel by channel and others row-major.
  Shape block_shape;
  bool offset_as_real = false;  ///< the file writes -128.0 rather than -128
  bool offset_written = true;   ///< the file gives the offset (zero point), rather than implying it
  Json extra;                   ///< keys this library does not know, written back; null = none
  std::vector<std::string> keys;  ///< those of the file, in its order; empty = all that apply

  friend bool operator==(const EncodingEntry&, const EncodingEntry&) = default;
};

/// A file of encodings. Reading and then writing it in its version gives the same JSON.
struct EncodingFile {
  EncodingsVersion version = EncodingsVersion::k1_0_0;
  std::vector<EncodingEntry> entries;  ///< in the order of the file
  /// Everything beside the entries (version, producer, quantizer_args ...), in the order of the
  /// file; the lists of entries stand in it as null.
  Json envelope = Json::object();
};

/// Detects the version and reads the entries. The layout decides: dictionaries of lists are 0.6.1,
/// lists under activation_encodings and param_encodings 1.0.0, a list under `encodings` 2.0.0; a
/// "version" that contradicts it is an error (2.1.0 counts as 2.0.0, 0.5.0 as 0.6.1).
/// @param origin  file name for messages
/// @throws Error(kInvalidData) "origin:line:column: ..." for malformed JSON;
///         `origin: activation_encodings.conv1[0].offset: expected a number, got "x"` otherwise
[[nodiscard]] EncodingFile parse_encodings(const std::string& text, const std::string& origin);
[[nodiscard]] EncodingFile encodings_from_json(const Json& json, const std::string& origin);
/// @throws Error(kIo), and as parse_encodings
[[nodiscard]] EncodingFile read_encodings(const std::filesystem::path& path);

/// The file in its own version. @pre the version can express every entry (see convert_encodings)
[[nodiscard]] Json encodings_json(const EncodingFile& file);

/// True when the entry has numbers, or the range that gives them.
[[nodiscard]] bool has_numbers(const EncodingEntry& entry) noexcept;

/// Where an entry has only min and max, fills scale and offset in by QNN's rule: scale =
/// (max - min) / (2^bits - 1), offset = round(min / scale).
void complete_entry(EncodingEntry& entry);

/// Smallest code of the entry's type in 2.0.0 words: 0, or -2^(bits-1) where signed.
[[nodiscard]] double lowest_code(const EncodingEntry& entry) noexcept;

}  // namespace hexquant::formats
