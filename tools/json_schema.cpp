#include "tools/json_schema.hpp"

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

#include <set>
#include <stdexcept>
#include <vector>

namespace fathom::tools {

using nlohmann::json;

struct JsonSchema::Compiled {
  std::string text;  ///< what `schema` was compiled from
  valijson::Schema schema;
};

namespace {

// What the library's parser accepts and we do not.
class Unacceptable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& value) {
    if (depth > kJsonDepthMax)
      throw Unacceptable("nested deeper than " + std::to_string(kJsonDepthMax));
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
  return (place.empty() ? "the value" : in_quotes(place)) + " does not match the schema";
}

}  // namespace

// The library says "[json.exception.parse_error.101] parse error at line 1, column 2: …".
std::string parser_message(std::string_view what) {
  const std::size_t prefix = what.find("] ");
  if (what.starts_with('[') && prefix != std::string_view::npos) what.remove_prefix(prefix + 2);
  return to_printable(clip_prefix(what, 200));
}

Result<json> parse_strict_json(std::string_view text) {
  try {
    Watch watch;
    return json::parse(text, std::ref(watch));
  } catch (const json::exception& error) {
    return fail(ErrorCode::bad_data, parser_message(error.what()));
  } catch (const Unacceptable& error) {
    return fail(ErrorCode::bad_data, error.what());
  }
}

Result<JsonSchema> JsonSchema::compile(std::string_view schema) {
  try {
    auto compiled = std::make_shared<Compiled>();
    compiled->text = TRY(safe_schema(schema));
    const json document = json::parse(compiled->text);
    const valijson::adapters::NlohmannJsonAdapter adapter(document);
    valijson::SchemaParser().populateSchema(adapter, compiled->schema);
    return JsonSchema(std::move(compiled));
  } catch (const std::exception& error) {  // the libraries': json::exception and runtime_error
    return fail(ErrorCode::bad_data, parser_message(error.what()));
  }
}

const std::string& JsonSchema::text() const { return compiled_->text; }

Result<> JsonSchema::check(const json& value) const {
  try {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter adapter(value);
    if (validator.validate(compiled_->schema, adapter, &results)) return {};
    const auto complaint = schema_complaint(compiled_->text, value.dump());
    return fail(ErrorCode::bad_data, complaint ? *complaint : mismatch(results));
  } catch (const std::exception& error) {  // a schema that only fails when it is used
    return fail(ErrorCode::bad_data, parser_message(error.what()));
  }
}

}  // namespace fathom::tools
