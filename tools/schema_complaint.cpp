#include "tools/schema_complaint.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fathom::tools {

using nlohmann::ordered_json;

namespace {

using Complaint = std::optional<std::string>;

constexpr std::size_t kShownBytesMax = 60;  // of a value or a name in an error
constexpr std::size_t kChoicesBytesMax = 300;
constexpr int kDepthMax = 64;  // as deep as arguments may be

const ordered_json* member(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string article(std::string_view type) {
  if (type == "null") return "null";
  const bool vowel = type.starts_with('a') || type.starts_with('i') || type.starts_with('o');
  return (vowel ? "an " : "a ") + std::string(type);
}

bool has_type(const ordered_json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer")
    return value.is_number() && std::trunc(value.get<double>()) == value.get<double>();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return type != "null" || value.is_null();
}

std::string shown(const ordered_json& value) {
  const std::string text = value.is_string()
                               ? value.get<std::string>()
                               : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  const std::string_view start = clip_prefix(text, kShownBytesMax);
  const std::string printable = to_printable(start) + (start.size() < text.size() ? "…" : "");
  return value.is_string() ? "'" + printable + "'" : printable;
}

std::string count_of(const ordered_json& number, std::string_view thing) {
  return number.dump() + " " + std::string(thing) + (number == 1 ? "" : "s");
}

Complaint wrong_type(const ordered_json& schema, const ordered_json& value) {
  const ordered_json* type = member(schema, "type");
  if (type == nullptr) return std::nullopt;
  std::string wanted;
  for (const ordered_json& one : type->is_array() ? *type : ordered_json::array({*type})) {
    if (!one.is_string() || has_type(value, one.get<std::string>())) return std::nullopt;
    wanted += (wanted.empty() ? "" : " or ") + article(one.get<std::string>());
  }
  // 2.5 is a number as well: there the value says more than its type.
  const bool is_fraction = value.is_number_float() && wanted == "an integer";
  return "must be " + wanted + ", not " + (is_fraction ? shown(value) : article(value.type_name()));
}

Complaint wrong_choice(const ordered_json& schema, const ordered_json& value) {
  if (const ordered_json* only = member(schema, "const"); only != nullptr && *only != value)
    return "must be " + shown(*only) + ", not " + shown(value);
  const ordered_json* choices = member(schema, "enum");
  if (choices == nullptr || !choices->is_array()) return std::nullopt;
  if (std::ranges::find(*choices, value) != choices->end()) return std::nullopt;
  std::string words;
  for (const ordered_json& choice : *choices) {
    if (words.size() > kChoicesBytesMax) {
      words += ", …";
      break;
    }
    words += (words.empty() ? "" : ", ") + shown(choice);
  }
  return "must be one of " + words + ", not " + shown(value);
}

// The bounds that come in pairs: lengths of three kinds, and of a number itself.
Complaint wrong_size(const ordered_json& schema, const ordered_json& size, const char* least,
                     const char* most, std::string_view thing) {
  const ordered_json* low = member(schema, least);
  const ordered_json* high = member(schema, most);
  const bool too_small = low != nullptr && low->is_number() && size < *low;
  const bool too_large = high != nullptr && high->is_number() && size > *high;
  if (!too_small && !too_large) return std::nullopt;
  if (thing.empty())
    return too_small ? "must be at least " + low->dump() : "must be at most " + high->dump();
  if (low != nullptr && high != nullptr && *low == *high)
    return "must have " + count_of(*low, thing);
  return too_small ? "must have at least " + count_of(*low, thing)
                   : "must have at most " + count_of(*high, thing);
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

Complaint wrong_itself(const ordered_json& schema, const ordered_json& value) {
  if (auto wrong = wrong_type(schema, value)) return wrong;
  if (auto wrong = wrong_choice(schema, value)) return wrong;
  if (value.is_string())
    return wrong_size(schema, characters(value.get_ref<const std::string&>()), "minLength",
                      "maxLength", "character");
  if (value.is_array()) return wrong_size(schema, value.size(), "minItems", "maxItems", "item");
  if (value.is_object())
    return wrong_size(schema, value.size(), "minProperties", "maxProperties", "member");
  if (value.is_number()) return wrong_size(schema, value, "minimum", "maximum", "");
  return std::nullopt;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string_view near = nearest(name, names);
  return near.empty() ? "" : " (did you mean " + in_quotes(near) + "?)";
}

// Outside-in: the first thing that is wrong is the one to mend.
class Search {
 public:
  Complaint look(const ordered_json& schema, const ordered_json& value, const std::string& place,
                 int depth) {
    if (!schema.is_object() || depth > kDepthMax) return std::nullopt;
    if (auto wrong = wrong_itself(schema, value))
      return (place.empty() ? "the value" : in_quotes(place)) + " " + *wrong;
    if (value.is_object())
      if (auto wrong = in_object(schema, value, place, depth)) return wrong;
    const ordered_json* items = member(schema, "items");
    if (value.is_array() && items != nullptr && items->is_object())
      for (std::size_t i = 0; i < value.size(); ++i)
        if (auto wrong = look(*items, value[i], place + "[" + std::to_string(i) + "]", depth + 1))
          return wrong;
    if (const ordered_json* all = member(schema, "allOf"); all != nullptr && all->is_array())
      for (const ordered_json& part : *all)
        if (auto wrong = look(part, value, place, depth + 1)) return wrong;
    return std::nullopt;
  }

 private:
  Complaint in_object(const ordered_json& schema, const ordered_json& value,
                      const std::string& place, int depth) {
    const ordered_json* properties = member(schema, "properties");
    std::vector<std::string> known;
    if (properties != nullptr && properties->is_object())
      for (const auto& [name, property] : properties->items()) known.push_back(name);
    const std::string in = place.empty() ? "" : " in " + in_quotes(place);
    const ordered_json* open = member(schema, "additionalProperties");
    for (const auto& [name, inner] : value.items())
      if (open != nullptr && *open == false && std::ranges::find(known, name) == known.end())
        return "unknown " + in_quotes(name) + in + did_you_mean(name, known);
    if (const ordered_json* required = member(schema, "required");
        required != nullptr && required->is_array())
      for (const ordered_json& name : *required)
        if (name.is_string() && !value.contains(name.get<std::string>()))
          return "missing " + in_quotes(name.get<std::string>()) + in;
    const std::string before = place.empty() ? "" : place + ".";
    for (const std::string& name : known) {
      if (!value.contains(name)) continue;
      std::string inner = before;
      inner += name;
      if (auto wrong = look((*properties)[name], value[name], inner, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
};

}  // namespace

std::string in_quotes(std::string_view name) {
  return "'" + to_printable(clip_prefix(name, kShownBytesMax)) + "'";
}

std::optional<std::string> schema_complaint(std::string_view schema, std::string_view value) {
  const ordered_json rules = ordered_json::parse(schema, nullptr, false);
  const ordered_json found = ordered_json::parse(value, nullptr, false);
  if (rules.is_discarded() || found.is_discarded()) return std::nullopt;
  return Search().look(rules, found, "", 0);
}

}  // namespace fathom::tools
