#include "perf/article_roofline.h"

#include <algorithm>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::perf {

double ArticleMachine::peak_ops(int bits) const noexcept {
  const double tops = bits <= 4 ? tops_int4 : bits <= 8 ? tops_int8 : tops_int16;
  return tops * 1e12;
}

double ArticleMachine::ridge_point(int bits) const noexcept {
  return peak_ops(bits) / (bandwidth_gb_per_s * 1e9);
}

ArticleResult article_roofline(const ArticleLayer& layer, const ArticleMachine& machine) {
  if (!(layer.ops > 0.0) || !(layer.data_bytes > 0.0)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("layer '{}': ops {} and data_bytes {} must be above 0", layer.name,
                       layer.ops, layer.data_bytes));
  }
  ArticleResult result;
  result.name = layer.name;
  result.ops = layer.ops;
  result.data_bytes = layer.data_bytes;
  result.intensity = layer.ops / layer.data_bytes;
  result.ridge_point = machine.ridge_point(layer.bits);
  const double compute_s = layer.ops / machine.peak_ops(layer.bits);
  const double memory_s = layer.data_bytes / (machine.bandwidth_gb_per_s * 1e9);
  result.compute_bound = result.intensity >= result.ridge_point;
  const double longer = result.compute_bound ? compute_s : memory_s;
  const double shorter = result.compute_bound ? memory_s : compute_s;
  result.time_ms = longer * 1e3;
  result.utilization = std::min(1.0, shorter / longer);
  return result;
}

std::vector<ArticleLayer> article_layers(const Workload& workload) {
  std::vector<ArticleLayer> layers;
  for (const Operation& operation : workload.operations) {
    if (operation.macs == 0) continue;
    ArticleLayer layer;
    layer.name = operation.name;
    layer.ops = 2.0 * static_cast<double>(operation.macs);
    layer.bits = operation.act_bits > 8 ? 16 : operation.weight_bits == 4 ? 4 : 8;
    for (const std::vector<int>* tensors : {&operation.inputs, &operation.outputs}) {
      for (const int index : *tensors) {
        const WorkTensor& tensor = workload.tensors[static_cast<std::size_t>(index)];
        layer.data_bytes += static_cast<double>(tensor.bytes());
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::string article_report(const std::vector<ArticleResult>& results) {
  const std::string rule(60, '=');
  std::string text = rule + "\nRoofline 模型分析报告\n" + rule + "\n";
  double total_ms = 0.0;
  std::size_t compute_bound = 0;
  for (const ArticleResult& result : results) {
    text += format("[{}]\n 运算量: {:.2f} GOPS | 数据量: {:.2f} MB\n", result.name,
                   result.ops / 1e9, result.data_bytes / 1e6);
    text +=
        format(" 算术强度: {:.1f} ops/byte (脊点: {:.1f})\n", result.intensity, result.ridge_point);
    text += format(" 瓶颈: {} | 预计耗时: {:.3f} ms | 利用率: {:.1f}%\n\n",
                   result.compute_bound ? "计算瓶颈" : "带宽瓶颈", result.time_ms,
                   result.utilization * 100.0);
    total_ms += result.time_ms;
    compute_bound += result.compute_bound ? 1 : 0;
  }
  return text + format("{}\n总预计耗时: {:.3f} ms\n计算瓶颈层: {} | 带宽瓶颈层: {}\n", rule,
                       total_ms, compute_bound, results.size() - compute_bound);
}

}  // namespace hexquant::perf
