#include "agents/cli/run_view_summary.hpp"

#include <algorithm>
#include <string_view>

namespace fathom::agents {
namespace {

constexpr std::size_t kChangesMax = 50;  // lines; `fathom undo --dry-run` lists them all
constexpr std::size_t kLabelColumns = 10;

Mark mark_of(TurnEnd end) {
  switch (end) {
    case TurnEnd::answered:
      return Mark::done;
    case TurnEnd::suspended:
      return Mark::asks;
    case TurnEnd::cancelled:
      return Mark::stopped;
    case TurnEnd::step_limit:
    case TurnEnd::budget:
    case TurnEnd::loop:
    case TurnEnd::rejected:
    case TurnEnd::engine_error:
    case TurnEnd::sandbox_missing:
      return Mark::failed;
  }
  return Mark::failed;
}

Colour colour_of(Mark mark) {
  if (mark == Mark::done) return Colour::green;
  return mark == Mark::failed ? Colour::red : Colour::yellow;
}

// Nothing here is cut: a person copies commands and paths from it.
std::string row(std::string_view label, std::string_view text, const ViewStyle& style) {
  std::string head(label);
  head.resize(std::max(kLabelColumns, head.size()), ' ');
  return "  " + style.painted(Colour::dim, head) + std::string(text) + "\n";
}

std::string tokens_of(const Usage& usage, const ViewStyle& style) {
  const std::uint64_t reused = std::min(usage.reused_tokens, usage.prompt_tokens);
  const std::string_view separator = style.separator();
  return "reused " + grouped(reused) + " (" + percent_of(reused, usage.prompt_tokens) + ")" +
         std::string(separator) + "prefilled " + grouped(usage.prompt_tokens - reused) +
         std::string(separator) + "generated " + grouped(usage.completion_tokens);
}

}  // namespace

std::string summary_of(const RunEnd& end, const ViewStyle& style) {
  const Mark mark = mark_of(end.end);
  std::string name(name_of(end.end));
  std::ranges::replace(name, '_', ' ');
  std::string head = name;
  if (!end.why.empty() && end.why != name) head += ": " + shown(end.why);
  head += std::string(style.separator()) + counted(end.steps, "step");
  head += std::string(style.separator()) + time_of(end.took);
  const std::string_view sign = style.mark(mark);
  std::string out =
      style.painted(colour_of(mark), sign) + " " + style.painted(Colour::bold, head) + "\n";
  if (end.usage.prompt_tokens + end.usage.completion_tokens > 0)
    out += row("tokens", tokens_of(end.usage, style), style);
  if (end.cost_usd) out += row("cost", usd_of(*end.cost_usd), style);
  const std::vector<std::string_view> changes = lines_of(end.changes);
  const std::size_t listed = std::min(changes.size(), kChangesMax);
  for (std::size_t i = 0; i < listed; ++i)
    out += row(i == 0 ? "changed" : "", shown(changes[i]), style);
  if (changes.size() > listed)
    out += row(
        "",
        std::string(style.mark(Mark::more)) + " " + counted(changes.size() - listed, "more line"),
        style);
  if (end.run.empty()) return out;
  out += row("go on", "fathom session resume " + shown(end.run), style);
  if (end.may_undo) out += row("take back", "fathom undo " + shown(end.run), style);
  return out;
}

}  // namespace fathom::agents
