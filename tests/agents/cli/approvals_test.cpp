#include "agents/cli/approvals.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::agents;
using tools::Approval;

namespace {

policies::Decision by_rule(std::string rule) {
  policies::Decision why;
  why.rule = std::move(rule);
  return why;
}

// Calls that ask a person, each in a task of its own.
struct Asked {
  explicit Asked(Simulator& simulator)
      : approvals(simulator.executor()), calls(simulator.executor()) {
    approver = approvals.approver(Approvals::Who::person,
                                  [this](const ToolCall& call, const policies::Decision& why) {
                                    questions.push_back(call.id + " " + why.rule);
                                  });
  }

  void ask(std::string id, std::string rule) { calls.spawn(wait(std::move(id), std::move(rule))); }

  asio::awaitable<void> wait(std::string id, std::string rule) {
    const ToolCall call{id, "bash", "{}", ""};
    const policies::Decision why = by_rule(std::move(rule));
    auto asking = approver(call, why);
    const Approval answer = co_await std::move(asking);
    answers.emplace_back(std::move(id), answer);
  }

  Approvals approvals;
  tools::Approver approver;
  std::vector<std::string> questions;
  std::vector<std::pair<std::string, Approval>> answers;
  TaskGroup calls;
};

// Everything else that is ready runs first: virtual time passes only when nothing is.
asio::awaitable<void> settle(Simulator& simulator) {
  co_await simulator.clock().sleep_for(std::chrono::seconds(1));
}

// What one typed line says to one question.
Approval said(const std::string& line) {
  Approval answer = Approval::later;
  test::run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    Asked asked(simulator);
    asked.ask("c1", "network.ask");
    co_await settle(simulator);
    CHECK(asked.approvals.answer(line));
    co_await asked.calls.join();
    REQUIRE(asked.answers.size() == 1);
    answer = asked.answers.front().second;
  });
  return answer;
}

}  // namespace

TEST_CASE("an approval is given by a plain yes only", "[agents]") {
  for (const char* yes : {"y", "yes", "a", "always", "Y", "Yes", " y ", "y\r"}) {
    INFO("'" << yes << "'");
    CHECK(said(yes) == Approval::given);
  }
  for (const char* no : {"", "n", "no", "yy", "yes please", "ok", "N", "y n"}) {
    INFO("'" << no << "'");
    CHECK(said(no) == Approval::refused);
  }
}

TEST_CASE("a line is no answer when nothing is asked", "[agents]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Asked asked(simulator);
    CHECK_FALSE(asked.approvals.answer("y"));
    asked.ask("c1", "network.ask");
    co_await settle(simulator);
    CHECK(asked.answers.empty());  // the line before the question did not count
    CHECK(asked.approvals.answer("n"));
    CHECK_FALSE(asked.approvals.answer("y"));  // the question has its answer already
    co_await asked.calls.join();
    CHECK_FALSE(asked.approvals.answer("y"));
    CHECK(asked.answers == std::vector{std::pair{std::string("c1"), Approval::refused}});
  });
}

TEST_CASE("one question stands at a time, and each call gets its own answer", "[agents]") {
  test::for_each_seed(20, [](Simulator& simulator) -> asio::awaitable<void> {
    Asked asked(simulator);
    for (const char* id : {"c1", "c2", "c3"}) asked.ask(id, std::string("rule.") + id);
    for (std::size_t i = 1; i <= 3; ++i) {
      co_await settle(simulator);
      CHECK(asked.questions.size() == i);
      CHECK(asked.approvals.answer(i == 2 ? "n" : "y"));
    }
    co_await asked.calls.join();
    REQUIRE(asked.answers.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& [id, answer] = asked.answers[i];
      CHECK(asked.questions[i] == id + " rule." + id);
      CHECK(answer == (i == 1 ? Approval::refused : Approval::given));
    }
  });
}

TEST_CASE("'always' answers for its own rule, for calls that wait already too", "[agents]") {
  test::for_each_seed(20, [](Simulator& simulator) -> asio::awaitable<void> {
    Asked asked(simulator);
    asked.ask("c1", "network.ask");
    asked.ask("c2", "network.ask");
    co_await settle(simulator);
    CHECK(asked.approvals.answer("a"));
    co_await settle(simulator);
    CHECK(asked.answers.size() == 2);
    CHECK(asked.questions.size() == 1);
    asked.ask("c3", "commands.ask");
    co_await settle(simulator);
    CHECK(asked.questions.size() == 2);
    CHECK(asked.approvals.answer("n"));
    co_await asked.calls.join();
    CHECK(asked.answers.back() == std::pair{std::string("c3"), Approval::refused});
  });
}

TEST_CASE("a question that is interrupted leaves room for the next one", "[agents]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Asked asked(simulator);
    asked.ask("c1", "network.ask");
    co_await settle(simulator);
    asked.calls.cancel();
    co_await asked.calls.join();
    CHECK(asked.answers.empty());
    CHECK_FALSE(asked.approvals.answer("y"));
    TaskGroup later(simulator.executor());
    later.spawn(asked.wait("c2", "network.ask"));
    co_await settle(simulator);
    CHECK(asked.questions.size() == 2);
    CHECK(asked.approvals.answer("y"));
    co_await later.join();
    CHECK(asked.answers == std::vector{std::pair{std::string("c2"), Approval::given}});
  });
}

TEST_CASE("who approves everything, or later, asks nobody", "[agents]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    using Who = Approvals::Who;
    for (const auto& [who, expected] :
         {std::pair{Who::everything, Approval::given}, std::pair{Who::later, Approval::later}}) {
      Approvals approvals(simulator.executor());
      bool is_asked = false;
      const auto approver = approvals.approver(
          who, [&](const ToolCall&, const policies::Decision&) { is_asked = true; });
      const ToolCall call{"c1", "bash", "{}", ""};
      const policies::Decision why = by_rule("network.ask");
      auto asking = approver(call, why);
      const Approval answer = co_await std::move(asking);
      CHECK(answer == expected);
      CHECK_FALSE(is_asked);
    }
  });
}
