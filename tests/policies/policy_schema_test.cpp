// The published schema is held to what the loader does.
#include "policies/policy_load.hpp"
#include "policies/shipped.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/schema_check.hpp"

#include <map>
#include <set>

using namespace fathom;
using namespace fathom::policies;

namespace {

bool accepts(const std::string& body) { return test::fits_schema(policy_schema(), document(body)); }

}  // namespace

TEST_CASE("the schema and the loader know the same keys", "[policies]") {
  std::map<std::string, std::set<std::string>> known;
  for (const PolicyKeys& section : policy_keys())
    known[std::string(section.section)] = {section.keys.begin(), section.keys.end()};
  CHECK(test::keys_in_schema(policy_schema()) == known);
}

TEST_CASE("the shipped documents fit the schema", "[policies]") {
  for (const ShippedDocument& document : shipped_policies()) {
    INFO(document.name);
    CHECK(test::fits_schema(policy_schema(), document.text));
  }
}

TEST_CASE("what the schema refuses the loader refuses", "[policies]") {
  for (const char* body : {"exce: {}\n",
                           "filesystem: {workspace: hidden}\n",
                           "filesystem: {reed: []}\n",
                           "filesystem: {read: [{id: x}]}\n",
                           "filesystem: {read: [{path: x, confirm_wide: true}]}\n",
                           "filesystem: {caches: [yarn]}\n",
                           "exec: {rules: [{verdict: ask}]}\n",
                           "exec: {rules: [x]}\n",
                           "exec: {restrict: [{verdict: allow, commands: [x]}]}\n",
                           "network: {loopback: 1}\n",
                           "network: {hosts: [{host: a.example, ports: [0]}]}\n",
                           "network: {hosts: [{host: a.example, phases: [build]}]}\n",
                           "env: {pass: [A=B]}\n",
                           "secrets: [{name: X}]\n",
                           "limits: {pids: 0}\n",
                           "limits: {memory: 4GB}\n",
                           "limits: {time: 10}\n",
                           "approvals: {mode: always}\n",
                           "syscalls: all\n",
                           "require: {fs_write: hard}\n",
                           "require: {fs: enforced}\n"}) {
    INFO(body);
    CHECK_FALSE(accepts(body));
    CHECK(load_error(body) != "accepted");
  }
  CHECK(
      accepts("filesystem: {write: [x, {path: /, confirm_wide: true}]}\nlimits: {memory: 1GiB}\n"));
}
