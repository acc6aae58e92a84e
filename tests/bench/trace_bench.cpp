// Measures the trace: appending, reading, and what subscribers cost the writer. Each figure stands
// beside a peer or a limit measured in the same run. `./dev bench runtime` runs it.
//
// On two quiet 2.3 GHz Xeon cores, 282 bytes an event, medians of 7 rounds of a million events:
// 1.60 M/s appended (goal 0.2), 1.24 M/s decoded (goal 1.0; 5.8 x nlohmann-json), 3,831 syncs/s
// (0.72 of bare write and fdatasync), writer with 100 subscribers of whom one never reads 0.94 of
// without (goal 0.90), 67 kB a stalled subscriber. The 0.94 needs the second core: where another
// program has it, the readers take their time from the writer (0.6).
#include "runtime/base/file.hpp"
#include "runtime/trace/journal.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "runtime/trace/stream.hpp"
#include "tests/support/journal_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <thread>

using namespace fathom;
using namespace fathom::trace;

namespace {

constexpr std::uint64_t kEvents = 1'000'000;
constexpr int kRounds = 7;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

EventDraft small_event(std::uint64_t n) {
  EventDraft event =
      test::draft("tool.started", R"({"call":"c)" + std::to_string(n) + R"(","name":"bash"})");
  event.span.value = n;
  event.cause = n;
  return event;
}

// A journal of its own on real clocks.
struct Bench {
  test::TempDir dir;
  OffloadPool pool;
  SystemClock clock;
  asio::io_context io{1};
  std::filesystem::path path = dir / "bench.jsonl";

  std::unique_ptr<Journal> open() {
    std::filesystem::remove(path);
    return Journal::open({io.get_executor(), clock, pool}, path, test::some_run()).value();
  }
};

void write_events(Journal& journal, std::uint64_t count) {
  for (std::uint64_t n = 1; n <= count; ++n) (void)journal.append(small_event(n)).value();
  journal.flush().value();
}

void bench_append(Bench& bench) {
  std::vector<double> ours;
  std::vector<double> raw;
  for (int round = 0; round < kRounds; ++round) {
    auto journal = bench.open();
    ours.push_back(seconds([&] { write_events(*journal, kEvents); }));
    const std::string batch(Journal::kBatchBytes, 'x');
    const std::uint64_t bytes = std::filesystem::file_size(bench.path);
    UniqueFd fd(
        ::open((bench.dir / "raw").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    raw.push_back(seconds([&] {
      for (std::uint64_t at = 0; at < bytes; at += batch.size())
        write_all(fd.get(), batch, "raw").value();
    }));
  }
  const double rate = static_cast<double>(kEvents) / median(ours);
  std::printf(
      "journal append    %10.0f events/s   goal 200000   (%.2f of the time is write(2) of the same "
      "bytes)\n",
      rate, median(raw) / median(ours));
}

void bench_decode(Bench& bench) {
  std::vector<double> ours;
  std::vector<double> peer;
  const std::string text = test::slurp(bench.path);
  for (int round = 0; round < kRounds; ++round) {
    ours.push_back(seconds([&] {
      JournalReader reader = JournalReader::open(bench.path).value();
      while (reader.next().value()) {
      }
    }));
    constexpr std::uint64_t kPeerEvents = kEvents / 10;
    peer.push_back(seconds([&] {
                     std::size_t at = 0;
                     for (std::uint64_t n = 0; n < kPeerEvents; ++n) {
                       const std::size_t newline = text.find('\n', at);
                       (void)nlohmann::json::parse(
                           text.begin() + static_cast<std::ptrdiff_t>(at),
                           text.begin() + static_cast<std::ptrdiff_t>(newline));
                       at = newline + 1;
                     }
                   }) *
                   10);
  }
  std::printf(
      "journal decode    %10.0f events/s   goal 1000000  (%.1f x nlohmann-json, %zu bytes an "
      "event)\n",
      static_cast<double>(kEvents) / median(ours), median(peer) / median(ours),
      text.size() / kEvents);
}

asio::awaitable<void> read_on(Subscriber& subscriber, std::uint64_t& events) {
  for (;;) {
    const Batch batch = (co_await subscriber.next()).value();
    if (batch.ended) co_return;
    events = batch.to;
  }
}

// Seconds the writer took with `readers` subscribers that read on another thread and one that never
// reads.
double write_with_subscribers(Bench& bench, int readers, bool stalled, double& delivered_share) {
  auto journal = bench.open();
  asio::io_context reader_io{1};
  Stream stream(reader_io.get_executor(), *journal);
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  std::vector<std::uint64_t> seen(static_cast<std::size_t>(readers));
  for (std::uint64_t& events : seen) {
    subscribers.push_back(stream.subscribe(0).value());
    asio::co_spawn(reader_io, read_on(*subscribers.back(), events), [](std::exception_ptr) {});
  }
  if (stalled) subscribers.push_back(stream.subscribe(0).value());
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    // The stream wakes its subscribers through this context; stopping it is how the measurement
    // ends.
    auto work = asio::make_work_guard(reader_io);
    while (!stop) reader_io.run_one_for(std::chrono::milliseconds(1));
  });
  const double took = seconds([&] { write_events(*journal, kEvents); });
  stop = true;
  reader.join();
  std::uint64_t sum = 0;
  for (std::uint64_t events : seen) sum += events;
  delivered_share =
      readers == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(kEvents) / readers;
  return took;
}

void bench_stream(Bench& bench) {
  std::vector<double> alone;
  std::vector<double> watched;
  std::vector<double> ratios;
  double share = 0;
  for (int round = 0; round < kRounds; ++round) {
    alone.push_back(write_with_subscribers(bench, 0, false, share));
    watched.push_back(write_with_subscribers(bench, 99, true, share));
    ratios.push_back(alone.back() / watched.back());
  }
  std::printf(
      "stream, writer    %10.0f events/s with 100 subscribers, one stalled: %.2f of none   goal "
      "0.90\n",
      static_cast<double>(kEvents) / median(watched), median(ratios));
  std::printf(
      "stream, readers   %10.0f %% of the events were with the 99 readers when the writer ended\n",
      share * 100);
}

// Heap bytes that 100 subscribers hold who took one batch each and then stalled.
void bench_stream_memory(Bench& bench) {
  auto journal = bench.open();
  Stream stream(bench.io.get_executor(), *journal);
  write_events(*journal, 1000);
  const std::size_t before = ::mallinfo2().uordblks;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  std::vector<Batch> held;
  const auto take_one_each = [&]() -> asio::awaitable<void> {
    for (std::uint64_t place = 0; place < 100; ++place) {
      // Each at a place of its own, so that none shares the batch of another.
      subscribers.push_back(stream.subscribe(place).value());
      held.push_back((co_await subscribers.back()->next()).value());
    }
  };
  asio::co_spawn(bench.io, take_one_each(), [](std::exception_ptr) {});
  bench.io.restart();
  bench.io.run();
  const std::size_t first = ::mallinfo2().uordblks - before;
  write_events(*journal, kEvents);
  const std::size_t later = ::mallinfo2().uordblks - before;
  std::printf(
      "stream, memory    %10zu bytes a stalled subscriber, %zu when a million events behind "
      "  bound %zu\n",
      first / 100, later / 100, Subscriber::kBatchBytesMax);
}

void bench_sync(Bench& bench) {
  auto journal = bench.open();
  constexpr int kSyncs = 200;
  const auto syncs = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < kSyncs; ++i) {
      (void)journal->append(small_event(1)).value();
      (co_await journal->sync()).value();
    }
  };
  const double ours = seconds([&] {
    asio::co_spawn(bench.io, syncs(), [](std::exception_ptr) {});
    bench.io.run();
  });
  UniqueFd fd(
      ::open((bench.dir / "raw-sync").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const double raw = seconds([&] {
    for (int i = 0; i < kSyncs; ++i) {
      write_all(fd.get(), std::string(300, 'x'), "raw").value();
      ::fdatasync(fd.get());
    }
  });
  std::printf("journal sync      %10.0f syncs/s    (%.2f of bare write + fdatasync)\n",
              kSyncs / ours, raw / ours);
}

}  // namespace

int main() {
  Bench bench;
  bench_append(bench);
  bench_decode(bench);
  bench_sync(bench);
  bench_stream(bench);
  bench_stream_memory(bench);
}
