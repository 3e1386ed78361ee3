#include "support/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hexquant::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json json(const char* text) {
  return parse_json(text, "test");
}

const char* const kSchema = R"({
  "type": "object", "required": ["a"], "additionalProperties": false,
  "properties": {
    "a": {"type": ["integer", "null"], "minimum": 0},
    "b": {"type": "array", "maxItems": 2, "items": {"$ref": "#/definitions/word"}}
  },
  "definitions": {"word": {"enum": ["x", "y"]}}
})";

TEST(JsonSchema, AcceptsWhatFits) {
  EXPECT_THAT(schema_violations(json(kSchema), json(R"({"a": null, "b": ["x", "y"]})")), IsEmpty());
}

TEST(JsonSchema, ReportsEveryKindOfViolation) {
  const auto violations = [](const char* text) {
    return schema_violations(json(kSchema), json(text));
  };
  EXPECT_THAT(violations("[]"), ElementsAre("/: [] is no \"object\""));
  EXPECT_THAT(violations("{}"), ElementsAre("/: lacks \"a\""));
  EXPECT_THAT(violations(R"({"a": 1.5})"), ElementsAre("/a: 1.5 is no [\"integer\",\"null\"]"));
  EXPECT_THAT(violations(R"({"a": -1})"), ElementsAre("/a: -1 breaks minimum 0"));
  EXPECT_THAT(violations(R"({"a": 1, "c": 2})"), ElementsAre("/c: is not allowed"));
  EXPECT_THAT(violations(R"({"a": 1, "b": ["z"]})"),
              ElementsAre("/b/0: \"z\" is not one of [\"x\",\"y\"]"));
  EXPECT_THAT(violations(R"({"a": 1, "b": ["x", "x", "x"]})"),
              ElementsAre("/b: 3 breaks maxItems 2"));
}

TEST(JsonSchema, ChecksAnyOfAndConst) {
  const Json schema = json(R"({"anyOf": [{"type": "null"}, {"const": 3}]})");
  EXPECT_THAT(schema_violations(schema, json("3")), IsEmpty());
  EXPECT_THAT(schema_violations(schema, json("null")), IsEmpty());
  EXPECT_THAT(schema_violations(schema, json("4")), ElementsAre("/: fits none of anyOf"));
}

TEST(JsonSchema, ReportsKeywordsItDoesNotKnow) {
  EXPECT_THAT(schema_violations(json(R"({"pattern": "^a"})"), json("\"b\"")),
              ElementsAre("/: keyword 'pattern' is unknown to this validator"));
}

}  // namespace
}  // namespace hexquant::test
