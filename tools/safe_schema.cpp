#include "tools/safe_schema.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace fathom::tools {

using nlohmann::ordered_json;

namespace {

constexpr std::array<std::string_view, 3> kRunByRecursion = {"pattern", "patternProperties",
                                                             "format"};
// Whose members are schemas by name: a property may be called "pattern".
constexpr std::array<std::string_view, 4> kNamedSchemas = {"properties", "definitions", "$defs",
                                                           "dependencies"};
// Whose content is no schema.
constexpr std::array<std::string_view, 4> kValues = {"enum", "const", "default", "examples"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

enum class Holds : std::uint8_t { schema, named_schemas };

void strip(ordered_json& node, Holds holds) {
  if (node.is_array())
    for (ordered_json& item : node) strip(item, Holds::schema);
  if (!node.is_object()) return;
  if (holds == Holds::schema)
    for (const std::string_view name : kRunByRecursion) node.erase(std::string(name));
  for (auto& [name, value] : node.items()) {
    if (holds == Holds::named_schemas)
      strip(value, Holds::schema);
    else if (!is_one_of(kValues, name))
      strip(value, is_one_of(kNamedSchemas, name) ? Holds::named_schemas : Holds::schema);
  }
}

// Counts nodes with references followed, each target once: no counting of what is counted already,
// so the work is that of the schema's own size.
class Expansion {
 public:
  explicit Expansion(const ordered_json& root) : root_(root) {}

  Result<std::size_t> size_of(const ordered_json& node) {
    const auto known = sizes_.find(&node);
    if (known != sizes_.end()) {
      if (!known->second)
        return fail(ErrorCode::bad_data, "a reference leads back to where it stands");
      return *known->second;
    }
    sizes_.emplace(&node, std::nullopt);
    std::size_t size = 1;
    if (node.is_object()) {
      const auto reference = node.find("$ref");
      if (reference != node.end() && reference->is_string())
        size += TRY(size_at(reference->get_ref<const std::string&>()));
    }
    if (node.is_structured())
      for (const ordered_json& item : node) size += TRY(size_of(item));
    if (size > kSchemaNodesMax)
      return fail(ErrorCode::too_large, "more than " + std::to_string(kSchemaNodesMax) +
                                            " nodes with its references written out");
    sizes_[&node] = size;
    return size;
  }

 private:
  Result<std::size_t> size_at(const std::string& reference) {
    const std::string shown = "'" + to_printable(clip_prefix(reference, 80)) + "'";
    if (!reference.starts_with('#'))
      return fail(ErrorCode::bad_data, "reference " + shown + " leads out of the schema");
    try {
      const ordered_json::json_pointer pointer(reference.substr(1));
      if (!root_.contains(pointer))
        return fail(ErrorCode::bad_data, "reference " + shown + " leads nowhere");
      return size_of(root_.at(pointer));
    } catch (const ordered_json::exception&) {
      return fail(ErrorCode::bad_data, "reference " + shown + " is none");
    }
  }

  const ordered_json& root_;
  std::map<const ordered_json*, std::optional<std::size_t>> sizes_;
};

}  // namespace

Result<std::string> safe_schema(std::string_view parameters) {
  if (parameters.size() > kSchemaBytesMax)
    return fail(ErrorCode::too_large, format_bytes(parameters.size()) + " are more than " +
                                          format_bytes(kSchemaBytesMax));
  bool is_deep = false;
  const auto watch = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
    is_deep = is_deep || depth > kSchemaDepthMax;
    return !is_deep;
  };
  ordered_json schema = ordered_json::parse(parameters, watch, false);
  if (is_deep)
    return fail(ErrorCode::too_large, "nested deeper than " + std::to_string(kSchemaDepthMax));
  if (schema.is_discarded()) return fail(ErrorCode::bad_data, "no JSON");
  if (!schema.is_object()) return fail(ErrorCode::bad_data, "no JSON object");
  strip(schema, Holds::schema);
  TRY(Expansion(schema).size_of(schema));
  return schema.dump();
}

}  // namespace fathom::tools
