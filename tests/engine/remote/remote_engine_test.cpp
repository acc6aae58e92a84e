#include "engine/remote/remote_engine.hpp"

#include "engine/remote/models.hpp"
#include "tests/engine/remote/remote_fixture.hpp"
#include "tests/engine/remote/wire_fixture.hpp"
#include "tests/support/scripted_dialer.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

// An engine that never gets to the network.
struct Offline {
  ManualClock clock;
  test::ScriptedDialer::Log log;
  net::HttpClient http{clock,
                       std::make_unique<test::ScriptedDialer>(log, std::deque<test::PeerScript>())};

  Result<std::unique_ptr<Engine>> open(const std::string& spec,
                                       const KeySources& keys = test::own_key()) {
    return open_remote(parse_engine_spec(spec).value(), {http, clock}, keys);
  }
};

}  // namespace

TEST_CASE("a hosted model's name opens its vendor's engine with context and price", "[engine]") {
  Offline offline;
  const auto engine = offline.open("deepseek-v4-pro").value();
  CHECK(engine->info().name == "openai:https://api.deepseek.com#deepseek-v4-pro");
  CHECK(engine->info().model == "deepseek-v4-pro");
  CHECK(engine->info().context_tokens == 1'000'000);
  CHECK(engine->info().price);
  CHECK(engine->info().warnings.empty());
  const auto other = offline.open("openai:http://127.0.0.1:8000/v1#x").value();
  CHECK(other->info().context_tokens == kContextTokensDefault);
  CHECK_FALSE(other->info().price);
  CHECK(offline.log.dialed.empty());
}

TEST_CASE("an outdated name warns once and is asked for as what it meant", "[engine]") {
  Offline offline;
  const auto engine = offline.open("deepseek-chat").value();
  CHECK(engine->info().warnings.size() == 1);
  const auto session = engine->open({}).value();
  const auto prepared = session->prepare({}, {});
  CHECK(prepared->body.contains(R"("model":"deepseek-v4-flash")"));
  CHECK(prepared->body.contains(R"("thinking":{"type":"disabled"})"));
}

TEST_CASE("what a remote engine cannot do is refused when a session is opened", "[engine]") {
  Offline offline;
  const auto engine = offline.open("openai:http://127.0.0.1:8000/v1#x").value();
  const auto message = [&engine](const SessionSetup& setup) {
    const auto session = engine->open(setup);
    REQUIRE_FALSE(session);
    CHECK(session.error().code == ErrorCode::unsupported);
    return session.error().message;
  };
  SessionSetup setup;
  setup.tools_in_prompt = false;
  CHECK(message(setup) ==
        "openai:http://127.0.0.1:8000/v1#x: tools_in_prompt: false needs a local engine: a server "
        "renders the tools itself");
  setup = {};
  setup.sampling.effort = "huge";
  CHECK(message(setup).ends_with("unknown effort 'huge' (choose none, low, high or max)"));
  setup = {};
  setup.tools = {{"bash", "", "[1]"}};
  CHECK(message(setup).ends_with("the parameters of tool 'bash' are no JSON object"));
  setup = {};
  setup.answer_schema = "}";
  CHECK(message(setup).ends_with("the answer's schema is no JSON object"));
}

TEST_CASE("an engine that cannot be opened says why, and never with a key", "[engine]") {
  Offline offline;
  CHECK(offline.open("deepseek-v4-pro", test::no_keys()).error().message ==
        "openai:https://api.deepseek.com#deepseek-v4-pro: api.deepseek.com: no key: set "
        "DEEPSEEK_API_KEY or FATHOM_API_KEY");
  const auto plain = offline.open("openai:http://example.com/v1");
  REQUIRE_FALSE(plain);
  CHECK_FALSE(plain.error().message.contains(test::kTestKey));
  CHECK(offline.open("demo").error().code == ErrorCode::usage);
}

TEST_CASE("no key is in a body, a name or a warning", "[engine]") {
  Offline offline;
  for (const std::string spec : {"deepseek-v4-flash", "anthropic:https://api.anthropic.com#m"}) {
    const auto engine = offline.open(spec).value();
    CHECK_FALSE(engine->info().name.contains(test::kTestKey));
    const auto session = engine->open(test::full_setup()).value();
    const auto prepared = session->prepare(test::full_transcript(), {});
    REQUIRE(prepared);
    CHECK_FALSE(prepared->body.contains(test::kTestKey));
  }
}
