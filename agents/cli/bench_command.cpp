#include "agents/cli/bench_command.hpp"

#include "engine/cpu/cpu_info.hpp"
#include "engine/cpu/kernels.hpp"
#include "engine/local/engine_bench.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace fathom::agents {
namespace {

using namespace engine;
using nlohmann::ordered_json;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

/// Of reading the weights, and of multiplying with them.
double decode_share(const EngineSpeed& speed, const TokenWork& work) {
  return speed.decode * work.bytes / speed.yardsticks.read;
}
double prefill_share(const EngineSpeed& speed, const TokenWork& work) {
  return speed.prefill * work.flops / speed.yardsticks.flops;
}

/// Seconds a token must take to read the context's bytes, or to multiply with them.
double context_limit(const ContextSpeed& context, const Yardsticks& machine) {
  return std::max(context.context_bytes / machine.read, context.context_flops / machine.flops);
}

ordered_json to_json(const EngineSpeed& speed, const TokenWork& work) {
  const Yardsticks& machine = speed.yardsticks;
  ordered_json out = {
      {"threads", speed.threads},
      {"read_bytes_per_s", machine.read},
      {"copy_bytes_per_s", machine.copy},
      {"multiply_add_flops", machine.flops},
      {"decode_tokens_per_s", speed.decode},
      {"decode_share", decode_share(speed, work)},
      {"prefill_tokens_per_s", speed.prefill},
      {"prefill_share", prefill_share(speed, work)},
      {"batches", ordered_json::array()},
      {"contexts", ordered_json::array()},
  };
  for (const BatchSpeed& batch : speed.batches)
    out["batches"].push_back({{"tokens", batch.tokens}, {"seconds", batch.seconds}});
  for (const ContextSpeed& context : speed.contexts)
    out["contexts"].push_back({{"context", context.context},
                               {"seconds_per_token", context.seconds},
                               {"context_bytes_per_token", context.context_bytes},
                               {"context_flops_per_token", context.context_flops},
                               {"limit_seconds_per_token", context_limit(context, machine)},
                               {"kv_bytes", context.kv_bytes}});
  return out;
}

std::string to_text(const EngineSpeed& speed, const TokenWork& work) {
  const Yardsticks& machine = speed.yardsticks;
  std::string out =
      format("%u threads: read %.1f GB/s, memcpy %.1f GB/s, multiply-add %.0f GFLOP/s\n",
             speed.threads, machine.read / 1e9, machine.copy / 1e9, machine.flops / 1e9);
  out += format("  decode   %8.1f tokens/s   %.2f of reading the weights\n", speed.decode,
                decode_share(speed, work));
  out += format("  prompt   %8.1f tokens/s   %.2f of multiplying\n", speed.prefill,
                prefill_share(speed, work));
  const double one = speed.batches.front().seconds;
  for (const BatchSpeed& batch : speed.batches)
    out += format("  %3lld together %7.1f ms       %.2f times one\n",
                  static_cast<long long>(batch.tokens), batch.seconds * 1e3, batch.seconds / one);
  for (const ContextSpeed& context : speed.contexts) {
    const double more = context.seconds - speed.contexts.front().seconds;
    const double limit =
        context_limit(context, machine) - context_limit(speed.contexts.front(), machine);
    out += format("  behind %8lld tokens %7.1f ms a token, %+7.2f ms (limit %.2f ms), KV %.1f MB\n",
                  static_cast<long long>(context.context), context.seconds * 1e3, more * 1e3,
                  limit * 1e3, static_cast<double>(context.kv_bytes) / 1e6);
  }
  return out;
}

}  // namespace

Result<> bench_engine(const BenchOptions& options, Terminal& terminal) {
  if (const auto& kernels = try_kernel_choice(); !kernels) return fail(kernels.error());
  const Weights weights = TRY(Weights::load(options.model));
  for (const std::int64_t context : options.contexts)
    if (context < 1 || context + Forward::kBatchTokensMax > weights.config.context_max)
      return fail(ErrorCode::usage, "--context: " + std::to_string(context) +
                                        " and an answer are not in the model's context of " +
                                        std::to_string(weights.config.context_max));
  const TokenWork work = token_work(weights);
  std::vector<unsigned> counts = {options.threads};
  if (options.threads == 0)
    counts = usable_cores() > 1 ? std::vector{1U, usable_cores()} : std::vector{1U};
  ordered_json out = {{"model", options.model.string()},   {"cpu", cpu_info().model},
                      {"kernels", name_of(kernels().isa)}, {"weight_bytes_per_token", work.bytes},
                      {"flops_per_token", work.flops},     {"runs", ordered_json::array()}};
  const bool human = options.format == ReportFormat::human;
  if (human)
    terminal.out(format("%s, %s: %.2f GB and %.2f GFLOP a token\n", cpu_info().model.c_str(),
                        std::string(name_of(kernels().isa)).c_str(), work.bytes / 1e9,
                        work.flops / 1e9));
  EngineBenchOptions how{.contexts = options.contexts};
  if (options.quick) how.rounds = 1;
  for (const unsigned count : counts) {
    ThreadPool pool(count);
    const EngineSpeed speed =
        TRY(engine::bench_engine(weights, pool, how, [&](std::string_view step) {
          terminal.note(std::to_string(count) + (count == 1 ? " thread: " : " threads: ") +
                        std::string(step));
        }));
    if (speed.drifted)
      return fail(ErrorCode::in_use,
                  "this machine's own speed changed by more than 15 % meanwhile: something else is "
                  "running, and the figures mean nothing. Try again when it is quiet");
    if (human)
      terminal.out(to_text(speed, work));
    else
      out["runs"].push_back(to_json(speed, work));
    TRY(terminal.flush());
  }
  if (!human) terminal.out(out.dump() + "\n");
  return {};
}

}  // namespace fathom::agents
