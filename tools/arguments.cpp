#include "tools/arguments.hpp"

#include "runtime/base/text.hpp"
#include "tools/json_schema.hpp"
#include "tools/schema_complaint.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::tools {

using nlohmann::json;
using nlohmann::ordered_json;

struct Arguments::Value {
  json object;
};

namespace {

const json* find(const json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

Result<Arguments> Arguments::parse(std::string_view text) {
  if (text.size() > kArgumentsBytesMax)
    return fail(ErrorCode::too_large, "arguments: " + format_bytes(text.size()) +
                                          " are more than " + format_bytes(kArgumentsBytesMax) +
                                          "; write a large file in several calls");
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) text = "{}";
  auto parsed = parse_strict_json(text);
  if (!parsed) return fail(context("arguments", parsed.error()));
  if (!parsed->is_object())
    return fail(ErrorCode::bad_data, std::string("arguments: send one JSON object, not ") +
                                         (parsed->is_array() ? "an array" : "a value"));
  auto value = std::make_shared<Value>();
  value->object = *std::move(parsed);
  return Arguments(std::move(value));
}

std::optional<std::string> Arguments::text(std::string_view name) const {
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<std::int64_t> Arguments::integer(std::string_view name) const {
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return INT64_MAX;
  return value->get<std::int64_t>();
}

std::optional<double> Arguments::number(std::string_view name) const {
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::optional<bool> Arguments::boolean(std::string_view name) const {
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

std::vector<std::int64_t> Arguments::integers(std::string_view name) const {
  std::vector<std::int64_t> numbers;
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_array()) return numbers;
  for (const json& item : *value)
    if (item.is_number_integer()) numbers.push_back(item.get<std::int64_t>());
  return numbers;
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
  std::vector<std::string> texts;
  const json* value = find(value_->object, name);
  if (value == nullptr || !value->is_array()) return texts;
  for (const json& item : *value)
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

bool Arguments::has(std::string_view name) const { return find(value_->object, name) != nullptr; }

std::string Arguments::to_json() const { return value_->object.dump(); }

struct ArgumentSchema::Compiled {
  std::string tool;
  std::string signature;
  std::vector<std::string> names;
  std::vector<std::string> required;
  JsonSchema schema;
};

namespace {

std::string type_word(const ordered_json& property) {
  if (const auto values = property.find("enum"); values != property.end() && values->is_array()) {
    std::string words;
    for (const ordered_json& value : *values)
      words += (words.empty() ? "" : "|") +
               (value.is_string() ? value.get<std::string>() : value.dump());
    if (words.size() <= 200) return words;
  }
  const auto type = property.find("type");
  if (type == property.end() || !type->is_string()) return "any";
  const auto word = type->get<std::string>();
  if (word != "array") return word;
  const auto items = property.find("items");
  return items != property.end() && items->is_object() ? type_word(*items) + "[]" : word;
}

// In the order of the schema, required ones first.
std::string signature_of(std::string_view tool, const ordered_json& parameters,
                         const std::vector<std::string>& required) {
  std::string text = std::string(tool) + "(";
  const auto append = [&](const std::string& name, const ordered_json& property, const char* mark) {
    if (!text.ends_with('(')) text += ", ";
    text.append(name).append(mark).append(": ").append(type_word(property));
  };
  const ordered_json properties = parameters.value("properties", ordered_json::object());
  const auto is_required = [&](const std::string& name) {
    return std::ranges::find(required, name) != required.end();
  };
  for (const auto& [name, property] : properties.items())
    if (is_required(name)) append(name, property, "");
  for (const auto& [name, property] : properties.items())
    if (!is_required(name)) append(name, property, "?");
  return text + ")";
}

Error wrong(std::string_view tool, std::string_view what, std::string_view signature) {
  return {ErrorCode::bad_data,
          std::string(tool) + ": " + std::string(what) + "; " + std::string(signature)};
}

}  // namespace

Result<ArgumentSchema> ArgumentSchema::compile(std::string_view tool, std::string_view parameters) {
  const std::string what = "tool " + in_quotes(tool) + ": parameters";
  auto schema = JsonSchema::compile(parameters);
  if (!schema) return fail(context(what, schema.error()));
  try {
    auto compiled = std::make_shared<Compiled>(Compiled{std::string(tool), {}, {}, {}, *schema});
    const json document = json::parse(schema->text());
    for (const json& name : document.value("required", json::array()))
      compiled->required.push_back(name.get<std::string>());
    for (const auto& [name, property] : document.value("properties", json::object()).items())
      compiled->names.push_back(name);
    compiled->signature = signature_of(tool, ordered_json::parse(parameters), compiled->required);
    return ArgumentSchema(std::move(compiled));
  } catch (const json::exception& error) {
    return fail(ErrorCode::bad_data, what + ": " + parser_message(error.what()));
  }
}

const std::string& ArgumentSchema::signature() const { return compiled_->signature; }

Result<> ArgumentSchema::check(const Arguments& arguments) const {
  const Compiled& compiled = *compiled_;
  json object = arguments.value_->object;
  // null is "not given".
  for (const std::string& name : compiled.names)
    if (const auto member = object.find(name); member != object.end() && member->is_null())
      object.erase(member);
  const Result<> fits = compiled.schema.check(object);
  if (fits) return {};
  return fail(wrong(compiled.tool, fits.error().message, compiled.signature));
}

}  // namespace fathom::tools
