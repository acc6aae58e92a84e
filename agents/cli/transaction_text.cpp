#include "agents/cli/transaction_text.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;
using sandbox::Change;
using sandbox::ChangeKind;
using sandbox::Fate;

constexpr std::size_t kReportLinesMax = 20;

char letter_of(const Change& change) {
  switch (change.kind) {
    case ChangeKind::added:
      return '+';
    case ChangeKind::modified:
      return 'M';
    case ChangeKind::mode_changed:
      return 'm';
    case ChangeKind::type_changed:
      return 'T';
    case ChangeKind::deleted:
      return '-';
  }
  return '?';
}

std::string line_of(const Change& change) {
  std::string line = "  ";
  line += letter_of(change);
  line += ' ' + to_printable(change.path);
  if (change.type == sandbox::FileType::directory) line += '/';
  if (change.fate != Fate::applied)
    line += change.fate == Fate::runs_later ? "  (will run later"
                                            : "  (" + std::string(name_of(change.fate));
  if (change.fate != Fate::applied) {
    if (!change.reason.empty()) line += ": " + to_printable(change.reason);
    if (!change.rule.empty()) line += "; rule " + change.rule;
    line += ')';
  }
  return line + '\n';
}

ordered_json json_of(const Change& change) {
  ordered_json json = {{"path", to_valid_utf8(change.path)},
                       {"kind", name_of(change.kind)},
                       {"type", name_of(change.type)},
                       {"fate", name_of(change.fate)}};
  if (change.kind != ChangeKind::deleted) {
    json["mode"] = change.mode;
    json["bytes"] = change.bytes;
  }
  if (!change.rule.empty()) json["rule"] = change.rule;
  if (!change.reason.empty()) json["reason"] = to_valid_utf8(change.reason);
  return json;
}

ordered_json json_of(const std::vector<Change>& changes) {
  ordered_json list = ordered_json::array();
  for (const Change& change : changes) list.push_back(json_of(change));
  return list;
}

ordered_json json_of(const sandbox::TransactionInfo& info) {
  return {{"id", info.id},
          {"workspace", to_valid_utf8(info.workspace)},
          {"began", time_text(info.began_ns)},
          {"interrupted", info.interrupted}};
}

void add_count(std::string& text, std::size_t count, std::string_view what) {
  if (count == 0) return;
  text += (text.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(what);
}

void add_list(std::string& text, const std::vector<Change>& changes, const std::string& title) {
  if (changes.empty()) return;
  text += title + '\n' + lines_of(changes, kReportLinesMax);
}

}  // namespace

std::string counts_of(const std::vector<Change>& changes) {
  const auto of_kind = [&](ChangeKind kind) {
    return static_cast<std::size_t>(std::ranges::count(changes, kind, &Change::kind));
  };
  const auto of_fate = [&](Fate fate) {
    return static_cast<std::size_t>(std::ranges::count(changes, fate, &Change::fate));
  };
  std::string text;
  add_count(text, of_kind(ChangeKind::added), "added");
  add_count(text, of_kind(ChangeKind::modified) + of_kind(ChangeKind::type_changed), "modified");
  add_count(text, of_kind(ChangeKind::mode_changed), "with other bits");
  add_count(text, of_kind(ChangeKind::deleted), "deleted");
  if (text.empty()) return "no changes";
  std::string fates;
  add_count(fates, of_fate(Fate::withheld), "of them withheld");
  add_count(fates, of_fate(Fate::conflict), "in conflict with the host");
  return text + (fates.empty() ? "" : "; " + fates);
}

std::string lines_of(const std::vector<Change>& changes, std::size_t lines_max) {
  std::string text;
  for (std::size_t i = 0; i < std::min(changes.size(), lines_max); ++i) text += line_of(changes[i]);
  if (changes.size() > lines_max)
    text += "  … " + std::to_string(changes.size() - lines_max) + " more\n";
  return text;
}

std::string to_text(const sandbox::CommitReport& report, const std::string& id) {
  std::string text;
  if (report.stopped)
    text += "nothing was committed: the host changed the same files; --force commits the rest\n";
  else
    text += "committed in " + std::to_string(report.applied) + " steps" +
            (report.resumed ? ": the interrupted commit is finished" : "") + '\n';
  add_list(text, report.runs_later, "your programs will run or obey:");
  add_list(text, report.conflicts, "changed on the host too, left in the transaction:");
  add_list(text, report.withheld, "withheld, left in the transaction:");
  for (std::size_t i = 0; i < std::min(report.unmade.size(), kReportLinesMax); ++i)
    text += "not committed: " + to_printable(report.unmade[i].path) + ": " +
            to_printable(report.unmade[i].reason) + '\n';
  if (report.left_out > 0) text += std::to_string(report.left_out) + " changes are left\n";
  if (!report.closed)
    text += "the transaction is still there: fathom sandbox changes|commit|discard " + id + '\n';
  return text;
}

std::string to_json(const sandbox::TransactionInfo& info, const std::vector<Change>& changes) {
  ordered_json json = json_of(info);
  json["changes"] = json_of(changes);
  return json.dump();
}

std::string to_json(const sandbox::CommitReport& report, const std::string& id) {
  ordered_json unmade = ordered_json::array();
  for (const sandbox::Unmade& step : report.unmade)
    unmade.push_back({{"path", to_valid_utf8(step.path)}, {"reason", to_valid_utf8(step.reason)}});
  return ordered_json{{"id", id},
                      {"applied", report.applied},
                      {"stopped", report.stopped},
                      {"resumed", report.resumed},
                      {"closed", report.closed},
                      {"runs_later", json_of(report.runs_later)},
                      {"conflicts", json_of(report.conflicts)},
                      {"withheld", json_of(report.withheld)},
                      {"unmade", unmade},
                      {"left_out", report.left_out}}
      .dump();
}

std::string to_json(const std::vector<sandbox::TransactionInfo>& infos) {
  ordered_json list = ordered_json::array();
  for (const sandbox::TransactionInfo& info : infos) list.push_back(json_of(info));
  return ordered_json{{"transactions", list}}.dump();
}

std::string time_text(std::int64_t unix_ns) {
  const std::time_t seconds = unix_ns / 1'000'000'000;
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace fathom::agents
