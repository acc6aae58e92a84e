#include "agents/cli/session_text.hpp"

#include "runtime/base/text.hpp"
#include "runtime/trace/event_json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNameBytes = 40;  // of an agent in a list

std::string minute_of(WallTime time) {
  std::string text = trace::to_string(time).substr(0, 16);  // YYYY-MM-DDTHH:MM
  if (text.size() > 10) text[10] = ' ';
  return text;
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string state_of(const SessionSummary& session) {
  if (session.damage) return "damaged";
  if (session.standing() != SessionStanding::idle) return std::string(name_of(session.standing()));
  return session.reason.empty() ? "idle" : to_printable(clip_prefix(session.reason, kNameBytes));
}

Colour colour_of(const SessionSummary& session) {
  if (session.damage) return Colour::red;
  return session.standing() == SessionStanding::waiting ? Colour::yellow : Colour::plain;
}

std::string cost_of(const SessionSummary& session) {
  if (!session.usd) return "-";
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "$%.4f", *session.usd);
  return text.data();
}

constexpr std::size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

Row row_of(const SessionSummary& session) {
  const std::uint64_t tokens = session.usage.prompt_tokens + session.usage.completion_tokens;
  return {session.run.to_string(),
          session.last_seq == 0 ? "-" : minute_of(session.last),
          state_of(session),
          plural(session.turns, "turn"),
          plural(session.steps, "step"),
          plural(tokens, "token"),
          cost_of(session),
          to_printable(clip_prefix(session.agent, kNameBytes))};
}

std::string last_column(const SessionSummary& session) {
  return to_printable(session.damage ? session.damage->message : session.task);
}

ordered_json json_of(const SessionSummary& session) {
  ordered_json object = {
      {"run", session.run.to_string()},
      {"state", session.damage ? "damaged" : name_of(session.standing())},
      {"reason", session.reason},
      {"workspace", session.workspace},
      {"agent", session.agent},
      {"engine", session.engine},
      {"model", session.model},
      {"task", session.task},
      {"turns", session.turns},
      {"steps", session.steps},
      {"prompt_tokens", session.usage.prompt_tokens},
      {"reused_tokens", session.usage.reused_tokens},
      {"completion_tokens", session.usage.completion_tokens},
      {"cost_usd", session.usd ? ordered_json(*session.usd) : ordered_json(nullptr)},
      {"events", session.last_seq}};
  if (session.last_seq != 0) {
    object["began"] = trace::to_string(session.began);
    object["last"] = trace::to_string(session.last);
  }
  if (!session.parent.empty()) object["parent"] = session.parent;
  if (!session.forked_from.empty())
    object["forked"] = {{"from", session.forked_from}, {"seq", session.forked_at}};
  if (session.damage) object["error"] = session.damage->message;
  return object;
}

ordered_json json_of(const TurnSummary& turn) {
  return {{"turn", turn.turn},
          {"first_seq", turn.first_seq},
          {"last_seq", turn.last_seq},
          {"reason", turn.reason},
          {"task", turn.task}};
}

ordered_json json_of(const WaitingCall& call) {
  return {{"call", call.call},
          {"tool", call.tool},
          {"arguments", call.arguments},
          {"rule", call.rule},
          {"reason", call.reason},
          {"grant", call.grant},
          {"seq", call.requested},
          {"given", call.given ? ordered_json(*call.given) : ordered_json(nullptr)}};
}

std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// Of a session's facts: the word, and what it is.
std::string fact(std::string_view word, const std::string& what) {
  constexpr std::size_t kWordColumns = 11;
  if (what.empty()) return {};
  std::string line(word);
  line.resize(std::max(kWordColumns, line.size() + 1), ' ');
  return line + what + "\n";
}

std::string turns_text(const SessionSummary& session) {
  if (session.last_turns.empty()) return {};
  std::string text = "turns\n";
  if (session.turns > session.last_turns.size())
    text += "  (" + std::to_string(session.turns - session.last_turns.size()) + " earlier ones)\n";
  for (const TurnSummary& turn : session.last_turns) {
    text += "  " + std::to_string(turn.turn) + "  events " + std::to_string(turn.first_seq) + "-";
    text += turn.last_seq == 0 ? "  open" : std::to_string(turn.last_seq);
    if (!turn.reason.empty()) text += "  " + to_printable(clip_prefix(turn.reason, kNameBytes));
    text += "  " + to_printable(turn.task) + "\n";
  }
  return text;
}

}  // namespace

std::string sessions_text(std::span<const SessionSummary> sessions, const Terminal& terminal) {
  std::vector<Row> rows;
  std::array<std::size_t, kColumns> widths{};
  for (const SessionSummary& session : sessions) {
    rows.push_back(row_of(session));
    for (std::size_t i = 0; i < kColumns; ++i)
      widths[i] = std::max(widths[i], rows.back()[i].size());
  }
  constexpr std::size_t kStateColumn = 2;
  constexpr std::size_t kLastColumnMin = 16;  // of a terminal too narrow for it: not cut
  std::size_t used = 0;
  for (const std::size_t width : widths) used += width + 2;
  const std::size_t columns = terminal.columns();
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      std::string cell = rows[r][i];
      cell.resize(widths[i], ' ');
      text += i == kStateColumn ? terminal.paint(colour_of(sessions[r]), cell) : cell;
      text += "  ";
    }
    std::string last = last_column(sessions[r]);
    if (columns > used + kLastColumnMin && last.size() > columns - used)
      last = std::string(clip_prefix(last, columns - used - 1)) + "…";
    text += last + "\n";
  }
  return text;
}

std::string sessions_json(std::span<const SessionSummary> sessions) {
  ordered_json list = ordered_json::array();
  for (const SessionSummary& session : sessions) list.push_back(json_of(session));
  return dump(list);
}

std::string session_text(const SessionSummary& session, const Terminal& terminal) {
  std::string text = fact("run", session.run.to_string());
  text += fact("state", terminal.paint(colour_of(session), state_of(session)));
  text += fact("task", to_printable(session.task));
  text += fact("agent", to_printable(session.agent));
  text += fact("engine", to_printable(session.engine));
  text += fact("model", to_printable(session.model));
  text += fact("workspace", to_printable(session.workspace));
  text += fact("began", minute_of(session.began) + " UTC, last event " +
                            std::to_string(session.last_seq) + " at " + minute_of(session.last));
  text += fact("spent", plural(session.steps, "step") + ", " +
                            plural(session.usage.prompt_tokens, "token") + " in (" +
                            std::to_string(session.usage.reused_tokens) + " reused), " +
                            std::to_string(session.usage.completion_tokens) + " out" +
                            (session.usd ? ", " + cost_of(session) : ""));
  text += fact("parent", to_printable(session.parent));
  if (!session.forked_from.empty())
    text += fact("forked", "from run " + to_printable(session.forked_from) + " at event " +
                               std::to_string(session.forked_at));
  text += turns_text(session);
  if (!session.waiting.empty()) text += "waiting\n";
  for (const WaitingCall& call : session.waiting) text += waiting_text(call);
  if (session.standing() == SessionStanding::waiting)
    text += "fathom approve " + session.run.to_string() + " answers\n";
  return text;
}

std::string session_json(const SessionSummary& session) {
  ordered_json object = json_of(session);
  object["last_turns"] = ordered_json::array();
  for (const TurnSummary& turn : session.last_turns) object["last_turns"].push_back(json_of(turn));
  object["waiting"] = ordered_json::array();
  for (const WaitingCall& call : session.waiting) object["waiting"].push_back(json_of(call));
  return dump(object);
}

std::string waiting_text(const WaitingCall& call) {
  std::string text = "  " + to_printable(call.call) + "  " + to_printable(call.tool) + " " +
                     to_printable(call.arguments) + "\n";
  text += "      " + to_printable(call.reason) +
          (call.rule.empty() ? "" : " (rule " + to_printable(call.rule) + ")") + "\n";
  if (!call.grant.empty())
    text += "      the policy would allow it with: " + to_printable(call.grant) + "\n";
  if (call.given) text += std::string("      answered: ") + (*call.given ? "yes" : "no") + "\n";
  return text;
}

}  // namespace fathom::agents
