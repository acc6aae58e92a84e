#include "engine/session/transcript_fold.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

UserSaid said(UserSaid::How how, std::string text) { return {how, std::move(text), "", 0}; }

ModelAnswered answered(std::string text, std::vector<ToolCall> calls = {}) {
  ModelAnswered out;
  out.message = {Role::assistant, std::move(text), "", std::move(calls), {}};
  return out;
}

CallFinished finished(std::string id, std::string content) {
  return {{std::move(id), ToolStatus::ok, std::move(content), ""}};
}

}  // namespace

TEST_CASE("events fold to the transcript, results in the order of their calls", "[session]") {
  TranscriptFold fold;
  fold.add(AgentStarted{});
  fold.add(said(UserSaid::How::turn, "do it"));
  fold.add(RequestSent{});
  const std::vector<ToolCall> calls = {{"1", "a", "{}", ""}, {"2", "b", "{}", ""}};
  fold.add(answered("", calls));
  fold.add(finished("2", "second"));
  fold.add(finished("sub-agent's", "elsewhere"));
  fold.add(said(UserSaid::How::steer, "faster"));
  fold.add(finished("1", "first"));
  fold.add(finished("1", "again"));
  fold.add(answered("done"));
  fold.add(said(UserSaid::How::guard, "note"));
  fold.add(TurnEnded{});
  const std::vector<ToolResult> results = {{"1", ToolStatus::ok, "first", ""},
                                           {"2", ToolStatus::ok, "second", ""}};
  const std::vector<Message> expected = {
      {Role::user, "do it", "", {}, {}},     {Role::assistant, "", "", calls, {}},
      {Role::tool, "", "", {}, results},     {Role::user, "faster", "", {}, {}},
      {Role::assistant, "done", "", {}, {}}, {Role::user, "note", "", {}, {}}};
  CHECK(fold.transcript().messages == expected);
  CHECK(fold.transcript().epoch == 0);
}

TEST_CASE("what is said again is in the transcript already", "[session]") {
  TranscriptFold fold;
  UserSaid again = said(UserSaid::How::turn, "do it");
  fold.add(again);
  again.repeated = true;
  fold.add(again);
  CHECK(fold.transcript().messages.size() == 1);
}

TEST_CASE("a compaction replaces the transcript", "[session]") {
  TranscriptFold fold;
  fold.add(said(UserSaid::How::turn, "do it"));
  fold.add(Compacted{{{{Role::user, "in short: do it", "", {}, {}}}, 1}});
  fold.add(answered("done"));
  CHECK(fold.transcript().epoch == 1);
  CHECK(fold.transcript().messages ==
        std::vector<Message>{{Role::user, "in short: do it", "", {}, {}},
                             {Role::assistant, "done", "", {}, {}}});
}
