// McpServers: the tool servers of one session. All start side by side before the session's tools
// are frozen; one that does not come up costs its tools and a note, not the session.
#pragma once

#include "policies/decide.hpp"
#include "policies/policy.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/net/http_client.hpp"
#include "tools/commands.hpp"
#include "tools/mcp/mcp_connection.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kMcpServersMax = 16;       // of one session
inline constexpr std::size_t kMcpToolsMax = 96;         // of all of them; the session has own ones
inline constexpr std::size_t kServerNameBytesMax = 24;  // part of every tool's name
inline constexpr std::size_t kServerCommandBytesMax = 4UL << 10;

/// A program, or a place.
struct McpServerConfig {
  std::string name;
  std::vector<std::string> argv;  ///< empty: it is a URL
  std::optional<net::Url> url;
  net::Headers headers;  ///< for a URL

  friend bool operator==(const McpServerConfig&, const McpServerConfig&) = default;
};

/// `NAME=COMMAND ARGUMENTS…` or `NAME=https://…`. Words are split at spaces; quotes and backslashes
/// keep them together as in a shell, and nothing else of a shell is understood.
Result<McpServerConfig> parse_mcp_server(std::string_view text);

class McpServers {
 public:
  /// All references outlive it.
  struct Surroundings {
    asio::any_io_executor executor;
    Clock& clock;
    Commands& commands;
    const policies::Policy& policy;
    std::string workspace;
    const GetEnv& env;  ///< proxies, for servers behind a URL
    /// What the policy may say of starting one: `ask` when a person has agreed beforehand.
    policies::Verdict start_if = policies::Verdict::allow;
  };
  /// Nothing runs yet. Refuses a name twice and more than kMcpServersMax.
  static Result<std::unique_ptr<McpServers>> create(Surroundings around,
                                                    std::vector<McpServerConfig> configs,
                                                    McpTimes times = {});

  /// Starts those that the policy allows, or leaves open where `start_if` says so; their calls are
  /// decided one by one. close() has to follow, also after cancellation.
  asio::awaitable<void> start();

  /// In the order of the configuration, then of each server's list. They refer to this.
  std::vector<std::unique_ptr<Tool>> make_tools();

  /// Why a server has no tools.
  struct Trouble {
    std::string text;
    std::optional<policies::Decision> refusal;  ///< when it is the policy's
  };
  /// Of the server that a tool of this name would be of; null when that one runs, or there is none.
  [[nodiscard]] const Trouble* trouble_behind(std::string_view tool) const;

  /// What did not start, what was left out.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Ends all of them. No call may be running.
  asio::awaitable<void> close();

 private:
  explicit McpServers(Surroundings around) : around_(std::move(around)) {}
  std::unique_ptr<McpTransport> make_transport(McpServerConfig& config);
  asio::awaitable<void> start_one(std::size_t at);

  struct Server {
    std::unique_ptr<McpConnection> connection;
    std::optional<Trouble> trouble;
  };
  Surroundings around_;
  std::unique_ptr<net::HttpClient> client_;  ///< when there is a URL among them
  std::vector<Server> servers_;
  std::vector<std::string> notes_;
};

}  // namespace fathom::tools
