// ScriptedCommands: Commands whose programs are scripts of output over time; no process is started.
#pragma once

#include "runtime/async/cancellation.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/ensure.hpp"
#include "tools/commands.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fathom::test {

struct ScriptedCommand {
  struct Print {
    Duration after{};  ///< since the one before
    std::string bytes;
  };
  std::vector<Print> prints;
  Duration then{};  ///< from the last output to the end
  sandbox::Outcome outcome;
  std::optional<Error> error;

  static ScriptedCommand exits(int code, std::string output = "", Duration after = {}) {
    ScriptedCommand script;
    script.prints = {{after, std::move(output)}};
    script.outcome.exit_code = code;
    script.outcome.end(sandbox::Ending::exited, "");
    return script;
  }
};

class ScriptedCommands final : public tools::Commands {
 public:
  explicit ScriptedCommands(Clock& clock) : clock_(clock) {}

  void will(ScriptedCommand script) { scripts_.push_back(std::move(script)); }

  asio::awaitable<Result<sandbox::Outcome>> run(sandbox::Command command) override {
    ENSURE(!scripts_.empty(), "a test says what each command does");
    ScriptedCommand script = std::move(scripts_.front());
    scripts_.pop_front();
    started.push_back(command);
    ++running;
    std::exception_ptr unwinding;
    sandbox::OutputCapture out;
    try {
      for (const auto& print : script.prints) {
        if (print.after > Duration{}) co_await clock_.sleep_for(print.after);
        out.append(print.bytes);
        if (command.on_output && !print.bytes.empty())
          command.on_output(sandbox::OutputStream::out, print.bytes);
      }
      if (script.then > Duration{}) co_await clock_.sleep_for(script.then);
    } catch (const boost::system::system_error&) {
      unwinding = std::current_exception();
    }
    if (unwinding) {  // a killed tree takes its time
      co_await asio::this_coro::throw_if_cancelled(false);
      auto dies = [](Clock& clock) -> asio::awaitable<void> {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await clock.sleep_for(std::chrono::milliseconds(10));
      };
      auto executor = co_await asio::this_coro::executor;
      co_await asio::co_spawn(executor, dies(clock_), asio::use_awaitable);
      --running;
      ++killed;
      std::rethrow_exception(unwinding);
    }
    --running;
    if (script.error) co_return fail(*script.error);
    script.outcome.out = out.finish();
    co_return std::move(script.outcome);
  }

  std::vector<sandbox::Command> started;
  int running = 0;
  int killed = 0;

 private:
  Clock& clock_;
  std::deque<ScriptedCommand> scripts_;
};

}  // namespace fathom::test
