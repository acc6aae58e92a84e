// Arguments and schemas as models and servers send them: two texts, cut at the first line feed.
// Whatever is accepted survives being written and read again, and is judged the same.
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/arguments.hpp"

#include <cstdint>
#include <string_view>

using namespace fathom;
using namespace fathom::tools;

namespace {

constexpr std::string_view kParameters = R"({"type":"object","properties":{
  "command":{"type":"string","minLength":1},"n":{"type":"integer","minimum":0},
  "list":{"type":"array","items":{"type":"string"}}},
  "required":["command"],"additionalProperties":false})";

void check(const ArgumentSchema& schema, const Arguments& arguments) {
  const Result<> first = schema.check(arguments);
  const auto again = Arguments::parse(arguments.to_json());
  ENSURE(again, "what is written is read back");
  ENSURE(again->to_json() == arguments.to_json(), "as the same");
  ENSURE(schema.check(*again).has_value() == first.has_value(), "and judged the same");
  if (!first)
    ENSURE(find_invalid_utf8(first.error().message) == std::string_view::npos,
           "messages reach a model");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const ArgumentSchema known = ArgumentSchema::compile("tool", kParameters).value();
  const std::size_t cut = bytes.find('\n');
  const auto arguments = Arguments::parse(bytes.substr(0, cut));
  if (arguments) check(known, *arguments);
  if (cut == std::string_view::npos) return 0;
  const auto schema = ArgumentSchema::compile("tool", bytes.substr(cut + 1));
  if (schema && arguments) check(*schema, *arguments);
  return 0;
}
