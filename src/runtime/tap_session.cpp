#include "runtime/tap_session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "runtime/optimized_graph.h"
#include "runtime/ort_environment.h"
#include "runtime/tap_op.h"
#include "runtime/tapped_graph.h"

namespace hexquant::runtime {
namespace {

using graph::Graph;

/// A value that some node computes, and how its tap reads it.
struct Tap {
  std::size_t index = 0;      // into the session's list of values
  std::int64_t channels = 0;  // > 0: blocked layout
};

/// Names of the computed values among `values`.
std::vector<std::string> computed_values(const Graph& graph,
                                         const std::vector<std::string>& values) {
  std::vector<std::string> computed;
  for (const std::string& value : values) {
    if (!graph.has_value(value)) {
      throw Error(ErrorCode::kInvalidArgument, format("the graph has no value '{}' to tap", value));
    }
    if (graph.producer(value) != nullptr) computed.push_back(value);
  }
  return computed;
}

/// Positions of values in the order in which their producers run; folded constants come first.
std::vector<std::size_t> producer_order(const Graph& graph, const std::vector<std::string>& names) {
  std::map<const graph::Node*, std::size_t> position = {{nullptr, 0}};
  for (const graph::Node* node : graph.node_list()) position.emplace(node, position.size());
  std::vector<std::size_t> order(names.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return position.at(graph.producer(names[a])) < position.at(graph.producer(names[b]));
  });
  return order;
}

}  // namespace

std::vector<float> to_row_major(const TapView& view) {
  std::vector<float> out(static_cast<std::size_t>(element_count(view.shape)));
  if (view.channel_block == 1) {
    std::copy_n(view.floats(), out.size(), out.data());
    return out;
  }
  const std::int64_t channels = view.shape[1];
  const std::int64_t plane = view.shape[2] * view.shape[3];
  const std::int64_t block = view.channel_block;
  const std::int64_t padded = (channels + block - 1) / block * block;
  float* next = out.data();
  for (std::int64_t n = 0; n < view.shape[0]; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* lane = view.floats() + (n * padded + c - c % block) * plane + c % block;
      for (std::int64_t i = 0; i < plane; ++i) *next++ = lane[i * block];
    }
  }
  return out;
}

struct TapSession::Impl {
  std::vector<std::string> values;
  std::vector<std::size_t> inputs;                    // positions of graph inputs in `values`
  std::vector<std::pair<std::size_t, Tensor>> fixed;  // initializers among the values
  std::vector<std::size_t> computed;                  // positions of node outputs in `values`
  std::vector<Tap> taps;                              // by the tap operator's `index`
  std::optional<Session> session;                     // absent when nothing is computed
  bool in_place = false;

  void load_in_place(const Graph& graph);
  void run_in_place(const Feeds& feeds, const TapConsumer& consumer) const;
  void run_outputs(const Feeds& feeds, const TapConsumer& consumer) const;
  [[nodiscard]] TapView view(const Tap& tap, const Ort::ConstValue& value) const;
  [[nodiscard]] std::vector<std::string> computed_names() const;
};

std::vector<std::string> TapSession::Impl::computed_names() const {
  std::vector<std::string> names;
  for (const std::size_t index : computed) names.push_back(values[index]);
  return names;
}

/// Adds the taps behind all other nodes: ONNX Runtime walks back from the last token and takes the
/// input with the latest producer first, so every tap runs as soon as its value is there.
void TapSession::Impl::load_in_place(const Graph& graph) {
  const std::vector<std::string> names = computed_names();
  Graph optimized = optimize_graph(tap_graph(graph, names).graph, names);
  std::vector<std::string> sources;
  std::vector<Tap> found;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const BlockedValue blocked = find_blocked(optimized, names[i]);
    sources.push_back(blocked.name);
    found.push_back({computed[i], blocked.channels});
  }
  optimized.opsets[kTapDomain] = 1;
  std::string token = optimized.unique_name("tap_token");
  optimized.add_initializer(token, Tensor::from<std::int32_t>({1}, std::vector<std::int32_t>{0}));
  for (const std::size_t i : producer_order(optimized, sources)) {
    const std::string next = optimized.unique_name("tap_token");
    optimized.add_node({kTapOp,
                        {sources[i], token},
                        {next},
                        {{"index", static_cast<std::int64_t>(taps.size())}},
                        optimized.unique_name("tap"),
                        kTapDomain});
    taps.push_back(found[i]);
    token = next;
  }
  optimized.set_type(token, {DType::kInt32, std::vector<graph::Dim>{{1, ""}}});
  SessionOptions options;
  options.optimize = false;
  session.emplace(optimized, options, std::vector<std::string>{token});
  in_place = true;
}

TapView TapSession::Impl::view(const Tap& tap, const Ort::ConstValue& value) const {
  const auto info = value.GetTensorTypeAndShapeInfo();
  TapView view;
  view.index = tap.index;
  view.dtype = from_ort(info.GetElementType());
  view.shape = info.GetShape();
  view.data = static_cast<const std::byte*>(value.GetTensorRawData());
  if (tap.channels > 0) {
    view.shape.at(1) = tap.channels;
    view.channel_block = channel_block();
  }
  return view;
}

void TapSession::Impl::run_in_place(const Feeds& feeds, const TapConsumer& consumer) const {
  const TapCallback callback = [&](std::size_t index, const Ort::ConstValue& value) {
    consumer(view(taps.at(index), value));
  };
  const TapScope scope(callback);
  try {
    (void)session->run(feeds);
  } catch (const Error&) {
    scope.rethrow();  // the consumer's own exception says more
    throw;
  }
}

void TapSession::Impl::run_outputs(const Feeds& feeds, const TapConsumer& consumer) const {
  const std::vector<Tensor> outputs = session->run(feeds);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    consumer({computed[i], output.dtype(), output.shape(), output.raw(), 1});
  }
}

TapSession::TapSession(const Graph& graph, const std::vector<std::string>& values)
    : impl_(std::make_unique<Impl>()) {
  impl_->values = values;
  const std::vector<std::string> names = computed_values(graph, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (graph.producer(values[i]) != nullptr) {
      impl_->computed.push_back(i);
    } else if (const Tensor* tensor = graph.find_initializer(values[i])) {
      impl_->fixed.emplace_back(i, *tensor);
    } else {
      impl_->inputs.push_back(i);
    }
  }
  if (names.empty()) return;
  try {
    impl_->load_in_place(graph);
  } catch (const Error&) {
    // A shortcut only: the plain way says what is wrong with the graph, if something is.
    impl_->session.emplace(graph, SessionOptions{}, names);
  }
}

TapSession::~TapSession() = default;
TapSession::TapSession(TapSession&&) noexcept = default;
TapSession& TapSession::operator=(TapSession&&) noexcept = default;

bool TapSession::reads_in_place() const noexcept {
  return impl_->in_place;
}

void TapSession::run(const Feeds& feeds, const TapConsumer& consumer) const {
  const auto show = [&](std::size_t index, const Tensor& tensor) {
    consumer({index, tensor.dtype(), tensor.shape(), tensor.raw(), 1});
  };
  for (const auto& [index, tensor] : impl_->fixed) show(index, tensor);
  for (const std::size_t index : impl_->inputs) {
    const auto found = feeds.find(impl_->values[index]);
    if (found == feeds.end()) {
      throw Error(ErrorCode::kInvalidData, format("input '{}' is not given", impl_->values[index]));
    }
    show(index, found->second);
  }
  if (!impl_->session) return;
  if (impl_->in_place) {
    impl_->run_in_place(feeds, consumer);
  } else {
    impl_->run_outputs(feeds, consumer);
  }
}

}  // namespace hexquant::runtime
