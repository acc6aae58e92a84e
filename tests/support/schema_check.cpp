#include "tests/support/schema_check.hpp"

#include "policies/yaml_document.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <regex>

namespace fathom::test {
namespace {

using nlohmann::json;
using policies::YamlEntry;
using policies::YamlNode;

json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::sequence: {
      json out = json::array();
      for (const YamlNode& item : node.items) out.push_back(to_json(item));
      return out;
    }
    case YamlNode::Kind::mapping: {
      json out = json::object();
      for (const YamlEntry& entry : node.entries) out[entry.key] = to_json(entry.value);
      return out;
    }
    case YamlNode::Kind::scalar:
      break;
  }
  if (node.quoted) return node.text;
  if (node.text == "true" || node.text == "false") return node.text == "true";
  static const std::regex number("-?(0|[1-9][0-9]{0,17})(\\.[0-9]+)?");
  if (std::regex_match(node.text, number)) return json::parse(node.text);
  return node.text;
}

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return type == "string" && value.is_string();
}

bool holds(const json& schema, const json& value);

bool holds_object(const json& schema, const json& value) {
  for (const auto& key : schema.value("required", json::array()))
    if (!value.contains(key.get<std::string>())) return false;
  const json properties = schema.value("properties", json::object());
  for (const auto& [key, member] : value.items()) {
    if (properties.contains(key)) {
      if (!holds(properties[key], member)) return false;
      continue;
    }
    const json more = schema.value("additionalProperties", json(true));
    if (more.is_boolean() ? !more.get<bool>() : !holds(more, member)) return false;
    if (schema.contains("propertyNames") && !holds(schema["propertyNames"], key)) return false;
  }
  return value.size() <= schema.value("maxProperties", std::size_t{1} << 20);
}

bool holds_scalar(const json& schema, const json& value) {
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    if (text.size() > schema.value("maxLength", std::size_t{1} << 20)) return false;
    return !schema.contains("pattern") ||
           std::regex_search(text, std::regex(schema["pattern"].get<std::string>()));
  }
  if (!value.is_number()) return true;
  constexpr double kFar = 1e300;
  const auto number = value.get<double>();
  return number >= schema.value("minimum", -kFar) && number <= schema.value("maximum", kFar);
}

bool holds(const json& schema, const json& value) {
  static const std::set<std::string> known = {
      "$schema",       "title",     "description", "default",       "type",
      "enum",          "const",     "properties",  "required",      "additionalProperties",
      "items",         "anyOf",     "minimum",     "maximum",       "maxItems",
      "maxProperties", "maxLength", "pattern",     "propertyNames", "minItems"};
  for (const auto& [keyword, unused] : schema.items())
    if (!known.contains(keyword))
      FAIL("the schema uses a keyword this test does not check: " << keyword);
  if (schema.contains("const") && value != schema["const"]) return false;
  if (schema.contains("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end())
    return false;
  if (schema.contains("type")) {
    const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    if (std::ranges::none_of(types, [&](const json& type) { return has_type(value, type); }))
      return false;
  }
  if (schema.contains("anyOf") &&
      std::ranges::none_of(schema["anyOf"], [&](const json& one) { return holds(one, value); }))
    return false;
  if (value.is_object() && !holds_object(schema, value)) return false;
  if (value.is_array()) {
    if (value.size() > schema.value("maxItems", std::size_t{1} << 20)) return false;
    if (value.size() < schema.value("minItems", std::size_t{0})) return false;
    for (const json& item : value)
      if (schema.contains("items") && !holds(schema["items"], item)) return false;
  }
  return holds_scalar(schema, value);
}

void collect(const json& schema, const std::string& path,
             std::map<std::string, std::set<std::string>>& out) {
  for (const json& one : schema.value("anyOf", json::array())) collect(one, path, out);
  if (schema.contains("items")) collect(schema["items"], path + "[]", out);
  if (!schema.contains("properties")) return;
  for (const auto& [key, member] : schema["properties"].items()) {
    out[path].insert(key);
    collect(member, (path.empty() ? "" : path + ".") + key, out);
  }
}

}  // namespace

bool fits_schema(std::string_view schema, std::string_view text) {
  const auto document = policies::parse_yaml(text, "document.yaml");
  REQUIRE(document);
  return holds(json::parse(schema), to_json(*document));
}

std::map<std::string, std::set<std::string>> keys_in_schema(std::string_view schema) {
  std::map<std::string, std::set<std::string>> keys;
  collect(json::parse(schema), "", keys);
  return keys;
}

}  // namespace fathom::test
