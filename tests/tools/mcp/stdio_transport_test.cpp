// Servers that are programs, in the real sandbox.
#include "tools/mcp/stdio_transport.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/mcp/mcp_servers.hpp"
#include "tools/tool_set.hpp"

#include <filesystem>

using namespace fathom;
using namespace fathom::tools;

namespace {

std::string no_env(const char*) { return {}; }

class Fixture {
 public:
  explicit Fixture(const std::function<void(policies::Policy&)>& change = {}) {
    for (const char* folder : {"work", "home", "state"})
      std::filesystem::create_directory(root_ / folder);
    root_.write("home/.ssh/id_rsa", "SECRET-KEY\n");
    std::filesystem::copy_file(FATHOM_MCP_TEST_SERVER, root_ / "work/server");
    zygote_ = sandbox::ZygoteProcess::start().value();
    sandbox::LauncherOptions options;
    options.host = sandbox::look_at_host([this](const char* name) {
      return std::string_view(name) == "HOME" ? (root_ / "home").string() : std::string();
    });
    options.workspace = sandbox::open_workspace(workspace(), options.host).value();
    options.environment = {"PATH=/usr/bin:/bin"};
    options.state = root_ / "state";
    options.probes.emplace();  // nothing is known, everything is tried
    if (change) change(options.policy);
    policy_ = options.policy;
    commands_ =
        std::make_unique<SandboxCommands>(*zygote_, clock_, std::move(options), root_ / "state");
  }
  ~Fixture() {
    if (const auto error = test::run_to_end(io_, commands_->close())) std::rethrow_exception(error);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  [[nodiscard]] std::string workspace() const { return root_ / "work"; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return root_ / "work" / name;
  }
  [[nodiscard]] std::string home() const { return root_ / "home"; }
  [[nodiscard]] asio::io_context& io() { return io_; }

  std::unique_ptr<McpConnection> connection(const std::string& mode, std::string program = "") {
    if (program.empty()) program = *this / "server";
    return std::make_unique<McpConnection>(
        io_.get_executor(), clock_, "t",
        std::make_unique<StdioTransport>(io_.get_executor(), clock_, *commands_,
                                         std::vector<std::string>{program, mode}, workspace()));
  }
  std::unique_ptr<McpServers> servers(std::vector<McpServerConfig> configs) {
    return McpServers::create({io_.get_executor(), clock_, *commands_, policy_, workspace(), env_},
                              std::move(configs))
        .value();
  }

  /// Runs `body()` to its end.
  template <class Body>
  void run(Body body) {
    if (const auto error = test::run_to_end(io_, body())) std::rethrow_exception(error);
  }

  /// Of this fixture's server that are alive, whoever started them.
  [[nodiscard]] std::size_t processes() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::error_code ec;
      if (std::filesystem::equivalent(entry.path() / "exe", root_ / "work/server", ec)) ++count;
    }
    return count;
  }

  /// Starts a server of this mode, and closes it after `body(connection)`.
  template <class Body>
  void with(const std::string& mode, Body body) {
    const auto server = connection(mode);
    run([&]() -> asio::awaitable<void> {
      const Result<> started = co_await server->start();
      INFO((started ? "" : started.error().message));
      CHECK(started);
      if (started) co_await body(*server);
      co_await server->close();
    });
  }

 private:
  test::TempDir root_;
  asio::io_context io_{1};
  SystemClock clock_;
  GetEnv env_ = no_env;
  policies::Policy policy_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::unique_ptr<SandboxCommands> commands_;
};

asio::awaitable<Result<std::string>> call(McpConnection& server, std::string tool,
                                          std::string arguments = "{}") {
  auto calling = server.call(tool, arguments, {});
  co_return co_await std::move(calling);
}

std::string text(std::string_view said) {
  return R"({"content":[{"type":"text","text":")" + std::string(said) + "\"}]}";
}

}  // namespace

TEST_CASE("a server in the sandbox is started, asked and ended", "[sandbox]") {
  Fixture fixture;
  fixture.with("good", [&](McpConnection& server) -> asio::awaitable<void> {
    CHECK(server.tools().size() == 9);
    CHECK((co_await call(server, "echo", R"({"path":"x"})")).value() == text("hello x"));
    const std::string secret = fixture.home() + "/.ssh/id_rsa";
    CHECK((co_await call(server, "exists", R"({"path":")" + secret + "\"}")).value() == text("no"));
    std::vector<std::string> lines;
    auto calling =
        server.call("progress", "{}", [&](std::string_view line) { lines.emplace_back(line); });
    CHECK(co_await std::move(calling));
    CHECK(lines == std::vector<std::string>{"1/3", "2/3", "3/3"});
    // The second answer is nobody's.
    CHECK((co_await call(server, "twice")).value() == text("hello "));
    CHECK((co_await call(server, "echo")).value() == text("hello "));
  });
  CHECK(std::filesystem::exists(fixture / "ended_by_itself"));
}

TEST_CASE("a tool list in pages is one list", "[sandbox]") {
  Fixture fixture;
  fixture.with("paginated", [](McpConnection& server) -> asio::awaitable<void> {
    REQUIRE(server.tools().size() == 3);
    CHECK(server.tools()[2].name == "page3");
    co_return;
  });
}

TEST_CASE("a server may outlive the time that a command may take", "[sandbox]") {
  // A command would be killed before it has answered anything.
  Fixture fixture(
      [](policies::Policy& policy) { policy.limits.time = std::chrono::milliseconds(1); });
  fixture.with("good", [](McpConnection& server) -> asio::awaitable<void> {
    CHECK(co_await call(server, "echo"));
  });
}

TEST_CASE("a server that dies says how, and comes back with the next call", "[sandbox]") {
  Fixture fixture;
  fixture.with("good", [](McpConnection& server) -> asio::awaitable<void> {
    const auto died = co_await call(server, "die");
    CHECK(died.error() ==
          Error{ErrorCode::io, "mcp server t: ended (exit code 3), stderr: about to die"});
    CHECK(co_await call(server, "echo"));
  });
}

TEST_CASE("a server that comes back with other tools is refused", "[sandbox]") {
  Fixture fixture;
  fixture.with("changes", [](McpConnection& server) -> asio::awaitable<void> {
    CHECK_FALSE(co_await call(server, "die"));
    CHECK((co_await call(server, "echo")).error().code == ErrorCode::unsupported);
  });
}

TEST_CASE("a server that floods or babbles is ended, and the call says so", "[sandbox]") {
  Fixture fixture;
  fixture.with("good", [](McpConnection& server) -> asio::awaitable<void> {
    const auto flood = co_await call(server, "flood");
    CHECK(flood.error().code == ErrorCode::too_large);
    CHECK(flood.error().message.starts_with(
        "mcp server t: broke the protocol: more than 10000 messages that answer nothing"));
    const auto endless = co_await call(server, "endless");
    CHECK(endless.error().message ==
          "mcp server t: was ended: it wrote a line of more than 4.0 MiB");
    CHECK((co_await call(server, "wrong"))
              .error()
              .message.starts_with("mcp server t: broke the protocol: no JSON: "));
    CHECK(co_await call(server, "echo"));
  });
}

TEST_CASE("a cancelled call is taken back at the server, which serves on", "[sandbox]") {
  Fixture fixture;
  fixture.with("good", [&](McpConnection& server) -> asio::awaitable<void> {
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn([](McpConnection& on) -> asio::awaitable<void> {
      (void)co_await call(on, "hang");
    }(server));
    // Another call behind it: when it is answered, the first one has been heard.
    CHECK(co_await call(server, "echo"));
    group.cancel();
    co_await group.join();
    CHECK(co_await call(server, "echo"));
  });
  CHECK(test::slurp(fixture / "cancelled") == test::slurp(fixture / "hanging"));
}

TEST_CASE("a server that does not come up says why", "[sandbox]") {
  Fixture fixture;
  const auto missing = fixture.connection("good", "/no/such/program");
  const auto ended = fixture.connection("exit");
  fixture.run([&]() -> asio::awaitable<void> {
    const auto first = co_await missing->start();
    REQUIRE_FALSE(first);
    CHECK(first.error().code == ErrorCode::unsupported);
    CHECK(first.error().message.starts_with("mcp server t: did not start: "));
    const auto second = co_await ended->start();
    REQUIRE_FALSE(second);
    CHECK(second.error() ==
          Error{ErrorCode::io, "mcp server t: ended (exit code 4), stderr: no configuration"});
    co_await missing->close();
    co_await ended->close();
  });
}

TEST_CASE("a server that ignores the end of its input is killed", "[sandbox]") {
  Fixture fixture;
  fixture.with("stays", [](McpConnection& server) -> asio::awaitable<void> {
    CHECK(co_await call(server, "echo"));
  });
  CHECK(std::filesystem::exists(fixture / "ended_by_itself"));  // it only meant to
}

TEST_CASE("servers start side by side, and one that fails costs only its tools", "[sandbox]") {
  Fixture fixture;
  const std::string program = fixture / "server";
  const auto servers = fixture.servers({{"one", {program, "paginated"}, {}, {}},
                                        {"bad", {program, "exit"}, {}, {}},
                                        {"two", {program, "good"}, {}, {}}});
  fixture.run([&]() -> asio::awaitable<void> {
    co_await servers->start();
    auto made = servers->make_tools();
    CHECK(servers->notes() == std::vector<std::string>{
                                  "mcp server bad: ended (exit code 4), stderr: no configuration"});
    auto set = ToolSet::create(std::move(made));
    if (set) {
      CHECK(set->entries().size() == 12);
      CHECK(set->entries().front().tool->spec().name == "mcp_one_page1");
      const auto* echo = set->find("mcp_two_echo");
      REQUIRE(echo != nullptr);
      CHECK(echo->tool->spec().description == "Test tool echo");
      const auto arguments = Arguments::parse(R"({"path":"x"})").value();
      const auto intent = echo->tool->intent(arguments).value();
      CHECK(intent.effect == Effect::write);
      CHECK(std::get<policies::request::Exec>(intent.requests.at(0)).argv ==
            std::vector<std::string>{program, "good"});
      const std::string id = "c";
      const Call one{id, arguments, {}};
      auto running = echo->tool->run(one);
      const auto output = co_await std::move(running);
      CHECK(output.value().text.text() == "hello x");
    }
    CHECK(set);
    co_await servers->close();
  });
}

TEST_CASE("a server whose command the policy denies is not started", "[sandbox]") {
  Fixture fixture(
      [](policies::Policy& policy) { policy.exec.otherwise = policies::Verdict::deny; });
  const auto servers = fixture.servers({{"one", {fixture / "server", "good"}, {}, {}}});
  fixture.run([&]() -> asio::awaitable<void> {
    co_await servers->start();
    CHECK(servers->make_tools().empty());
    co_await servers->close();
  });
  REQUIRE(servers->notes().size() == 1);
  CHECK(servers->notes()[0].starts_with("mcp server one: denied: "));
  CHECK_FALSE(std::filesystem::exists(fixture / "started_before"));
}

TEST_CASE("cancelled at any moment, a session leaves no process behind", "[sandbox]") {
  Fixture fixture;
  fixture.run([&]() -> asio::awaitable<void> {  // the sandbox itself is open from here on
    const auto server = fixture.connection("good");
    CHECK(co_await server->start());
    CHECK(fixture.processes() == 1);
    co_await server->close();
  });
  bool is_done = false;
  for (std::size_t handlers = 1; !is_done; ++handlers) {
    REQUIRE(handlers < 3'000);
    INFO("cancelled after " << handlers << " handlers");
    const auto server = fixture.connection("good");
    const auto body = [&]() -> asio::awaitable<void> {
      if (!co_await server->start()) co_return;
      (void)co_await call(*server, "die");
      is_done = (co_await call(*server, "echo")).has_value();
    };
    (void)test::cancel_after(fixture.io(), handlers, body());
    fixture.run([&]() -> asio::awaitable<void> { co_await server->close(); });
    CHECK(fixture.processes() == 0);
  }
}
