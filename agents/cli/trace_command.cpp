#include "agents/cli/trace_command.hpp"

#include "agents/run_store.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/event_json.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>

namespace fathom::agents {
namespace {

using namespace std::chrono_literals;
using trace::Event;
using trace::JournalReader;

constexpr Duration kPollInterval =
    100ms;  // a file on any file system can be polled; inotify misses network mounts

bool matches(const std::vector<std::string>& types, const std::string& type) {
  if (types.empty()) return true;
  return std::ranges::any_of(types, [&](const std::string& wanted) {
    return wanted.ends_with('.') ? type.starts_with(wanted) : type == wanted;
  });
}

// Prints events in the chosen format, after the filter.
class Printer {
 public:
  Printer(const TraceOptions& options, Terminal& terminal)
      : options_(options), terminal_(terminal), columns_(terminal.columns()) {}

  [[nodiscard]] bool wants(const Event& event) const {
    return event.at.seq > options_.after_seq && matches(options_.types, event.what.type);
  }

  Result<> print(const Event& event) {
    if (!wants(event)) return {};
    if (options_.format == TraceFormat::human) {
      terminal_.out(to_line(event, terminal_, columns_));
      return {};
    }
    line_.clear();
    TRY(codec_.append(line_, event));
    terminal_.out(line_);
    return {};
  }

 private:
  const TraceOptions& options_;
  Terminal& terminal_;
  std::size_t columns_;
  trace::EventCodec codec_;
  std::string line_;
};

void note_unfinished(const JournalReader& reader, Terminal& terminal) {
  if (reader.unfinished_bytes() > 0)
    terminal.note("the last line is unfinished (" + std::to_string(reader.unfinished_bytes()) +
                  " bytes): the run was interrupted there, or is writing right now");
}

// Lets signals through: a loop over a long file must stop when Ctrl-C asks it to.
class Breather {
 public:
  asio::awaitable<void> breathe() {
    constexpr std::uint64_t kEventsPerTurn = 1024;
    if (++events_ % kEventsPerTurn != 0) co_return;
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }

 private:
  std::uint64_t events_ = 0;
};

bool is_end(const Event& event) { return event.what.type == "run.finished"; }

}  // namespace

Result<> check_types(const std::vector<std::string>& types) {
  std::vector<std::string_view> names;
  for (const trace::EventFamily& family : trace::event_families()) names.push_back(family.name);
  for (const std::string& type : types) {
    // "model." is no family of its own and still means something: several whole types begin with
    // it.
    const bool prefix =
        type.ends_with('.') &&
        std::ranges::any_of(names, [&](std::string_view name) { return name.starts_with(type); });
    if (prefix || trace::durability_of(type)) continue;
    const std::string_view near = nearest(type, names);
    return fail(ErrorCode::usage,
                "--type " + to_printable(type) + ": no such event type or family" +
                    (near.empty() ? std::string(" (a family ends in a dot: 'tool.')")
                                  : " (did you mean '" + std::string(near) + "'?)"));
  }
  return {};
}

std::string to_line(const Event& event, const Terminal& terminal, std::size_t columns) {
  std::string seq = std::to_string(event.at.seq);
  if (event.at.sub != 0) seq += "+" + std::to_string(event.at.sub);
  seq.insert(0, seq.size() < 6 ? 6 - seq.size() : 0, ' ');
  const std::string time = trace::to_string(event.ts).substr(11, 12);  // HH:MM:SS.mmm
  std::string type = event.what.type;
  type.resize(std::max<std::size_t>(type.size(), 18), ' ');
  const std::size_t used = seq.size() + time.size() + type.size() + 3;
  std::string data = to_printable(event.what.data);
  if (columns > used + 8 && data.size() > columns - used)
    data = std::string(clip_prefix(data, columns - used - 1)) + "…";
  const Colour colour = event.what.type.ends_with(".failed") || event.what.type.ends_with(".denied")
                            ? Colour::red
                        : event.durability == trace::Durability::ephemeral ? Colour::dim
                                                                           : Colour::cyan;
  return terminal.paint(Colour::dim, seq + " " + time) + " " + terminal.paint(colour, type) + " " +
         data + "\n";
}

Result<> trace_show(const TraceOptions& options, Terminal& terminal) {
  JournalReader reader = TRY(JournalReader::open(options.file));
  Printer printer(options, terminal);
  for (;;) {
    Result<std::optional<Event>> event = reader.next();
    // What came before a damaged place is worth reading: it leaves first.
    if (!event) {
      TRY(terminal.flush());
      return fail(event.error());
    }
    if (!*event) break;
    TRY(printer.print(**event));
  }
  note_unfinished(reader, terminal);
  return terminal.flush();
}

Result<> trace_blob(const TraceOptions& options, const GetEnv& env, Terminal& terminal) {
  auto state = TRY(state_dir(env));
  const RunStore runs = TRY(RunStore::open(std::move(state)));
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  TRY(terminal.flush());
  const auto copied =
      blobs.copy_to(options.blob, STDOUT_FILENO, std::numeric_limits<std::uint64_t>::max());
  if (!copied)
    return fail(
        context("blob '" + to_printable(clip_prefix(options.blob, 100)) + "'", copied.error()));
  return {};
}

asio::awaitable<Result<>> trace_tail(TraceOptions options, Terminal& terminal, Clock& clock) {
  CO_TRY(JournalReader reader, JournalReader::open(options.file));
  Printer printer(options, terminal);
  bool ended = false;
  std::deque<Event> latest;
  Breather breather;
  for (;;) {
    co_await breather.breathe();
    CO_TRY(std::optional<Event> event, reader.next());
    if (!event) break;
    ended = is_end(*event);
    if (!printer.wants(*event)) continue;
    latest.push_back(std::move(*event));
    if (latest.size() > options.last) latest.pop_front();
  }
  for (const Event& event : latest) CO_TRY_VOID(printer.print(event));
  CO_TRY_VOID(terminal.flush());
  while (options.follow && !ended) {
    co_await breather.breathe();
    CO_TRY(std::optional<Event> event, reader.next());
    if (event) {
      ended = is_end(*event);
      CO_TRY_VOID(printer.print(*event));
      continue;
    }
    CO_TRY_VOID(terminal.flush());
    co_await clock.sleep_for(kPollInterval);
  }
  co_return terminal.flush();
}

asio::awaitable<Result<>> trace_replay(TraceOptions options, Terminal& terminal, Clock& clock) {
  CO_TRY(JournalReader reader, JournalReader::open(options.file));
  Printer printer(options, terminal);
  std::optional<std::int64_t> last_ns;
  Breather breather;
  for (;;) {
    co_await breather.breathe();
    CO_TRY(std::optional<Event> event, reader.next());
    if (!event) break;
    if (!printer.wants(*event)) continue;
    // The monotonic clock starts anew when a run is resumed on another boot: a step back is no
    // pause.
    if (last_ns && options.speed > 0 && event->mono_ns > *last_ns) {
      const Duration recorded = std::chrono::nanoseconds(event->mono_ns - *last_ns);
      const std::chrono::duration<double, std::nano> paced(static_cast<double>(recorded.count()) /
                                                           options.speed);
      const Duration pause =
          paced > options.gap_max ? options.gap_max : std::chrono::duration_cast<Duration>(paced);
      CO_TRY_VOID(terminal.flush());
      co_await clock.sleep_for(pause);
    }
    last_ns = event->mono_ns;
    CO_TRY_VOID(printer.print(*event));
  }
  note_unfinished(reader, terminal);
  co_return terminal.flush();
}

}  // namespace fathom::agents
