#include "agents/cli/demo_report.hpp"

#include "agents/demo/demo_model.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string_view>

namespace fathom::agents {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 300> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

/// Of some of the repairs.
struct Count {
  std::uint64_t all = 0;
  std::uint64_t first = 0;  ///< with the first attempt
  std::uint64_t fixed = 0;

  void add(const DemoTrial& trial) {
    ++all;
    fixed += trial.fixed ? 1 : 0;
    first += trial.fixed && trial.attempts == 1 ? 1 : 0;
  }
};

struct Totals {
  Count count;
  std::map<std::string, Count> by_class;
  Usage usage;
  Duration sampling{};
  std::uint64_t failed_calls = 0;
  std::uint64_t fork_prompt = 0;
  std::uint64_t fork_reused = 0;
  std::vector<double> took;  ///< seconds, the shortest first

  explicit Totals(const DemoReport& report) {
    for (const auto& [repository, trial] : report.trials) {
      count.add(trial);
      by_class[repository.bug_class].add(trial);
      usage += trial.usage;
      sampling += trial.sampling;
      failed_calls += trial.failed_calls;
      fork_prompt += trial.fork_prompt_tokens;
      fork_reused += trial.fork_reused_tokens;
      took.push_back(seconds(trial.took));
    }
    std::ranges::sort(took);
  }
  [[nodiscard]] double tokens_per_second() const {
    const double span = seconds(sampling);
    return span > 0 ? static_cast<double>(usage.completion_tokens) / span : 0;
  }
};

double share(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

int percent(std::uint64_t part, std::uint64_t all) {
  return static_cast<int>(100 * share(part, all) + 0.5);
}

ordered_json to_json(const Count& count) {
  return {{"repositories", count.all}, {"first", count.first}, {"fixed", count.fixed}};
}

// What the benchmark found of the file that is bundled: see figures.json beside the model.
std::string measured() {
  const json figures = json::parse(demo_model_file("figures.json"), nullptr, false);
  std::string out;
  const auto tell = [&](const char* set, const char* what) {
    const auto found = figures.find(set);
    if (found == figures.end() || !found->is_object()) return;
    const std::uint64_t all = found->value("repositories", std::uint64_t{0});
    const std::uint64_t fixed = found->value("fixed", std::uint64_t{0});
    if (all == 0) return;
    out += format("%s%d of 100 with %s", out.empty() ? "" : ", ", percent(fixed, all), what);
  };
  if (!figures.is_object()) return out;
  tell("names", "names it has never seen");
  tell("templates", "functions of a kind it has never seen");
  return out;
}

}  // namespace

std::string demo_opening(std::uint64_t seed, const std::filesystem::path& folder) {
  return "A Python repository with one wrong line, made from seed " + std::to_string(seed) + ": " +
         to_printable(folder.string()) +
         "\n"
         "Its functions are named by words that the bundled model was not trained on. The agent "
         "may "
         "change\neverything but the checks.\n\n";
}

std::string demo_closing(std::uint64_t seed, const std::filesystem::path& folder) {
  const std::string figures = measured();
  const std::string where = to_printable(folder.string());
  return "\nThis model has a few million parameters in DeepSeek-V4's architecture and was trained "
         "on nothing\nbut generated repositories of this kind" +
         (figures.empty() ? std::string() : ". It repairs " + figures) +
         ".\nIt can do nothing else; agents on other code need a real model:\n"
         "  fathom demo                         another repository; --seed " +
         std::to_string(seed) +
         " is this one again\n"
         "  fathom run --repo DIR --engine local:WEIGHTS 'make the tests pass'\n"
         "  fathom run --repo DIR --engine openai:http://127.0.0.1:8000/v1 'make the tests pass'\n"
         "The repository stays in " +
         where + ", what was done in the run's trace (fathom session list).\n";
}

std::string to_text(const DemoReport& report) {
  const Totals totals(report);
  const Count& count = totals.count;
  std::string out =
      format("%s, seed %llu: %llu of %llu repaired (%d %%), %llu (%d %%) with the first attempt\n",
             report.set.c_str(), static_cast<unsigned long long>(report.seed),
             static_cast<unsigned long long>(count.fixed),
             static_cast<unsigned long long>(count.all), percent(count.fixed, count.all),
             static_cast<unsigned long long>(count.first), percent(count.first, count.all));
  for (const auto& [name, of_class] : totals.by_class)
    out += format("  %-16s %3llu of %3llu, first %3llu\n", name.c_str(),
                  static_cast<unsigned long long>(of_class.fixed),
                  static_cast<unsigned long long>(of_class.all),
                  static_cast<unsigned long long>(of_class.first));
  if (totals.took.empty()) return out;
  out +=
      format("a repair takes %.2f s (median; at most %.2f s), %.0f tokens/s\n",
             totals.took[totals.took.size() / 2], totals.took.back(), totals.tokens_per_second());
  out += format(
      "%d %% of all prompts was resident, %d %% of the first one of a further attempt; "
      "%llu failed calls\n",
      percent(totals.usage.reused_tokens, totals.usage.prompt_tokens),
      percent(totals.fork_reused, totals.fork_prompt),
      static_cast<unsigned long long>(totals.failed_calls));
  return out + to_printable(report.folder.string()) + "\n";
}

std::string to_json(const DemoReport& report) {
  const Totals totals(report);
  ordered_json out = {{"set", report.set}, {"seed", report.seed}};
  out.update(to_json(totals.count));
  out["tokens_per_s"] = totals.tokens_per_second();
  out["reused_share"] = share(totals.usage.reused_tokens, totals.usage.prompt_tokens);
  out["fork_reused_share"] = share(totals.fork_reused, totals.fork_prompt);
  out["failed_calls"] = totals.failed_calls;
  if (!totals.took.empty()) {
    out["seconds_median"] = totals.took[totals.took.size() / 2];
    out["seconds_max"] = totals.took.back();
  }
  for (const auto& [name, count] : totals.by_class) out["classes"][name] = to_json(count);
  out["repairs"] = ordered_json::array();
  for (const auto& [repository, trial] : report.trials)
    out["repairs"].push_back({{"repository", repository.folder.string()},
                              {"class", repository.bug_class},
                              {"file", repository.file},
                              {"function", repository.function},
                              {"wrong", repository.wrong},
                              {"right", repository.right},
                              {"fixed", trial.fixed},
                              {"attempts", trial.attempts},
                              {"failed_calls", trial.failed_calls},
                              {"seconds", seconds(trial.took)},
                              {"prompt_tokens", trial.usage.prompt_tokens},
                              {"reused_tokens", trial.usage.reused_tokens},
                              {"completion_tokens", trial.usage.completion_tokens},
                              {"run", trial.run.to_string()},
                              {"why", trial.why}});
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::agents
