// Any bytes as the event stream of an server of Anthropic's API, of which the first says how they
// are cut and what was asked for: however they are cut, the answer is the same, and its bounds
// hold.
#include "engine/remote/anthropic_codec.hpp"
#include "tests/engine/remote/answer_check.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const AnthropicCodec codec({"m", Vendor::anthropic});
  AnswerContext context;
  if ((data[0] & 1) == 0)
    context.tools = {{"bash", "", R"({"properties":{"command":{"type":"string"}}})"}};
  context.may_call = (data[0] & 2) == 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = test::read_stream(codec, context, bytes);
  const std::size_t cut = bytes.size() * (data[0] / 4) / 64;
  ENSURE(test::read_stream(codec, context, bytes, {cut, bytes.size()}) == whole,
         "a cut does not change the answer");
  test::check_answer(context, whole);
  test::check_answer(context, test::read_body(codec, context, bytes));
  return 0;
}
