#include "cli/htp_config_options.h"

#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::cli {
namespace {

/// Options that reach the vendor's tools through the written files only: the provider that compiles
/// here has none for them.
std::vector<std::string> options_of_the_file_only(const formats::HtpConfig& config) {
  std::vector<std::string> names;
  if (config.hvx_threads) names.emplace_back("hvx_threads");
  if (config.dlbc) names.emplace_back("dlbc");
  if (config.dlbc_weights) names.emplace_back("dlbc_weights");
  if (!config.pd_session.empty()) names.emplace_back("pd_session");
  if (!config.perf_profile.empty()) names.emplace_back("perf_profile");
  for (const Json* object : {&config.graph_options, &config.device_options, &config.core_options,
                             &config.context, &config.group_context, &config.memory}) {
    for (const auto& [key, value] : object->items()) names.push_back(key);
  }
  return names;
}

}  // namespace

void HtpConfigOptions::add_to(CLI::App& command) {
  command
      .add_option("--htp-config", file_,
                  "Options file of the HTP backend, in the vendor's or the article's form;\n"
                  "with -o it is also written beside FILE.bin in the vendor's form")
      ->type_name("FILE.json");
  vtcm_mb_ = command.get_option("--vtcm-mb");
  optimization_ = command.get_option("--optimization");
  soc_ = command.get_option("--soc");
}

Findings HtpConfigOptions::apply(pipeline::CompileRequest& request) {
  Findings findings;
  if (file_.empty()) return findings;
  config_ = formats::read_htp_config(file_, findings);
  if (config_.vtcm_mb && vtcm_mb_->count() == 0) {
    request.htp.vtcm_mb = static_cast<int>(*config_.vtcm_mb);
  }
  if (config_.optimization && optimization_->count() == 0) {
    request.htp.optimization = static_cast<int>(*config_.optimization);
  }
  if (config_.soc_model && soc_->count() == 0) {
    request.htp.soc = std::to_string(*config_.soc_model);
  }
  const std::vector<std::string> others = options_of_the_file_only(config_);
  if (!others.empty()) {
    findings.push_back({"htp-config-not-simulated", Severity::kInfo, file_,
                        format("{}: kept for the vendor's tools, without effect on this "
                               "compilation",
                               join(others, ", ")),
                        "use the written files with the vendor's context-binary generator"});
  }
  return findings;
}

void HtpConfigOptions::write(const std::filesystem::path& output, const std::string& model) const {
  if (file_.empty()) return;
  std::filesystem::path inner = output;
  inner.replace_extension(".htp.json");
  std::filesystem::path outer = output;
  outer.replace_extension(".config.json");
  const std::string graph = std::filesystem::path(model).stem().string();
  const formats::HtpConfigFiles files =
      formats::write_htp_config(config_, graph, inner.filename().string());
  write_file(inner, files.inner);
  write_file(outer, files.outer);
}

}  // namespace hexquant::cli
