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
  made.cpu = LimitBy::cgroup_v1;
  return made;
}

const ProbeKey kKey{"program", "boot", "user", "settings"};
const Instant kMade(std::chrono::hours(5));

std::string text_of(const ProbeReport& made) { return to_json(made, kKey, kMade); }
Result<ProbeReport> read_back(std::string_view text) {
  return probe_report_from_json(text, kKey, kMade);
}

TEST_CASE("a probe's report comes back from JSON as it was") {
  ProbeReport made = report();
  made.rungs.back().failure = "a\"b\n";
  const auto read = read_back(text_of(made));
  REQUIRE(read);
  CHECK(*read == made);
}

TEST_CASE("a failure that is not UTF-8 is kept readable") {
  const auto read = read_back(text_of(report()));
  REQUIRE(read);
  CHECK(read->rungs.back().failure.starts_with("a"));
}

TEST_CASE("a report of another boot, version or form is refused") {
  const json good = json::parse(text_of([] {
    ProbeReport made = report();
    made.rungs.pop_back();
    return made;
  }()));
  REQUIRE(read_back(good.dump()));
  for (const auto& [key, value] : good.items()) {
    json without = good;
    without.erase(key);
    INFO(key);
    CHECK_FALSE(read_back(without.dump()));
    for (const json& other : {json(), json("x"), json(-1.5), json::array({1}), json::object()}) {
      json changed = good;
      changed[key] = other;
      CHECK_FALSE(read_back(changed.dump()));
    }
  }
  for (const auto& [key, value] : good["rungs"][0].items()) {
    json without = good;
    without["rungs"][0].erase(key);
    CHECK_FALSE(read_back(without.dump()));
  }
}

TEST_CASE("a report of another program, boot, user or setting is refused") {
  const std::string text = text_of(report());
  for (std::string ProbeKey::* part :
       {&ProbeKey::program, &ProbeKey::boot, &ProbeKey::user, &ProbeKey::settings}) {
    ProbeKey other = kKey;
    other.*part += "-changed";
    CHECK_FALSE(probe_report_from_json(text, other, kMade));
  }
  CHECK(probe_report_from_json(text, kKey, kMade));
}

TEST_CASE("what did not work is tried again after a while, what did is kept") {
  const ProbeReport lacking = report();
  CHECK(probe_report_from_json(text_of(lacking), kKey, kMade + kNegativeKept));
  const Instant later = kMade + kNegativeKept + std::chrono::seconds(1);
  CHECK_FALSE(probe_report_from_json(text_of(lacking), kKey, later));
  ProbeReport whole = report();
  whole.rungs[0].works = true;
  CHECK(probe_report_from_json(text_of(whole), kKey, later));
  whole.user_notify = false;
  CHECK_FALSE(probe_report_from_json(text_of(whole), kKey, later));
  CHECK_FALSE(probe_report_from_json(text_of(lacking), kKey, kMade - std::chrono::seconds(1)));
}

TEST_CASE("this machine's key is the same twice, and names a setting that can be mended") {
  const HostFacts host;
  const ProbeKey key = probe_key(host);
  CHECK(key == probe_key(host));
  CHECK(key.settings.find("user/max_user_namespaces=") != std::string::npos);
  CHECK(key.settings.find("Seccomp: ") != std::string::npos);
  CHECK(key.program != "unknown");
  HostFacts other;
  other.uid = 4711;
  CHECK_FALSE(key == probe_key(other));
}

TEST_CASE("every shortened report is refused") {
  const std::string whole = text_of(report());
  const std::size_t end = whole.find_last_of('}');
  for (std::size_t size = 0; size <= end; ++size)
    CHECK_FALSE(read_back(std::string_view(whole).substr(0, size)));
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
