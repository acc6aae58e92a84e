#include "agents/cli/model_command.hpp"

#include "agents/cli/memory_limit.hpp"
#include "agents/cli/progress.hpp"
#include "engine/kv/live_kv.hpp"
#include "engine/model/checkpoint.hpp"
#include "engine/model/fingerprint.hpp"
#include "engine/model/layout.hpp"
#include "engine/model/random_model.hpp"
#include "engine/model/weights.hpp"
#include "engine/text/byte_tokenizer.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace fathom::agents {
namespace {

using namespace engine;
using nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, std::int64_t>, 3> kContexts = {
    {{"8k", 8192}, {"128k", 131072}, {"1M", 1048576}}};

/// What this process may use: the machine's, or less in a container.
std::uint64_t machine_memory() {
  const auto memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::min(memory, memory_limit().value_or(memory));
}

struct Facts {
  ModelConfig config;
  std::uint64_t parameters = 0;
  std::uint64_t active_parameters = 0;  ///< that a token passes through
  std::uint64_t weight_bytes = 0;
  std::map<std::string, std::uint64_t> bytes_by_type;
  std::map<std::string, std::int64_t> layers_by_kind;
  KvCost kv;
};

bool is_routed_expert(const std::string& name) {
  return name.find(".experts.") != std::string::npos;
}

Facts gather(const ModelConfig& config, const Checkpoint& checkpoint) {
  Facts out;
  out.config = config;
  for (const PlannedTensor& planned : plan_tensors(config)) {
    if (planned.optional || planned.role == TensorRole::table) continue;
    const auto count = static_cast<std::uint64_t>(element_count(planned.shape));
    out.parameters += count;
    const bool used = !planned.name.starts_with("mtp.") && planned.name != "embed.weight";
    if (!used) continue;
    out.active_parameters += is_routed_expert(planned.name)
                                 ? count * static_cast<std::uint64_t>(config.experts_per_token) /
                                       static_cast<std::uint64_t>(config.experts)
                                 : count;
  }
  out.weight_bytes = checkpoint.bytes();
  for (const auto& [name, tensor] : checkpoint.tensors())
    out.bytes_by_type[std::string(name_of(tensor.type))] += tensor.bytes.size();
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    constexpr std::array kNames = {"window", "csa", "hca"};
    ++out.layers_by_kind[kNames[static_cast<std::size_t>(config.kind(layer))]];
  }
  out.kv = kv_cost(config, KvFormat::packed);
  return out;
}

std::uint64_t kv_bytes(const Facts& facts, std::int64_t context) {
  return static_cast<std::uint64_t>(
             std::llround(facts.kv.bytes_per_token * static_cast<double>(context))) +
         static_cast<std::uint64_t>(facts.kv.frontier_bytes);
}

/// Tokens of context whose KV fits beside the weights, or beside what is left when they do not fit
/// themselves.
std::int64_t context_that_fits(const Facts& facts, std::uint64_t memory) {
  if (facts.kv.bytes_per_token <= 0) return facts.config.context_max;
  const std::uint64_t free = memory > facts.weight_bytes ? memory - facts.weight_bytes : memory / 4;
  const double tokens = (static_cast<double>(free) - static_cast<double>(facts.kv.frontier_bytes)) /
                        facts.kv.bytes_per_token;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(tokens), 0, facts.config.context_max);
}

std::string to_json(const Facts& facts, const std::filesystem::path& dir) {
  const ModelConfig& c = facts.config;
  ordered_json out;
  out["dir"] = dir.string();
  out["parameters"] = facts.parameters;
  out["active_parameters"] = facts.active_parameters;
  out["weight_bytes"] = facts.weight_bytes;
  out["bytes_by_type"] = facts.bytes_by_type;
  out["layers"] = {{"main", c.layers}, {"mtp", c.mtp_layers}, {"hash_routed", c.hash_layers}};
  for (const auto& [kind, count] : facts.layers_by_kind) out["layers"][kind] = count;
  out["hidden_size"] = c.hidden_size;
  out["vocab_size"] = c.vocab_size;
  out["experts"] = c.experts;
  out["experts_per_token"] = c.experts_per_token;
  out["context_max"] = c.context_max;
  out["chat_profile"] = c.chat_profile == ChatProfile::preview ? "preview" : "0731";
  out["kv_bytes_per_token"] = facts.kv.bytes_per_token;
  for (const auto& [name, context] : kContexts) out["kv_bytes"][name] = kv_bytes(facts, context);
  const std::uint64_t memory = machine_memory();
  out["machine"] = {{"memory_bytes", memory},
                    {"weights_fit", facts.weight_bytes < memory},
                    {"context_that_fits", context_that_fits(facts, memory)}};
  return out.dump() + "\n";
}

std::string billions(std::uint64_t count) {
  std::array<char, 32> text{};
  if (count >= 1'000'000'000)
    std::snprintf(text.data(), text.size(), "%.2f billion", static_cast<double>(count) / 1e9);
  else
    std::snprintf(text.data(), text.size(), "%.2f million", static_cast<double>(count) / 1e6);
  return text.data();
}

std::string to_text(const Facts& facts, const std::filesystem::path& dir) {
  const ModelConfig& c = facts.config;
  const auto line = [](std::string_view name, const std::string& value) {
    std::string padded(name);
    padded.resize(14, ' ');
    return padded + value + "\n";
  };
  std::string layers = std::to_string(c.layers) + " (";
  for (const auto& [kind, count] : facts.layers_by_kind)
    layers += (layers.ends_with('(') ? "" : ", ") + std::to_string(count) + " " + kind;
  layers += ")" + std::string(c.mtp_layers > 0 ? " and MTP" : "");
  std::string types;
  for (const auto& [type, bytes] : facts.bytes_by_type)
    types += (types.empty() ? "" : ", ") + type + " " + format_bytes(bytes);
  std::string kv = format_bytes(static_cast<std::uint64_t>(facts.kv.bytes_per_token)) + " a token";
  for (const auto& [name, context] : kContexts)
    kv += ", " + format_bytes(kv_bytes(facts, context)) + " at " + name;
  const std::uint64_t memory = machine_memory();
  const std::string fits = facts.weight_bytes < memory
                               ? "the weights stay in memory"
                               : "the weights are read from disk as they are used";
  return line("model", dir.string()) +
         line("parameters",
              billions(facts.parameters) + ", " + billions(facts.active_parameters) + " a token") +
         line("weights", format_bytes(facts.weight_bytes) + " (" + types + ")") +
         line("layers", layers) +
         line("experts",
              std::to_string(c.experts) + ", " + std::to_string(c.experts_per_token) + " a token") +
         line("vocabulary", std::to_string(c.vocab_size)) +
         line("context", std::to_string(c.context_max)) + line("kv", kv) +
         line("this machine", format_bytes(memory) + ": " + fits + ", with a context of up to " +
                                  std::to_string(context_that_fits(facts, memory)) + " tokens");
}

/// A checkpoint that was saved again runs, a little worse: said on standard error.
void warn_of_narrowed(const Weights& weights, Terminal& terminal) {
  const auto narrowed = narrowed_tensors(weights.checkpoint, weights.config);
  if (narrowed.empty()) return;
  terminal.note(std::to_string(narrowed.size()) + " tensors that a release has in F32 are BF16, " +
                to_printable(narrowed.front()) +
                " the first: this checkpoint was saved again and answers less exactly");
}

}  // namespace

Result<> model_inspect(const ModelOptions& options, Terminal& terminal) {
  const Weights weights = TRY(Weights::load(options.dir));
  warn_of_narrowed(weights, terminal);
  const Facts facts = gather(weights.config, weights.checkpoint);
  terminal.out(options.format == ReportFormat::json ? to_json(facts, options.dir)
                                                    : to_text(facts, options.dir));
  return {};
}

Result<> model_verify(const ModelOptions& options, Terminal& terminal) {
  const Weights weights = TRY(Weights::load(options.dir));
  warn_of_narrowed(weights, terminal);
  ScanReport report;
  {
    Progress progress("verify");
    report = scan_weights(weights.checkpoint, [&](std::uint64_t done, std::uint64_t total) {
      progress.show_bytes(done, total);
    });
  }
  if (options.format == ReportFormat::json) {
    const ordered_json out = {{"ok", report.problem_count == 0},
                              {"fingerprint", report.fingerprint},
                              {"bytes", weights.checkpoint.bytes()},
                              {"problems", report.problems}};
    terminal.out(out.dump() + "\n");
  } else {
    for (const std::string& problem : report.problems) terminal.out(to_printable(problem) + "\n");
    terminal.out("fingerprint " + report.fingerprint + " of " +
                 format_bytes(weights.checkpoint.bytes()) + "\n");
  }
  if (report.problem_count == 0) return {};
  return fail(ErrorCode::bad_data,
              options.dir.string() + ": " + std::to_string(report.problem_count) +
                  " places hold no numbers: the files are damaged; download them again");
}

Result<> model_random(const ModelOptions& options, Terminal& terminal) {
  const ModelConfig config = TRY(named_shape(options.shape));
  const TokenizerModel tokenizer = TRY(byte_tokenizer(static_cast<std::size_t>(config.vocab_size)));
  {
    Progress progress("write " + options.dir.string());
    RandomModelOptions random;
    random.seed = options.seed;
    random.progress = [&](std::uint64_t done, std::uint64_t total) {
      progress.show_bytes(done, total);
    };
    TRY(write_random_model(config, options.dir, random));
  }
  TRY(write_file_atomic(options.dir / "tokenizer.json", to_tokenizer_json(tokenizer), Sync::no));
  terminal.note(options.dir.string() + ": " + format_bytes(checkpoint_bytes(config)) +
                " of random weights, seed " + std::to_string(options.seed));
  return {};
}

}  // namespace fathom::agents
