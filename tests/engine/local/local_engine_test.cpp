#include "engine/local/local_engine.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <latch>

using namespace fathom;
using namespace fathom::engine;

namespace {

class Rig {
 public:
  Rig() : engine_(LocalEngine::open(checkpoint_.path(), {.threads = 1}).value()) {}

  LocalEngine& engine() { return *engine_; }
  void close() { engine_.reset(); }

  static GenerationRequest request(LiveKv& kv, unsigned seed, std::int64_t tokens_max) {
    GenerationRequest out;
    out.prompt = test::random_tokens(20 + seed % 50, seed);
    out.kv = &kv;
    out.tokens_max = tokens_max;
    out.sampling.seed = seed;
    out.stop_at_eos = false;
    return out;
  }

  std::unique_ptr<Generation> start(GenerationRequest request, std::function<void()> wake = {}) {
    auto generation = engine_->generate(std::move(request), std::move(wake));
    REQUIRE(generation);
    return *std::move(generation);
  }

 private:
  test::TinyCheckpoint checkpoint_;
  std::unique_ptr<LocalEngine> engine_;
};

struct Heard {
  std::vector<TokenId> tokens;
  StopReason reason{};
};

Heard listen(Generation& generation) {
  Heard out;
  while (const auto event = generation.next()) {
    if (event->kind == GenerationEvent::Kind::token) out.tokens.push_back(event->token);
    if (event->kind == GenerationEvent::Kind::finished) out.reason = event->reason;
  }
  return out;
}

}  // namespace

TEST_CASE("callers on many threads get what each gets alone", "[engine]") {
  Rig rig;
  constexpr unsigned kCallers = 6;
  std::vector<Heard> together(kCallers);
  {
    std::latch begin(kCallers);  // outlives the callers
    std::vector<std::jthread> callers;
    for (unsigned i = 0; i < kCallers; ++i)
      callers.emplace_back([&, i] {
        begin.arrive_and_wait();
        LiveKv kv = rig.engine().new_kv();
        auto generation = rig.engine().generate(Rig::request(kv, i, 40));
        together[i] = listen(**generation);
      });
  }
  for (unsigned i = 0; i < kCallers; ++i) {
    LiveKv kv = rig.engine().new_kv();
    const Heard alone = listen(*rig.start(Rig::request(kv, i, 40)));
    CHECK(alone.tokens.size() == 40);
    CHECK(alone.tokens == together[i].tokens);
    CHECK(alone.reason == StopReason::length);
  }
}

TEST_CASE("a cancelled generation still says how it ended", "[engine]") {
  Rig rig;
  LiveKv kv = rig.engine().new_kv();
  const auto generation = rig.start(Rig::request(kv, 1, 50'000));
  while (generation->next()->kind != GenerationEvent::Kind::token) {
  }
  generation->cancel();
  generation->cancel();
  CHECK(listen(*generation).reason == StopReason::cancelled);
  CHECK(!generation->next());
  CHECK(!generation->try_next());
  // Its KV is the caller's again.
  CHECK(listen(*rig.start(Rig::request(kv, 2, 3))).tokens.size() == 3);
}

TEST_CASE("a generation that is dropped lets go of its KV first", "[engine]") {
  Rig rig;
  for (unsigned i = 0; i < 20; ++i) {
    LiveKv kv = rig.engine().new_kv();
    const auto generation = rig.start(Rig::request(kv, i, 50'000));
    for (unsigned read = 0; read < i; ++read) static_cast<void>(generation->next());
  }
}

TEST_CASE("an engine that is closed finishes what runs as cancelled", "[engine]") {
  Rig rig;
  LiveKv first = rig.engine().new_kv();
  LiveKv second = rig.engine().new_kv();
  const auto running = rig.start(Rig::request(first, 1, 50'000));
  static_cast<void>(running->next());
  const auto waiting = rig.start(Rig::request(second, 2, 50'000));
  rig.close();
  CHECK(listen(*running).reason == StopReason::cancelled);
  CHECK(listen(*waiting).reason == StopReason::cancelled);
}

TEST_CASE("a reader that is behind is waited for, in bounded memory", "[engine]") {
  Rig rig;
  LiveKv slow_kv = rig.engine().new_kv();
  LiveKv kv = rig.engine().new_kv();
  std::atomic<std::size_t> events = 0;
  const auto slow = rig.start(Rig::request(slow_kv, 1, 1000), [&] { ++events; });
  // Others go on meanwhile, longer than the slow one would have taken.
  CHECK(listen(*rig.start(Rig::request(kv, 2, 2000))).tokens.size() == 2000);
  CHECK(events >= EventQueue::kEventsMax);
  CHECK(events < EventQueue::kEventsMax + DraftPolicy::kDraftMax + 2);
  const Heard heard = listen(*slow);
  CHECK(heard.tokens.size() == 1000);
  LiveKv again = rig.engine().new_kv();
  CHECK(heard.tokens == listen(*rig.start(Rig::request(again, 1, 1000))).tokens);
}

TEST_CASE("the wake-up call is over when a generation is gone", "[engine]") {
  Rig rig;
  for (unsigned i = 0; i < 50; ++i) {
    LiveKv kv = rig.engine().new_kv();
    auto alive = std::make_unique<std::atomic<int>>(0);
    {
      const auto generation = rig.start(Rig::request(kv, i, 3), [&] { ++*alive; });
      listen(*generation);
    }
    CHECK(*alive >= 4);  // three tokens and the end; progress before
    alive.reset();       // a later call would be a use after free, which sanitizers see
  }
}

TEST_CASE("a session runs one request at a time", "[engine]") {
  Rig rig;
  LiveKv kv = rig.engine().new_kv();
  const auto first = rig.start(Rig::request(kv, 1, 50'000));
  while (first->next()->kind != GenerationEvent::Kind::token) {
  }
  const auto second = rig.engine().generate(Rig::request(kv, 2, 1));
  REQUIRE(!second);
  CHECK(second.error().message == "this session has a request already: wait until it is finished");
  first->cancel();
  listen(*first);
  CHECK(rig.engine().generate(Rig::request(kv, 2, 1)).has_value());
}

TEST_CASE("unread progress is replaced by newer progress", "[engine]") {
  EventQueue queue({});
  GenerationEvent event;
  event.kind = GenerationEvent::Kind::prefill;
  for (std::int64_t done = 1; done <= 1000; ++done) {
    event.prompt_done = done;
    queue.push(event);
  }
  event.kind = GenerationEvent::Kind::token;
  queue.push(event);
  CHECK(queue.pop(false)->prompt_done == 1000);
  CHECK(queue.pop(false)->kind == GenerationEvent::Kind::token);
  CHECK(!queue.pop(false));
}

TEST_CASE("a request that cannot run is refused on the caller's thread", "[engine]") {
  Rig rig;
  LiveKv kv = rig.engine().new_kv();
  GenerationRequest request = Rig::request(kv, 1, 1);
  request.prompt = {5, 512};
  CHECK(rig.engine().generate(request).error().message ==
        "token id 512 is not in the vocabulary: the model has 0 to 511");
  std::vector<LiveKv> kvs(Scheduler::kRequestsMax + 1, kv);
  std::vector<std::unique_ptr<Generation>> generations;
  for (std::size_t i = 0; i < Scheduler::kRequestsMax; ++i)
    generations.push_back(rig.start(Rig::request(kvs[i], 1, 50'000)));
  CHECK(rig.engine().generate(Rig::request(kvs.back(), 1, 1)).error().message ==
        "the engine has 56 requests already: try again when one has finished");
  generations.pop_back();
  CHECK(rig.engine().generate(Rig::request(kvs.back(), 1, 1)).has_value());
}

TEST_CASE("a folder without a checkpoint is refused when the engine is opened", "[engine]") {
  test::TempDir dir;
  const auto engine = LocalEngine::open(dir / "none");
  REQUIRE(!engine);
  CHECK(engine.error().message.contains("config.json"));
}
