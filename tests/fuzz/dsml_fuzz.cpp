// Any bytes as a model's output, of which the first says how: however they are cut, the joined
// deltas and the result are the same, and finished calls have JSON objects as arguments.
#include "engine/text/json_value.hpp"
#include "runtime/base/ensure.hpp"
#include "tests/support/dsml_streams.hpp"

#include <algorithm>

using namespace fathom;
using namespace fathom::engine;

namespace {

test::DsmlCase how_from(std::uint8_t bits) {
  static const std::vector<std::string> functions = {
      R"({"name":"f","parameters":{"properties":{"s":{"type":"string"},"i":{"type":"integer"}},
          "required":["s"]}})",
      R"({"name":"g"})"};
  test::DsmlCase how;
  if ((bits & 1) == 0) how.tools = DeclaredTools::create(functions).value();
  if ((bits & 2) != 0) how.options.start = DsmlOptions::Start::content;
  if ((bits & 4) != 0) how.options.calls = DsmlOptions::Calls::drop;
  if ((bits & 8) != 0) how.ended_by = EndedBy::limit;
  return how;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const test::DsmlCase how = how_from(data[0]);
  const std::size_t piece = 1 + data[1] % 32;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const test::DsmlOutcome whole = test::parse_whole(how, bytes);
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < bytes.size();)
    ends.push_back(at = std::min(bytes.size(), at + piece));
  ENSURE(test::parse_in_pieces(how, bytes, ends) == whole, "a cut does not change the result");
  ENSURE(test::parse_in_pieces(how, bytes, {bytes.size() / 2, bytes.size()}) == whole,
         "a cut does not change the result");
  for (const ToolCall& call : whole.message.calls) {
    const auto arguments = parse_json(call.arguments);
    ENSURE(arguments && arguments->is(JsonValue::Kind::object), "arguments are a JSON object");
  }
  return 0;
}
