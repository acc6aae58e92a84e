// The sample journal of tests/golden is what today's code writes: journals stay readable, byte for
// byte.
#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"

#include <cstdlib>
#include <fstream>

using namespace fathom;
using namespace std::chrono_literals;
using test::draft;

namespace {

const std::string kGolden = "tests/golden/sample.jsonl";

// A small run: one failing test, one edit, the test again.
void write_sample(test::JournalFixture& fixture) {
  struct Step {
    Duration pause;
    std::string type;
    std::string data;
    std::uint64_t cause;
  };
  const std::vector<Step> steps = {
      {0ms, "run.started", R"({"task":"make the tests pass","engine":"demo","policy":"default"})",
       0},
      {3ms, "context.resident", R"({"files":4,"tokens":1310})", 1},
      {2ms, "turn.started", R"({"turn":1})", 1},
      {1ms, "model.request", R"({"prompt_tokens":1422,"reused_tokens":1310})", 3},
      {840ms, "model.message",
       R"({"text":"I run the tests first.","calls":[{"id":"c1","name":"bash",)"
       R"("arguments":{"command":"sh run_tests.sh"}}],)"
       R"("usage":{"prompt_tokens":1422,"reused_tokens":1310,"completion_tokens":31}})",
       4},
      {1ms, "tool.requested", R"({"call":"c1","name":"bash"})", 5},
      {0ms, "tool.decided", R"({"call":"c1","decision":"allow","rule":"exec.workspace"})", 6},
      {1ms, "tool.started", R"({"call":"c1"})", 7},
      {95ms, "tool.finished",
       R"({"call":"c1","exit_code":1,"content":)"
       R"("test.py:7: plealar.total([1, 2]) is 2, expected 3\n1 of 6 checks failed"})",
       8},
      {0ms, "test.finished", R"({"passed":5,"failed":1})", 9},
      {1ms, "model.request", R"({"prompt_tokens":1519,"reused_tokens":1453})", 9},
      {620ms, "model.message", R"({"text":"","calls":[{"id":"c2","name":"str_replace_editor"}]})",
       11},
      {2ms, "file.changed", R"({"path":"src/plealar.py","lines_added":1,"lines_removed":1})", 12},
      {1ms, "tool.finished", R"({"call":"c2","content":"edited src/plealar.py"})", 12},
      {88ms, "test.finished", R"({"passed":6,"failed":0})", 14},
      {410ms, "turn.finished", R"({"reason":"answered","steps":3})", 3},
      {1ms, "run.finished", R"({"exit_code":0})", 1},
  };
  auto journal = fixture.open().value();
  for (const Step& step : steps) {
    fixture.sim.clock().advance(step.pause);
    trace::EventDraft event = draft(step.type, step.data);
    event.cause = step.cause;
    event.span.value = 0x0f0e0d0c0b0a0908u + step.cause;
    (void)journal->append(event).value();
  }
  journal->flush().value();
}

}  // namespace

TEST_CASE("the sample journal is byte for byte what is written today", "[runtime]") {
  test::JournalFixture fixture;
  write_sample(fixture);
  const std::string written = test::slurp(fixture.path);
  if (std::getenv("UPDATE_GOLDEN")) std::ofstream(kGolden, std::ios::binary) << written;
  CHECK(written == test::slurp(kGolden));
}
