#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

namespace hexquant::formats {
namespace {

using test::identity_graph;
using test::model_bytes;
using test::node_bytes;
using test::ProtoBytes;
using test::tensor_bytes;
using test::test_data;
using test::value_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace field = test::onnx_field;

std::string error_of(const std::string& bytes, ErrorCode expected = ErrorCode::kInvalidModel) {
  try {
    (void)parse_onnx(bytes, "m.onnx");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    EXPECT_THAT(error.what(), StartsWith("m.onnx: "));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::vector<std::string> node_names(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) names.push_back(node.name());
  return names;
}

TEST(ReadOnnx, SmallestModel) {
  const graph::Graph graph = parse_onnx(model_bytes(identity_graph()), "m.onnx");
  EXPECT_EQ(graph.opset(), 13);
  EXPECT_EQ(graph.info.graph_name, "tiny");
  EXPECT_THAT(graph.inputs(), ElementsAre("x"));
  EXPECT_THAT(graph.outputs(), ElementsAre("y"));
  EXPECT_THAT(node_names(graph), ElementsAre("copy"));
  EXPECT_EQ(graph.find_type("x")->dtype, DType::kFloat32);
  EXPECT_EQ(graph.find_type("x")->fixed_shape(), Shape{2});
  EXPECT_EQ(graph.find_type("y")->fixed_shape(), Shape{2});
}

TEST(ReadOnnx, FileFactsAreKept) {
  const ProtoBytes meta = ProtoBytes().bytes(1, "author").bytes(2, "me");
  const std::string function = ProtoBytes().bytes(1, "f").bytes(10, "local").text();
  const std::string bytes = ProtoBytes()
                                .number(1, 9)
                                .bytes(2, "tool")
                                .bytes(3, "1.2")
                                .bytes(4, "org.example")
                                .number(5, 7)
                                .bytes(6, "about")
                                .message(7, identity_graph())
                                .message(8, ProtoBytes().bytes(1, "ai.onnx").number(2, 15))
                                .message(8, ProtoBytes().bytes(1, "local").number(2, 1))
                                .message(14, meta)
                                .bytes(25, function)
                                .text();
  const graph::Graph graph = parse_onnx(bytes, "m.onnx");
  EXPECT_EQ(graph.info.ir_version, 9);
  EXPECT_EQ(graph.info.producer_name, "tool");
  EXPECT_EQ(graph.info.producer_version, "1.2");
  EXPECT_EQ(graph.info.domain, "org.example");
  EXPECT_EQ(graph.info.model_version, 7);
  EXPECT_EQ(graph.info.doc_string, "about");
  EXPECT_EQ(graph.info.metadata.at("author"), "me");
  EXPECT_EQ(graph.opsets.at(""), 15);
  EXPECT_EQ(graph.opsets.at("local"), 1);
  EXPECT_THAT(graph.info.serialized_functions, ElementsAre(function));
  const std::string written = serialize_onnx(graph);
  EXPECT_EQ(serialize_onnx(parse_onnx(written, "again")), written);
  EXPECT_EQ(parse_onnx(written, "again").info.serialized_functions,
            graph.info.serialized_functions);
}

TEST(ReadOnnx, InitializersListedAsInputsAreInitializersOnly) {
  const ProtoBytes weight =
      tensor_bytes("w", 1, {2}).bytes(field::kRawData, ProtoBytes::pod<float>({1, 2}));
  const ProtoBytes graph = ProtoBytes()
                               .message(field::kNode, node_bytes("Add", {"x", "w"}, {"y"}))
                               .message(field::kInitializer, weight)
                               .message(field::kInput, value_bytes("x", 1, {2}))
                               .message(field::kInput, value_bytes("w", 1, {2}))
                               .message(field::kOutput, value_bytes("y", 1, {2}));
  const graph::Graph read = parse_onnx(model_bytes(graph), "m.onnx");
  EXPECT_THAT(read.inputs(), ElementsAre("x"));
  EXPECT_THAT(read.find_initializer("w")->data<float>(), ElementsAre(1, 2));
}

TEST(ReadOnnx, NodeNamesBecomeUnique) {
  const ProtoBytes graph = ProtoBytes()
                               .message(field::kNode, node_bytes("Neg", {"x"}, {"a"}, "n"))
                               .message(field::kNode, node_bytes("Neg", {"a"}, {"b"}, "n"))
                               .message(field::kNode, node_bytes("Neg", {"b"}, {"c"}, "n_1"))
                               .message(field::kNode, node_bytes("Neg", {"c"}, {"d"}))
                               .message(field::kNode, node_bytes("Neg", {"d"}, {"y"}, "Neg_1"))
                               .message(field::kInput, value_bytes("x", 1, {2}))
                               .message(field::kOutput, value_bytes("y", 1, {2}));
  const graph::Graph read = parse_onnx(model_bytes(graph), "m.onnx");
  EXPECT_THAT(node_names(read), ElementsAre("n", "n_2", "n_1", "Neg_2", "Neg_1"));
  const graph::Graph again = parse_onnx(serialize_onnx(read), "again");
  EXPECT_EQ(node_names(again), node_names(read));
}

TEST(ReadOnnx, NodesAreSorted) {
  const ProtoBytes graph = ProtoBytes()
                               .message(field::kNode, node_bytes("Neg", {"a"}, {"y"}, "second"))
                               .message(field::kNode, node_bytes("Abs", {"x"}, {"a"}, "first"))
                               .message(field::kInput, value_bytes("x", 1, {2}))
                               .message(field::kOutput, value_bytes("y", 1, {2}));
  EXPECT_THAT(node_names(parse_onnx(model_bytes(graph), "m.onnx")), ElementsAre("first", "second"));
}

TEST(ReadOnnx, SymbolicAndUnknownDimensions) {
  const ProtoBytes shape = ProtoBytes()
                               .message(1, ProtoBytes().bytes(2, "batch"))
                               .message(1, ProtoBytes().number(1, 3))
                               .message(1, ProtoBytes())
                               .message(1, ProtoBytes().number(1, static_cast<std::uint64_t>(-1)));
  const ProtoBytes tensor = ProtoBytes().number(1, 1).message(2, shape);
  const ProtoBytes input = ProtoBytes().bytes(1, "x").message(2, ProtoBytes().message(1, tensor));
  const ProtoBytes rankless =
      ProtoBytes().bytes(1, "y").message(2, ProtoBytes().message(1, ProtoBytes().number(1, 1)));
  const ProtoBytes graph = ProtoBytes()
                               .message(field::kNode, node_bytes("Identity", {"x"}, {"y"}, "n"))
                               .message(field::kInput, input)
                               .message(field::kOutput, rankless);
  const graph::Graph read = parse_onnx(model_bytes(graph), "m.onnx");
  const std::vector<graph::Dim> expected = {{-1, "batch"}, {3, ""}, {-1, ""}, {-1, ""}};
  EXPECT_EQ(read.find_type("x")->shape, expected);
  EXPECT_FALSE(read.find_type("y")->shape.has_value());
  const graph::Graph again = parse_onnx(serialize_onnx(read), "again");
  EXPECT_EQ(again.find_type("x")->shape, expected);
  EXPECT_FALSE(again.find_type("y")->shape.has_value());
}

// ---- attributes

ProtoBytes attribute(const std::string& name, int type) {
  return ProtoBytes().bytes(1, name).number(20, static_cast<std::uint64_t>(type));
}

graph::Graph with_attribute(const ProtoBytes& value) {
  const ProtoBytes node = node_bytes("Custom", {"x"}, {"y"}, "n").message(5, value);
  return parse_onnx(model_bytes(ProtoBytes()
                                    .message(field::kNode, node)
                                    .message(field::kInput, value_bytes("x", 1, {2}))
                                    .message(field::kOutput, value_bytes("y", 1, {2}))),
                    "m.onnx");
}

/// The attribute `a` as read, after a round trip through the writer.
template <typename T>
T round_tripped(const ProtoBytes& value) {
  const graph::Graph read = with_attribute(value);
  const graph::Graph again = parse_onnx(serialize_onnx(read), "again");
  const auto* first = read.nodes().front().find_attribute("a");
  const auto* second = again.nodes().front().find_attribute("a");
  EXPECT_NE(second, nullptr);
  EXPECT_TRUE(std::get<T>(*first) == std::get<T>(*second));
  return std::get<T>(*second);
}

TEST(ReadOnnx, PlainAttributes) {
  EXPECT_EQ(round_tripped<std::int64_t>(attribute("a", 2).number(3, 5)), 5);
  EXPECT_EQ(round_tripped<float>(attribute("a", 1).float32(2, 0.5F)), 0.5F);
  EXPECT_EQ(round_tripped<std::string>(attribute("a", 3).bytes(4, "text")), "text");
  EXPECT_THAT(round_tripped<std::vector<std::int64_t>>(attribute("a", 7).packed(8, {1, -2})),
              ElementsAre(1, -2));
  EXPECT_TRUE(round_tripped<std::vector<std::int64_t>>(attribute("a", 7)).empty());
  EXPECT_THAT(round_tripped<std::vector<float>>(attribute("a", 6).float32(7, 1).float32(7, 2)),
              ElementsAre(1, 2));
  EXPECT_THAT(round_tripped<std::vector<std::string>>(attribute("a", 8).bytes(9, "p").bytes(9, "")),
              ElementsAre("p", ""));
  const ProtoBytes tensor = tensor_bytes("", 7, {1}).packed(field::kInt64Data, {-9});
  EXPECT_EQ(round_tripped<Tensor>(attribute("a", 4).message(5, tensor)),
            Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{-9}));
}

TEST(ReadOnnx, AttributeWithoutTypeTakesThatOfItsField) {
  EXPECT_EQ(round_tripped<std::int64_t>(ProtoBytes().bytes(1, "a").number(3, 5)), 5);
  EXPECT_EQ(round_tripped<float>(ProtoBytes().bytes(1, "a").float32(2, 2)), 2.0F);
}

TEST(ReadOnnx, SubgraphsNameWhatTheyCapture) {
  // Inner graph: t = Add(x, w); z = Mul(t, own); outputs z. The nested one reads x, t and deep.
  const ProtoBytes own =
      tensor_bytes("own", 1, {1}).bytes(field::kRawData, ProtoBytes::pod<float>({1}));
  const ProtoBytes nested = ProtoBytes()
                                .message(1, node_bytes("Sum", {"x", "t", "deep", ""}, {"inner"}))
                                .message(12, value_bytes("inner", 1, {2}));
  const ProtoBytes branch =
      ProtoBytes()
          .message(1, node_bytes("Add", {"x", "w"}, {"t"}))
          .message(1, node_bytes("If", {"t"}, {"u"})
                          .message(5, attribute("then_branch", 5).message(6, nested)))
          .message(1, node_bytes("Mul", {"u", "own"}, {"z"}))
          .message(5, own)
          .message(12, value_bytes("z", 1, {2}));
  const ProtoBytes node =
      node_bytes("If", {"c"}, {"y"}, "choice").message(5, attribute("a", 5).message(6, branch));
  const auto value = [](const std::string& name) { return value_bytes(name, 1, {2}); };
  const graph::Graph read = parse_onnx(model_bytes(ProtoBytes()
                                                       .message(1, node)
                                                       .message(11, value("c"))
                                                       .message(11, value("x"))
                                                       .message(11, value("w"))
                                                       .message(11, value("deep"))
                                                       .message(12, value("y"))),
                                       "m.onnx");
  const auto& opaque = std::get<graph::OpaqueAttribute>(*read.nodes().front().find_attribute("a"));
  EXPECT_THAT(opaque.captured, ElementsAre("deep", "w", "x"));
  EXPECT_TRUE(read.is_captured("deep"));
  EXPECT_EQ(serialize_onnx(parse_onnx(serialize_onnx(read), "again")), serialize_onnx(read));
}

TEST(ReadOnnx, StringInitializersBecomeConstants) {
  const ProtoBytes words =
      tensor_bytes("words", 8, {2}).bytes(field::kStringData, "a").bytes(field::kStringData, "b");
  ProtoBytes graph = identity_graph();
  graph.message(field::kInitializer, words)
      .message(field::kNode, node_bytes("StringNormalizer", {"words"}, {"out"}, "user"));
  const graph::Graph read = parse_onnx(model_bytes(graph), "m.onnx");
  ASSERT_NE(read.producer("words"), nullptr);
  EXPECT_TRUE(read.producer("words")->is("Constant"));
  EXPECT_EQ(read.find_initializer("words"), nullptr);
  const std::string written = serialize_onnx(read);
  EXPECT_THAT(written, HasSubstr("words"));
  EXPECT_EQ(serialize_onnx(parse_onnx(written, "again")), written);
}

// ---- errors

TEST(ReadOnnxErrors, NotAModel) {
  EXPECT_THAT(error_of(""), HasSubstr("not an ONNX model (the file is empty)"));
  EXPECT_THAT(error_of("just some text in a file"), HasSubstr("not an ONNX model"));
  EXPECT_THAT(error_of(ProtoBytes().number(1, 8).text()), HasSubstr("no graph"));
  EXPECT_THAT(error_of(ProtoBytes().message(7, identity_graph()).text()),
              HasSubstr("no IR version"));
  EXPECT_THAT(error_of(model_bytes(ProtoBytes().bytes(2, "g"))), HasSubstr("has no nodes"));
}

TEST(ReadOnnxErrors, TruncationNamesTheByte) {
  const std::string whole = model_bytes(identity_graph());
  EXPECT_THAT(error_of(whole.substr(0, 20)), HasSubstr("truncated at byte 20"));
}

TEST(ReadOnnxErrors, EveryTruncationIsAnError) {
  const std::string whole = read_file(test_data("models/tiny_cnn.onnx"));
  const std::string small = model_bytes(identity_graph());
  for (const std::string& bytes : {whole, small}) {
    EXPECT_NO_THROW((void)parse_onnx(bytes, "m.onnx"));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_THROW((void)parse_onnx(std::string_view(bytes).substr(0, length), "m"), Error)
          << length;
    }
  }
}

TEST(ReadOnnxErrors, EveryFlippedByteIsReadOrRefused) {
  std::string bytes = read_file(test_data("models/tiny_if.onnx"));
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char original = bytes[i];
    bytes[i] = static_cast<char>(original ^ 0x55);
    try {
      (void)serialize_onnx(parse_onnx(bytes, "m"));
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::kInternal) << i << ": " << error.what();
      ++refused;
    }
    bytes[i] = original;
  }
  EXPECT_GT(refused, 100);
}

TEST(ReadOnnxErrors, Opsets) {
  const ProtoBytes none = ProtoBytes().number(1, 8).message(7, identity_graph());
  EXPECT_THAT(error_of(none.text()), HasSubstr("no operator set is imported"));
  EXPECT_THAT(error_of(model_bytes(identity_graph(), 6), ErrorCode::kUnsupported),
              HasSubstr("operator set 6; 7 or later"));
  ProtoBytes graph = identity_graph();
  graph.message(1, node_bytes("Gelu", {"x"}, {"z"}, "g").bytes(7, "com.microsoft"));
  EXPECT_THAT(error_of(model_bytes(graph)),
              HasSubstr("node 'g' (Gelu): domain 'com.microsoft' is not imported"));
}

TEST(ReadOnnxErrors, Structure) {
  const auto with_node = [](const ProtoBytes& node) {
    ProtoBytes graph = identity_graph();
    return model_bytes(graph.message(field::kNode, node));
  };
  EXPECT_THAT(error_of(with_node(node_bytes("Neg", {"x"}, {"y"}, "n"))),
              HasSubstr("'y' is defined twice"));
  EXPECT_THAT(error_of(with_node(node_bytes("Neg", {"x"}, {"x"}, "n"))),
              HasSubstr("'x' is defined twice"));
  EXPECT_THAT(error_of(with_node(node_bytes("Neg", {"ghost"}, {"z"}, "n"))),
              HasSubstr("node 'n' (Neg) reads value 'ghost', which nothing defines"));
  EXPECT_THAT(error_of(with_node(node_bytes("Neg", {"z"}, {"z"}, "n"))), HasSubstr("cycle"));
  EXPECT_THAT(error_of(with_node(node_bytes("", {"x"}, {"z"}, "n"))), HasSubstr("no operator"));
  EXPECT_THAT(error_of(with_node(node_bytes("F", {"x"}, {"z"}, "n").bytes(8, "v2")),
                       ErrorCode::kUnsupported),
              HasSubstr("overload"));
  ProtoBytes graph = identity_graph();
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kOutput, value_bytes("q", 1, {})))),
              HasSubstr("nothing defines the graph output 'q'"));
  graph = identity_graph();
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kOutput, value_bytes("y", 1, {})))),
              HasSubstr("graph output 'y' is listed twice"));
  graph = identity_graph();
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kInput, value_bytes("x", 1, {})))),
              HasSubstr("'x' is defined twice"));
  graph = identity_graph();
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kInput, value_bytes("", 1, {})))),
              HasSubstr("input has no name"));
}

TEST(ReadOnnxErrors, LongCycleNamesANode) {
  const ProtoBytes graph = ProtoBytes()
                               .message(field::kNode, node_bytes("Add", {"x", "c"}, {"a"}, "p"))
                               .message(field::kNode, node_bytes("Neg", {"a"}, {"b"}, "q"))
                               .message(field::kNode, node_bytes("Neg", {"b"}, {"c"}, "r"))
                               .message(field::kInput, value_bytes("x", 1, {2}))
                               .message(field::kOutput, value_bytes("c", 1, {2}));
  EXPECT_THAT(error_of(model_bytes(graph)), HasSubstr("node 'p' (Add) is part of a cycle"));
}

TEST(ReadOnnxErrors, TypesOfInputs) {
  const ProtoBytes sequence = ProtoBytes().bytes(1, "s").message(
      2, ProtoBytes().message(4, ProtoBytes().message(1, ProtoBytes())));
  ProtoBytes graph = identity_graph();
  EXPECT_THAT(
      error_of(model_bytes(graph.message(field::kInput, sequence)), ErrorCode::kUnsupported),
      HasSubstr("graph input 's' is no tensor"));
  graph = identity_graph();
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kInput, ProtoBytes().bytes(1, "s")))),
              HasSubstr("graph input 's' has no element type"));
}

TEST(ReadOnnxErrors, Attributes) {
  const auto error_with = [](const ProtoBytes& value) {
    ProtoBytes graph = identity_graph();
    return error_of(model_bytes(
        graph.message(field::kNode, node_bytes("F", {"x"}, {"z"}, "n").message(5, value))));
  };
  EXPECT_THAT(error_with(ProtoBytes().bytes(1, "a")),
              HasSubstr("node 'n' (F): attribute 'a' has no value"));
  EXPECT_THAT(error_with(attribute("a", 2).bytes(21, "outer")), HasSubstr("function's attribute"));
  EXPECT_THAT(error_with(attribute("a", 4)), HasSubstr("tensor without element type"));
  ProtoBytes graph = identity_graph();
  const ProtoBytes twice = node_bytes("F", {"x"}, {"z"}, "n")
                               .message(5, attribute("a", 2))
                               .message(5, attribute("a", 2));
  EXPECT_THAT(error_of(model_bytes(graph.message(field::kNode, twice))),
              HasSubstr("attribute 'a' is given twice"));
}

TEST(ReadOnnxErrors, MessagesTakeOneLine) {
  ProtoBytes graph = identity_graph();
  graph.message(field::kNode, node_bytes("Neg", {"gh\nost"}, {"z"}, "n"));
  EXPECT_THAT(error_of(model_bytes(graph)), HasSubstr("'gh ost'"));
}

TEST(ReadOnnxErrors, Files) {
  const test::TempFolder folder;
  const auto code_of = [](const std::filesystem::path& path) {
    try {
      (void)read_onnx(path);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code_of(folder.path() / "none.onnx"), ErrorCode::kIo);
  EXPECT_EQ(code_of(folder.path()), ErrorCode::kIo);
  write_file(folder.path() / "empty.onnx", "");
  EXPECT_EQ(code_of(folder.path() / "empty.onnx"), ErrorCode::kInvalidModel);
}

}  // namespace
}  // namespace hexquant::formats
