#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace hexquant::test {

/// Violations of a JSON Schema (draft-07), one "path: reason" each; empty = valid.
///
/// Understands the subset our schemas use: type (a name or a list of names), required, properties,
/// additionalProperties (false, or a schema), items (one schema), enum, const, minimum, maximum,
/// minItems, maxItems, anyOf and $ref to "#/definitions/NAME". Any other keyword that constrains a
/// value is itself reported, so that no rule of a schema is passed over in silence.
[[nodiscard]] std::vector<std::string> schema_violations(const Json& schema, const Json& value);

/// The schema in docs/schema/NAME.schema.json.
[[nodiscard]] Json published_schema(const std::string& name);

}  // namespace hexquant::test
