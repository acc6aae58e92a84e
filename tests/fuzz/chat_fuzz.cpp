// Any bytes as a chat: what is accepted is rendered in every way as UTF-8 that begins the sentence
// once, in pieces whose origins alternate.
#include "engine/text/chat_encoding.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

using namespace fathom;
using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto chat = parse_chat({reinterpret_cast<const char*>(data), size});
  if (!chat) return 0;
  for (const ThinkingMode mode : {ThinkingMode::chat, ThinkingMode::thinking}) {
    for (const bool drop : {false, true}) {
      ChatOptions options{.mode = mode, .reasoning_effort = "max", .drop_thinking = drop};
      const auto prompt = encode_chat(*chat, options);
      if (!prompt) continue;
      ENSURE(find_invalid_utf8(prompt->text()) == std::string::npos, "a prompt is UTF-8");
      ENSURE(prompt->pieces.front().origin == TextOrigin::chat_template &&
                 prompt->pieces.front().text.starts_with(special::kBos),
             "a prompt begins the sentence");
      for (std::size_t i = 1; i < prompt->pieces.size(); ++i)
        ENSURE(prompt->pieces[i].origin != prompt->pieces[i - 1].origin, "pieces alternate");
    }
  }
  return 0;
}
