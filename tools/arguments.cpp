#include "tools/arguments.hpp"

#include "runtime/base/text.hpp"
#include "tools/safe_schema.hpp"
#include "tools/schema_complaint.hpp"

#include <nlohmann/json.hpp>
// Without it the library ends the program over a schema that it does not like.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace fathom::tools {

using nlohmann::json;
using nlohmann::ordered_json;

struct Arguments::Value {
  json object;
};

namespace {

// What the library's parser accepts and we do not.
class Unacceptable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Watches the parser: a key that stands twice means that somebody and we could read two different
// calls, and depth costs stack in whoever walks the value.
class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& value) {
    if (depth > kArgumentsDepthMax)
      throw Unacceptable("nested deeper than " + std::to_string(kArgumentsDepthMax));
    if (event == json::parse_event_t::object_start) open_.emplace_back();
    if (event == json::parse_event_t::object_end) open_.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!open_.back().insert(key).second) throw Unacceptable(in_quotes(key) + " stands twice");
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> open_;
};

// The library says "[json.exception.parse_error.101] parse error at line 1, column 2: …".
std::string parser_message(std::string_view what) {
  const std::size_t prefix = what.find("] ");
  if (what.starts_with('[') && prefix != std::string_view::npos) what.remove_prefix(prefix + 2);
  return to_printable(clip_prefix(what, 200));
}

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
  try {
    auto value = std::make_shared<Value>();
    Watch watch;
    value->object = json::parse(text, std::ref(watch));
    if (!value->object.is_object())
      return fail(ErrorCode::bad_data, std::string("arguments: send one JSON object, not ") +
                                           (value->object.is_array() ? "an array" : "a value"));
    return Arguments(std::move(value));
  } catch (const json::exception& error) {
    return fail(ErrorCode::bad_data, "arguments: " + parser_message(error.what()));
  } catch (const Unacceptable& error) {
    return fail(ErrorCode::bad_data, std::string("arguments: ") + error.what());
  }
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
  std::string text;  ///< what `schema` was compiled from
  valijson::Schema schema;
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

// `<root>`, `[files]`, `[0]` as a person writes it: files[0].
std::string place_of(const std::vector<std::string>& context) {
  std::string place;
  for (const std::string& step : context) {
    if (!step.starts_with('[') || !step.ends_with(']')) continue;
    const std::string name = step.substr(1, step.size() - 2);
    const bool is_index = name.find_first_not_of("0123456789") == std::string::npos;
    place += is_index ? step : (place.empty() ? "" : ".") + name;
  }
  return place;
}

// For the keywords that have no words of ours: the innermost place that the library names.
std::string mismatch(valijson::ValidationResults& results) {
  valijson::ValidationResults::Error error;
  std::string place;
  std::size_t depth = 0;
  while (results.popError(error)) {
    if (error.context.size() <= depth) continue;
    depth = error.context.size();
    place = place_of(error.context);
  }
  return (place.empty() ? "the arguments do" : in_quotes(place) + " does") +
         " not match the tool's schema";
}

Error wrong(std::string_view tool, std::string_view what, std::string_view signature) {
  return {ErrorCode::bad_data,
          std::string(tool) + ": " + std::string(what) + "; " + std::string(signature)};
}

}  // namespace

Result<ArgumentSchema> ArgumentSchema::compile(std::string_view tool, std::string_view parameters) {
  const std::string what = "tool " + in_quotes(tool) + ": parameters";
  try {
    const auto safe = safe_schema(parameters);
    if (!safe) return fail(context(what, safe.error()));
    const json schema = json::parse(*safe);
    auto compiled = std::make_shared<Compiled>();
    compiled->tool = tool;
    for (const json& name : schema.value("required", json::array()))
      compiled->required.push_back(name.get<std::string>());
    for (const auto& [name, property] : schema.value("properties", json::object()).items())
      compiled->names.push_back(name);
    compiled->text = *safe;
    compiled->signature = signature_of(tool, ordered_json::parse(parameters), compiled->required);
    const valijson::adapters::NlohmannJsonAdapter adapter(schema);
    valijson::SchemaParser().populateSchema(adapter, compiled->schema);
    return ArgumentSchema(std::move(compiled));
  } catch (const std::exception& error) {  // the libraries': json::exception and runtime_error
    return fail(ErrorCode::bad_data, what + ": " + parser_message(error.what()));
  }
}

const std::string& ArgumentSchema::signature() const { return compiled_->signature; }

Result<> ArgumentSchema::check(const Arguments& arguments) const {
  const Compiled& compiled = *compiled_;
  json object = arguments.value_->object;
  const auto wrong_with = [&](std::string_view what) {
    return fail(wrong(compiled.tool, what, compiled.signature));
  };
  // null is "not given".
  for (const std::string& name : compiled.names)
    if (const auto member = object.find(name); member != object.end() && member->is_null())
      object.erase(member);
  try {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter adapter(object);
    if (validator.validate(compiled.schema, adapter, &results)) return {};
    const auto complaint = schema_complaint(compiled.text, object.dump());
    return wrong_with(complaint ? *complaint : mismatch(results));
  } catch (const std::exception& error) {  // a bad regular expression of somebody's schema
    return wrong_with(parser_message(error.what()));
  }
}

}  // namespace fathom::tools
