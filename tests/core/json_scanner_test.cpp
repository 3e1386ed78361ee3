#include "core/json_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/json.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

std::string refusal(const std::string& text, const std::function<void(JsonScanner&)>& read) {
  JsonScanner scanner(text, "x.json");
  try {
    read(scanner);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "accepted";
}

void skip(JsonScanner& scanner) {
  scanner.skip();
}

TEST(JsonScanner, reads_wanted_members_and_skips_the_others) {
  JsonScanner scanner(
      R"( {"a": {"b": [1, {"c": "]}\""}], "n": null}, "list":[1 , 2,3], "x": -2.5e1, "t":true} z)",
      "x");
  std::vector<std::int64_t> list;
  double x = 0.0;
  std::vector<std::string> keys;
  scanner.object([&](std::string_view key) {
    keys.emplace_back(key);
    if (key == "list") {
      scanner.array([&] { list.push_back(scanner.integer()); });
    } else if (key == "x") {
      x = scanner.number();
    } else {
      scanner.skip();
    }
  });
  EXPECT_THAT(keys, testing::ElementsAre("a", "list", "x", "t"));
  EXPECT_THAT(list, testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(x, -25.0);
  EXPECT_EQ(scanner.position(), 85U);  // behind the last brace; " z" is not its concern
}

TEST(JsonScanner, strings_keep_escapes_raw_or_resolve_them) {
  const std::string text = R"("a\\" "\"b\u00e9")";
  JsonScanner scanner(text, "x");
  EXPECT_EQ(scanner.raw_string(), R"(a\\)");
  EXPECT_EQ(scanner.string(), "\"b\u00e9");
}

TEST(JsonScanner, integers_beyond_their_range_become_the_nearest) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const auto value = [](const std::string& text) { return JsonScanner(text, "x").integer(); };
  EXPECT_EQ(value("9223372036854775807"), kMax);
  EXPECT_EQ(value("18446744073709551615"), kMax);  // as the vendor writes "none yet"
  EXPECT_EQ(value("-1e300"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value("1e3"), 1000);
  EXPECT_EQ(value("2.6"), 3);
}

TEST(JsonScanner, empty_containers) {
  JsonScanner scanner("[{}, [ ]]", "x");
  int elements = 0;
  scanner.array([&] {
    ++elements;
    scanner.skip();
  });
  EXPECT_EQ(elements, 2);
}

TEST(JsonScanner, truncated_text_names_the_place) {
  const std::string text = R"({"a": [1, "b)";
  EXPECT_EQ(refusal(text, skip),
            "x.json: byte 13: not valid JSON: expected '\"', found the end of the text");
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_THAT(refusal(text.substr(0, length), skip), testing::HasSubstr("not valid JSON"));
  }
}

TEST(JsonScanner, refuses_other_kinds_and_broken_syntax) {
  EXPECT_THAT(refusal("[1]", [](JsonScanner& s) { s.object([](std::string_view) {}); }),
              testing::HasSubstr("byte 1: not valid JSON: expected an object, found byte 0x5b"));
  EXPECT_THAT(refusal("[1 2]", [](JsonScanner& s) { s.array([&] { s.skip(); }); }),
              testing::HasSubstr("expected ',' or the end"));
  EXPECT_THAT(refusal("\"1\"", [](JsonScanner& s) { static_cast<void>(s.number()); }),
              testing::HasSubstr("expected a number"));
  EXPECT_THAT(refusal("]", skip), testing::HasSubstr("expected a value"));
}

TEST(JsonScanner, deep_nesting_needs_no_stack) {
  const std::string text = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  JsonScanner scanner(text, "x");
  scanner.skip();
  EXPECT_EQ(scanner.position(), text.size());
}

}  // namespace
}  // namespace hexquant
