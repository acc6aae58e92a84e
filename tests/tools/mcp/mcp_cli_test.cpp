// Tool servers from the command line.
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using nlohmann::json;

namespace {

class Session {
 public:
  Session() {
    std::filesystem::create_directory(root_ / "work");
    std::filesystem::create_directory(root_ / "home");
    std::filesystem::copy_file(FATHOM_MCP_TEST_SERVER, root_ / "work/server");
  }
  [[nodiscard]] std::string server(const std::string& name, const std::string& mode) const {
    return name + "='" + (root_ / "work/server").string() + "' " + mode;
  }
  /// A policy with these lines; its path.
  [[nodiscard]] std::string policy(const std::string& lines) const {
    return root_.write("policy.yaml", "apiVersion: fathom/v1\nkind: Policy\nname: mine\n" + lines);
  }
  [[nodiscard]] test::ProgramResult tool(std::vector<std::string> args) const {
    args.insert(args.begin(), "tool");
    args.insert(args.end(), {"--repo", (root_ / "work").string(), "--json"});
    test::ProgramOptions options;
    options.environment = {"PATH=/usr/bin:/bin", "HOME=" + (root_ / "home").string()};
    return test::fathom(args, options);
  }

 private:
  test::TempDir root_;
};

}  // namespace

TEST_CASE("tools of servers are listed behind the own ones, in the servers' order", "[sandbox]") {
  const Session session;
  const auto listed =
      session.tool({"list", "--mcp", session.server("b", "paginated"), "--mcp",
                    session.server("a", "exit"), "--mcp", session.server("c", "paginated")});
  INFO(listed.err);
  REQUIRE(listed.exit_code == 0);
  std::vector<std::string> names;
  for (const json& tool : json::parse(listed.out))
    if (const std::string name = tool["name"]; name.starts_with("mcp_")) names.push_back(name);
  CHECK(names == std::vector<std::string>{"mcp_b_page1", "mcp_b_page2", "mcp_b_page3",
                                          "mcp_c_page1", "mcp_c_page2", "mcp_c_page3"});
  CHECK(json::parse(listed.out).size() > names.size());
  CHECK(listed.err.find("mcp server a: ended (exit code 4), stderr: no configuration") !=
        std::string::npos);
}

TEST_CASE("one call of a server's tool takes the path of every call", "[sandbox]") {
  const Session session;
  const std::string server = session.server("t", "good");
  const auto called = session.tool({"call", "mcp_t_echo", R"({"path":"x"})", "--mcp", server});
  INFO(called.err);
  CHECK(called.exit_code == 0);
  const json shown = json::parse(called.out);
  CHECK(shown["content"] == "hello x");
  CHECK(shown["data"]["items"][0] == json({{"type", "text"}, {"bytes", 7}}));
  const auto wrong = session.tool({"call", "mcp_t_echo", R"({"path":3})", "--mcp", server});
  CHECK(wrong.exit_code == 64);
  const auto died = session.tool({"call", "mcp_t_die", "{}", "--mcp", server});
  CHECK(died.exit_code == 1);
  CHECK(json::parse(died.out)["content"] ==
        "error: mcp server t: ended (exit code 3), stderr: about to die");
}

TEST_CASE("a call to a server that did not start ends with why, not with a wrong name",
          "[sandbox]") {
  const Session session;
  const std::string exits = session.server("a", "exit");
  const auto called = session.tool({"call", "mcp_a_echo", "{}", "--mcp", exits});
  INFO(called.out + called.err);
  CHECK(called.exit_code == 12);
  const json shown = json::parse(called.out);
  CHECK(shown["status"] == "failed");
  CHECK(shown["error"]["message"] == "mcp server a: ended (exit code 4), stderr: no configuration");
  // Another server's name, and an own tool, are what they were.
  const std::string good = session.server("a_b", "good");
  CHECK(session.tool({"call", "mcp_a_b_none", "{}", "--mcp", exits, "--mcp", good}).exit_code ==
        64);
  CHECK(session.tool({"call", "list", "{}", "--mcp", exits}).exit_code == 0);
  // What the policy says of starting one is not a fault of the server's.
  const auto denied = session.tool({"call", "mcp_a_echo", "{}", "--mcp", exits, "--policy",
                                    session.policy("exec: {otherwise: deny}\n")});
  INFO(denied.out + denied.err);
  CHECK(json::parse(denied.out)["status"] == "denied");
  CHECK(denied.exit_code == 13);
}

TEST_CASE("a server that is not written well is a usage error", "[e2e]") {
  const Session session;
  const auto refused = session.tool({"list", "--mcp", "no name"});
  CHECK(refused.exit_code == 64);
  CHECK(refused.err.find("write NAME=COMMAND or NAME=https://") != std::string::npos);
}
