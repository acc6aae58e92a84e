// The published schema is held to what the loader does.
//
// No full JSON Schema validator: what is checked are the keywords that the schema uses (type, enum,
// const, properties, required, additionalProperties, propertyNames, items, anyOf, minimum, maximum,
// maxItems, maxProperties, maxLength, pattern), and an unknown keyword fails.
#include "policies/policy_load.hpp"
#include "policies/shipped.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <regex>
#include <set>

using namespace fathom;
using namespace fathom::policies;
using nlohmann::json;

namespace {

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
  if (std::regex_match(node.text, std::regex("-?(0|[1-9][0-9]*)"))) return std::stoll(node.text);
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
  if (!value.is_number_integer()) return true;
  const auto number = value.get<std::int64_t>();
  return number >= schema.value("minimum", std::int64_t{-1} << 62) &&
         number <= schema.value("maximum", std::int64_t{1} << 62);
}

bool holds(const json& schema, const json& value) {
  static const std::set<std::string> known = {
      "$schema",       "title",     "description", "default",      "type",
      "enum",          "const",     "properties",  "required",     "additionalProperties",
      "items",         "anyOf",     "minimum",     "maximum",      "maxItems",
      "maxProperties", "maxLength", "pattern",     "propertyNames"};
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
    for (const json& item : value)
      if (schema.contains("items") && !holds(schema["items"], item)) return false;
  }
  return holds_scalar(schema, value);
}

// Section path to keys, in the way of policy_keys().
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

json schema() { return json::parse(policy_schema()); }

bool accepts(const std::string& body) {
  return holds(schema(), to_json(parse_yaml(document(body), "p.yaml").value()));
}

}  // namespace

TEST_CASE("the schema and the loader know the same keys", "[policies]") {
  std::map<std::string, std::set<std::string>> published;
  collect(schema(), "", published);
  std::map<std::string, std::set<std::string>> known;
  for (const PolicyKeys& section : policy_keys())
    known[std::string(section.section)] = {section.keys.begin(), section.keys.end()};
  CHECK(published == known);
}

TEST_CASE("the shipped documents fit the schema", "[policies]") {
  for (const ShippedDocument& document : shipped_policies()) {
    INFO(document.name);
    CHECK(holds(schema(), to_json(parse_yaml(document.text, "p.yaml").value())));
  }
}

TEST_CASE("what the schema refuses the loader refuses", "[policies]") {
  for (const char* body : {"exce: {}\n",
                           "filesystem: {workspace: hidden}\n",
                           "filesystem: {reed: []}\n",
                           "filesystem: {read: [{id: x}]}\n",
                           "filesystem: {read: [{path: x, confirm_wide: true}]}\n",
                           "filesystem: {caches: [yarn]}\n",
                           "exec: {rules: [{verdict: ask}]}\n",
                           "exec: {rules: [x]}\n",
                           "exec: {restrict: [{verdict: allow, commands: [x]}]}\n",
                           "network: {loopback: 1}\n",
                           "network: {hosts: [{host: a.example, ports: [0]}]}\n",
                           "network: {hosts: [{host: a.example, phases: [build]}]}\n",
                           "env: {pass: [A=B]}\n",
                           "secrets: [{name: X}]\n",
                           "limits: {pids: 0}\n",
                           "limits: {memory: 4GB}\n",
                           "limits: {time: 10}\n",
                           "approvals: {mode: always}\n",
                           "syscalls: all\n",
                           "require: {fs_write: hard}\n",
                           "require: {fs: enforced}\n"}) {
    INFO(body);
    CHECK_FALSE(accepts(body));
    CHECK(load_error(body) != "accepted");
  }
  CHECK(
      accepts("filesystem: {write: [x, {path: /, confirm_wide: true}]}\nlimits: {memory: 1GiB}\n"));
}
