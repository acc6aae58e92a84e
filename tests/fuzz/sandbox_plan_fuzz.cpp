// A session's plan as the zygote reads it: whatever the bytes, nothing is read outside of them, a
// text ends with a NUL in them, and what is taken for a whole plan says the same when it is written
// again.
#include "runtime/base/ensure.hpp"
#include "sandbox/zygote/session_plan.hpp"
#include "tests/sandbox/session/plan_decoder.hpp"

#include <cstdint>
#include <cstring>
#include <string>

using namespace fathom;

namespace {

bool lies_in(const char* text, const std::string& bytes) {
  return *text == '\0' || (text >= bytes.data() && text < bytes.data() + bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto head = sandbox::zygote::SessionPlan::read({bytes.data(), bytes.size()});
  if (head.ok) {
    ENSURE(head.idmapped_count <= sandbox::zygote::kGivenMax, "no more than there is room for");
    ENSURE(head.group_count <= sandbox::zygote::kGroupsMax, "no more than there is room for");
    for (std::uint32_t i = 0; i < head.idmapped_count; ++i)
      ENSURE(lies_in(head.idmapped[i], bytes) && std::strlen(head.idmapped[i]) <= size,
             "texts lie in the plan");
    for (std::uint32_t i = 0; i < head.group_count; ++i)
      ENSURE(lies_in(head.groups[i], bytes) && std::strlen(head.groups[i]) <= size,
             "texts lie in the plan");
  }
  const auto plan = test::PlanDecoder(bytes).session();
  if (!plan) return 0;
  const std::string written = plan->encode();
  const auto again = test::PlanDecoder(written).session();
  ENSURE(again && again->encode() == written, "a plan says the same when it is written again");
  (void)plan->to_text();
  return 0;
}
