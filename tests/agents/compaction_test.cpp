#include "agents/compaction.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;

namespace {

Message user(std::string text) { return {Role::user, std::move(text), "", {}, {}}; }
Message says(std::string text) { return {Role::assistant, std::move(text), "", {}, {}}; }
Message calls(const std::string& id, std::string text = "") {
  return {Role::assistant, std::move(text), "", {{id, "bash", "{}", ""}}, {}};
}
Message result(const std::string& id, std::string content, std::string blob = "") {
  return {Role::tool, "", "", {}, {{id, ToolStatus::ok, std::move(content), std::move(blob)}}};
}

/// A task, and `exchanges` calls with results of a kilobyte.
engine::Transcript long_one(int exchanges) {
  engine::Transcript transcript;
  transcript.messages.push_back(user("make the tests green"));
  for (int i = 0; i < exchanges; ++i) {
    const std::string id = "call-" + std::to_string(i);
    transcript.messages.push_back(calls(id));
    transcript.messages.push_back(result(id, std::string(1000, 'x')));
  }
  return transcript;
}

Facts facts_of(std::string task) {
  Facts facts;
  facts.task = std::move(task);
  return facts;
}

constexpr CompactionLimits kLimits{2500, 4000, 300};

/// A state after these events, numbered from 1.
SessionState state_of(const std::vector<engine::SessionEvent>& events) {
  SessionState state;
  std::uint64_t seq = 0;
  for (const engine::SessionEvent& event : events) state.apply(event, ++seq);
  return state;
}

engine::UserSaid said(engine::UserSaid::How how, std::string text) {
  engine::UserSaid words;
  words.how = how;
  words.text = std::move(text);
  return words;
}

engine::ModelAnswered answer(Message message) {
  engine::ModelAnswered answered;
  answered.message = std::move(message);
  return answered;
}

}  // namespace

TEST_CASE("a compacted transcript is a message of facts and summary, then the last exchanges",
          "[agents]") {
  const engine::Transcript before = long_one(10);
  const auto after =
      compact(before, facts_of("make the tests green"), "  parsed it all\n", kLimits);
  REQUIRE(after);
  CHECK(after->epoch == 1);
  REQUIRE(after->messages.size() == 5);
  CHECK(after->messages[0].role == Role::user);
  CHECK(after->messages[0].text.find("# Summary\nparsed it all\n") != std::string::npos);
  CHECK(after->messages[0].text.find("words\nmake the tests green\n") != std::string::npos);
  CHECK(std::vector(after->messages.begin() + 1, after->messages.end()) ==
        std::vector(before.messages.end() - 4, before.messages.end()));
}

TEST_CASE("a transcript is never cut between calls and their results", "[agents]") {
  const engine::Transcript before = long_one(10);
  for (std::size_t tail = 0; tail < 6000; tail += 97) {
    CAPTURE(tail);
    const auto after = compact(before, facts_of("make the tests green"), "short", {tail, 4000, 0});
    REQUIRE(after);
    for (std::size_t i = 1; i < after->messages.size(); ++i)
      CHECK(after->messages[i].role == (i % 2 == 1 ? Role::assistant : Role::tool));
    CHECK(after->messages.size() % 2 == 1);
    CHECK(bytes_of(*after) <= tail + after->messages[0].text.size());
  }
}

TEST_CASE("what the last exchanges say is not said a second time", "[agents]") {
  engine::Transcript before = long_one(10);
  before.messages.push_back(says("green"));
  before.messages.push_back(user("and now the docs"));
  Facts facts = facts_of("and now the docs");
  facts.earlier = {"make the tests green"};
  facts.plan = "green";
  const auto after = compact(before, facts, "short", kLimits);
  REQUIRE(after);
  const std::string& frame = after->messages[0].text;
  CHECK(frame.find("and now the docs") == std::string::npos);
  CHECK(frame.find("green\n\n") == std::string::npos);
  CHECK(frame.find("- make the tests green\n") != std::string::npos);
  CHECK(find_dropped(*after, facts).empty());
}

TEST_CASE("a summary that is empty, too long or gains nothing is refused", "[agents]") {
  const Facts facts = facts_of("make the tests green");
  CHECK(compact(long_one(10), facts, " \n", kLimits).error().message == "the summary is empty");
  CHECK(compact(long_one(10), facts, std::string(9000, 's'), kLimits).error().code ==
        ErrorCode::too_large);
  const auto none = compact(long_one(1), facts, "short", {5000, 4000, 0});
  CHECK(none.error().message.starts_with("nothing got smaller"));
  engine::Transcript only_task;
  only_task.messages.push_back(user("make the tests green"));
  CHECK_FALSE(compact(only_task, facts, "short", kLimits));
  CHECK_FALSE(truncate(only_task, facts, kLimits, {}));
}

TEST_CASE("a fact that the transcript does not say is found", "[agents]") {
  engine::Transcript transcript;
  transcript.messages.push_back(user("the task and the steer"));
  Facts facts = facts_of("the task");
  CHECK(find_dropped(transcript, facts).empty());
  const auto lost = [&](std::vector<std::string> Facts::* list) {
    Facts more = facts;
    (more.*list).emplace_back("nowhere");
    return find_dropped(transcript, more) == "nowhere";
  };
  CHECK(lost(&Facts::steers));
  CHECK(lost(&Facts::notes));
  CHECK(lost(&Facts::earlier));
  CHECK(lost(&Facts::jobs));
  CHECK(lost(&Facts::approvals));
  CHECK(lost(&Facts::files_changed));
  facts.task = "another";
  CHECK(find_dropped(transcript, facts) == "another");
}

TEST_CASE("without a model the oldest exchanges go and long results are cut in the middle",
          "[agents]") {
  engine::Transcript before = long_one(10);
  before.messages.push_back(calls("last"));
  before.messages.push_back(result("last", "head" + std::string(5000, 'y') + "tail", "sha256:abc"));
  const auto after = truncate(before, facts_of("make the tests green"), {800, 4000, 300},
                              [](std::string_view blob) { return "/out/" + std::string(blob); });
  REQUIRE(after);
  CHECK(after->messages[0].text.find("make the tests green") != std::string::npos);
  const std::string& cut = after->messages.back().results[0].content;
  CHECK(cut.starts_with("head"));
  CHECK(cut.ends_with("tail"));
  CHECK(cut.find("[cut from 4.9 KiB when the context was full; all of it: /out/sha256:abc]") !=
        std::string::npos);
  CHECK(after->messages.size() == 5);
}

TEST_CASE("the last exchange stays when nothing else fits", "[agents]") {
  const auto after = truncate(long_one(10), facts_of("make the tests green"), {0, 0, 300}, {});
  REQUIRE(after);
  CHECK(after->messages.size() == 3);
  CHECK(after->messages[1].calls[0].id == "call-9");
}

TEST_CASE("open calls keep their place", "[agents]") {
  engine::Transcript before = long_one(10);
  before.messages.push_back(calls("open", std::string(3000, 'o')));
  const auto after = compact(before, facts_of("make the tests green"), "short", kLimits);
  REQUIRE(after);
  CHECK(after->messages.size() == 2);
  CHECK(after->messages.back().calls[0].id == "open");
}

TEST_CASE("facts come from what the session remembers, not from its transcript", "[agents]") {
  using How = engine::UserSaid::How;
  Message tests = calls("t1", "I run the tests.");
  tests.calls[0].name = "run_tests";
  SessionState state =
      state_of({said(How::turn, "first task"), said(How::steer, "use tabs"), answer(says("done")),
                engine::TurnEnded{1, "answered", 1, {}, {}}, said(How::turn, "second task"),
                said(How::steer, "hurry"), answer(tests),
                engine::CallFinished{{"t1", ToolStatus::failed, "2 failed", ""}},
                said(How::guard, "you go in circles")});
  LiveFacts live;
  live.jobs = {"job 1: make"};
  Facts facts = gather(state, live);
  Facts expected;
  expected.task = "second task";
  expected.steers = {"hurry"};
  expected.notes = {"you go in circles"};
  expected.earlier = {"first task", "use tabs"};
  expected.plan = "I run the tests.";
  expected.failing_tests = "2 failed";
  expected.jobs = live.jobs;
  CHECK(facts == expected);
  // Nor does a compaction take any of it away.
  engine::Compacted compacted;
  compacted.transcript.epoch = 1;
  compacted.transcript.messages = {user("in short")};
  state.apply(compacted, 20);
  expected.notes = {"in short"};  // what the model has not answered yet
  CHECK(gather(state, live) == expected);
  live.failing_tests = "1 failed";
  CHECK(gather(state, live).failing_tests == "1 failed");
}

TEST_CASE("a second compaction knows the summary of the first", "[agents]") {
  using How = engine::UserSaid::How;
  SessionState state = state_of({said(How::turn, "the task")});
  for (int i = 0; i < 10; ++i) {
    const std::string id = "c" + std::to_string(i);
    state.apply(answer(calls(id)), 10);
    state.apply(engine::CallFinished{{id, ToolStatus::ok, std::string(1000, 'r'), ""}}, 11);
  }
  const auto after = compact(state.transcript(), gather(state, {}),
                             "# Done\nfound it\n# Next\nmend it", {1500, 4000, 0});
  REQUIRE(after);
  state.apply(engine::Compacted{*after}, 12);
  CHECK(gather(state, {}).summary == "## Done\nfound it\n## Next\nmend it");
  const auto again = truncate(state.transcript(), gather(state, {}), {0, 4000, 300}, {});
  REQUIRE(again);
  CHECK(again->messages[0].text.find("found it") != std::string::npos);
  CHECK(again->epoch == 2);
}
