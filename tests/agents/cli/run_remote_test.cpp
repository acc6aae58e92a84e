// `fathom run` with a model behind HTTP: the whole program against a server in this process.
#include "agents/cli/run_command.hpp"
#include "tests/agents/cli/prefix_gate.hpp"
#include "tests/agents/cli/run_desk.hpp"
#include "tests/support/stub_model.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using nlohmann::json;
using test::has;
using test::ProgramResult;
using test::RunDesk;
using test::StubModel;
using Door = StubModel::Door;
using Wire = StubModel::Wire;

namespace {

constexpr std::string_view kKey = "sk-test-3f9a7c21d0e84b56";

// What a model says while it mends the project of a RunDesk.
std::vector<StubModel::Reply> fix(Wire wire) {
  return {
      StubModel::answer(wire, "I run the tests.", {{"bash", R"({"command":"sh test.sh"})"}}),
      StubModel::answer(
          wire, "",
          {{"str_replace_editor",
            R"({"command":"str_replace","path":"add.sh","old_str":"$1 - $2","new_str":"$1 + $2"})"},
           {"bash", R"({"command":"sh test.sh"})"}}),
      StubModel::answer(wire, "It adds now.")};
}

void check_fixed(const RunDesk& desk, const ProgramResult& result) {
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.out == "It adds now.\n");
  CHECK(desk.file("add.sh") == RunDesk::kFixed);
  CHECK(has(desk.results(), "2 + 3 is 5"));
}

// Everything below a folder that holds `text`, and is not `except`.
std::vector<std::string> files_with(const std::string& folder, std::string_view text,
                                    const std::string& except) {
  std::vector<std::string> found;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder))
    if (file.is_regular_file() && file.path() != except && has(test::slurp(file.path()), text))
      found.push_back(file.path());
  return found;
}

// A key in a file of the user's own, for the stub's host.
std::string give_key(const RunDesk& desk, const StubModel& stub) {
  const std::string file = desk.home + "/.config/fathom/stub.key";
  desk.write("../.config/fathom/stub.key", std::string(kKey) + "\n");
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  desk.write("../.config/fathom/config.yaml", "apiVersion: fathom/v1\nkind: Config\nkeys:\n  \"" +
                                                  stub.host_port() +
                                                  "\": {file: ~/.config/fathom/stub.key}\n");
  return file;
}

void trust(RunDesk& desk, const StubModel& stub) {
  desk.write("../ca.pem", stub.authority());
  desk.variables.push_back("SSL_CERT_FILE=" + desk.home + "/ca.pem");
}

}  // namespace

TEST_CASE("a model behind either wire format mends a repository", "[agents][e2e]") {
  const Wire wire = GENERATE(Wire::openai, Wire::anthropic);
  const RunDesk desk;
  const StubModel stub(wire, fix(wire));
  const ProgramResult fixed = desk.run(stub.engine());
  check_fixed(desk, fixed);
  CHECK(has(fixed.err, "reused 64 (53 %)"));
  CHECK(stub.samples().size() == 3);
  const json last = json::parse(stub.samples().back());
  CHECK(last["model"] == "stub-large");
  CHECK(has(stub.samples().back(), "expected 5, got -1"));
}

TEST_CASE("every request begins with the one before and its answer, across processes too",
          "[agents][e2e]") {
  const Wire wire = GENERATE(Wire::openai, Wire::anthropic);
  const RunDesk desk;
  std::vector<StubModel::Reply> replies = fix(wire);
  replies.push_back(StubModel::answer(wire, "I look \"twice\".",
                                      {{"bash", R"({"command":"echo 'naïve \\n'; exit 3"})"},
                                       {"bash", R"({"command":"cat none"})"}}));
  replies.push_back(StubModel::answer(wire, "Done."));
  const StubModel stub(wire, std::move(replies));
  CHECK(desk.run(stub.engine()).exit_code == 0);
  CHECK(desk.resume({"look again"}).exit_code == 0);
  const std::vector<json> events = desk.events();
  std::vector<std::string> bodies = stub.samples();
  REQUIRE(bodies.size() == 5);
  CHECK(test::find_break(bodies, events).empty());

  // The gate can fail, and says where.
  const std::size_t result = bodies[3].find("expected 5, got -1");
  REQUIRE(result != std::string::npos);
  bodies[3][result] = 'E';
  const std::string broken = test::find_break(bodies, events);
  CHECK(has(broken, "request 4: byte " + std::to_string(result) + R"( is "E" and was "e")"));
  CHECK(has(broken, "tool.finished"));
  bodies[3] = bodies[2];
  CHECK(test::find_break(bodies, events) ==
        "request 4: does not go on with the answer: It adds now.");
}

TEST_CASE("what is asked again after a refusal or a cut answer is the same, byte for byte",
          "[agents][e2e]") {
  const Wire wire = GENERATE(Wire::openai, Wire::anthropic);
  const RunDesk desk;
  std::vector<StubModel::Reply> replies = fix(wire);
  const StubModel::Reply first = replies.front();
  replies.insert(replies.begin(),
                 {StubModel::refusal(wire, 429, "slow down"), StubModel::refusal(wire, 500, "oops"),
                  StubModel::refusal(wire, 503, "busy"), StubModel::cut(first)});
  const StubModel stub(wire, std::move(replies));
  check_fixed(desk, desk.run(stub.engine()));
  const std::vector<std::string> bodies = stub.samples();
  REQUIRE(bodies.size() == 7);
  for (std::size_t i = 1; i <= 4; ++i) CHECK(bodies[i] == bodies[0]);
  CHECK(desk.count("tool.started") == 3);
}

TEST_CASE("a server that only fails ends the run, and the run goes on when it is back",
          "[agents][e2e]") {
  const RunDesk desk;
  std::vector<StubModel::Reply> replies(6, StubModel::refusal(Wire::openai, 500, "oops"));
  for (const StubModel::Reply& reply : fix(Wire::openai)) replies.push_back(reply);
  const StubModel stub(Wire::openai, std::move(replies));
  const ProgramResult failed = desk.run(stub.engine());
  CHECK(failed.exit_code == 12);
  CHECK(has(failed.err, "500: oops"));
  CHECK(stub.samples().size() == 6);
  check_fixed(desk, desk.resume({"try again"}));
}

TEST_CASE("a server of the other kind, or without the model, is refused with the way out",
          "[agents][e2e]") {
  const RunDesk desk;
  const StubModel unknown(Wire::openai, {StubModel::refusal(Wire::openai, 404,
                                                            "The model `stub-larg` does not "
                                                            "exist")});
  const ProgramResult typo = desk.run(unknown.engine("stub-larg"));
  CHECK(typo.exit_code == 12);
  CHECK(has(typo.err, "GET /models lists: stub-small, stub-large"));
  CHECK(has(typo.err, "did you mean 'stub-large'?"));
  const StubModel anthropic(Wire::anthropic,
                            {StubModel::refusal(Wire::anthropic, 404, "Not found")});
  const ProgramResult other = desk.run("openai:http://" + anthropic.host_port() + "/v1#stub-large");
  CHECK(other.exit_code == 12);
  CHECK(has(other.err, "it speaks Anthropic's API: write anthropic:URL"));
}

TEST_CASE("the key goes to its host and appears nowhere else", "[agents][e2e]") {
  const Wire wire = GENERATE(Wire::openai, Wire::anthropic);
  const RunDesk desk;
  // A server that repeats what it was sent must not bring the key into the journal either.
  std::vector<StubModel::Reply> replies = fix(wire);
  replies.insert(replies.begin(),
                 StubModel::refusal(wire, 500, "bad key " + std::string(kKey) + "?"));
  const StubModel stub(wire, std::move(replies));
  const std::string file = give_key(desk, stub);
  const ProgramResult fixed = desk.run(stub.engine(), {"--verbose"});
  check_fixed(desk, fixed);
  for (const StubModel::Asked& asked : stub.asked()) {
    CHECK(has(asked.head, kKey));
    CHECK_FALSE(has(asked.body, kKey));
  }
  CHECK_FALSE(has(fixed.out + fixed.err, kKey));
  CHECK(files_with(desk.home, kKey, file).empty());
}

TEST_CASE("bodies are kept when they are asked for, as they went over the wire but for the key",
          "[agents][e2e]") {
  const Wire wire = GENERATE(Wire::openai, Wire::anthropic);
  const RunDesk desk;
  std::vector<StubModel::Reply> replies = fix(wire);
  replies.insert(replies.begin(),
                 StubModel::refusal(wire, 500, "bad key " + std::string(kKey) + "?"));
  const StubModel stub(wire, std::move(replies));
  const std::string file = give_key(desk, stub);
  check_fixed(desk, desk.run(stub.engine(), {"--trace-bodies"}));
  const auto blob = [&](const json& ref) {
    const ProgramResult read = desk.fathom({"trace", "blob", ref["blob"].get<std::string>()});
    CHECK(read.out.size() == ref["bytes"]);
    return read.out;
  };
  std::vector<json> kept;
  for (const json& event : desk.events())
    if (event["type"] == "model.bodies") kept.push_back(event["data"]);
  const std::vector<std::string> sent = stub.samples();
  REQUIRE(kept.size() == sent.size());
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(blob(kept[i]["sent"]) == sent[i]);
  CHECK(kept[0]["attempt"] == 1);
  CHECK(kept[1]["attempt"] == 2);
  CHECK(has(blob(kept[0]["received"]), "bad key [key]?"));
  CHECK(has(blob(kept.back()["received"]), "It adds now."));
  CHECK(files_with(desk.home, kKey, file).empty());

  const ProgramResult none = desk.fathom({"trace", "blob", "sha256:12"});
  CHECK(none.exit_code != 0);
  CHECK(has(none.err, "sha256:12"));
  const StubModel plain(wire, fix(wire));
  CHECK(desk.run(plain.engine()).exit_code == 0);
  CHECK(desk.count("model.bodies") == 0);
}

TEST_CASE("the user's config may ask for bodies, and a repository's may not", "[agents][e2e]") {
  const RunDesk desk;
  const StubModel stub(Wire::openai, fix(Wire::openai));
  const std::string config = "apiVersion: fathom/v1\nkind: Config\ntrace: {bodies: true}\n";
  desk.write("../.config/fathom/config.yaml", config);
  check_fixed(desk, desk.run(stub.engine()));
  CHECK(desk.count("model.bodies") == 3);
  CHECK(has(desk.fathom({"config", "show"}).out, "trace.bodies"));
  std::filesystem::remove(desk.home + "/.config/fathom/config.yaml");
  desk.write(".fathom/config.yaml", config);
  desk.write("add.sh", RunDesk::kBroken);
  const StubModel other(Wire::openai, fix(Wire::openai));
  check_fixed(desk, desk.run(other.engine()));
  CHECK(desk.count("model.bodies") == 0);
}

TEST_CASE("a command gives the key, and one that fails ends the run before anything is sent",
          "[agents][e2e]") {
  const RunDesk desk;
  const StubModel stub(Wire::openai, fix(Wire::openai));
  const std::string file = give_key(desk, stub);
  const auto command = [&](const std::string& words) {
    desk.write("../.config/fathom/config.yaml", "apiVersion: fathom/v1\nkind: Config\nkeys:\n  \"" +
                                                    stub.host_port() + "\": {command: [" + words +
                                                    "]}\n");
  };
  command("sh, -c, 'echo locked >&2; exit 2'");
  const ProgramResult locked = desk.run(stub.engine());
  CHECK(locked.exit_code == 12);
  CHECK(has(locked.err, "key command: sh: ended with exit code 2: locked"));
  CHECK(stub.asked().empty());
  command("cat, " + file);
  check_fixed(desk, desk.run(stub.engine()));
  for (const StubModel::Asked& asked : stub.asked()) CHECK(has(asked.head, kKey));
  CHECK(files_with(desk.home, kKey, file).empty());
}

TEST_CASE("a key file that others can read is refused and not sent", "[agents][e2e]") {
  const RunDesk desk;
  const StubModel stub(Wire::openai, fix(Wire::openai));
  std::filesystem::permissions(give_key(desk, stub), std::filesystem::perms(0644));
  const ProgramResult refused = desk.run(stub.engine());
  CHECK(refused.exit_code == 12);
  CHECK(has(refused.err, "others can reach it: chmod 600 "));
  CHECK(stub.asked().empty());
}

TEST_CASE("over https only a server with a certificate that is trusted gets the key",
          "[agents][e2e]") {
  RunDesk desk;
  const StubModel stub(Wire::openai, fix(Wire::openai), Door::tls);
  give_key(desk, stub);
  const ProgramResult unknown = desk.run(stub.engine());
  CHECK(unknown.exit_code == 12);
  CHECK(has(unknown.err, "certificate"));
  CHECK(stub.asked().empty());
  trust(desk, stub);
  check_fixed(desk, desk.run(stub.engine()));
  for (const StubModel::Asked& asked : stub.asked())
    CHECK(has(asked.head, "Authorization: Bearer " + std::string(kKey)));
}

TEST_CASE("through a proxy the key travels inside the tunnel", "[agents][e2e]") {
  RunDesk desk;
  const StubModel stub(Wire::anthropic, fix(Wire::anthropic), Door::proxy);
  give_key(desk, stub);
  trust(desk, stub);
  desk.variables.push_back("HTTPS_PROXY=http://127.0.0.1:" + std::to_string(stub.port()));
  check_fixed(desk, desk.run(stub.engine()));
  for (const StubModel::Asked& asked : stub.asked())
    CHECK(has(asked.head, kKey) == asked.head.starts_with("POST "));
  CHECK(stub.samples().size() == 3);
}
