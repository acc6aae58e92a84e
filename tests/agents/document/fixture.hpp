// What agent documents stand on in tests.
#pragma once

#include "agents/document/agent_document.hpp"
#include "tests/support/catch.hpp"

#include <string>

namespace fathom::agents {

/// A document with what has to be there in front; the first line of `body` is line 5.
inline std::string agent_text(const std::string& body) {
  return "apiVersion: fathom/v1\nkind: Agent\nname: mine\nprompt: Be useful.\n" + body;
}

inline AgentDocument load(const std::string& body) {
  auto agent = load_agent(agent_text(body), "a.yaml");
  if (!agent) FAIL(agent.error().message);
  return *std::move(agent);
}

/// What is wrong with the whole text, or "accepted".
inline std::string text_error(const std::string& text) {
  const auto agent = load_agent(text, "a.yaml");
  return agent ? "accepted" : agent.error().message;
}

}  // namespace fathom::agents
