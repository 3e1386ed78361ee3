#pragma once

#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>

#include "formats/htp_config/htp_config.h"
#include "hexquant/finding.h"
#include "pipeline/compile_model.h"

namespace hexquant::cli {

/// --htp-config FILE: options of the HTP backend in the vendor's or the article's form; what the
/// compiler here can do is done, and everything is written out in the vendor's form.
class HtpConfigOptions {
 public:
  void add_to(CLI::App& command);
  /// Takes over what the file says where the command line says nothing; the findings name what has
  /// no counterpart.
  [[nodiscard]] Findings apply(pipeline::CompileRequest& request);
  /// With --htp-config: FILE.config.json and FILE.htp.json beside `output`.
  void write(const std::filesystem::path& output, const std::string& model) const;

 private:
  std::string file_;
  formats::HtpConfig config_;
  CLI::Option* vtcm_mb_ = nullptr;
  CLI::Option* optimization_ = nullptr;
  CLI::Option* soc_ = nullptr;
};

}  // namespace hexquant::cli
