#include "agents/ledger.hpp"

#include "policies/quantity.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::uint64_t kCountMax = 1'000'000'000'000;
constexpr double kUsdMax = 1e6;

template <class T>
std::optional<T> smaller(const std::optional<T>& a, const std::optional<T>& b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

template <class T>
std::optional<T> left_of(const std::optional<T>& limit, T used) {
  if (!limit) return std::nullopt;
  return *limit > used ? *limit - used : T{};
}

// "200k", "3M" or plain digits.
std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t factor = 1;
  if (text.ends_with('k')) factor = 1000;
  if (text.ends_with('M')) factor = 1'000'000;
  if (factor != 1) text.remove_suffix(1);
  const auto number = policies::parse_decimal(text, kCountMax / factor);
  if (!number || *number == 0) return std::nullopt;
  return *number * factor;
}

std::optional<double> parse_usd(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  if (!is_whole || !std::isfinite(value) || value <= 0 || value > kUsdMax) return std::nullopt;
  return value;
}

Result<> set_part(Budget& budget, std::string_view key, std::string_view value) {
  constexpr std::array<std::string_view, 5> kKeys = {"steps", "tokens", "usd", "wall", "tool_cpu"};
  const auto refuse = [&](std::string_view wanted) {
    return fail(ErrorCode::usage, "budget: " + std::string(key) + "=" +
                                      to_printable(clip_prefix(value, 40)) + ": write " +
                                      std::string(wanted));
  };
  if (key == "steps" || key == "tokens") {
    const auto count = parse_count(value);
    if (!count) return refuse("a number above 0, such as 50 or 200k");
    (key == "steps" ? budget.steps : budget.tokens) = count;
  } else if (key == "usd") {
    budget.usd = parse_usd(value);
    if (!budget.usd) return refuse("dollars above 0, such as 1.50");
  } else if (key == "wall" || key == "tool_cpu") {
    const auto duration = policies::parse_duration(value);
    if (!duration || duration->count() == 0) return refuse("a duration, such as 90s, 10m or 2h");
    (key == "wall" ? budget.wall : budget.tool_cpu) = *duration;
  } else {
    const std::string_view near = nearest(key, kKeys);
    return fail(ErrorCode::usage,
                "budget: no part '" + to_printable(clip_prefix(key, 40)) + "'" +
                    (near.empty() ? " (steps, tokens, usd, wall, tool_cpu)"
                                  : " (did you mean '" + std::string(near) + "'?)"));
  }
  return {};
}

}  // namespace

Budget Budget::narrowed_by(const Budget& other) const {
  Budget both;
  both.steps = smaller(steps, other.steps);
  both.tokens = smaller(tokens, other.tokens);
  both.usd = smaller(usd, other.usd);
  both.wall = smaller(wall, other.wall);
  both.tool_cpu = smaller(tool_cpu, other.tool_cpu);
  both.wrap_up = wrap_up;
  return both;
}

Result<Budget> parse_budget(std::string_view text) {
  Budget budget;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos)
      return fail(ErrorCode::usage, "budget: '" + to_printable(clip_prefix(part, 40)) +
                                        "': write NAME=VALUE, such as steps=50,wall=10m");
    TRY(set_part(budget, part.substr(0, equals), part.substr(equals + 1)));
  }
  return budget;
}

// How much of which limit is gone.
struct Ledger::Share {
  double share = 0;
  std::string what;
};

void Ledger::add(const Usage& usage, double usd) {
  spent_.usage += usage;
  spent_.usd += usd;
}

Ledger::Share Ledger::fullest(Instant now) const {
  Share most;
  const auto look = [&](double used, double limit, const auto& tell) {
    const double share = used / limit;
    if (share > most.share) most = {share, tell()};
  };
  const auto of = [](std::string used, std::string limit) { return used + " of " + limit; };
  if (budget_.tokens) {
    const std::uint64_t used = spent_.tokens() + tokens_aside_;
    look(static_cast<double>(used), static_cast<double>(*budget_.tokens),
         [&] { return "tokens " + of(std::to_string(used), std::to_string(*budget_.tokens)); });
  }
  if (budget_.usd) {
    const double used = spent_.usd + usd_aside_;
    const auto dollars = [](double amount) {
      std::array<char, 32> text{};
      const auto end = std::to_chars(text.data(), text.data() + text.size(), amount,
                                     std::chars_format::fixed, 4);
      return "$" + std::string(text.data(), end.ptr);
    };
    look(used, *budget_.usd, [&] { return "cost " + of(dollars(used), dollars(*budget_.usd)); });
  }
  const auto time = [](Duration span) {
    return policies::format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(span));
  };
  const auto seconds = [](Duration span) { return std::chrono::duration<double>(span).count(); };
  if (budget_.wall) {
    const Duration used = now - began_;
    look(seconds(used), seconds(*budget_.wall),
         [&] { return "time " + of(time(used), time(*budget_.wall)); });
  }
  if (budget_.tool_cpu) {
    const Duration used = spent_.tool_cpu + tool_cpu_aside_;
    look(seconds(used), seconds(*budget_.tool_cpu),
         [&] { return "processor time of tools " + of(time(used), time(*budget_.tool_cpu)); });
  }
  return most;
}

BudgetState Ledger::state(Instant now) const {
  const double share = fullest(now).share;
  if (share >= 1) return BudgetState::spent;
  return share >= 1 - budget_.wrap_up ? BudgetState::wrapping : BudgetState::open;
}

std::string Ledger::reason(Instant now) const {
  Share most = fullest(now);
  return most.share >= 1 - budget_.wrap_up ? std::move(most.what) : std::string();
}

Result<Ledger> Ledger::reserve(const Budget& wanted, Instant now) {
  if (state(now) != BudgetState::open)
    return fail(ErrorCode::too_large, "no budget is left for a sub-agent: " + reason(now));
  Budget left;
  left.tokens = left_of(budget_.tokens, spent_.tokens() + tokens_aside_);
  left.steps = left_of(budget_.steps, spent_.steps);  // its steps are its own, and not more
  left.usd = left_of(budget_.usd, spent_.usd + usd_aside_);
  left.wall = left_of(budget_.wall, now - began_);
  left.tool_cpu = left_of(budget_.tool_cpu, spent_.tool_cpu + tool_cpu_aside_);
  Budget given = wanted.narrowed_by(left);
  // Who names no limit leaves as much as it takes: sub-agents may run side by side.
  if (!wanted.tokens && given.tokens) *given.tokens /= 2;
  if (!wanted.usd && given.usd) *given.usd /= 2;
  if (!wanted.tool_cpu && given.tool_cpu) *given.tool_cpu /= 2;
  // The parent's own summary is not the child's to spend.
  const double keep = 1 - budget_.wrap_up;
  if (given.tokens)
    given.tokens = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(static_cast<double>(*given.tokens) * keep));
  if (given.usd) *given.usd *= keep;
  if (budget_.tokens) tokens_aside_ += given.tokens.value_or(0);
  if (budget_.usd) usd_aside_ += given.usd.value_or(0);
  if (budget_.tool_cpu) tool_cpu_aside_ += given.tool_cpu.value_or(Duration{});
  return Ledger(given, now);
}

void Ledger::settle(const Ledger& child) {
  const Budget& given = child.budget_;
  if (budget_.tokens) tokens_aside_ -= std::min(tokens_aside_, given.tokens.value_or(0));
  if (budget_.usd) usd_aside_ = std::max(0.0, usd_aside_ - given.usd.value_or(0));
  if (budget_.tool_cpu)
    tool_cpu_aside_ -= std::min(tool_cpu_aside_, given.tool_cpu.value_or(Duration{}));
  add(child.spent_.usage, child.spent_.usd);
  add_tool_cpu(child.spent_.tool_cpu);
}

}  // namespace fathom::agents
