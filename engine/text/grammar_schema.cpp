#include "engine/text/grammar_schema.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace fathom::engine {
namespace {

using Json = SchemaCompiler::Json;

// Keywords that narrow what is allowed and that no rule here expresses.
constexpr std::array<std::string_view, 22> kNarrowing = {"pattern",
                                                         "patternProperties",
                                                         "propertyNames",
                                                         "minProperties",
                                                         "maxProperties",
                                                         "dependencies",
                                                         "dependentRequired",
                                                         "dependentSchemas",
                                                         "not",
                                                         "if",
                                                         "then",
                                                         "else",
                                                         "uniqueItems",
                                                         "contains",
                                                         "prefixItems",
                                                         "additionalItems",
                                                         "unevaluatedItems",
                                                         "multipleOf",
                                                         "minimum",
                                                         "maximum",
                                                         "exclusiveMinimum",
                                                         "exclusiveMaximum"};

// Keywords that say something about the value itself, as opposed to annotations.
constexpr std::array<std::string_view, 17> kAssertions = {"$ref",
                                                          "anyOf",
                                                          "oneOf",
                                                          "allOf",
                                                          "enum",
                                                          "const",
                                                          "type",
                                                          "items",
                                                          "properties",
                                                          "required",
                                                          "additionalProperties",
                                                          "minItems",
                                                          "maxItems",
                                                          "minLength",
                                                          "maxLength",
                                                          "nullable",
                                                          "unevaluatedProperties"};

const Json* find(const Json& schema, const char* keyword) {
  const auto found = schema.find(keyword);
  return found == schema.end() ? nullptr : &*found;
}

bool is_type(const std::string& word) {
  constexpr std::array<std::string_view, 7> kTypes = {"object",  "array",   "string", "number",
                                                      "integer", "boolean", "null"};
  return std::ranges::find(kTypes, word) != kTypes.end();
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == value.type_name();
}

// The integers a schema allows when it bounds them closely on both sides; empty otherwise.
std::vector<std::string> small_range(const Json& schema) {
  const auto bound = [&](const char* inclusive, const char* exclusive,
                         std::int64_t step) -> std::optional<std::int64_t> {
    constexpr std::int64_t kFar = std::int64_t{1} << 53;
    const Json* own = find(schema, inclusive);
    const Json* strict = find(schema, exclusive);
    if ((own == nullptr) == (strict == nullptr)) return std::nullopt;
    const Json& value = own != nullptr ? *own : *strict;
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{kFar})
      return std::nullopt;
    const auto number = value.get<std::int64_t>();
    if (number < -kFar || number > kFar) return std::nullopt;
    return own != nullptr ? number : number + step;
  };
  const auto low = bound("minimum", "exclusiveMinimum", 1);
  const auto high = bound("maximum", "exclusiveMaximum", -1);
  std::vector<std::string> spellings;
  if (!low || !high || *high - *low >= kIntegerRangeMax) return spellings;
  for (std::int64_t i = *low; i <= *high; ++i) spellings.push_back(std::to_string(i));
  return spellings;
}

bool is_integer_only(const Json& schema) {
  const Json* type = find(schema, "type");
  return type != nullptr && type->is_string() && *type == "integer";
}

}  // namespace

SchemaCompiler::SchemaCompiler(ProgramBuilder& builder, const Context& context)
    : builder_(builder), json_(builder), context_(context) {}

SchemaCompiler::Place::Place(SchemaCompiler& compiler, std::string_view step)
    : compiler_(compiler), length_(compiler.place_.size()) {
  if (!compiler_.place_.empty() && step != "[]") compiler_.place_ += '.';
  compiler_.place_ += step;
}

std::string SchemaCompiler::at_place(std::string_view what) const {
  std::string text;
  if (!place_.empty()) text.append(context_.member_word).append(" '").append(place_).append("': ");
  return text.append(what);
}

std::unexpected<Error> SchemaCompiler::refuse(std::string_view what) const {
  return fail(ErrorCode::bad_data, at_place(what));
}

Result<> SchemaCompiler::not_held(std::string_view keyword, std::string_view why) {
  const std::string named = "keyword '" + std::string(keyword) + "' ";
  if (context_.unsupported == Unsupported::refuse)
    return fail(ErrorCode::unsupported,
                at_place("unsupported " + named + "(" + std::string(why) + ")"));
  relaxations_.push_back(at_place(named + "is not held to"));
  return {};
}

Result<> SchemaCompiler::check_keywords(const Json& schema) {
  const bool ranged = is_integer_only(schema) && !small_range(schema).empty();
  for (const auto& [keyword, value] : schema.items()) {
    if (std::ranges::find(kNarrowing, keyword) == kNarrowing.end()) continue;
    if (ranged && (keyword.ends_with("inimum") || keyword.ends_with("aximum"))) continue;
    if (keyword == "uniqueItems" && value == false) continue;
    TRY(not_held(keyword, "no grammar expresses it: leave it out"));
  }
  return {};
}

Result<> SchemaCompiler::check_siblings(const Json& schema, std::string_view beside) {
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == beside || keyword == "nullable") continue;
    if (std::ranges::find(kAssertions, keyword) != kAssertions.end())
      TRY(not_held(keyword, "beside '" + std::string(beside) + "': write it inside"));
  }
  return {};
}

Result<const Json*> SchemaCompiler::look_up(std::string_view reference) {
  const std::string named = "'$ref' to '" + std::string(reference) + "'";
  if (!reference.starts_with('#'))
    return fail(ErrorCode::unsupported, at_place(named + " leaves the document"));
  const Json* at = &context_.document;
  std::string_view rest = reference.substr(1);
  while (!rest.empty()) {
    if (!rest.starts_with('/'))
      return fail(ErrorCode::unsupported, at_place(named + " is no pointer (write '#/$defs/…')"));
    rest.remove_prefix(1);
    std::string step(rest.substr(0, rest.find('/')));
    rest.remove_prefix(step.size());
    for (const auto& [escape, plain] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
      for (std::size_t i = step.find(escape); i != std::string::npos; i = step.find(escape, i + 1))
        step.replace(i, 2, plain);
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (at->is_object() && at->contains(step)) {
      at = &at->at(step);
    } else if (at->is_array() && error == std::errc() && end == step.data() + step.size() &&
               index < at->size()) {
      at = &(*at)[index];
    } else {
      return refuse(named + " leads nowhere");
    }
  }
  return at;
}

Result<const Json*> SchemaCompiler::resolve(const Json& schema) {
  const Json* at = &schema;
  for (std::size_t hops = 0; at->is_object() && at->contains("$ref"); ++hops) {
    const Json& reference = at->at("$ref");
    if (!reference.is_string()) return refuse("'$ref' must be a string");
    if (hops == kSchemaDepthMax)
      return refuse("a '$ref' leads back to itself without a value between");
    TRY(check_siblings(*at, "$ref"));
    at = TRY(look_up(reference.get_ref<const std::string&>()));
  }
  return at;
}

Result<NodeId> SchemaCompiler::value(const Json& schema) {
  const Json* resolved = TRY(resolve(schema));
  if (const auto known = rules_.find(resolved); known != rules_.end()) return known->second;
  if (depth_ == kSchemaDepthMax)
    return fail(ErrorCode::too_large,
                at_place("schemas nested deeper than " + std::to_string(kSchemaDepthMax)));
  const NodeId rule = builder_.reserve();
  rules_.emplace(resolved, rule);
  ++depth_;
  const NodeId made = TRY(compile(*resolved));
  --depth_;
  builder_.define(rule, made);
  return rule;
}

Result<NodeId> SchemaCompiler::compile(const Json& schema) {
  if (schema.is_boolean()) return schema == true ? json_.any_value() : builder_.alternatives({});
  if (!schema.is_object()) return refuse("a schema must be an object or a boolean");
  TRY(check_keywords(schema));
  std::vector<NodeId> rules;
  if (schema.contains("const") || schema.contains("enum")) {
    rules.push_back(json_.one_of(TRY(enumerated(schema))));
  } else if (const Json* branches = TRY(branches_of(schema))) {
    for (const Json& branch : *branches) rules.push_back(TRY(value(branch)));
  } else {
    const std::vector<std::string> allowed = TRY(types(schema));
    if (allowed.empty()) return json_.any_value();
    for (const std::string& type : allowed) rules.push_back(TRY(of_type(type, schema)));
  }
  if (schema.value("nullable", Json(false)) == true)
    rules.push_back(builder_.literal("null", builder_.finish()));
  return builder_.alternatives(std::move(rules));
}

// The schemas of which one must hold; null where the schema does not say it so.
Result<const Json*> SchemaCompiler::branches_of(const Json& schema) {
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    const Json* branches = find(schema, keyword);
    if (branches == nullptr) continue;
    if (!branches->is_array() || branches->empty())
      return refuse("'" + std::string(keyword) + "' must be an array of schemas");
    if (keyword == std::string_view("allOf") && branches->size() > 1) {
      TRY(not_held(keyword, "of several schemas: write them as one"));
      continue;
    }
    TRY(check_siblings(schema, keyword));
    return branches;
  }
  return nullptr;
}

Result<std::vector<std::string>> SchemaCompiler::enumerated(const Json& schema) {
  const Json* constant = find(schema, "const");
  const Json values = constant != nullptr ? Json::array({*constant}) : schema.at("enum");
  if (!values.is_array() || values.empty()) return refuse("'enum' must be an array of values");
  const std::vector<std::string> allowed = TRY(types(schema));
  std::vector<std::string> spellings;
  for (const Json& one : values) {
    const bool fits =
        allowed.empty() || !schema.contains("type") ||
        std::ranges::any_of(allowed, [&](const std::string& type) { return has_type(one, type); });
    if (fits) spellings.push_back(one.dump());
  }
  if (spellings.empty()) return refuse("no value of 'enum' has the type of 'type'");
  return spellings;
}

Result<std::vector<std::string>> SchemaCompiler::types(const Json& schema) {
  std::vector<std::string> allowed;
  const Json* type = find(schema, "type");
  if (type == nullptr) {
    for (const char* keyword : {"properties", "required", "additionalProperties"})
      if (schema.contains(keyword)) return std::vector<std::string>{"object"};
    for (const char* keyword : {"items", "minItems", "maxItems"})
      if (schema.contains(keyword)) return std::vector<std::string>{"array"};
    return allowed;
  }
  for (const Json& one : type->is_array() ? *type : Json::array({*type})) {
    if (!one.is_string() || !is_type(one.get<std::string>()))
      return refuse("unknown type " + one.dump());
    allowed.push_back(one.get<std::string>());
  }
  if (allowed.empty()) return refuse("'type' must name a type");
  return allowed;
}

Result<NodeId> SchemaCompiler::of_type(const std::string& type, const Json& schema) {
  if (type == "object") return object(schema);
  if (type == "array") return array(schema);
  if (type == "string") return json_.string(TRY(bounds(schema, "minLength", "maxLength")));
  if (type == "number") return json_.number();
  if (type == "integer") {
    const std::vector<std::string> range = small_range(schema);
    return range.empty() ? json_.integer() : json_.one_of(range);
  }
  const std::vector<std::string> words =
      type == "null" ? std::vector<std::string>{"null"} : std::vector<std::string>{"false", "true"};
  return json_.one_of(words);
}

Result<Bounds> SchemaCompiler::bounds(const Json& schema, const char* min, const char* max) {
  Bounds made;
  for (const auto& [keyword, into] : {std::pair{min, &made.min}, std::pair{max, &made.max}}) {
    const Json* value = find(schema, keyword);
    if (value == nullptr) continue;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() >= Bounds::kUnbounded)
      return refuse("'" + std::string(keyword) + "' must be a whole number below 2^32 - 1");
    *into = value->get<std::uint32_t>();
  }
  if (made.min > made.max)
    return refuse("'" + std::string(min) + "' is more than '" + std::string(max) + "'");
  return made;
}

Result<NodeId> SchemaCompiler::array(const Json& schema) {
  const Bounds items = TRY(bounds(schema, "minItems", "maxItems"));
  const Json* item = find(schema, "items");
  if (item == nullptr) return json_.array(json_.any_value(), items);
  if (item->is_array())
    return fail(
        ErrorCode::unsupported,
        at_place("unsupported keyword 'items' (a list of schemas: give one for all items)"));
  const Place place(*this, "[]");
  return json_.array(TRY(value(*item)), items);
}

Result<SchemaCompiler::Members> SchemaCompiler::members(const Json& schema) {
  static const Json kAnything = true;
  Members made;
  const Json* properties = find(schema, "properties");
  if (properties != nullptr && !properties->is_object())
    return refuse("'properties' must be an object");
  const Json* required = find(schema, "required");
  if (required != nullptr && !required->is_array()) return refuse("'required' must be an array");
  for (const Json* list : {properties, required})
    if (list != nullptr && list->size() > kMembersMax)
      return fail(ErrorCode::too_large,
                  at_place(std::to_string(list->size()) + " properties are more than " +
                           std::to_string(kMembersMax)));
  const Json* others = find(schema, "additionalProperties");
  if (others == nullptr) others = find(schema, "unevaluatedProperties");
  if (others == nullptr && properties == nullptr) others = &kAnything;
  if (others != nullptr && *others != false) made.others = others;
  if (properties != nullptr)
    for (const auto& [name, property] : properties->items())
      made.declared.push_back({name, &property});
  for (const Json& name : required != nullptr ? *required : Json::array()) {
    if (!name.is_string()) return refuse("'required' must hold strings");
    const auto found = std::ranges::find(made.declared, name.get<std::string>(), &Member::name);
    if (found != made.declared.end()) {
      found->required = true;
    } else if (made.others != nullptr) {
      made.declared.push_back({name.get<std::string>(), made.others, true});
    } else {
      return refuse("'required' names " + name.dump() + ", which 'properties' lacks");
    }
  }
  return made;
}

Result<NodeId> SchemaCompiler::object(const Json& schema) {
  const Members found = TRY(members(schema));
  JsonRules::Object made;
  for (const Member& member : found.declared) {
    const Place place(*this, member.name);
    made.members.emplace_back(Json(member.name).dump(), TRY(value(*member.schema)));
    made.required.push_back(member.required);
  }
  if (found.others != nullptr) {
    const Place place(*this, "*");
    made.additional = TRY(value(*found.others));
  }
  return json_.object(made);
}

Result<SchemaCompiler::Split> SchemaCompiler::split(const Json& schema) {
  static const Json kNothingSaid = Json::object();
  const Json* at = TRY(resolve(schema));
  if (at->is_boolean() && *at == false) return refuse("no value satisfies it");
  if (at->is_boolean()) at = &kNothingSaid;
  if (!at->is_object()) return refuse("a schema must be an object or a boolean");
  TRY(check_keywords(*at));
  Split made;
  if (at->contains("const") || at->contains("enum")) {
    const std::vector<std::string> spellings = TRY(enumerated(*at));
    split_values(spellings, made);
  } else if (const Json* branches = TRY(branches_of(*at))) {
    TRY(split_union(*branches, made));
  } else {
    TRY(split_types(*at, made));
  }
  if (at->value("nullable", Json(false)) == true)
    made.others.push_back(builder_.literal("null", builder_.finish()));
  return made;
}

void SchemaCompiler::split_values(const std::vector<std::string>& spellings, Split& into) {
  std::vector<std::string> others;
  for (const std::string& spelling : spellings) {
    const Json one = Json::parse(spelling);
    if (one.is_string()) {
      into.texts.push_back(one.get<std::string>());
    } else {
      others.push_back(spelling);
    }
  }
  if (!others.empty()) into.others.push_back(json_.one_of(others));
}

Result<> SchemaCompiler::split_types(const Json& schema, Split& into) {
  std::vector<std::string> allowed = TRY(types(schema));
  if (allowed.empty()) allowed = {"object", "array", "string", "number", "boolean", "null"};
  for (const std::string& type : allowed) {
    if (type != "string") {
      into.others.push_back(TRY(of_type(type, schema)));
      continue;
    }
    into.any_text = true;
    for (const char* keyword : {"minLength", "maxLength"})
      if (schema.contains(keyword))
        relaxations_.push_back(
            at_place("keyword '" + std::string(keyword) + "' is not held to (free text)"));
  }
  return {};
}

Result<> SchemaCompiler::split_union(const Json& schemas, Split& into) {
  if (depth_ == kSchemaDepthMax)
    return fail(ErrorCode::too_large,
                at_place("schemas nested deeper than " + std::to_string(kSchemaDepthMax)));
  ++depth_;
  for (const Json& schema : schemas) {
    // Unlike value() this remembers nothing, and branches may double at every depth.
    if (++split_branches_ > kSplitBranchesMax)
      return fail(ErrorCode::too_large,
                  at_place("more than " + std::to_string(kSplitBranchesMax) + " branches"));
    Split part = TRY(split(schema));
    into.any_text = into.any_text || part.any_text;
    into.texts.insert(into.texts.end(), part.texts.begin(), part.texts.end());
    into.others.insert(into.others.end(), part.others.begin(), part.others.end());
  }
  --depth_;
  return {};
}

Result<Compiled> compile_schema(std::string_view schema, Unsupported unsupported) {
  constexpr std::string_view kOuter = "schema";
  if (schema.size() > kSchemaBytesMax)
    return fail(ErrorCode::too_large, "schema: " + std::to_string(schema.size()) +
                                          " bytes are more than " +
                                          std::to_string(kSchemaBytesMax));
  const Json document = Json::parse(schema, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::bad_data, "schema: not JSON");
  ProgramBuilder builder;
  SchemaCompiler compiler(builder, {.document = document, .unsupported = unsupported});
  auto start = compiler.value(document);
  if (!start) return fail(context(kOuter, std::move(start).error()));
  auto program = builder.build(*start);
  if (!program) return fail(context(kOuter, std::move(program).error()));
  return Compiled{*std::move(program), compiler.take_relaxations()};
}

}  // namespace fathom::engine
