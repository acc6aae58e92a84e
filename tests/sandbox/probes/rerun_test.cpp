// The same probes elsewhere: as an ordinary user, in a network namespace with addresses to reach,
// where ids cannot be mapped, and where the outside allows no user namespaces. Each runs this
// program again under a tool that makes the place.
#include "tests/sandbox/probes/probe_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/skip.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace fathom::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUser = "12345";  // owns nothing on a usual machine
constexpr std::string_view kTable = "every probe of the table*,daemons*";

std::string own_program() { return fs::read_symlink("/proc/self/exe").string(); }

// Runs this program with `specification` behind `prefix`; its report, printed.
ProgramResult run_again(std::vector<std::string> prefix, std::string_view specification,
                        std::vector<std::string> environment = {}) {
  environment.insert(environment.end(),
                     {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/nonexistent",
                      "FATHOM_PROBES_SETUID=" + setuid_probes()});
  prefix.push_back(own_program());
  prefix.emplace_back(specification);
  ProgramResult result = run_program(prefix, {.environment = environment, .stdout_path = ""});
  std::printf("%s", result.out.c_str());
  return result;
}

// How many lines say that this section executed something.
int reports_of(const std::string& out, char section) {
  int reports = 0;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);)
    if (line.contains(std::string("section ") + section) && !line.contains(": 0 executed"))
      ++reports;
  return reports;
}

TEST_CASE("every probe holds for an ordinary user too", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("another user: only root can become one");
  const ProgramResult result =
      run_again({"setpriv", "--reuid", kUser, "--regid", kUser, "--clear-groups"}, kTable);
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  for (const char section : {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'}) {
    INFO("section " << section);
    CHECK(reports_of(result.out, section) >= 2);  // both rungs
  }
}

TEST_CASE("every probe holds where root's ids cannot be mapped", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("an overlay to work on: only root can mount one");
  const TempDir root;
  for (const char* name : {"lower", "upper", "work", "merged"}) fs::create_directories(root / name);
  const std::string at = root.path().string();
  const ProgramResult result =
      run_again({"unshare", "--mount", "sh", "-c",
                 "mount -t overlay overlay -o lowerdir=" + at + "/lower,upperdir=" + at +
                     "/upper,workdir=" + at + "/work " + at + "/merged && exec \"$0\" \"$1\""},
                "every probe of the table holds on the full rung", {"TMPDIR=" + at + "/merged"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK(reports_of(result.out, 'A') == 1);
}

TEST_CASE("no probe reaches an address of the host", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("addresses to reach: only root can make them");
  if (run_program({"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v ip"}).exit_code != 0)
    return test::skip(
        "no 'ip' (iproute2) to make addresses with: reaching the host's was not tried");
  for (const char* rung : {"the sandbox sends no packet*", "nor does it on the container rung"}) {
    const ProgramResult result = run_again({"unshare", "--net"}, rung);
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
    CHECK(reports_of(result.out, 'G') == 1);
  }
}

TEST_CASE("where no user namespace can be had a lower rung opens and is named", "[sandbox]") {
  const ProgramResult result =
      run_again({"unshare", "--user", "--map-root-user", "sh", "-c",
                 "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$1\""},
                "[without-user-namespaces]");
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK(reports_of(result.out, 'I') == 1);
}

// Packets that interface lo of this namespace has received.
std::string packets() {
  std::ifstream file("/proc/net/dev");
  for (std::string line; std::getline(file, line);)
    if (line.contains("lo:")) return line;
  return "";
}

void probe_host_network(sandbox::Rung rung) {
  ProbeRun run("own network, " + std::string(sandbox::name_of(rung)) + " rung");
  ProbeBox box({.rung = rung, .listening = Listening::everywhere});
  for (Places* places : {&box.unconfined_places(), &box.confined_places()}) {
    (*places)["target"] = "10.99.0.1";
    (*places)["metadata"] = "169.254.169.254";
  }
  // First confined alone, while nothing else sends: connections of unconfined runs end later.
  box.open();
  const std::string before = packets();
  for (const ProbeCase& row : host_network_cases()) box.confined(std::string(row.command));
  CHECK_FALSE(before.empty());
  CHECK(packets() == before);
  run.hold(box, host_network_cases());
  run.report("CG");
}

void make_addresses() {
  for (const char* command :
       {"ip link set lo up", "ip addr replace 10.99.0.1/32 dev lo",
        "ip addr replace 169.254.169.254/32 dev lo", "ip route replace 224.0.0.0/4 dev lo"}) {
    const ProgramResult made = run_program({"sh", "-c", command});
    INFO(command << ": " << made.err);
    REQUIRE(made.exit_code == 0);
  }
}

TEST_CASE("the sandbox sends no packet into the network that it stands in", "[.in-own-network]") {
  make_addresses();
  probe_host_network(sandbox::Rung::full);
}

TEST_CASE("nor does it on the container rung", "[.in-own-network]") {
  make_addresses();
  probe_host_network(sandbox::Rung::container);
}

TEST_CASE("a launcher on a machine without user namespaces", "[.without-user-namespaces]") {
  ProbeRun run("without user namespaces");
  ProbeBox box({.rung = std::nullopt});
  CHECK(box.box().sh("echo works").out.text() == "works\n");
  CHECK(box.box().launcher().rung() == sandbox::Rung::container);
  const auto& states = box.box().launcher().guarantees();
  const auto tree = std::ranges::find(states, policies::Guarantee::tree_kill,
                                      &sandbox::GuaranteeState::guarantee);
  REQUIRE(tree != states.end());
  CHECK(tree->strength == policies::Strength::best_effort);
  CHECK(tree->fix.contains("max_user_namespaces"));
  run.count('I');
  run.report("I");
}

TEST_CASE("the toolchains work for an ordinary user too", "[workload]") {
  if (::geteuid() != 0) return test::skip("another user: only root can become one");
  const ProgramResult result =
      run_again({"setpriv", "--reuid", kUser, "--regid", kUser, "--clear-groups"},
                "the toolchains work on *");
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
}

}  // namespace
}  // namespace fathom::test
