#include "agents/cli/trace_command.hpp"

#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"
#include "tests/support/run_program.hpp"

#include <boost/asio/co_spawn.hpp>

#include <fstream>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;
using test::draft;

namespace {

const std::string kSample = "tests/golden/sample.jsonl";

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// A terminal whose output nobody sees.
struct QuietTerminal {
  std::FILE* sink = std::fopen("/dev/null", "w");
  Terminal terminal{ColourMode::never, [](const char*) { return std::string(); }, sink};
  ~QuietTerminal() { std::fclose(sink); }
};

}  // namespace

TEST_CASE("JSON output gives back the journal's own lines", "[agents][e2e]") {
  CHECK(test::fathom({"trace", "show", kSample, "--json"}).out == test::slurp(kSample));
  CHECK(test::fathom({"trace", "replay", kSample, "--json", "--speed", "0"}).out ==
        test::slurp(kSample));
}

TEST_CASE("filters choose by type, family and seq", "[agents][e2e]") {
  const std::string all = test::fathom({"trace", "show", kSample}).out;
  const std::string tools = test::fathom({"trace", "show", kSample, "--type", "tool."}).out;
  CHECK(lines(tools) > 0);
  CHECK(lines(tools) < lines(all));
  CHECK(tools.find("run.started") == std::string::npos);
  const std::string one = test::fathom({"trace", "show", kSample, "--type", "run.started"}).out;
  CHECK(lines(one) == 1);
  CHECK(lines(test::fathom({"trace", "show", kSample, "--after", "3"}).out) == lines(all) - 3);
  const std::string two = test::fathom({"trace", "tail", kSample, "-n", "2", "--no-follow"}).out;
  CHECK(all.ends_with(two));
  CHECK(lines(two) == 2);
}

TEST_CASE("a journal cut in the middle of a line is shown up to there, with a word about it",
          "[agents][e2e]") {
  const test::TempDir dir;
  const std::string whole = test::slurp(kSample);
  const auto path = dir.write("cut.jsonl", whole.substr(0, whole.size() - 30));
  const auto shown = test::fathom({"trace", "show", path.string()});
  CHECK(shown.exit_code == 0);
  CHECK(lines(shown.out) == lines(whole) - 1);
  CHECK(shown.err.find("the last line is unfinished") != std::string::npos);
}

TEST_CASE("tail follows a growing journal and ends with its run", "[agents]") {
  test::JournalFixture fixture;
  auto journal = fixture.open().value();
  (void)journal->append(draft("run.started")).value();
  journal->flush().value();
  QuietTerminal quiet;
  TraceOptions options;
  options.file = fixture.path;
  bool ended = false;
  asio::co_spawn(fixture.sim.executor(), trace_tail(options, quiet.terminal, fixture.sim.clock()),
                 [&](std::exception_ptr error, const Result<>& result) {
                   ended = !error && result.has_value();
                 });
  const auto writer = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 5; ++i) {
      co_await fixture.sim.clock().sleep_for(10s);
      CHECK_FALSE(ended);
      (void)journal->append(draft("tool.started")).value();
      journal->flush().value();
    }
    (void)journal->append(draft("run.finished")).value();
    journal->flush().value();
  };
  fixture.sim.run(writer());
  CHECK(ended);
}

TEST_CASE("replay keeps the recorded pace, scaled, with long pauses shortened", "[agents]") {
  test::JournalFixture fixture;
  auto journal = fixture.open().value();
  for (const Duration pause : {Duration(0s), Duration(1s), Duration(500ms), Duration(1h)}) {
    fixture.sim.clock().advance(pause);
    (void)journal->append(draft("tool.started")).value();
  }
  journal->flush().value();
  QuietTerminal quiet;
  const auto time_of = [&](double speed) {
    TraceOptions options;
    options.file = fixture.path;
    options.speed = speed;
    options.format = TraceFormat::json;
    Simulator sim(1);
    const auto body = [&]() -> asio::awaitable<void> {
      const auto done = co_await trace_replay(options, quiet.terminal, sim.clock());
      CHECK(done.has_value());
    };
    sim.run(body());
    return sim.clock().now() - Instant{};
  };
  CHECK(time_of(1) == 3500ms);   // 1 s + 0.5 s + an hour shortened to 2 s
  CHECK(time_of(10) == 2150ms);  // 0.1 s + 0.05 s + 2 s
  CHECK(time_of(0) == 0s);
}

TEST_CASE("an event's line fits its terminal and holds no control characters", "[agents]") {
  const Terminal terminal(ColourMode::never, [](const char*) { return std::string(); });
  trace::Event event;
  event.at = {12, 0};
  event.what.type = "tool.finished";
  event.what.data = R"({"text":")" + std::string(300, 'x') + R"("})";
  const std::string line = to_line(event, terminal, 80);
  CHECK(line.starts_with("    12 00:00:00.000 tool.finished      {\"text\":\"xxx"));
  CHECK(line.ends_with("x…\n"));
  CHECK(line.size() <= 80 + 3);  // the ellipsis has three bytes and one column
  CHECK(to_line(event, terminal, 0).find(event.what.data) != std::string::npos);
}
