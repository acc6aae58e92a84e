// The victim of journal_kill_test: appends to a journal as fast as it can and says on standard
// output which seq was acknowledged, until it is killed. Usage: journal_killee JOURNAL
#include "runtime/base/file.hpp"
#include "runtime/trace/journal.hpp"
#include "tests/support/journal_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <cstdio>

using namespace fathom;

namespace {

asio::awaitable<void> write_forever(trace::Journal& journal) {
  constexpr std::uint64_t kEventsMax = 5'000'000;  // ends by itself should nobody kill it
  for (std::uint64_t n = 1; n < kEventsMax; ++n) {
    const std::string data =
        "{\"n\":" + std::to_string(n) + ",\"pad\":\"" + std::string(n * 7919 % 300, 'x') + "\"}";
    (void)journal.append(test::draft("tool.started", data)).value();
    // Batches of every size, and a sync now and then, so that the kill finds each in progress.
    if (n % (1 + n * 31 % 40) != 0) continue;
    const auto done = n % 97 == 0 ? co_await journal.sync() : journal.flush();
    if (!done) co_return;
    const std::uint64_t acknowledged = journal.last_seq();
    if (::write(STDOUT_FILENO, &acknowledged, sizeof acknowledged) != sizeof acknowledged)
      co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  asio::io_context io{1};
  OffloadPool pool;
  SystemClock clock;
  auto journal = trace::Journal::open({io.get_executor(), clock, pool}, argv[1], test::some_run());
  if (!journal) {
    std::fprintf(stderr, "%s\n", journal.error().message.c_str());
    return 1;
  }
  asio::co_spawn(io, write_forever(**journal), [](std::exception_ptr) {});
  io.run();
}
