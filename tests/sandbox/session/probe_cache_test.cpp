#include "sandbox/prober.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

namespace fathom::sandbox {
namespace {

using nlohmann::json;

ProbeReport report() {
  ProbeReport made;
  made.rungs = {{Rung::full, RootMode::idmapped, false, "sandbox: idmap (2): Invalid argument"},
                {Rung::full, RootMode::unmapped, true, ""},
                {Rung::container, RootMode::unmapped, false, "a\xff\"b\n"}};
  made.user_notify = true;
  made.landlock_abi = 7;
  made.memory = LimitBy::cgroup_v1;
  made.pids = LimitBy::user_namespace;
  return made;
}

TEST_CASE("a probe's report comes back from JSON as it was") {
  ProbeReport made = report();
  made.rungs.back().failure = "a\"b\n";
  const auto read = probe_report_from_json(to_json(made));
  REQUIRE(read);
  CHECK(*read == made);
}

TEST_CASE("a failure that is not UTF-8 is kept readable") {
  const auto read = probe_report_from_json(to_json(report()));
  REQUIRE(read);
  CHECK(read->rungs.back().failure.starts_with("a"));
}

TEST_CASE("a report of another boot, version or form is refused") {
  const json good = json::parse(to_json([] {
    ProbeReport made = report();
    made.rungs.pop_back();
    return made;
  }()));
  REQUIRE(probe_report_from_json(good.dump()));
  for (const auto& [key, value] : good.items()) {
    json without = good;
    without.erase(key);
    INFO(key);
    CHECK_FALSE(probe_report_from_json(without.dump()));
    for (const json& other : {json(), json("x"), json(-1.5), json::array({1}), json::object()}) {
      json changed = good;
      changed[key] = other;
      CHECK_FALSE(probe_report_from_json(changed.dump()));
    }
  }
  for (const auto& [key, value] : good["rungs"][0].items()) {
    json without = good;
    without["rungs"][0].erase(key);
    CHECK_FALSE(probe_report_from_json(without.dump()));
  }
}

TEST_CASE("every shortened report is refused") {
  const std::string whole = to_json(report());
  const std::size_t end = whole.find_last_of('}');
  for (std::size_t size = 0; size <= end; ++size)
    CHECK_FALSE(probe_report_from_json(std::string_view(whole).substr(0, size)));
}

TEST_CASE("the best footing is the first rung that works") {
  const auto best = report().best(true);
  REQUIRE(best);
  CHECK(best->rung == Rung::full);
  CHECK(best->root_mode == RootMode::unmapped);
  CHECK(best->memory == LimitBy::cgroup_v1);
  ProbeReport none = report();
  none.rungs[1].works = false;
  CHECK_FALSE(none.best(true));
}

TEST_CASE("a user namespace counts processes unless root's own id is mapped") {
  ProbeReport made = report();
  made.pids = LimitBy::nothing;
  CHECK(made.best(false)->pids == LimitBy::user_namespace);
  CHECK(made.best(true)->pids == LimitBy::nothing);
  made.rungs[0].works = true;
  CHECK(made.best(true)->pids == LimitBy::user_namespace);
}

}  // namespace
}  // namespace fathom::sandbox
