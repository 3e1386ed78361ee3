#include "runtime/htp/htp_options.h"

#include <string>

namespace hexquant::runtime {

// Source: "Configuration Options" of the QNN execution provider's documentation. The provider
// ignores unknown names without a word, so each is spelled once, here.
ProviderOptions provider_options(const HtpInstallation& installation, const HtpOptions& options) {
  ProviderOptions provider;
  provider.name = "QNNExecutionProvider";
  provider.library = installation.provider_library;
  auto& keys = provider.options;
  auto& entries = provider.session_entries;
  keys["backend_type"] = "htp";
  keys["soc_model"] = std::to_string(options.soc_model);
  keys["vtcm_mb"] = std::to_string(options.vtcm_mb);
  keys["htp_graph_finalization_optimization_mode"] = std::to_string(options.optimization);
  keys["enable_htp_fp16_precision"] = options.float16 ? "1" : "0";
  keys["offload_graph_io_quantization"] = options.io_on_device ? "0" : "1";
  if (!options.cpu_fallback) entries["session.disable_cpu_ep_fallback"] = "1";
  if (options.trace) {
    keys["enable_framework_op_trace"] = "1";
    keys["framework_op_trace_dir"] = ".";
    keys["dump_json_qnn_graph"] = "1";
    keys["json_qnn_graph_dir"] = ".";
  }
  const std::string level = options.estimate ? "optrace" : options.profiling;
  if (!level.empty()) {
    keys["profiling_level"] = level;
    keys["profiling_file_path"] = kProfileCsvFile;
  }
  if (options.write_dlc) {
    keys["dump_qnn_ir_dlc"] = "1";
    keys["dump_qnn_ir_dlc_dir"] = ".";
  }
  if (options.write_context) {
    entries["ep.context_enable"] = "1";
    entries["ep.context_file_path"] = kContextModelFile;
    entries["ep.context_embed_mode"] = "0";
  }
  return provider;
}

}  // namespace hexquant::runtime
