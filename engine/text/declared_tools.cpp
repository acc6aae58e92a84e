#include "engine/text/declared_tools.hpp"

#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <utility>

namespace fathom::engine {
namespace {

using Kind = JsonValue::Kind;

std::uint8_t type_named(std::string_view name) {
  constexpr std::pair<std::string_view, std::uint8_t> kNames[] = {
      {"string", JsonTypes::kString},  {"number", JsonTypes::kNumber},
      {"integer", JsonTypes::kNumber}, {"boolean", JsonTypes::kBoolean},
      {"array", JsonTypes::kArray},    {"object", JsonTypes::kObject},
      {"null", JsonTypes::kNull}};
  for (const auto& [known, bit] : kNames)
    if (name == known) return bit;
  return 0;
}

std::uint8_t type_of(const JsonValue& value) {
  switch (value.kind) {
    case Kind::null:
      return JsonTypes::kNull;
    case Kind::boolean:
      return JsonTypes::kBoolean;
    case Kind::number:
      return JsonTypes::kNumber;
    case Kind::string:
      return JsonTypes::kString;
    case Kind::array:
      return JsonTypes::kArray;
    default:
      return JsonTypes::kObject;
  }
}

// "type" is a name or a list of names; anything else says nothing.
JsonTypes types_of(const JsonValue& schema) {
  JsonTypes types;
  const JsonValue* type = schema.find("type");
  if (!type) return types;
  if (type->is(Kind::string)) types.bits = type_named(type->text);
  for (const JsonValue& one : type->items)
    if (one.is(Kind::string)) types.bits |= type_named(one.text);
  return types;
}

DeclaredTool to_tool(const JsonValue* schema) {
  DeclaredTool tool;
  if (!schema) return tool;
  if (const JsonValue* properties = schema->find("properties"))
    for (std::size_t i = 0; i < properties->keys.size(); ++i)
      tool.parameters[properties->keys[i]] = types_of(properties->items[i]);
  if (const JsonValue* required = schema->find("required"))
    for (const JsonValue& name : required->items)
      if (name.is(Kind::string)) tool.required.push_back(name.text);
  return tool;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, to_valid_utf8(text));
  return out + '"';
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Result<DeclaredTools> DeclaredTools::create(std::span<const std::string> functions) {
  DeclaredTools declared;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    auto function = parse_json(functions[i]);
    if (!function) return fail(context(where, std::move(function).error()));
    const JsonValue* name = function->find("name");
    if (!name || !name->is(Kind::string) || name->text.empty())
      return fail(ErrorCode::bad_data, where + ": a tool needs a name");
    declared.tools_[name->text] = to_tool(function->find("parameters"));
  }
  return declared;
}

const DeclaredTool* DeclaredTools::find(std::string_view name) const {
  const auto found = tools_.find(name);
  return found == tools_.end() ? nullptr : &found->second;
}

bool is_text(StringMark mark, JsonTypes types) {
  if (mark == StringMark::no) return false;
  if (mark == StringMark::yes) return !types.known() || types.allow(JsonTypes::kString);
  return types.bits == JsonTypes::kString;
}

std::string to_argument(std::string_view text, StringMark mark, JsonTypes types) {
  if (is_text(mark, types)) return quoted(text);
  const std::string_view json = trimmed(text);
  const auto value = parse_json(json);
  const bool fits = value && (!types.known() || types.allow(type_of(*value)));
  return fits ? std::string(json) : quoted(text);
}

}  // namespace fathom::engine
