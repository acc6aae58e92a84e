#include "sandbox/outcome.hpp"

#include "runtime/base/text.hpp"
#include "sandbox/plan.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::sandbox {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const CapturedOutput& output) {
  Json json = {
      {"text", to_valid_utf8(output.text())}, {"bytes", output.bytes}, {"lines", output.lines}};
  if (output.bytes_cut > 0) json["bytes_cut"] = output.bytes_cut;
  if (!output.blob.empty()) json["blob"] = output.blob;
  return json;
}

Json to_json(const Denial& denial) {
  Json json = {{"what", denial.what},
               {"target", to_valid_utf8(denial.target)},
               {"rule", denial.rule},
               {"count", denial.count}};
  if (!denial.grant.empty()) json["grant"] = to_valid_utf8(denial.grant);
  if (!denial.note.empty()) json["note"] = denial.note;
  return json;
}

Json to_json(const EgressRecord& record) {
  return {{"name", to_valid_utf8(record.name)},
          {"address", record.address},
          {"port", record.port},
          {"via", name_of(record.via)},
          {"verdict", policies::name_of(record.verdict)},
          {"rule", record.rule},
          {"reason", to_valid_utf8(record.reason)},
          {"bytes_up", record.bytes_up},
          {"bytes_down", record.bytes_down},
          {"duration_us",
           std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count()}};
}

Json to_json(const std::vector<std::string>& lines) {
  Json json = Json::array();
  for (const std::string& line : lines) json.push_back(to_valid_utf8(line));
  return json;
}

}  // namespace

void Outcome::end(Ending how, std::string why) {
  if (ended_) return;
  ended_ = true;
  ending = how;
  evidence = std::move(why);
}

void Outcome::classify(Ending how, std::string why) {
  ending = how;
  evidence = std::move(why);
}

void Outcome::add(Denial denial) {
  const auto same = std::ranges::find_if(denials, [&](const Denial& known) {
    return known.what == denial.what && known.target == denial.target && known.rule == denial.rule;
  });
  if (same != denials.end()) {
    same->count += denial.count;
  } else if (denials.size() < kDenialsMax) {
    denials.push_back(std::move(denial));
  } else {
    denials_more += denial.count;
  }
}

void Outcome::add(EgressRecord connection) {
  if (connections.size() < kConnectionsKeptMax)
    connections.push_back(std::move(connection));
  else
    ++connections_more;
}

std::string_view name_of(Ending ending) {
  switch (ending) {
    case Ending::exited:
      return "exited";
    case Ending::signalled:
      return "signalled";
    case Ending::deadline:
      return "deadline";
    case Ending::cancelled:
      return "cancelled";
    case Ending::memory_limit:
      return "memory_limit";
    case Ending::disk_limit:
      return "disk_limit";
    case Ending::output_limit:
      return "output_limit";
    case Ending::not_started:
      return "not_started";
    case Ending::lost:
      return "lost";
  }
  return "?";
}

std::string summary(const Outcome& outcome) {
  std::string text;
  switch (outcome.ending) {
    case Ending::exited:
      text = "exit code " + std::to_string(outcome.exit_code);
      break;
    case Ending::signalled:
      text = "killed by signal " + std::to_string(outcome.signal);
      break;
    case Ending::not_started:
      text = "not started: " + outcome.evidence;
      break;
    default:
      text = "stopped: " + outcome.evidence;
  }
  if (outcome.left_processes) text += "; processes it left behind were killed";
  return text;
}

std::string notice_for_model(const Outcome& outcome) {
  std::vector<std::string> lines;
  if (outcome.ending != Ending::exited)
    lines.push_back("[sandbox] " + to_printable(summary(outcome)));
  for (const Denial& denial : outcome.denials) {
    std::string line = "[sandbox] " + denial.what + " denied: " + to_printable(denial.target) +
                       " (rule " + denial.rule + (denial.note.empty() ? "" : "; " + denial.note) +
                       ")";
    if (!denial.grant.empty())
      line += "; a person can allow it with: " + to_printable(denial.grant);
    lines.push_back(std::move(line));
  }
  for (const std::string& path : outcome.repaired)
    lines.push_back("[sandbox] protected: " + to_printable(path));
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i + 1 == kNoticeLinesMax && lines.size() > kNoticeLinesMax)
      return text + "[sandbox] and " + std::to_string(lines.size() - i + outcome.denials_more) +
             " more\n";
    text += lines[i] + "\n";
  }
  return text;
}

std::string to_json(const Outcome& outcome) {
  Json json = {{"ending", name_of(outcome.ending)}};
  if (outcome.ending == Ending::exited) json["exit_code"] = outcome.exit_code;
  if (outcome.ending == Ending::signalled) json["signal"] = outcome.signal;
  if (!outcome.evidence.empty()) json["evidence"] = to_valid_utf8(outcome.evidence);
  if (outcome.ending == Ending::not_started) json["stage"] = name_of(outcome.stage);
  json["usage"] = {{"wall_us", outcome.usage.wall.count()},
                   {"user_us", outcome.usage.user.count()},
                   {"system_us", outcome.usage.system.count()},
                   {"memory_bytes_max", outcome.usage.memory_bytes_max}};
  json["stdout"] = to_json(outcome.out);
  json["stderr"] = to_json(outcome.err);
  json["left_processes"] = outcome.left_processes;
  json["denials"] = Json::array();
  for (const Denial& denial : outcome.denials) json["denials"].push_back(to_json(denial));
  if (outcome.denials_more > 0) json["denials_more"] = outcome.denials_more;
  json["connections"] = Json::array();
  for (const EgressRecord& record : outcome.connections)
    json["connections"].push_back(to_json(record));
  if (outcome.connections_more > 0) json["connections_more"] = outcome.connections_more;
  json["repaired"] = to_json(outcome.repaired);
  json["runs_later"] = to_json(outcome.runs_later);
  json["rung"] = name_of(outcome.rung);
  json["weaker"] = Json::array();
  for (const WeakerGuarantee& weaker : outcome.weaker)
    json["weaker"].push_back({{"guarantee", policies::name_of(weaker.guarantee)},
                              {"strength", policies::name_of(weaker.strength)},
                              {"reason", weaker.reason}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::sandbox
