#include "agents/session_state.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

namespace {

class Fold {
 public:
  void add(const char* type, std::chrono::seconds at) {
    trace::Event event;
    event.what.type = type;
    event.at.seq = ++seq_;
    event.ts = WallTime{at};
    REQUIRE(state.apply_trace(event, blobs_));
  }

  SessionState state;

 private:
  test::TempDir dir_;
  trace::BlobStore blobs_ = trace::BlobStore::open(dir_ / "blobs").value();
  std::uint64_t seq_ = 0;
};

}  // namespace

TEST_CASE("a run is at work between its start and its end, each time", "[agents]") {
  Fold fold;
  fold.add("run.started", 100s);
  fold.add("file.changed", 130s);
  fold.add("run.finished", 131s);
  CHECK(fold.state.worked() == 30s);
  fold.add("approval.answered", 5000s);  // by somebody else, while it lies there
  CHECK(fold.state.worked() == 30s);
  fold.add("run.resumed", 9000s);
  fold.add("file.changed", 9010s);
  fold.add("run.resumed", 20'000s);   // it had crashed
  fold.add("file.changed", 19'000s);  // the clock was set back
  fold.add("file.changed", 19'001s);
  CHECK(fold.state.worked() == 41s);
}

TEST_CASE("the time that a person takes to answer is no work", "[agents]") {
  Fold fold;
  fold.add("run.started", 0s);
  fold.add("approval.answered", 30'000s);
  fold.add("file.changed", 30'004s);
  CHECK(fold.state.worked() == 4s);
}

TEST_CASE("a fork has not worked yet", "[agents]") {
  Fold fold;
  fold.add("run.started", 0s);
  fold.add("file.changed", 60s);
  fold.add("run.forked", 70s);
  CHECK(fold.state.worked() == 0s);
  fold.add("run.resumed", 100s);
  fold.add("file.changed", 107s);
  CHECK(fold.state.worked() == 7s);
}
