// AnsweringCommands: no sandbox, only what a test says each command answers, in order; and what was
// asked of it.
#pragma once

#include "tools/commands.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace fathom::test {

struct Answer {
  std::string out;
  int exit_code = 0;
  sandbox::Ending ending = sandbox::Ending::exited;
};

class AnsweringCommands final : public tools::Commands {
 public:
  explicit AnsweringCommands(std::vector<Answer> answers)
      : answers_(answers.begin(), answers.end()) {}

  tools::asio::awaitable<Result<sandbox::Outcome>> run(sandbox::Command command) override {
    commands.push_back(command.argv);
    if (answers_.empty()) co_return fail(ErrorCode::unsupported, "no answer is scripted");
    const Answer answer = std::move(answers_.front());
    answers_.pop_front();
    sandbox::OutputCapture capture;
    capture.append(answer.out);
    if (command.on_output && !answer.out.empty())
      command.on_output(sandbox::OutputStream::out, answer.out);
    sandbox::Outcome outcome;
    outcome.exit_code = answer.exit_code;
    outcome.end(answer.ending, "scripted");
    outcome.out = capture.finish();
    co_return outcome;
  }

  std::vector<std::vector<std::string>> commands;  ///< argv of each, in order

 private:
  std::deque<Answer> answers_;
};

}  // namespace fathom::test
