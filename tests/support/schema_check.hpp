// A JSON Schema that is published, held to what a loader of YAML documents does.
//
// No full validator: what is checked are the keywords that such schemas use here (type, enum,
// const, properties, required, additionalProperties, propertyNames, items, anyOf, minimum, maximum,
// minItems, maxItems, maxProperties, maxLength, pattern), and an unknown keyword fails.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace fathom::test {

/// Whether the YAML document `text` fits the schema. Fails the test when `text` is no document.
bool fits_schema(std::string_view schema, std::string_view text);

/// The keys of each mapping by its dotted path: "" for the document, "a.b[]" for elements.
std::map<std::string, std::set<std::string>> keys_in_schema(std::string_view schema);

}  // namespace fathom::test
