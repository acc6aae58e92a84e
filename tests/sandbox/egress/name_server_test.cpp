#include "sandbox/egress/name_server.hpp"

#include "tests/sandbox/egress/policy_fixture.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::string_literals;
using test::allow_rule;

namespace {

constexpr int kTypeTxt = 16;
constexpr int kTypeHttps = 65;
constexpr int kNoSuchName = 3;

std::string question(const std::string& name, int type, int klass = 1) {
  std::string out = "\xab\xcd\x01\0\0\x01\0\0\0\0\0\0"s;
  std::string label;
  for (const char c : name + ".") {
    if (c != '.') {
      label += c;
      continue;
    }
    out += static_cast<char>(label.size());
    out += label;
    label.clear();
  }
  return out + "\0\0"s + static_cast<char>(type) + "\0"s + static_cast<char>(klass);
}

int code_of(const std::string& answer) { return answer.at(3) & 0x0f; }
int records_of(const std::string& answer) { return answer.at(7); }

// Of an answer with one A record, which stands at its end.
std::string address_in(const std::string& answer) {
  REQUIRE(records_of(answer) == 1);
  std::string out;
  for (std::size_t i = answer.size() - 4; i < answer.size(); ++i)
    out += (out.empty() ? "" : ".") + std::to_string(static_cast<unsigned char>(answer[i]));
  return out;
}

struct Fixture {
  explicit Fixture(std::vector<policies::HostRule> hosts)
      : rules(test::network_of(hosts), test::decide_by(hosts), policies::Phase::agent) {}

  EgressRules rules;
  SyntheticAddresses addresses;
  std::vector<std::string> denied;
  NameServer server{rules, addresses, [this](const std::string& name, const auto& decision) {
                      denied.push_back(name + " by " + decision.rule);
                    }};
};

}  // namespace

TEST_CASE("allowed names have synthetic addresses, all others do not exist", "[sandbox-egress]") {
  Fixture f({allow_rule("a", "api.test"), allow_rule("z", "*.zone.test")});
  CHECK(address_in(f.server.answer(question("api.test", 1))) == "198.18.0.1");
  CHECK(address_in(f.server.answer(question("x.zone.test", 1))) == "198.18.0.2");
  CHECK(address_in(f.server.answer(question("aPi.TEST", 1))) == "198.18.0.1");
  for (const char* name : {"zone.test", "evil-api.test", "api.test.evil", "xapi.test", "test"}) {
    INFO(name);
    const std::string answer = f.server.answer(question(name, 1));
    CHECK(code_of(answer) == kNoSuchName);
    CHECK(records_of(answer) == 0);
  }
}

TEST_CASE("a denied name is reported once, with its rule", "[sandbox-egress]") {
  Fixture f({});
  for (const char* name : {"evil.test", "EVIL.test", "evil.test", "other.test"})
    (void)f.server.answer(question(name, 1));
  (void)f.server.answer(question("evil.test", kTypeTxt));
  CHECK(f.denied ==
        std::vector<std::string>{"evil.test by network.hosts", "other.test by network.hosts"});
}

TEST_CASE("reports of denied names are bounded", "[sandbox-egress]") {
  Fixture f({});
  for (std::size_t i = 0; i < kDeniedNamesMax + 10; ++i)
    CHECK(code_of(f.server.answer(question("n" + std::to_string(i) + ".test", 1))) == kNoSuchName);
  CHECK(f.denied.size() == kDeniedNamesMax);
}

TEST_CASE("of an allowed name there is nothing but an address", "[sandbox-egress]") {
  Fixture f({allow_rule("a", "api.test")});
  for (const int type : {28, 5, 15, kTypeTxt, 33, kTypeHttps, 64, 255}) {
    INFO(type);
    const std::string answer = f.server.answer(question("api.test", type));
    CHECK(code_of(answer) == 0);
    CHECK(records_of(answer) == 0);
  }
  CHECK(f.denied.empty());
}

TEST_CASE("localhost is the session's own", "[sandbox-egress]") {
  Fixture f({});
  CHECK(address_in(f.server.answer(question("localhost", 1))) == "127.0.0.1");
  CHECK(address_in(f.server.answer(question("app.localhost", 1))) == "127.0.0.1");
  CHECK(records_of(f.server.answer(question("localhost", 28))) == 0);
}

TEST_CASE("a name with odd bytes does not exist, whatever it ends with", "[sandbox-egress]") {
  Fixture f({allow_rule("z", "*.zone.test")});
  CHECK(code_of(f.server.answer(question("evil\0.zone.test"s, 1))) == kNoSuchName);
  CHECK(code_of(f.server.answer(question("a b.zone.test", 1))) == kNoSuchName);
  CHECK(f.denied.front() == "evil\\000.zone.test by network.hosts");
}

TEST_CASE("the name behind a synthetic address is found backwards", "[sandbox-egress]") {
  Fixture f({allow_rule("a", "api.test")});
  (void)f.server.answer(question("api.test", 1));
  const std::string answer = f.server.answer(question("1.0.18.198.in-addr.arpa", 12));
  CHECK(records_of(answer) == 1);
  CHECK(
      answer.ends_with("\x03"
                       "api\x04test\0"s));
  CHECK(code_of(f.server.answer(question("2.0.18.198.in-addr.arpa", 12))) == kNoSuchName);
  CHECK(code_of(f.server.answer(question("1.1.1.1.in-addr.arpa", 12))) == kNoSuchName);
  CHECK(f.denied.empty());
}

TEST_CASE("another class than the Internet's is refused", "[sandbox-egress]") {
  Fixture f({allow_rule("a", "api.test")});
  CHECK(code_of(f.server.answer(question("version.bind", kTypeTxt, 3))) == 5);
  CHECK(f.server.answer("short").empty());
}
