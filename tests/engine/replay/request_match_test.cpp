#include "engine/replay/request_match.hpp"

#include "tests/support/catch.hpp"

#include <vector>

using namespace fathom;
using namespace fathom::engine;

namespace {

std::vector<Message> recorded() {
  return {{Role::user, "tidy the folder up, please", "", {}, {}},
          {Role::assistant, "", "hm", {{"1", "bash", R"({"command":"ls"})", ""}}, {}},
          {Role::tool, "", "", {}, {{"1", ToolStatus::ok, "a.txt b.txt", ""}}}};
}

std::string found(const std::vector<Message>& now, Matching matching = Matching::strict,
                  std::size_t first = 0) {
  return find_difference(recorded(), now, first, matching).value_or("same");
}

}  // namespace

TEST_CASE("the first difference of a request is named to the byte", "[replay]") {
  CHECK(found(recorded()) == "same");
  auto now = recorded();
  now[0].text = "tidy the folder in, please";
  CHECK(found(now) ==
        "message 1 (user): text differs at byte 16: recorded '… the folder up, please', now '… the "
        "folder in, please'");
  CHECK(found(now, Matching::strict, 1) == "same");
  CHECK(found(now, Matching::loose) == "same");
  now = recorded();
  now[2].results[0].content = "a.txt";
  CHECK(found(now) ==
        "message 3 (tool): result 1 (1): content differs at byte 5: recorded 'a.txt b.txt', now "
        "'a.txt'");
  now = recorded();
  now[2].results[0].status = ToolStatus::failed;
  CHECK(found(now).find("status differs at byte 0: recorded 'ok', now 'failed'") !=
        std::string::npos);
  now = recorded();
  now[1].calls[0].arguments = "{}";
  CHECK(found(now).starts_with("message 2 (assistant): call 1 (bash): arguments differs"));
  CHECK(found(now, Matching::loose) == "same");
}

TEST_CASE("a loose match still wants the same roles, calls and number of results", "[replay]") {
  auto now = recorded();
  now[1].calls[0].name = "git";
  CHECK(found(now, Matching::loose) ==
        "message 2 (assistant): call 1 (bash): name differs at byte 0: recorded 'bash', now 'git'");
  now = recorded();
  now[2].results.clear();
  CHECK(found(now, Matching::loose) == "message 3 (tool): has 0 results, recorded were 1");
  now = recorded();
  now[2].role = Role::user;
  CHECK(found(now, Matching::loose).starts_with("message 3 (tool): role differs"));
  now = recorded();
  now.pop_back();
  CHECK(found(now, Matching::loose) == "message 3 (tool) of the recording is missing");
  now = recorded();
  now.push_back(now[0]);
  CHECK(found(now, Matching::loose) == "message 4 (user) was not there in the recording");
}

TEST_CASE("a call cancelled without a result matches whatever stands in its place", "[replay]") {
  auto before = recorded();
  before[2].results[0] = {"1", ToolStatus::cancelled, "", ""};
  auto now = before;
  now[2].results[0].content = "cancelled by the user";
  CHECK_FALSE(find_difference(before, now, 0, Matching::strict));
}
