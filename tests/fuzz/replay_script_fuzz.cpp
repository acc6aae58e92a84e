// Scripts of the replay engine: what is read keeps the promises of an answer.
#include "engine/replay/script.hpp"
#include "runtime/base/ensure.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto recording = parse_script({reinterpret_cast<const char*>(data), size});
  if (!recording) {
    ENSURE(!recording.error().message.empty(), "an error says what is wrong");
    return 0;
  }
  ENSURE(!recording->answers.empty(), "a script has answers");
  for (const RecordedAnswer& one : recording->answers) {
    const Sample& sample = one.answer.sample;
    ENSURE(sample.message.role == Role::assistant, "the model answers");
    ENSURE(sample.message.calls.size() <= kCallsPerSampleMax, "calls have a bound");
    ENSURE(one.answer.usage.reused_tokens <= one.answer.usage.prompt_tokens,
           "reused tokens are tokens of the prompt");
  }
  return 0;
}
