// A journal on a simulator: manual clock, temporary folder, its own pool.
#pragma once

#include "runtime/async/offload.hpp"
#include "runtime/async/simulator.hpp"
#include "runtime/trace/journal.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>

namespace fathom::test {

inline RunId some_run() { return RunId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").value(); }

inline trace::EventDraft draft(std::string type, std::string data = "{}") {
  trace::EventDraft out;
  out.type = std::move(type);
  out.data = std::move(data);
  return out;
}

struct JournalFixture {
  TempDir dir;
  OffloadPool pool;
  Simulator sim{1};
  std::filesystem::path path = dir / "run.jsonl";

  trace::JournalServices services() { return {sim.executor(), sim.clock(), pool}; }
  Result<std::unique_ptr<trace::Journal>> open() {
    return trace::Journal::open(services(), path, some_run());
  }
  /// A journal file of `count` small events.
  void fill(std::uint64_t count) {
    auto journal = open().value();
    for (std::uint64_t i = 1; i <= count; ++i)
      (void)journal->append(draft("tool.started", "{\"n\":" + std::to_string(i) + "}")).value();
    journal->flush().value();
  }
};

}  // namespace fathom::test
