// RunOutput: what `fathom run` says while it runs and when it ends.
//
//   --json      every event, a line each, as in the journal; ephemeral ones too
//   a terminal  the live view, with one line below it that says what is under way
//   else        the live view on standard error, the answer alone on standard output
//
// All of them read the run's own journal, as a watcher over the network does.
#pragma once

#include "agents/cli/run_view.hpp"
#include "agents/cli/terminal.hpp"
#include "agents/session.hpp"
#include "policies/decide.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/trace/stream.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

class CommandTransaction;

class RunOutput {
 public:
  struct Options {
    bool json = false;
    bool verbose = false;
  };

  RunOutput(asio::any_io_executor executor, Clock& clock, Terminal& terminal, const GetEnv& env,
            Options options);

  /// One line for the person, whatever is being shown.
  void note(std::string_view text);
  /// Asks at the terminal, below the call that it is about; the answer comes from elsewhere.
  void ask(const ToolCall& call, const policies::Decision& why);

  /// Who works where, and the journal as the source of all that follows.
  Result<> begin(Session& session);
  /// Shows events until finish() and all of them are shown.
  asio::awaitable<void> follow();
  /// Keeps the line of what is under way fresh; ends when it is cancelled.
  asio::awaitable<void> tick();
  /// The journal has had its last event and was flushed.
  void finish();
  /// How it ended and what can be done now. `report` is null when nobody knows.
  asio::awaitable<void> end(Session& session, const TurnReport* report,
                            const CommandTransaction* transaction);

 private:
  void show(const trace::Batch& batch);
  void say_question();
  void write(std::string_view text);
  void clear_status();
  void draw_status();

  asio::any_io_executor executor_;
  Clock& clock_;
  Terminal& terminal_;
  Options options_;
  bool is_person_;  ///< who looks at standard output
  RunView view_;
  std::optional<trace::Stream> stream_;
  std::unique_ptr<trace::Subscriber> events_;
  trace::EventCodec codec_;
  Instant began_;
  std::string status_;                 ///< as it stands on the terminal
  std::vector<std::string> question_;  ///< lines that wait for their call to be shown
};

}  // namespace fathom::agents
