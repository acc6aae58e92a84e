#include "tools/mcp/mcp_servers.hpp"

#include "runtime/async/task_group.hpp"
#include "runtime/base/text.hpp"
#include "tools/mcp/http_transport.hpp"
#include "tools/mcp/mcp_tool.hpp"
#include "tools/mcp/stdio_transport.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

bool is_server_name(std::string_view name) {
  return !name.empty() && name.size() <= kServerNameBytesMax &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote && quote != 0)
      quote = 0;
    else if (c == '\\' && quote != '\'' && at + 1 < text.size())
      words.back() += text[++at];
    else
      words.back() += c;
  }
  if (quote != 0) return fail(ErrorCode::usage, std::string("a quote ") + quote + " is not closed");
  return words;
}

}  // namespace

Result<McpServerConfig> parse_mcp_server(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string form = "; write NAME=COMMAND or NAME=https://…";
  if (equals == std::string_view::npos || !is_server_name(name))
    return fail(ErrorCode::usage, "mcp server '" +
                                      to_printable(clip_prefix(name, kServerNameBytesMax)) +
                                      "': a name has letters, digits, '_' and '-', " +
                                      std::to_string(kServerNameBytesMax) + " at most" + form);
  McpServerConfig config;
  config.name = name;
  const std::string_view rest = text.substr(equals + 1);
  const std::string who = "mcp server " + config.name;
  if (rest.starts_with("http://") || rest.starts_with("https://")) {
    auto url = net::Url::parse(rest);
    if (!url) return fail(context(who, url.error()));
    config.url = *std::move(url);
    return config;
  }
  if (rest.size() > kServerCommandBytesMax || rest.contains('\0'))
    return fail(ErrorCode::usage, who + ": a command has at most " +
                                      format_bytes(kServerCommandBytesMax) + " and no NUL byte");
  auto words = split_words(rest);
  if (!words) return fail(context(who, words.error()));
  if (words->empty()) return fail(ErrorCode::usage, who + ": no command" + form);
  config.argv = *std::move(words);
  return config;
}

Result<std::unique_ptr<McpServers>> McpServers::create(Surroundings around,
                                                       std::vector<McpServerConfig> configs,
                                                       McpTimes times) {
  if (configs.size() > kMcpServersMax)
    return fail(ErrorCode::too_large, std::to_string(configs.size()) +
                                          " mcp servers are more than a session may have (" +
                                          std::to_string(kMcpServersMax) + ")");
  std::unique_ptr<McpServers> servers(new McpServers(std::move(around)));
  std::set<std::string> names;
  for (McpServerConfig& config : configs) {
    if (!names.insert(config.name).second)
      return fail(ErrorCode::usage, "mcp server " + config.name + " stands twice");
    if (config.url && !servers->client_)
      servers->client_ =
          TRY(net::HttpClient::create(servers->around_.clock, {}, servers->around_.env));
    auto transport = servers->make_transport(config);
    Server server;
    server.connection =
        std::make_unique<McpConnection>(servers->around_.executor, servers->around_.clock,
                                        std::move(config.name), std::move(transport), times);
    servers->servers_.push_back(std::move(server));
  }
  return servers;
}

std::unique_ptr<McpTransport> McpServers::make_transport(McpServerConfig& config) {
  if (config.url)
    return std::make_unique<HttpTransport>(
        around_.executor, around_.clock, *client_,
        HttpTransport::Server{*std::move(config.url), std::move(config.headers)});
  return std::make_unique<StdioTransport>(around_.executor, around_.clock, around_.commands,
                                          std::move(config.argv), around_.workspace);
}

asio::awaitable<void> McpServers::start_one(std::size_t at) {
  Server& server = servers_[at];
  const policies::Decision decision =
      policies::decide(around_.policy, server.connection->request());
  const bool may =
      decision.verdict == policies::Verdict::allow ||
      (decision.verdict == policies::Verdict::ask && around_.start_if == policies::Verdict::ask);
  if (!may) {
    const bool open = decision.verdict == policies::Verdict::ask;
    server.trouble = Trouble{"mcp server " + server.connection->name() +
                                 (open ? ": needs approval: " : ": denied: ") + decision.reason +
                                 " (rule " + decision.rule + ")",
                             decision};
    co_return;
  }
  auto starting = server.connection->start();
  const Result<> started = co_await std::move(starting);
  if (!started) server.trouble = Trouble{started.error().message, std::nullopt};
}

asio::awaitable<void> McpServers::start() {
  TaskGroup group(around_.executor);
  for (std::size_t at = 0; at < servers_.size(); ++at) group.spawn(start_one(at));
  co_await group.join();
}

std::vector<std::unique_ptr<Tool>> McpServers::make_tools() {
  std::vector<std::unique_ptr<Tool>> tools;
  std::set<std::string, std::less<>> taken;
  notes_.clear();
  for (const Server& server : servers_) {
    McpConnection& connection = *server.connection;
    const std::string who = "mcp server " + connection.name() + ": ";
    if (server.trouble) {
      notes_.push_back(server.trouble->text);
      continue;
    }
    for (const std::string& note : connection.notes()) notes_.push_back(who + note);
    for (const RemoteTool& remote : connection.tools()) {
      if (tools.size() == kMcpToolsMax) {
        notes_.push_back(who + "the session has " + std::to_string(kMcpToolsMax) +
                         " tools of servers: the rest is left out");
        break;
      }
      tools.push_back(std::make_unique<McpTool>(
          connection, remote, remote_tool_name(connection.name(), remote.name, taken)));
    }
  }
  return tools;
}

const McpServers::Trouble* McpServers::trouble_behind(std::string_view tool) const {
  const Server* nearest = nullptr;  // of "a" and "a_b" the longer name is meant
  for (const Server& server : servers_) {
    const std::string& name = server.connection->name();
    if (!tool.starts_with("mcp_" + name + "_")) continue;
    if (nearest == nullptr || name.size() > nearest->connection->name().size()) nearest = &server;
  }
  return nearest == nullptr || !nearest->trouble ? nullptr : &*nearest->trouble;
}

asio::awaitable<void> McpServers::close() {
  TaskGroup group(around_.executor);
  for (const Server& server : servers_) group.spawn(server.connection->close());
  co_await group.join();
}

}  // namespace fathom::tools
