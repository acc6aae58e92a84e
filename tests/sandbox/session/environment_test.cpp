#include "sandbox/environment.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>

namespace fathom::sandbox {
namespace {

using Entries = std::vector<std::string>;

HostFacts user_host() {
  HostFacts host;
  host.uid = 1000;
  host.user = "u";
  host.home = "/home/u";
  return host;
}

std::string value(const Entries& entries, const std::string& name) {
  std::string found = "(unset)";
  int count = 0;
  for (const std::string& entry : entries)
    if (entry.starts_with(name + "=")) {
      found = entry.substr(name.size() + 1);
      ++count;
    }
  CHECK(count <= 1);
  return found;
}

Entries made(const policies::Environment& policy, const Entries& ours) {
  return command_environment(policy, user_host(), ours, {});
}

TEST_CASE("an empty policy gives the computed variables and nothing of ours") {
  const Entries entries = made({}, {"SHELL=/bin/zsh", "GITHUB_TOKEN=x", "HOME=/elsewhere"});
  CHECK(entries == Entries{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
                           "HOME=/home/u", "TMPDIR=/tmp", "TMPPREFIX=/tmp/zsh",
                           "XDG_RUNTIME_DIR=/run/user/1000", "USER=u", "LOGNAME=u"});
}

TEST_CASE("relative and empty entries of PATH are left out") {
  CHECK(value(made({}, {"PATH=.:/usr/bin::bin:/bin:"}), "PATH") == "/usr/bin:/bin");
  CHECK(value(made({}, {"PATH=:."}), "PATH").starts_with("/usr/local/bin:"));
  CHECK(value(made({}, {"PATH="}), "PATH").starts_with("/usr/local/bin:"));
  policies::Environment policy;
  policy.pass = {"PATH"};
  CHECK(value(made(policy, {"PATH=.:/usr/bin"}), "PATH") == "/usr/bin");
}

TEST_CASE("an entry without a value does no harm") {
  policies::Environment policy;
  policy.pass = {"PATH", "LANG"};
  const Entries entries = made(policy, {"PATH", "LANG", "", "=odd"});
  CHECK(value(entries, "LANG") == "(unset)");
  CHECK(value(entries, "PATH").starts_with("/usr/local/bin:"));
}

TEST_CASE("listed names and prefixes are passed, others are not") {
  policies::Environment policy;
  policy.pass = {"LANG", "LC_*"};
  const Entries entries = made(policy, {"LANG=C", "LANGUAGE=en", "LC_ALL=C", "LC_=x", "XLC_A=1"});
  CHECK(value(entries, "LANG") == "C");
  CHECK(value(entries, "LC_ALL") == "C");
  CHECK(value(entries, "LC_") == "x");
  CHECK(value(entries, "LANGUAGE") == "(unset)");
  CHECK(value(entries, "XLC_A") == "(unset)");
}

TEST_CASE("a pattern never covers a secret's name") {
  policies::Environment policy;
  policy.pass = {"NPM_*", "AWS_*", "MY*"};
  const Entries entries = made(policy, {"NPM_TOKEN=t", "NPM_CONFIG_COLOR=1", "AWS_REGION=eu",
                                        "MYSQL_PASSWORD=p", "MY_API_KEY=k"});
  CHECK(value(entries, "NPM_TOKEN") == "(unset)");
  CHECK(value(entries, "MYSQL_PASSWORD") == "(unset)");
  CHECK(value(entries, "MY_API_KEY") == "(unset)");
  CHECK(value(entries, "NPM_CONFIG_COLOR") == "1");
}

TEST_CASE("what is set beats what is passed, and what a call adds beats both") {
  policies::Environment policy;
  policy.pass = {"PAGER", "HOME", "X"};
  policy.set = {{"PAGER", "cat"}, {"X", "set"}};
  const Entries entries = command_environment(
      policy, user_host(), {"PAGER=less", "HOME=/other", "X=ours"}, {{"X", "call"}, {"Y", "a=b"}});
  CHECK(value(entries, "PAGER") == "cat");
  CHECK(value(entries, "HOME") == "/other");
  CHECK(value(entries, "X") == "call");
  CHECK(value(entries, "Y") == "a=b");
}

TEST_CASE("without a home there is one in /tmp") {
  HostFacts host = user_host();
  host.home.clear();
  host.user.clear();
  const Entries entries = command_environment({}, host, {}, {});
  CHECK(value(entries, "HOME") == "/tmp");
  CHECK(value(entries, "USER") == "(unset)");
}

}  // namespace
}  // namespace fathom::sandbox
