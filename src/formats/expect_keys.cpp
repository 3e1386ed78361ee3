#include "formats/expect_keys.h"

#include <algorithm>
#include <string>

#include "core/format.h"

namespace hexquant::formats {

void expect_keys(const JsonCursor& object, std::initializer_list<std::string_view> known) {
  object.each_member([&](const std::string& key, const JsonCursor& value) {
    if (std::find(known.begin(), known.end(), key) != known.end()) return;
    value.fail(format("one of the keys {} here", join(known, ", ")));
  });
}

}  // namespace hexquant::formats
