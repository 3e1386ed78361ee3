#include "report/estimate_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/format.h"

namespace hexquant::report {
namespace {

constexpr std::size_t kNameWidth = 40;
constexpr std::size_t kBarWidth = 20;
constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * 1024.0;
/// Keys of "time_split" and "busy" and how they are called.
constexpr std::array<std::pair<const char*, const char*>, 5> kUnits = {{{"hmx_us", "HMX"},
                                                                        {"hvx_us", "HVX"},
                                                                        {"dma_us", "DMA"},
                                                                        {"control_us", "control"},
                                                                        {"idle_us", "idle"}}};

/// "5.54 MiB", "60.0 KiB", "10 B".
std::string bytes_text(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= kMebi) return format("{:.2f} MiB", value / kMebi);
  if (value >= kKibi) return format("{:.1f} KiB", value / kKibi);
  return format("{} B", bytes);
}

std::string number_text(const Json& value) {
  return value.is_number() ? format("{:.2f}", value.get<double>()) : "-";
}

/// The end of a long name tells more than its start.
std::string shortened(const std::string& name) {
  if (name.size() <= kNameWidth) return name;
  return "..." + name.substr(name.size() - kNameWidth + 3);
}

std::string bar(double part) {
  const auto filled = static_cast<std::size_t>(std::lround(part * kBarWidth));
  return std::string(std::min(filled, kBarWidth), '#') +
         std::string(kBarWidth - std::min(filled, kBarWidth), '.');
}

std::int64_t bytes_of(const Json& ddr, std::initializer_list<const char*> keys) {
  std::int64_t sum = 0;
  for (const char* key : keys) sum += ddr.at(key).get<std::int64_t>();
  return sum;
}

std::string totals_text(const Json& estimate) {
  const Json& ddr = estimate.at("ddr_bytes");
  const Json& mhz = estimate.at("clock_mhz");
  std::string text = format(
      "estimate   {} us ({} to {} us) on {}: the vendor's simulation, not a measurement\n"
      "cycles     {} ({} to {}){}\n"
      "DDR        {} read, {} written, of that {} spilled and {} filled again\n",
      number_text(estimate.at("time_us")), number_text(estimate.at("lower_us")),
      number_text(estimate.at("upper_us")), estimate.at("soc").get<std::string>(),
      estimate.at("cycles").get<std::int64_t>(), estimate.at("cycles_lower").get<std::int64_t>(),
      estimate.at("cycles_upper").get<std::int64_t>(),
      mhz.is_number() ? format(" at {:.1f} MHz", mhz.get<double>()) : "",
      bytes_text(bytes_of(ddr, {"input_fill", "intermediate_fill", "inter_htp_fill"})),
      bytes_text(bytes_of(ddr, {"output_spill", "intermediate_spill", "inter_htp_spill"})),
      bytes_text(bytes_of(ddr, {"intermediate_spill"})),
      bytes_text(bytes_of(ddr, {"intermediate_fill"})));
  const auto missing = estimate.at("missing_ops").get<std::int64_t>();
  if (missing > 0) text += format("no cost    {} operations count as free\n", missing);
  return text;
}

/// Shares of the time by the best unit at work.
std::string split_text(const Json& estimate) {
  const Json& split = estimate.at("time_split");
  double total = 0.0;
  for (const auto& [key, name] : kUnits)
    total += split.at(key).is_number() ? split[key].get<double>() : 0.0;
  if (!(total > 0.0)) return "";
  std::string text = "time       ";
  for (std::size_t u = 0; u < kUnits.size(); ++u) {
    const auto& [key, name] = kUnits[u];
    text += format("{}{} {:.1f} %", u == 0 ? "" : ", ", name,
                   100.0 * split.at(key).get<double>() / total);
  }
  const Json& machine = estimate.at("machine");
  return text + format("\nVTCM       {} of {} at most\n",
                       bytes_text(estimate.at("vtcm_peak_bytes").get<std::int64_t>()),
                       bytes_text(machine.at("vtcm_bytes").get<std::int64_t>()));
}

std::string layers_text(const Json& layers, std::size_t top) {
  std::string text =
      format("{:<{}}  {:<16} {:>9} {:>7} {:<{}} {:<8} {:>8} {:>8} {:>8} {:>10} {:>10}\n",
             "layer (most time first)", kNameWidth, "op", "us", "share", "", kBarWidth, "bound",
             "HMX us", "HVX us", "DMA us", "DRAM read", "VTCM");
  text += std::string(text.size() - 1, '-') + "\n";
  const double longest = layers.front().at("share").get<double>();
  for (std::size_t l = 0; l < std::min(top, layers.size()); ++l) {
    const Json& layer = layers[l];
    const double share = layer.at("share").get<double>();
    text +=
        format("{:<{}}  {:<16} {:>9} {:>6.1f}% {} {:<8} {:>8} {:>8} {:>8} {:>10} {:>10}\n",
               shortened(layer.at("name").get<std::string>()), kNameWidth,
               layer.at("op").get<std::string>().substr(0, 16), number_text(layer.at("time_us")),
               100.0 * share, bar(longest > 0.0 ? share / longest : 0.0),
               layer.at("bound").get<std::string>(), number_text(layer.at("hmx_us")),
               number_text(layer.at("hvx_us")), number_text(layer.at("dma_us")),
               bytes_text(layer.at("dram_read_bytes").get<std::int64_t>()),
               bytes_text(layer.at("vtcm_peak_bytes").get<std::int64_t>()));
  }
  if (layers.size() > top) {
    text += format("... {} more: see --json or --report\n", layers.size() - top);
  }
  return text;
}

}  // namespace

std::string estimate_text(const Json& estimate, std::size_t top) {
  if (!estimate.at("available").get<bool>()) {
    return format("estimate   none: the vendor's simulator does not know {} (HTP {})\n",
                  estimate.at("soc").get<std::string>(),
                  estimate.at("htp_arch").get<std::string>());
  }
  std::string text = totals_text(estimate);
  const Json& layers = estimate.at("layers");
  if (layers.empty()) return text;
  return text + split_text(estimate) + "\n" + layers_text(layers, top);
}

}  // namespace hexquant::report
