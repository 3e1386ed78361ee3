#pragma once

#include <string>
#include <string_view>

namespace hexquant::formats {

/// Says where bytes stop being a protobuf message: "truncated: 9000 bytes announced at byte 12, 500
/// are there", or that they never were one.
[[nodiscard]] std::string describe_damage(std::string_view bytes);

}  // namespace hexquant::formats
