// Any bytes as the body of an error, of which the first choose status and API: the fault is one
// line of bounded length, whatever a server says, and a list of models only adds to it.
#include "engine/remote/fault_of.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr std::array<unsigned, 8> kStatuses = {200, 301, 400, 401, 404, 429, 500, 529};

void check(const Fault& fault) {
  ENSURE(!fault.message.empty() && fault.message.size() < 8000, "a fault is short");
  ENSURE(find_invalid_utf8(fault.message) == std::string::npos, "a fault is valid UTF-8");
  ENSURE(!fault.message.contains('\n') && !fault.message.contains('\x1b'), "a fault is one line");
  ENSURE(!fault.retry_after ||
             (*fault.retry_after >= Duration::zero() && *fault.retry_after <= kRetryAfterMax),
         "patience is bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned status = kStatuses[data[0] % kStatuses.size()];
  const auto kind = (data[0] & 8) == 0 ? EngineSpec::Kind::openai : EngineSpec::Kind::anthropic;
  const Endpoint endpoint = find_endpoint({kind, "http://h/v1", ""}).value();
  const std::string line = body.substr(0, body.find('\n'));
  const BadAnswer answer{status, {{"Retry-After", line}, {"Location", line}}, body};
  const Fault fault = fault_of(answer, endpoint, WallTime{});
  check(fault);
  check(fault_in_answer(body));
  (void)is_about_model(answer);
  const std::string listed = with_models(fault.message, body, "m");
  ENSURE(listed.starts_with(fault.message), "a list only adds");
  check({fault.kind, listed, {}});
  return 0;
}
