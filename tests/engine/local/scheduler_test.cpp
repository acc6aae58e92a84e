#include "engine/local/scheduler.hpp"

#include "engine/text/tokenizer_grammar.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <map>

using namespace fathom;
using namespace fathom::engine;

namespace {

struct Outcome {
  std::vector<TokenId> tokens;
  StopReason reason{};
  std::string error;
  SpeculationCounts drafts;
  std::vector<std::int64_t> progress;
};

class Rig {
 public:
  explicit Rig(Drafting drafting = Drafting::off)
      : weights_(checkpoint_.load()),
        pool_(1),
        forward_(weights_, Numerics::official, pool_, drafting) {}

  [[nodiscard]] LiveKv new_kv() const { return forward_.new_kv(); }
  /// With a clock that says every step takes as long as any other: then all drafts pay.
  Scheduler scheduler() {
    return {forward_, weights_.config, [this] { return seconds_ += 1; }};
  }
  Scheduler scheduler_without_clock() { return {forward_, weights_.config}; }
  [[nodiscard]] Tokenizer tokenizer() const {
    return test::TinyCheckpoint::tokenizer(weights_.config.vocab_size);
  }
  [[nodiscard]] std::size_t vocabulary() const {
    return static_cast<std::size_t>(weights_.config.vocab_size);
  }

  static std::vector<TokenId> text(std::size_t size, unsigned seed) {
    return test::random_tokens(size, seed);
  }

  static GenerationRequest request(LiveKv& kv, std::vector<TokenId> prompt,
                                   std::int64_t tokens_max) {
    GenerationRequest out;
    out.prompt = std::move(prompt);
    out.kv = &kv;
    out.tokens_max = tokens_max;
    out.sampling.temperature = 0;
    out.stop_at_eos = false;
    return out;
  }

  static void note(std::map<RequestId, Outcome>& outcomes,
                   std::span<const GenerationEvent> events) {
    for (const GenerationEvent& event : events) {
      Outcome& outcome = outcomes[event.request];
      if (event.kind == GenerationEvent::Kind::token) outcome.tokens.push_back(event.token);
      if (event.kind == GenerationEvent::Kind::prefill)
        outcome.progress.push_back(event.prompt_done);
      if (event.kind != GenerationEvent::Kind::finished) continue;
      outcome.reason = event.reason;
      outcome.drafts = event.drafts;
      if (event.error) outcome.error = event.error->message;
    }
  }

  static std::map<RequestId, Outcome> run(Scheduler& scheduler) {
    std::map<RequestId, Outcome> outcomes;
    for (int steps = 0; !scheduler.idle(); ++steps) {
      REQUIRE(steps < 10000);
      note(outcomes, scheduler.step());
    }
    return outcomes;
  }

  Outcome alone(GenerationRequest request) {
    LiveKv kv = new_kv();
    request.kv = &kv;
    Scheduler one = scheduler();
    const RequestId id = one.add(std::move(request)).value();
    return run(one)[id];
  }

 private:
  test::TinyCheckpoint checkpoint_;
  Weights weights_;
  ThreadPool pool_;
  Forward forward_;
  double seconds_ = 0;
};

}  // namespace

TEST_CASE("requests beside each other get what each gets alone", "[engine]") {
  Rig rig;
  std::vector<LiveKv> kvs(6, rig.new_kv());
  std::vector<GenerationRequest> requests;
  for (unsigned i = 0; i < kvs.size(); ++i) {
    requests.push_back(Rig::request(kvs[i], Rig::text(20 + 130 * i, i), 30));
    requests.back().sampling.temperature = i % 2 ? 1.0F : 0.0F;
    requests.back().sampling.seed = 7 + i;
  }
  Scheduler scheduler = rig.scheduler();
  std::vector<RequestId> ids;
  for (const GenerationRequest& request : requests) ids.push_back(scheduler.add(request).value());
  auto together = Rig::run(scheduler);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    INFO("request " << i);
    CHECK(together[ids[i]].tokens == rig.alone(requests[i]).tokens);
    CHECK(together[ids[i]].reason == StopReason::length);
    CHECK(kvs[i].position() == static_cast<std::int64_t>(requests[i].prompt.size()) + 29);
  }
}

TEST_CASE("speculation changes neither tokens nor KV, and repeats are accepted", "[engine]") {
  Rig rig;
  // Few words: what was said comes again, sometimes otherwise.
  LiveKv kv = rig.new_kv();
  GenerationRequest with = Rig::request(kv, Rig::text(50, 3), 400);
  with.sampling.logit_bias = {{5, 100}, {6, 100}};
  DraftCounts counts;
  for (const float temperature : {0.0F, 0.3F, 1.0F}) {
    with.sampling.temperature = temperature;
    GenerationRequest without = with;
    without.speculate = false;
    const Outcome drafted = rig.alone(with);
    const Outcome plain = rig.alone(without);
    CHECK(drafted.tokens == plain.tokens);
    CHECK(plain.drafts.all().drafted == 0);
    counts.drafted += drafted.drafts.all().drafted;
    counts.accepted += drafted.drafts.all().accepted;
  }
  CHECK(counts.accepted > 50);
  CHECK(counts.drafted > counts.accepted);  // wrong ones were taken back
}

TEST_CASE("a continued session goes on as if it had never paused", "[engine]") {
  Rig rig;
  const auto first = Rig::text(40, 5);
  const auto second = Rig::text(30, 6);
  LiveKv kv = rig.new_kv();
  Scheduler scheduler = rig.scheduler();
  const RequestId turn = scheduler.add(Rig::request(kv, first, 10)).value();
  const std::vector<TokenId> said = Rig::run(scheduler)[turn].tokens;
  // The last token said is not in the KV: it comes with the next turn's prompt.
  std::vector<TokenId> next(1, said.back());
  next.insert(next.end(), second.begin(), second.end());
  const RequestId later = scheduler.add(Rig::request(kv, next, 10)).value();
  const auto resumed = Rig::run(scheduler)[later].tokens;

  std::vector<TokenId> all = first;
  all.insert(all.end(), said.begin(), said.end());
  all.insert(all.end(), second.begin(), second.end());
  CHECK(resumed == rig.alone(Rig::request(kv, all, 10)).tokens);
}

TEST_CASE("a long prompt is read in pieces, with progress, beside those who generate", "[engine]") {
  Rig rig;
  LiveKv first = rig.new_kv();
  LiveKv second = rig.new_kv();
  Scheduler scheduler = rig.scheduler_without_clock();
  std::map<RequestId, Outcome> outcomes;
  const RequestId talker = scheduler.add(Rig::request(first, Rig::text(5, 1), 40)).value();
  Rig::note(outcomes, scheduler.step());
  const RequestId reader = scheduler.add(Rig::request(second, Rig::text(400, 2), 2)).value();
  std::size_t said = outcomes[talker].tokens.size();
  while (outcomes[reader].tokens.empty()) {
    Rig::note(outcomes, scheduler.step());
    CHECK(outcomes[talker].tokens.size() > said);  // no step goes by without a token
    said = outcomes[talker].tokens.size();
  }
  CHECK(outcomes[reader].progress == std::vector<std::int64_t>{128, 256, 384, 400});
}

TEST_CASE("pieces of a prompt are cut to the time a step may take", "[engine]") {
  Rig rig;
  LiveKv first = rig.new_kv();
  LiveKv second = rig.new_kv();
  Scheduler scheduler = rig.scheduler();
  // The first step of 512 tokens takes a second: two seconds' worth are more than a batch.
  const RequestId alone = scheduler.add(Rig::request(first, Rig::text(1100, 1), 30)).value();
  std::map<RequestId, Outcome> outcomes;
  while (outcomes[alone].tokens.empty()) Rig::note(outcomes, scheduler.step());
  CHECK(outcomes[alone].progress == std::vector<std::int64_t>{512, 1024, 1100});
  // A token took 1/512 s and lately 1/76 s, on average a quarter of a second has 33.
  const RequestId beside = scheduler.add(Rig::request(second, Rig::text(40, 2), 1)).value();
  while (outcomes[beside].tokens.empty()) Rig::note(outcomes, scheduler.step());
  CHECK(outcomes[beside].progress == std::vector<std::int64_t>{33, 40});
}

TEST_CASE("a cancelled request ends with the next step", "[engine]") {
  Rig rig;
  LiveKv kv = rig.new_kv();
  Scheduler scheduler = rig.scheduler();
  const RequestId id = scheduler.add(Rig::request(kv, Rig::text(5, 1), 1000)).value();
  std::map<RequestId, Outcome> outcomes;
  for (int i = 0; i < 3; ++i) Rig::note(outcomes, scheduler.step());
  scheduler.cancel(id);
  Rig::note(outcomes, scheduler.step());
  CHECK(outcomes[id].reason == StopReason::cancelled);
  CHECK(scheduler.idle());
  CHECK(scheduler.step().empty());
  scheduler.cancel(id);
}

TEST_CASE("an answer ends at its stop string or at the end of sentence", "[engine]") {
  Rig rig;
  LiveKv kv = rig.new_kv();
  GenerationRequest request = Rig::request(kv, Rig::text(30, 9), 50);
  const auto tokens = rig.alone(request).tokens;
  request.token_bytes = [](TokenId token) -> std::string_view {
    thread_local std::string text;
    text = "<" + std::to_string(token) + ">";
    return text;
  };
  request.stop = {"<" + std::to_string(tokens[4]) + "><" + std::to_string(tokens[5]) + ">"};
  const Outcome stopped = rig.alone(request);
  CHECK(stopped.reason == StopReason::stop);
  CHECK(stopped.tokens.size() <= 6);

  // Only the end of sentence is allowed to be likely.
  request.stop.clear();
  request.stop_at_eos = true;
  request.sampling.logit_bias = {{1, 100}};
  const Outcome ended = rig.alone(request);
  CHECK(ended.reason == StopReason::eos);
  CHECK(ended.tokens.empty());
}

TEST_CASE("a request that cannot run is refused when it comes", "[engine]") {
  Rig rig;
  LiveKv kv = rig.new_kv();
  Scheduler scheduler = rig.scheduler();
  const auto refusal = [&](GenerationRequest request) {
    const auto id = scheduler.add(std::move(request));
    return id ? std::string("accepted") : id.error().message;
  };
  CHECK(refusal(Rig::request(kv, {}, 1)) == "the prompt is empty: there is nothing to continue");
  CHECK(refusal(Rig::request(kv, Rig::text(65536, 1), 1)) ==
        "the prompt has 65536 tokens: the model's context is 65536, and an answer needs room");
  CHECK(refusal(Rig::request(kv, {5}, 0)) == "at least one token must be allowed");
  GenerationRequest hot = Rig::request(kv, {5}, 1);
  hot.sampling.temperature = 9;
  CHECK(refusal(hot).starts_with("temperature: 9 is not in"));
  std::vector<LiveKv> kvs(Scheduler::kRequestsMax, kv);
  for (LiveKv& each : kvs) REQUIRE(scheduler.add(Rig::request(each, {5}, 1)));
  CHECK(refusal(Rig::request(kv, {5}, 1)) ==
        "the engine has 56 requests already: try again when one has finished");
}

TEST_CASE("the MTP block drafts what the lookup does not know, and changes no token", "[engine]") {
  Rig with(Drafting::on);
  LiveKv kv = with.new_kv();
  // Random weights are rarely guessed; with few words some guesses are right all the same.
  GenerationRequest request = Rig::request(kv, Rig::text(60, 3), 200);
  request.sampling.logit_bias = {{5, 40}, {6, 40}, {7, 40}};
  for (const float temperature : {0.0F, 1.0F}) {
    request.sampling.temperature = temperature;
    GenerationRequest plain = request;
    plain.speculate = false;
    const Outcome drafted = with.alone(request);
    CHECK(drafted.tokens == with.alone(plain).tokens);
    CHECK(drafted.drafts.mtp.drafted > 0);
    CHECK(drafted.drafts.mtp.accepted > 0);
  }
}

TEST_CASE("a KV that was fed without MTP can be drafted for later", "[engine]") {
  Rig with(Drafting::on);
  Rig without;
  LiveKv kv = without.new_kv();
  Scheduler first = without.scheduler();
  const RequestId turn = first.add(Rig::request(kv, Rig::text(200, 5), 3)).value();
  const auto said = Rig::run(first)[turn].tokens;
  LiveKv plain = kv;
  Scheduler second = with.scheduler();
  GenerationRequest request = Rig::request(kv, {said.back()}, 40);
  request.sampling.logit_bias = {{5, 40}, {6, 40}, {7, 40}};
  const RequestId later = second.add(request).value();
  const Outcome drafted = Rig::run(second)[later];
  CHECK(drafted.drafts.mtp.drafted > 0);
  REQUIRE(kv.rollback(100));  // beyond where the streams were kept from
  request.kv = &plain;
  request.speculate = false;
  const RequestId again = second.add(request).value();
  CHECK(Rig::run(second)[again].tokens == drafted.tokens);
}

TEST_CASE("an answer keeps to its grammar, with drafts and without", "[engine]") {
  Rig rig(Drafting::on);
  const Tokenizer tokenizer = rig.tokenizer();
  const auto vocabulary = grammar_vocabulary(tokenizer, rig.vocabulary()).value();
  LiveKv kv = rig.new_kv();
  GenerationRequest request = Rig::request(kv, Rig::text(20, 4), 300);
  request.stop_at_eos = true;
  request.grammar = Grammar::json_schema(vocabulary, R"({"type":"object","required":["name","size"],
      "properties":{"name":{"enum":["left","right"]},"size":{"type":"boolean"}}})")
                        .value();
  request.tokenize = [&](std::string_view text) { return tokenizer.encode(text); };
  for (unsigned seed = 0; seed < 8; ++seed) {
    request.sampling.seed = seed;
    request.sampling.temperature = 1;
    const Outcome answer = rig.alone(request);
    CHECK(answer.reason == StopReason::eos);
    const std::string text = tokenizer.decode(answer.tokens);
    INFO(text);
    CHECK((text.contains("\"left\"") || text.contains("\"right\"")));
    CHECK((text.contains("true") || text.contains("false")));
    CHECK(answer.drafts.grammar.drafted > 0);
    CHECK(answer.drafts.grammar.accepted == answer.drafts.grammar.drafted);
    GenerationRequest plain = request;
    plain.speculate = false;
    CHECK(rig.alone(plain).tokens == answer.tokens);
  }
}

TEST_CASE("a grammar waits for the end of the reasoning", "[engine]") {
  Rig rig;
  const Tokenizer tokenizer = rig.tokenizer();
  LiveKv kv = rig.new_kv();
  GenerationRequest request = Rig::request(kv, Rig::text(20, 4), 400);
  request.stop_at_eos = true;
  request.sampling.temperature = 1;
  request.grammar = Grammar::json_schema(grammar_vocabulary(tokenizer, rig.vocabulary()).value(),
                                         R"({"enum":["done"]})")
                        .value();
  const TokenId close = tokenizer.find_special("</think>").value();
  request.grammar_after = close;
  request.tokens_max = 5000;
  const Outcome answer = rig.alone(request);
  const auto at = std::ranges::find(answer.tokens, close);
  REQUIRE(at != answer.tokens.end());
  CHECK(at != answer.tokens.begin());  // it was free to say something else first
  CHECK(tokenizer.decode(std::span(answer.tokens)
                             .subspan(static_cast<std::size_t>(at + 1 - answer.tokens.begin()))) ==
        "\"done\"");
}

TEST_CASE("a request on hold keeps its place", "[engine]") {
  Rig rig;
  LiveKv first = rig.new_kv();
  LiveKv second = rig.new_kv();
  Scheduler scheduler = rig.scheduler();
  std::map<RequestId, Outcome> outcomes;
  const RequestId slow = scheduler.add(Rig::request(first, Rig::text(5, 1), 6)).value();
  const RequestId other = scheduler.add(Rig::request(second, Rig::text(5, 2), 6)).value();
  for (int i = 0; i < 3; ++i) Rig::note(outcomes, scheduler.step());
  scheduler.hold(slow, true);
  const std::size_t said = outcomes[slow].tokens.size();
  while (scheduler.ready()) Rig::note(outcomes, scheduler.step());
  CHECK(outcomes[slow].tokens.size() == said);
  CHECK(outcomes[other].reason == StopReason::length);
  CHECK(!scheduler.idle());
  CHECK(scheduler.step().empty());
  scheduler.hold(slow, false);
  while (scheduler.ready()) Rig::note(outcomes, scheduler.step());
  LiveKv kv = rig.new_kv();
  CHECK(outcomes[slow].tokens == rig.alone(Rig::request(kv, Rig::text(5, 1), 6)).tokens);
}
