#include "htp/qdq_models.h"

#include <array>
#include <utility>
#include <vector>

#include "htp/qdq_parts.h"

namespace hexquant::test {
namespace {

using graph::Attributes;

class ModelMaker : public QdqParts {
 public:
  ModelMaker(std::uint64_t seed, int index)
      : QdqParts(seed * 1'000'003 + static_cast<std::uint64_t>(index)) {}

  QdqModel make() {
    static constexpr std::array<std::pair<const char*, int>, 6> kVersions = {
        {{"v68", 30}, {"v69", 36}, {"v73", 43}, {"v75", 57}, {"v79", 69}, {"v81", 87}}};
    const auto& [arch, soc] = kVersions[pick(6)];
    graph_.info.ir_version = 10;
    graph_.opsets[""] = 21;
    format_ = {pick_one<DType>({DType::kUInt8, DType::kUInt8, DType::kUInt16, DType::kUInt16,
                                DType::kInt8, DType::kInt16}),
               ZeroPoint::kOdd};
    if (rarely(0.3)) format_.zero_point = ZeroPoint::kCentred;
    start();
    const int blocks = 1 + static_cast<int>(pick(3));
    for (int i = 0; i < blocks; ++i) add_block();
    finish();
    graph_.sort();
    return {std::move(graph_), arch, soc};
  }

 private:
  // ---- the chain
  void start() {
    static const std::array<Shape, 4> kShapes = {
        {{1, 16, 8, 8}, {1, 32, 6, 10}, {1, 12, 32}, {4, 32}}};
    Shape shape = kShapes[pick(10) < 6 ? pick(2) : 2 + pick(2)];
    if (rarely(0.06)) shape = {1, 2, 3, 4, 8};
    if (rarely(0.02)) shape = {1, 2, 1, 2, 4, 8};
    graph_.add_input("x", GraphBuilder::type_of(shape, DType::kFloat32));
    current_ = {"x", shape, false, format_};
    if (!rarely(0.06)) set_quantized(format_);
  }

  void finish() {
    // A graph output needs a producer that is no graph input.
    graph_.add_output(current_.name);
  }

  void add_block() {
    if (current_.quantized && rarely(0.12)) set_quantized(other_format());
    const double draw = static_cast<double>(pick(1000)) / 1000.0;
    if (draw < 0.5) {
      add_layer();
    } else if (draw < 0.78) {
      add_compute();
    } else {
      add_mover();
    }
    if (rarely(0.10)) return;  // no Q/DQ behind it: float output
    ActFormat format = current_.format;
    if (rarely(0.10)) format = other_format();
    if (clamped_ && !rarely(0.15)) format.zero_point = ZeroPoint::kLowest;
    clamped_ = false;
    set_quantized(format);
  }

  void add_layer() {
    const std::size_t kind = pick(8);
    if (rank() == 4 && kind < 5) return rarely(0.15) ? conv_transpose() : conv();
    if (rank() == 3 && kind < 2) return conv();
    if (rank() == 2 && kind < 4) return gemm();
    if (kind < 7) return matmul();
    dynamic_matmul();
  }

  void conv() {
    const std::int64_t in = current_.shape[1];
    const std::int64_t out = pick_one<std::int64_t>({16, 32, 32, 48});
    std::int64_t group = 1;
    if (rarely(0.3)) group = in;
    if (in % 2 == 0 && rarely(0.08)) group = 2;
    const std::int64_t channels = group == 1 || group == 2 ? out : in;
    const std::int64_t k = pick_one<std::int64_t>({1, 3, 3});
    Shape kernel = {channels, in / group};
    std::vector<std::int64_t> pads;
    Shape shape = current_.shape;
    shape[1] = channels;
    for (int d = 2; d < rank(); ++d) kernel.push_back(k);
    pads.assign(static_cast<std::size_t>(2 * (rank() - 2)), k / 2);
    const WeightFormat format = weight_format(0, 1, 1);
    std::vector<std::string> inputs = {current_.name, make_weight(kernel, format)};
    const std::string b = bias(channels, bias_form(), &format);
    if (!b.empty()) inputs.push_back(b);
    current_.name = node("Conv", inputs, shape, {{"group", group}, {"pads", pads}});
    current_.shape = shape;
    maybe_activation();
  }

  /// Behind a DequantizeLinear, seldom float.
  std::string make_weight(const Shape& shape, const WeightFormat& format) {
    if (rarely(0.04)) return floats(shape);
    return weight(shape, format);
  }

  void conv_transpose() {
    const std::int64_t in = current_.shape[1];
    const std::int64_t out = pick_one<std::int64_t>({16, 32});
    const WeightFormat format = weight_format(1, 0, 0);
    std::vector<std::string> inputs = {current_.name, make_weight({in, out, 2, 2}, format)};
    const std::string b = bias(out, bias_form(), &format);
    if (!b.empty()) inputs.push_back(b);
    const Shape shape = {1, out, current_.shape[2] * 2, current_.shape[3] * 2};
    current_.name =
        node("ConvTranspose", inputs, shape, {{"strides", std::vector<std::int64_t>{2, 2}}});
    current_.shape = shape;
    maybe_activation();
  }

  void gemm() {
    const std::int64_t in = current_.shape[1];
    const std::int64_t out = pick_one<std::int64_t>({16, 32, 64});
    const bool trans_b = rarely(0.5);
    const int channel = trans_b ? 0 : 1;
    const WeightFormat format = weight_format(channel, 1 - channel, 1 - channel);
    const Shape kernel = trans_b ? Shape{out, in} : Shape{in, out};
    std::vector<std::string> inputs = {current_.name, make_weight(kernel, format)};
    const std::string b = bias(out, bias_form(), &format);
    if (!b.empty()) inputs.push_back(b);
    const Shape shape = {current_.shape[0], out};
    Attributes attributes = {{"transB", std::int64_t{trans_b}}};
    if (rarely(0.05)) attributes["alpha"] = 0.5F;
    current_.name = node("Gemm", inputs, shape, attributes);
    current_.shape = shape;
    maybe_activation();
  }

  void matmul() {
    const std::int64_t in = current_.shape.back();
    const std::int64_t out = pick_one<std::int64_t>({16, 32, 64});
    const WeightFormat format = weight_format(1, 0, 0);
    Shape shape = current_.shape;
    shape.back() = out;
    current_.name = node("MatMul", {current_.name, make_weight({in, out}, format)}, shape);
    current_.shape = shape;
    const BiasForm form = bias_form();
    if (rarely(0.4) && form != BiasForm::kNone) {
      // The bias of a fully connected layer, or an addition of its own behind a Q/DQ pair.
      if (rarely(0.3)) set_quantized(current_.format);
      current_.name = node("Add", {current_.name, bias(out, form, &format)}, shape);
    }
    maybe_activation();
  }

  void dynamic_matmul() {
    if (!current_.quantized) return add_compute();
    const ActFormat format = rarely(0.4) ? ActFormat{DType::kInt16, ZeroPoint::kCentred}
                                         : (rarely(0.5) ? other_format() : current_.format);
    std::vector<std::int64_t> order;
    for (int d = 0; d < rank(); ++d) order.push_back(d);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    Shape turned = current_.shape;
    std::swap(turned[turned.size() - 1], turned[turned.size() - 2]);
    std::string second = node("Transpose", {current_.name}, turned, {{"perm", order}});
    second = quantize(second, turned, current_.format);
    if (format != current_.format) second = quantize(second, turned, format);
    Shape shape = current_.shape;
    shape.back() = turned.back();
    current_.name = node("MatMul", {current_.name, second}, shape);
    current_.shape = shape;
  }

  void maybe_activation() {
    if (rarely(0.5)) return;
    if (rarely(0.25)) set_quantized(current_.format);
    const std::size_t kind = pick(10);
    if (kind < 5) {
      clamped_ = true;
      current_.name = node("Relu", {current_.name}, current_.shape);
    } else if (kind < 8) {
      clamped_ = kind < 7;
      current_.name = node(
          "Clip", {current_.name, scalar(clamped_ ? 0.0F : -1.0F), scalar(clamped_ ? 6.0F : 1.0F)},
          current_.shape);
    } else {
      current_.name = node(kind == 8 ? "LeakyRelu" : "HardSwish", {current_.name}, current_.shape);
    }
  }

  void add_compute() {
    const std::size_t kind = pick(12);
    if (kind < 3) return binary();
    if (kind == 3 && rank() >= 3) return normalization();
    if (kind == 4) return reduction();
    if (kind == 5 && rank() == 4) return pool();
    unary();
  }

  void unary() {
    static const std::array<const char*, 32> kOps = {
        "Relu",        "Sigmoid",    "Tanh",     "Softmax", "Gelu",       "Sqrt",
        "Exp",         "Abs",        "Neg",      "Elu",     "LeakyRelu",  "HardSwish",
        "HardSigmoid", "LogSoftmax", "Softplus", "Floor",   "Ceil",       "Round",
        "Sign",        "Sin",        "Cos",      "Log",     "Reciprocal", "Erf",
        "Celu",        "Softsign",   "Hardmax",  "Mish",    "Selu",       "ThresholdedRelu",
        "Sinh",        "Softmax"};
    const std::string op = kOps[pick(kOps.size())];
    Attributes attributes;
    if (op == "Softmax" && rarely(0.3)) attributes["axis"] = std::int64_t{1};
    clamped_ = op == "Relu" || op == "Sigmoid" || op == "Softmax";
    current_.name = node(op, {current_.name}, current_.shape, attributes);
    if (rarely(0.12)) current_.name = node("Relu", {current_.name}, current_.shape);
  }

  void binary() {
    const std::string op =
        pick_one<const char*>({"Add", "Add", "Mul", "Mul", "Sub", "Div", "Max", "Min", "Pow"});
    std::string other;
    const std::size_t kind = pick(6);
    if (kind < 2) {
      other = current_.name;  // the value with itself
    } else if (kind < 4) {
      // A constant, one for each position of the last dimension.
      WeightFormat format = {current_.format.type, Granularity::kTensor, 0, 0, !rarely(0.3)};
      if (rarely(0.15)) format.type = other_format().type;
      other =
          rarely(0.15) ? floats({current_.shape.back()}) : weight({current_.shape.back()}, format);
    } else if (kind == 4) {
      other = scalar(0.5F);
    } else {
      const std::string branch = node("Sigmoid", {current_.name}, current_.shape);
      other = quantize(branch, current_.shape, rarely(0.2) ? other_format() : current_.format);
    }
    std::vector<std::string> inputs = {current_.name, other};
    if (op != "Pow" && rarely(0.2)) std::swap(inputs[0], inputs[1]);
    current_.name = node(op, inputs, current_.shape);
    if (rarely(0.2)) {
      clamped_ = true;
      current_.name = node("Relu", {current_.name}, current_.shape);
    }
  }

  void normalization() {
    const bool layer = rank() != 4 || rarely(0.6);
    const std::int64_t channels = layer ? current_.shape.back() : current_.shape[1];
    WeightFormat format = {DType::kUInt8, Granularity::kTensor, 0, 0, false};
    if (rarely(0.3)) {
      format.type = pick_one<DType>({DType::kInt8, DType::kUInt16, DType::kInt16});
    }
    std::vector<std::string> inputs = {current_.name, make_weight({channels}, format)};
    const BiasForm form = bias_form();
    if (!layer || form != BiasForm::kNone) {
      inputs.push_back(bias(channels, form == BiasForm::kNone ? BiasForm::kInt32 : form, nullptr));
    }
    Attributes attributes;
    if (layer) attributes["axis"] = std::int64_t{-1};
    current_.name = node(layer ? "LayerNormalization" : "InstanceNormalization", inputs,
                         current_.shape, attributes);
  }

  void reduction() {
    const std::string op = pick_one<const char*>(
        {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2"});
    Shape shape = current_.shape;
    const auto axis = static_cast<std::int64_t>(1 + pick(static_cast<std::size_t>(rank() - 1)));
    const bool keep = rank() <= 2 || rarely(0.6);
    if (keep) {
      shape[static_cast<std::size_t>(axis)] = 1;
    } else {
      shape.erase(shape.begin() + axis);
    }
    current_.name =
        node(op, {current_.name, int64s({axis})}, shape, {{"keepdims", std::int64_t{keep}}});
    current_.shape = shape;
  }

  void pool() {
    const bool halves = current_.shape[2] >= 2 && current_.shape[3] >= 2;
    const std::size_t kind = pick(halves ? 4 : 2);
    Shape shape = current_.shape;
    if (kind < 2) {
      shape[2] = shape[3] = 1;
      current_.name =
          node(kind == 0 ? "GlobalAveragePool" : "GlobalMaxPool", {current_.name}, shape);
    } else {
      shape[2] /= 2;
      shape[3] /= 2;
      const std::vector<std::int64_t> two = {2, 2};
      current_.name = node(kind == 2 ? "AveragePool" : "MaxPool", {current_.name}, shape,
                           {{"kernel_shape", two}, {"strides", two}});
    }
    current_.shape = shape;
  }

  void add_mover() {
    std::size_t kind = pick(9);
    Shape shape = current_.shape;
    // Halving and picking need a last dimension that is long enough.
    if (shape.back() < 4 || shape.back() % 2 != 0) kind = 6;
    if (kind == 0) {
      const std::int64_t last = shape.back();
      shape.back() = last / 2;
      shape.insert(shape.end(), 2);
      if (shape.size() > 5) return unary();
      current_.name = node("Reshape", {current_.name, int64s(shape)}, shape);
    } else if (kind == 1) {
      std::vector<std::int64_t> order;
      for (int d = 0; d < rank(); ++d) order.push_back(d);
      std::swap(order[order.size() - 1], order[order.size() - 2]);
      std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
      current_.name = node("Transpose", {current_.name}, shape, {{"perm", order}});
    } else if (kind == 2) {
      shape.back() /= 2;
      current_.name = node("Slice",
                           {current_.name, int64s({0}), int64s({shape.back()}),
                            int64s({static_cast<std::int64_t>(rank() - 1)})},
                           shape);
    } else if (kind == 3) {
      concat(shape);
      return;
    } else if (kind == 4) {
      std::vector<std::int64_t> pads(static_cast<std::size_t>(2 * rank()), 0);
      pads.back() = 2;
      shape.back() += 2;
      current_.name = node("Pad", {current_.name, int64s(pads)}, shape);
    } else if (kind == 5 && rank() == 4) {
      spatial_mover(shape);
      return;
    } else if (kind == 6) {
      const std::int64_t count = element_count(shape) / shape[0];
      shape = {shape[0], count};
      current_.name = node("Flatten", {current_.name}, shape);
    } else if (kind == 7) {
      shape.back() = 2;
      const std::string indices = int64s({0, 3});
      current_.name = node("Gather", {current_.name, indices}, shape,
                           {{"axis", static_cast<std::int64_t>(rank() - 1)}});
    } else {
      shape.back() *= 2;
      std::vector<std::int64_t> repeats(static_cast<std::size_t>(rank()), 1);
      repeats.back() = 2;
      current_.name = node("Tile", {current_.name, int64s(repeats)}, shape);
    }
    current_.shape = shape;
  }

  void concat(Shape shape) {
    std::string other = current_.name;
    if (current_.quantized && rarely(0.6)) {
      const std::string branch = node("Relu", {current_.name}, shape);
      ActFormat format = current_.format;
      if (rarely(0.2)) format = other_format();
      other = quantize(branch, shape, format);
    }
    const auto axis = static_cast<std::int64_t>(pick(static_cast<std::size_t>(rank() - 1)) + 1);
    shape[static_cast<std::size_t>(axis)] *= 2;
    current_.name = node("Concat", {current_.name, other}, shape, {{"axis", axis}});
    current_.shape = shape;
  }

  void spatial_mover(Shape shape) {
    std::size_t kind = pick(3);
    if (shape[1] % 4 != 0 || shape[2] % 2 != 0 || shape[3] % 2 != 0) kind = 2;
    if (kind == 0) {
      shape[1] /= 4;
      shape[2] *= 2;
      shape[3] *= 2;
      current_.name =
          node("DepthToSpace", {current_.name}, shape, {{"blocksize", std::int64_t{2}}});
    } else if (kind == 1) {
      shape[1] *= 4;
      shape[2] /= 2;
      shape[3] /= 2;
      current_.name =
          node("SpaceToDepth", {current_.name}, shape, {{"blocksize", std::int64_t{2}}});
    } else {
      shape[2] *= 2;
      shape[3] *= 2;
      const std::string scales = name("resize_scales");
      graph_.add_initializer(scales, Tensor::from<float>({4}, std::vector<float>{1, 1, 2, 2}));
      current_.name = node("Resize", {current_.name, "", scales}, shape,
                           {{"mode", std::string(rarely(0.5) ? "nearest" : "linear")},
                            {"coordinate_transformation_mode", std::string("asymmetric")},
                            {"nearest_mode", std::string("floor")}});
    }
    current_.shape = shape;
  }

  ActFormat format_;
  bool clamped_ = false;  ///< the last value is not negative: a lowest zero point says so
};

}  // namespace

QdqModel make_qdq_model(std::uint64_t seed, int index) {
  return ModelMaker(seed, index).make();
}

}  // namespace hexquant::test
