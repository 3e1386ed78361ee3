#pragma once

#include <filesystem>
#include <string>

namespace hexquant {

/// Absolute path of a program that this one starts as a child: beside this program as it is built,
/// in ../libexec/hexquant as it is installed.
///
/// @param name      file name
/// @param variable  environment variable that may name another file
/// @param purpose   "runs the vendor's simulator": for the message
/// @throws Error(kMissingComponent) when it is not there
[[nodiscard]] std::filesystem::path find_helper_program(const std::string& name,
                                                        const std::string& variable,
                                                        const std::string& purpose);

}  // namespace hexquant
