#include "agents/cli/run_output.hpp"

#include "agents/cli/transaction_command.hpp"
#include "runtime/base/text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace fathom::agents {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(200);

// Of the terminal that the view goes to: standard error while the answer goes into a pipe. A status
// that is wider than it takes two rows, and only the second would be cleared.
std::size_t view_columns(const Terminal& terminal, bool is_person) {
  if (is_person) return terminal.columns();
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

// "M  src/a.py  +3 -1" a line.
std::string changes_text(const tools::SnapshotDiff& diff) {
  std::string text;
  for (const tools::ChangedFile& file : diff.files)
    text += std::string(tools::name_of(file.change)) + "  " + file.path + "  +" +
            std::to_string(file.added) + " -" + std::to_string(file.removed) + "\n";
  if (diff.more_files != 0) text += "and " + std::to_string(diff.more_files) + " more\n";
  return text;
}

}  // namespace

RunOutput::RunOutput(asio::any_io_executor executor, Clock& clock, Terminal& terminal,
                     const GetEnv& env, Options options)
    : executor_(std::move(executor)),
      clock_(clock),
      terminal_(terminal),
      options_(options),
      is_person_(::isatty(STDOUT_FILENO) == 1),
      view_({view_columns(terminal, is_person_),
             [&terminal](Colour colour, std::string_view text) {
               return terminal.paint(colour, text);
             },
             marks_for(env), ::isatty(STDERR_FILENO) == 1, options.verbose}),
      began_(clock.now()) {}

void RunOutput::clear_status() {
  if (status_.empty()) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  status_.clear();
}

void RunOutput::draw_status() {
  if (options_.json || ::isatty(STDERR_FILENO) != 1) return;
  view_.resize(view_columns(terminal_, is_person_));
  std::string now = view_.status(clock_.now());
  if (now == status_) return;
  clear_status();
  status_ = std::move(now);
  std::fputs(status_.c_str(), stderr);
  std::fflush(stderr);
}

void RunOutput::write(std::string_view text) {
  if (text.empty()) return;
  clear_status();
  if (is_person_) {
    terminal_.out(text);
    (void)terminal_.flush();
  } else {
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
}

void RunOutput::note(std::string_view text) {
  clear_status();
  terminal_.note(to_printable(text));
}

// The call comes by way of the journal, a little later than the question: asked at once, a person
// would read the question above what it is about.
void RunOutput::ask(const ToolCall& call, const policies::Decision& why) {
  question_ = {"may " + to_printable(call.name) + " do this? " + to_printable(why.reason) +
                   (why.grant.empty() ? "" : " (grant: " + to_printable(why.grant) + ")"),
               "y once, a for all that rule '" + to_printable(why.rule) + "' asks, n no"};
}

void RunOutput::say_question() {
  if (question_.empty()) return;
  clear_status();
  for (const std::string& line : question_) terminal_.note(line);
  question_.clear();
}

Result<> RunOutput::begin(Session& session) {
  // What went before is not shown again when a run is resumed.
  trace::Journal& journal = session.toolbox().journal();
  TRY(journal.flush());
  stream_.emplace(executor_, journal);
  events_ = TRY(stream_->subscribe(session.state().requests() == 0 ? 0 : journal.last_seq()));
  return {};
}

void RunOutput::show(const trace::Batch& batch) {
  if (options_.json) {
    terminal_.out(batch.lines());
    (void)terminal_.flush();
    return;
  }
  std::string_view rest = batch.lines();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const Result<trace::Event> event = codec_.decode(line);
    if (!event) continue;
    write(view_.on(event->what.type, event->what.data, clock_.now()));
    if (event->what.type == "approval.requested") say_question();
  }
  draw_status();
}

asio::awaitable<void> RunOutput::follow() {
  for (;;) {
    auto waiting = events_->next();
    const Result<trace::Batch> batch = co_await std::move(waiting);
    if (!batch) {
      note("the journal cannot be followed: " + batch.error().message);
      co_return;
    }
    show(*batch);
    if (batch->ended) co_return;
  }
}

asio::awaitable<void> RunOutput::tick() {
  for (;;) {
    co_await clock_.sleep_for(kTick);
    say_question();  // of a call that was shown before, or that is in no journal of this run
    draw_status();
  }
}

void RunOutput::finish() {
  if (stream_) stream_->close();
}

asio::awaitable<void> RunOutput::end(Session& session, const TurnReport* report,
                                     const CommandTransaction* transaction) {
  clear_status();
  if (options_.json) co_return;
  if (!is_person_ && report != nullptr && !report->answer.empty()) {
    terminal_.out(report->answer);
    if (!report->answer.ends_with('\n')) terminal_.out("\n");
  }
  RunEnd end;
  end.end = report != nullptr ? report->end : TurnEnd::cancelled;
  end.why = report != nullptr ? report->why : "stopped";
  const Spent& spent = session.state().spent();
  end.steps = spent.steps;
  end.usage = spent.usage;
  if (session.engine().price) end.cost_usd = spent.usd;
  end.took = clock_.now() - began_;
  end.run = session.run().to_string();
  end.may_undo = session.toolbox().has_changed();
  auto comparing = session.toolbox().changes();
  const auto changes = co_await std::move(comparing);
  if (!changes) note(changes.error().message);
  if (changes && *changes) {
    end.changes = changes_text(**changes);
    if (is_person_ || options_.verbose) write(printable_lines((*changes)->patch));
  }
  for (const std::string& line : session.toolbox().git_changes())
    note("undo does not take back: " + line);
  write(view_.summary(end));
  if (transaction != nullptr) terminal_.note(transaction->to_text());
}

}  // namespace fathom::agents
