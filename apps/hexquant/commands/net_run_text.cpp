#include "commands/net_run_text.h"

#include <algorithm>

#include "core/format.h"

namespace hexquant::cli {
namespace {

using pipeline::NetRunResult;

constexpr std::size_t kBarWidth = 40;

std::string line(const char* name, const std::string& text) {
  return format("{:<12}{}\n", name, text);
}

std::string megabytes(std::int64_t bytes) {
  return format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string histogram_text(const runtime::LatencyHistogram& histogram) {
  if (histogram.counts.size() < 2) return "";
  const std::int64_t most = *std::max_element(histogram.counts.begin(), histogram.counts.end());
  std::string text = "\n";
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double lower = histogram.lower_us + static_cast<double>(i) * histogram.width_us;
    const auto length = static_cast<std::size_t>(static_cast<double>(histogram.counts[i]) *
                                                 kBarWidth / static_cast<double>(most));
    const bool is_last = i + 1 == histogram.counts.size();
    text += format("  {}{:>10} {:>7}  {}\n", is_last ? ">=" : "  ", duration_text(lower),
                   histogram.counts[i], std::string(length, '#'));
  }
  return text;
}

std::string state_text(const MachineState& before, const MachineState& after) {
  std::string text;
  if (before.cpu_mhz && after.cpu_mhz) {
    text += format("; CPU {:.0f} -> {:.0f} MHz", *before.cpu_mhz, *after.cpu_mhz);
  }
  if (after.thermal.empty()) return text + "; no thermal zone can be read";
  for (const ThermalZone& zone : after.thermal) {
    const auto earlier =
        std::find_if(before.thermal.begin(), before.thermal.end(),
                     [&](const ThermalZone& other) { return other.name == zone.name; });
    if (earlier == before.thermal.end()) continue;
    text += format("; {} {:.1f} -> {:.1f} C", zone.name, earlier->celsius, zone.celsius);
  }
  return text;
}

std::string steady_text(const NetRunResult& result) {
  const runtime::Latency& latency = result.latency;
  if (latency.first_tenth_us <= 0.0) return "not told below 20 inferences";
  return format("last tenth {:+.1f} % against the first ({} -> {})", 100.0 * latency.drift,
                duration_text(latency.first_tenth_us), duration_text(latency.last_tenth_us)) +
         state_text(result.runs.before, result.runs.after);
}

std::string outputs_text(const NetRunResult& result) {
  if (result.runs.differing == 0) return "the same bytes in every inference on the same inputs";
  return format("{} inferences gave OTHER BYTES than the first on the same inputs",
                result.runs.differing);
}

std::string copies_text(const pipeline::CopyComparison& copies) {
  const double saved = copies.copied_us - copies.shared_us;
  return format(
      "{}: {} of inputs and outputs not copied; {} an inference, {} with copies ({:+.1f} %)",
      copies.backend, megabytes(copies.bytes), duration_text(copies.shared_us),
      duration_text(copies.copied_us),
      copies.shared_us > 0.0 ? 100.0 * saved / copies.shared_us : 0.0);
}

}  // namespace

std::string duration_text(double microseconds) {
  if (microseconds < 1e3) return format("{:.1f} us", microseconds);
  if (microseconds < 1e6) return format("{:.2f} ms", microseconds / 1e3);
  return format("{:.2f} s", microseconds / 1e6);
}

std::string long_duration_text(double seconds) {
  if (seconds < 60.0) return format("{:.0f} s", seconds);
  const auto minutes = static_cast<long>(seconds / 60.0);
  return format("{} min {:.0f} s", minutes, seconds - 60.0 * static_cast<double>(minutes));
}

std::string net_run_text(const NetRunResult& result, const pipeline::NetRunRequest& request) {
  const runtime::Latency& latency = result.latency;
  const std::string where =
      result.device == "htp"
          ? format("HTP numerics of {}, simulated: times are the simulator's", result.soc)
          : format("CPU, {} threads", request.threads);
  std::string text = line("model", format("{} ({}), {}", result.model,
                                          result.is_quantized ? "quantized" : "float", where));
  text += line("inputs",
               format("{} set{} from {}, {} each", result.sets, result.sets == 1 ? "" : "s",
                      request.input_list.empty() ? "seeded random numbers" : request.input_list,
                      megabytes(result.inputs_bytes)));
  text += line("inferences",
               format("{} in {:.2f} s, after {} of warm-up (mean {}) and {:.2f} s of loading",
                      latency.count, result.runs.seconds, result.warmup.count,
                      duration_text(result.warmup.mean_us), result.load_seconds));
  text += line("latency", format("mean {}, median {}, p90 {}, p99 {}, min {}, max {}",
                                 duration_text(latency.mean_us), duration_text(latency.median_us),
                                 duration_text(latency.p90_us), duration_text(latency.p99_us),
                                 duration_text(latency.min_us), duration_text(latency.max_us)));
  text += line("throughput", format("{:.1f} inferences/s", latency.per_second));
  text += line("steady", steady_text(result));
  text += line("outputs", outputs_text(result));
  text += line("memory", format("peak {}, grew {} over the last nine tenths",
                                megabytes(result.peak_memory_bytes),
                                megabytes(result.runs.memory_growth_bytes())));
  if (result.copies) text += line("zero-copy", copies_text(*result.copies));
  text += histogram_text(latency.histogram);
  if (!result.folders.empty()) {
    text += "\n" + line("written", result.folders.size() == 1
                                       ? result.folders.front().string()
                                       : format("{} ... {}", result.folders.front().string(),
                                                result.folders.back().filename().string()));
  }
  if (result.profile) {
    text += line("profile", format("{}: hexquant profile {}", result.profile->string(),
                                   result.profile->string()));
  }
  return text;
}

}  // namespace hexquant::cli
