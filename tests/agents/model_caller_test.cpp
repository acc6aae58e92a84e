#include "agents/model_caller.hpp"

#include "policies/policy_text.hpp"
#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using engine::Divergence;
using engine::PreparedRequest;

namespace {

// The hashes that the journal has of the requests, in their order.
std::vector<std::string> hashes(const Disk& disk) {
  std::vector<std::string> found;
  for (const trace::Event& event : disk.events)
    if (event.what.type == "model.request")
      found.push_back(nlohmann::json::parse(event.what.data).at("sha256"));
  return found;
}

}  // namespace

TEST_CASE("a request's hash in the journal is that of its bytes, however it came about",
          "[agents]") {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    for (int i = 0; i < 4; ++i) rig.script().call({call("look", std::to_string(i))});
    rig.script().call({call("look", std::string(4000, 'x'))});
    rig.script().say("done");
    rig.compact = [&]() -> asio::awaitable<Result<bool>> {
      engine::Compacted compacted;
      compacted.transcript.epoch = 1;
      compacted.transcript.messages = {{Role::user, "in short", "", {}, {}}};
      auto writing = rig.log.add(std::move(compacted));
      CO_TRY_VOID(co_await std::move(writing));
      co_return true;
    };
    rig.engine.change_info().context_tokens = 1000;
    co_await rig.open();
    int answers = 0;
    rig.on_event = [&](const trace::Event& event) {
      if (event.what.type == "model.message" && ++answers == 2) rig.script().spoil_prefix = true;
    };
    (void)co_await rig.run("go");
    std::vector<std::string> expected;
    for (const std::string& body : rig.script().bodies)
      expected.push_back(policies::sha256_hex(body));
    REQUIRE(expected.size() == 6);
    CHECK(rig.script().epochs.back() == 1);
    CHECK(hashes(disk) == expected);
  });
}

TEST_CASE("a request that repeats the one before does not diverge", "[agents]") {
  const std::vector<std::size_t> starts{6, 9};
  CHECK_FALSE(find_divergence("", PreparedRequest{"system a b", 10, starts, 0, 0}));
  CHECK_FALSE(find_divergence("system a", PreparedRequest{"system a b", 10, starts, 0, 0}));
  CHECK_FALSE(find_divergence("system a b", PreparedRequest{"system a b", 10, starts, 0, 0}));
}

TEST_CASE("a divergence is named by its first byte and the message that it is in", "[agents]") {
  const std::vector<std::size_t> starts{6, 8};
  CHECK(find_divergence("System", PreparedRequest{"system a b", 10, starts, 0, 0}) ==
        Divergence{0, Divergence::kSetup});
  CHECK(find_divergence("system x b", PreparedRequest{"system a b", 10, starts, 0, 0}) ==
        Divergence{7, 0});
  CHECK(find_divergence("system a b c", PreparedRequest{"system a b", 10, starts, 0, 0}) ==
        Divergence{10, 1});
}
