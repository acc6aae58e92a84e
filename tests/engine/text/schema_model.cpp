#include "tests/engine/text/schema_model.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::engine::test {
namespace {

const Json kAnything = Json::object();
constexpr int kDepthMax = 4;

const Json& follow(const Json& schema, const Json& document) {
  if (!schema.is_object() || !schema.contains("$ref")) return schema;
  const std::string pointer = schema.at("$ref").get<std::string>().substr(1);
  return follow(document.at(Json::json_pointer(pointer)), document);
}

std::size_t code_points(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool matches_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == value.type_name();
}

const Json& others_of(const Json& schema) {
  static const Json kNone = false;
  if (schema.contains("additionalProperties")) return schema.at("additionalProperties");
  return schema.contains("properties") ? kNone : kAnything;
}

std::string why_invalid_object(const Json& value, const Json& schema, const Json& document) {
  const Json properties = schema.value("properties", Json::object());
  for (const Json& name : schema.value("required", Json::array()))
    if (!value.contains(name.get<std::string>())) return "lacks " + name.dump();
  for (const auto& [name, member] : value.items()) {
    const Json& of = properties.contains(name) ? properties.at(name) : others_of(schema);
    if (const std::string why = why_invalid(member, of, document); !why.empty())
      return name + ": " + why;
  }
  return {};
}

std::string why_invalid_bounds(std::size_t size, const Json& schema, const char* min,
                               const char* max) {
  if (schema.contains(min) && size < schema.at(min)) return "too short";
  if (schema.contains(max) && size > schema.at(max)) return "too long";
  return {};
}

std::string random_text(Dice& dice, std::size_t length) {
  static const std::vector<std::string> kPieces = {"a",  "z", " ", "é",    "中", "🙂", "\"", "\\",
                                                   "\n", "<", "/", "\x01", "｜", "D",  "{",  "0"};
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += kPieces[dice.roll(kPieces.size())];
  return text;
}

std::size_t random_size(const Json& schema, Dice& dice, const char* min, const char* max) {
  const auto low = schema.value(min, std::size_t{0});
  const auto high = std::min(schema.value(max, low + 4), low + 4);
  return low + dice.roll(high - low + 1);
}

Json random_object(const Json& schema, const Json& document, Dice& dice, int depth) {
  std::vector<std::pair<std::string, Json>> members;
  const Json properties = schema.value("properties", Json::object());
  const Json required = schema.value("required", Json::array());
  for (const auto& [name, of] : properties.items())
    if (std::ranges::find(required, Json(name)) != required.end() ||
        (depth < kDepthMax && dice.chance(1, 2)))
      members.emplace_back(name, random_value(of, document, dice, depth + 1));
  if (others_of(schema) != false && depth < kDepthMax)
    for (std::size_t i = dice.roll(3); i-- > 0;) {
      const std::string name = random_text(dice, 1 + dice.roll(3));
      // A control character needs a \u escape, which free keys do not have.
      if (!properties.contains(name) && !name.contains('\x01'))
        members.emplace_back(name, random_value(others_of(schema), document, dice, depth + 1));
    }
  if (properties.size() <= 64)
    for (std::size_t i = members.size(); i > 1; --i)
      std::swap(members[i - 1], members[dice.roll(i)]);
  Json made = Json::object();
  for (auto& [name, member] : members) made[name] = std::move(member);
  return made;
}

std::string random_type(const Json& schema, Dice& dice, int depth) {
  if (schema.contains("type")) {
    const Json& type = schema.at("type");
    return (type.is_array() ? type[dice.roll(type.size())] : type).get<std::string>();
  }
  if (schema.contains("properties")) return "object";
  static const std::vector<std::string> kTypes = {"string", "number", "integer", "boolean",
                                                  "null",   "object", "array"};
  return kTypes[dice.roll(depth < kDepthMax ? 7 : 5)];
}

// Whitespace where the policy allows it, from none to a line with indentation.
std::string gap(Dice& dice) {
  if (dice.chance(1, 2)) return {};
  if (dice.chance(1, 2)) return " ";
  return "\n" + std::string(dice.roll(10), dice.chance(1, 4) ? '\t' : ' ');
}

}  // namespace

std::string why_invalid(const Json& value, const Json& unresolved, const Json& document) {
  const Json& schema = follow(unresolved, document);
  if (schema == false) return "nothing is allowed";
  if (schema == true) return {};
  if (value.is_null() && schema.value("nullable", false)) return {};
  if (schema.contains("const") && value != schema.at("const")) return "not the constant";
  if (schema.contains("enum") &&
      std::ranges::find(schema.at("enum"), value) == schema.at("enum").end())
    return "not of the enum";
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (!schema.contains(keyword)) continue;
    const bool any = std::ranges::any_of(schema.at(keyword), [&](const Json& branch) {
      return why_invalid(value, branch, document).empty();
    });
    if (!any) return "no branch of " + std::string(keyword);
  }
  if (schema.contains("type")) {
    const Json types =
        schema.at("type").is_array() ? schema.at("type") : Json::array({schema.at("type")});
    if (std::ranges::none_of(types, [&](const Json& type) { return matches_type(value, type); }))
      return "wrong type";
  }
  if (value.is_object()) return why_invalid_object(value, schema, document);
  if (value.is_string())
    return why_invalid_bounds(code_points(value.get<std::string>()), schema, "minLength",
                              "maxLength");
  if (value.is_number() && schema.contains("minimum") && value < schema.at("minimum"))
    return "small";
  if (value.is_number() && schema.contains("maximum") && value > schema.at("maximum"))
    return "large";
  if (!value.is_array()) return {};
  for (const Json& item : value)
    if (const auto why = why_invalid(item, schema.value("items", Json(true)), document);
        !why.empty())
      return "item: " + why;
  return why_invalid_bounds(value.size(), schema, "minItems", "maxItems");
}

Json random_value(const Json& unresolved, const Json& document, Dice& dice, int depth) {
  const Json& schema = follow(unresolved, document);
  if (schema.is_boolean()) return random_value(kAnything, document, dice, depth);
  if (schema.value("nullable", false) && dice.chance(1, 4)) return nullptr;
  if (schema.contains("const")) return schema.at("const");
  if (schema.contains("enum")) return schema.at("enum")[dice.roll(schema.at("enum").size())];
  for (const char* keyword : {"anyOf", "oneOf", "allOf"})
    if (schema.contains(keyword)) {
      const Json& branches = schema.at(keyword);
      // The last branch is the one that ends recursion in the tests' schemas.
      const std::size_t branch =
          depth < kDepthMax ? dice.roll(branches.size()) : branches.size() - 1;
      return random_value(branches[branch], document, dice, depth + 1);
    }
  const std::string type = random_type(schema, dice, depth);
  if (type == "object") return random_object(schema, document, dice, depth);
  if (type == "string")
    return random_text(dice, random_size(schema, dice, "minLength", "maxLength"));
  if (type == "boolean") return dice.chance(1, 2);
  if (type == "null") return nullptr;
  if (type == "integer" && schema.contains("minimum"))
    return schema.at("minimum").get<int>() +
           static_cast<int>(dice.roll(schema.at("maximum").get<std::size_t>() + 1));
  if (type == "array") {
    Json made = Json::array();
    for (std::size_t i = random_size(schema, dice, "minItems", "maxItems"); i-- > 0;)
      made.push_back(random_value(schema.value("items", Json(true)), document, dice, depth + 1));
    return made;
  }
  if (type == "integer" || dice.chance(1, 2))
    return static_cast<std::int64_t>(dice.roll(2000)) - 1000;
  return static_cast<double>(dice.roll(4000)) / 16 - 100;
}

std::string print(const Json& value, Dice& dice) {
  if (!value.is_structured()) return value.dump();
  std::string text = value.is_object() ? "{" : "[";
  bool first = true;
  for (const auto& [name, member] : value.items()) {
    if (!first) text += gap(dice) + ",";
    text += gap(dice);
    if (value.is_object()) text += Json(name).dump() + ":" + gap(dice);
    text += print(member, dice);
    first = false;
  }
  return text + gap(dice) + (value.is_object() ? "}" : "]");
}

}  // namespace fathom::engine::test
