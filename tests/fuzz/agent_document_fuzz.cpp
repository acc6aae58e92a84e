// Any bytes as an agent's document, as a skill's file and as a user's config. Errors name a place,
// what loads is within its bounds, and what a skill says stays on its line.
#include "agents/document/agent_document.hpp"
#include "agents/document/skill_file.hpp"
#include "agents/document/system_text.hpp"
#include "agents/document/user_config.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <cstdint>

using namespace fathom;
using namespace fathom::agents;

namespace {

bool is_one_line(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
  });
}

void check_agent(const std::string& text) {
  const auto agent = load_agent(text, "a.yaml");
  if (!agent) {
    ENSURE(agent.error().message.starts_with("a.yaml: "), "an error names the file");
    return;
  }
  ENSURE(is_document_name(agent->name) && !agent->prompt.empty(), "what must be there is");
  ENSURE(!agent->tools.empty() && agent->tools.size() <= kAgentToolsMax, "tools are bounded");
  ENSURE(agent->context.compact_at >= kCompactAtMin && agent->context.compact_at <= kCompactAtMax,
         "shares are bounded");
  ENSURE(agent->budget.steps >= 1 && agent->budget.steps <= kBudgetStepsMax, "steps end");
  ENSURE(agent->attempts == 1 || agent->accept, "attempts have a check");
  ENSURE(find_invalid_utf8(system_text(*agent, {}, {"/w", ""})) == std::string::npos,
         "a prompt is text");
  ENSURE(load_agent(text, "a.yaml").value() == *agent, "a document has one meaning");
}

void check_skill(const std::string& text) {
  const auto head = parse_skill_head(text, "s");
  if (!head) {
    ENSURE(head.error().message.starts_with("s: line "), "an error names a place");
    return;
  }
  ENSURE(is_one_line(head->name) && is_one_line(head->description), "a head is shown in one line");
  ENSURE(parse_skill_head(text + "\nmore", "s").value() == *head,
         "what is behind a head is not read");
}

void check_config(const std::string& text) {
  const auto config = parse_user_config(text, "c.yaml");
  if (!config) {
    ENSURE(config.error().message.starts_with("c.yaml: "), "an error names the file");
    return;
  }
  ENSURE(config->engines.size() <= kConfigEnginesMax && config->keys.size() <= kConfigKeysMax,
         "lists are bounded");
  for (const Placed<HostKey>& key : config->keys)
    ENSURE(key.at.line > 0 && !key.value.source.to_string().empty(), "a key has a source");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_agent(text);
  check_skill(text);
  check_config(text);
  return 0;
}
