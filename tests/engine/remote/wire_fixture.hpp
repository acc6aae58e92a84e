// A setup and a transcript that use every field there is, and the recorded wire beside them.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/session/engine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace fathom::test {

inline std::string recorded(const std::string& name) { return slurp("tests/golden/wire/" + name); }

/// Compares with a file below tests/golden/wire; UPDATE_GOLDEN=1 writes it anew. A change in one is
/// a change of every prompt's bytes.
inline void check_recorded(const std::string& name, const std::string& actual) {
  const std::string path = "tests/golden/wire/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << actual;
  CHECK(actual == slurp(path));
}

inline engine::ToolDeclaration bash_tool() {
  return {"bash", "Runs a command.",
          R"({"type":"object","properties":{"command":{"type":"string"}},"required":["command"]})"};
}

inline engine::SessionSetup full_setup() {
  engine::SessionSetup setup;
  setup.system = "You mend code.\nBe \"brief\".";
  setup.tools = {bash_tool()};
  setup.sampling = {0.5, 0.95, 7, "high", 4096};
  setup.answer_schema = R"({"type":"object"})";
  setup.cache_key = "run-1";
  return setup;
}

inline engine::Transcript full_transcript() {
  Message asked{Role::user, "Mend it.", {}, {}, {}};
  Message called{Role::assistant, "Looking.", "I look first.", {}, {}};
  called.calls = {{"call_a", "bash", R"({"command": "ls"})", {}},
                  {"call_b", "bash", R"({"command":"pwd","n":1.0})", {}}};
  Message results{Role::tool, {}, {}, {}, {}};
  results.results = {{"call_a", ToolStatus::ok, "a.c\n", {}},
                     {"call_b", ToolStatus::failed, "no \x1b[1mway", {}}};
  Message answered{Role::assistant, "Done.", "", {}, {}};
  Message more{Role::user, "Really?", {}, {}, {}};
  return {{asked, called, results, answered, more}, 0};
}

/// The body of `transcript` as a session writes it.
template <class Codec>
std::string body_of(const Codec& codec, const engine::SessionSetup& setup,
                    const engine::Transcript& transcript,
                    const engine::RequestLimits& limits = {}) {
  engine::RenderedBody body;
  body.bytes = codec.begin(setup);
  for (const Message& message : transcript.messages) codec.append(body, message, {});
  return body.bytes + codec.end(setup, limits);
}

}  // namespace fathom::test
