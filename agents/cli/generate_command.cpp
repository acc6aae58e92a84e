#include "agents/cli/generate_command.hpp"

#include "agents/cli/generate_input.hpp"
#include "agents/cli/progress.hpp"
#include "engine/local/local_engine.hpp"
#include "engine/text/dsml_parser.hpp"
#include "engine/text/special_token.hpp"
#include "runtime/base/file.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace fathom::agents {
namespace {

using namespace engine;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// What the prompt costs to read and the answer to say.
struct Timing {
  Clock::time_point start = Clock::now();
  std::optional<Clock::time_point> first_token;
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;
};

bool needs_tokenizer(const GenerateOptions& options) {
  return options.ids.empty() || options.output != GenerateOutput::ids || !options.stop.empty() ||
         !options.schema.empty();
}

Result<Tokenizer> load_tokenizer(const GenerateOptions& options, const ModelConfig& config) {
  Tokenizer tokenizer = TRY(Tokenizer::load(options.model / "tokenizer.json"));
  if (tokenizer.vocab_size() > static_cast<std::size_t>(config.vocab_size))
    return fail(ErrorCode::bad_data,
                (options.model / "tokenizer.json").string() + ": has " +
                    std::to_string(tokenizer.vocab_size()) + " tokens, the model's vocabulary " +
                    std::to_string(config.vocab_size) + ": it belongs to another model");
  const auto same = [&](const char* what, std::int64_t of_tokenizer,
                        std::int64_t of_config) -> Result<> {
    if (of_tokenizer == of_config) return {};
    return fail(ErrorCode::bad_data, (options.model / "tokenizer.json").string() + ": its " + what +
                                         " is token " + std::to_string(of_tokenizer) +
                                         ", config.json's " + std::to_string(of_config) +
                                         ": it belongs to another model");
  };
  TRY(same("begin of sentence", tokenizer.bos(), config.bos_id));
  TRY(same("end of sentence", tokenizer.eos(), config.eos_id));
  return tokenizer;
}

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::tool_calls:
      return "tool_calls";
  }
  return "stop";
}

ordered_json to_json(const DraftCounts& counts) {
  return {{"drafted", counts.drafted}, {"accepted", counts.accepted}};
}

/// Writes an answer as it comes.
class Answer {
 public:
  Answer(const GenerateOptions& options, Terminal& terminal, const Tokenizer* tokenizer)
      : options_(options), terminal_(terminal), tokenizer_(tokenizer) {}

  void hold_back(StopStrings stop) { stop_.emplace(std::move(stop)); }
  /// An answer to a chat is taken apart: reasoning, content, calls.
  void read_as_chat(DeclaredTools tools, bool opens_reasoning) {
    using Start = DsmlOptions::Start;
    parser_.emplace(std::move(tools),
                    DsmlOptions{.start = opens_reasoning ? Start::reasoning : Start::content});
  }

  void token(const GenerationEvent& event) {
    ids_.push_back(event.token);
    if (options_.output == GenerateOutput::ids) {
      terminal_.out((ids_.size() > 1 ? " " : "") + std::to_string(event.token));
    } else {
      const std::string_view bytes = tokenizer_->token_bytes(event.token);
      emit(stop_ ? stop_->push(bytes).text : bytes);
    }
  }

  void end(const GenerationEvent& event, const Timing& timing) {
    if (stop_ && event.reason != StopReason::stop) emit(stop_->finish());
    if (options_.output != GenerateOutput::json) return terminal_.out("\n");
    ordered_json out = {{"text", text_},
                        {"ids", ids_},
                        {"finish_reason", engine::name_of(event.reason)},
                        {"prompt_tokens", timing.prompt_tokens},
                        {"completion_tokens", timing.tokens},
                        {"drafts",
                         {{"grammar", to_json(event.drafts.grammar)},
                          {"lookup", to_json(event.drafts.lookup)},
                          {"mtp", to_json(event.drafts.mtp)}}}};
    if (parser_) add_message(event.reason == StopReason::length, out);
    terminal_.out(out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

 private:
  void emit(std::string_view bytes) {
    if (options_.output == GenerateOutput::json)
      text_ += bytes;
    else
      terminal_.out(bytes);
  }

  void add_message(bool cut, ordered_json& out) {
    static_cast<void>(parser_->feed(text_));
    const Sample sample = parser_->finish(cut ? EndedBy::limit : EndedBy::eos).sample;
    ordered_json calls = ordered_json::array();
    for (const ToolCall& call : sample.message.calls)
      calls.push_back({{"name", call.name}, {"arguments", call.arguments}});
    out["message"] = {{"reasoning", sample.message.reasoning},
                      {"content", sample.message.text},
                      {"tool_calls", std::move(calls)},
                      {"finish_reason", name_of(sample.finish)}};
  }

  const GenerateOptions& options_;
  Terminal& terminal_;
  const Tokenizer* tokenizer_;
  std::optional<StopStrings> stop_;
  std::optional<DsmlParser> parser_;
  std::vector<TokenId> ids_;
  std::string text_;
};

/// "; 85 MB beside the weights": what this process has in memory that no file backs. Empty where
/// the kernel does not say.
std::string memory_beside_weights() {
  constexpr std::size_t kStatusBytesMax = 64 * 1024;
  const auto status = read_file("/proc/self/status", kStatusBytesMax);
  if (!status) return {};
  constexpr std::string_view kName = "RssAnon:";
  const std::size_t at = status->find(kName);
  if (at == std::string::npos) return {};
  const long long kib = std::strtoll(status->c_str() + at + kName.size(), nullptr, 10);
  return "; " + std::to_string(kib * 1024 / 1'000'000) + " MB beside the weights";
}

void report(const Timing& timing, const GenerationEvent& end, Terminal& terminal) {
  const auto seconds = [](Clock::duration time) {
    return std::chrono::duration<double>(time).count();
  };
  const auto rate = [](std::int64_t tokens, double time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f tokens/s",
                  time > 0 ? static_cast<double>(tokens) / time : 0);
    return std::string(text.data());
  };
  const auto of = [](const DraftCounts& counts) {
    return std::to_string(counts.accepted) + " of " + std::to_string(counts.drafted);
  };
  const Clock::time_point first = timing.first_token.value_or(Clock::now());
  terminal.note("prompt " + std::to_string(timing.prompt_tokens) + " tokens, " +
                rate(timing.prompt_tokens, seconds(first - timing.start)) + "; answer " +
                std::to_string(timing.tokens) + " tokens, " +
                rate(timing.tokens - 1, seconds(Clock::now() - first)) + "; drafts accepted: " +
                of(end.drafts.lookup) + " from the context, " + of(end.drafts.mtp) + " from MTP, " +
                of(end.drafts.grammar) + " from the grammar; ended by " +
                std::string(engine::name_of(end.reason)) + memory_beside_weights());
}

Result<> run(Generation& generation, Answer& answer, Timing& timing, const GenerateOptions& options,
             Terminal& terminal) {
  std::optional<Progress> progress(std::in_place, "read the prompt");
  while (const auto event = generation.next()) {
    if (event->kind == GenerationEvent::Kind::prefill) {
      if (progress)
        progress->show(static_cast<std::uint64_t>(event->prompt_done),
                       static_cast<std::uint64_t>(event->prompt_total), "tokens");
      continue;
    }
    progress.reset();
    if (event->kind == GenerationEvent::Kind::token) {
      if (!timing.first_token) timing.first_token = Clock::now();
      ++timing.tokens;
      answer.token(*event);
    } else {
      if (event->error) return fail(*event->error);
      answer.end(*event, timing);
      if (options.stats) report(timing, *event, terminal);
    }
    TRY(terminal.flush());
  }
  return {};
}

}  // namespace

Result<> generate(const GenerateOptions& wanted, Terminal& terminal) {
  const GenerateOptions options = TRY(complete(wanted));
  const auto engine = TRY(LocalEngine::open(
      options.model,
      {.numerics = options.numerics, .threads = options.threads, .draft = options.speculate}));
  const ModelConfig& config = engine->config();
  std::optional<Tokenizer> tokenizer;
  if (needs_tokenizer(options)) tokenizer = TRY(load_tokenizer(options, config));
  const Tokenizer* const text = tokenizer ? &*tokenizer : nullptr;
  GenerateInput input = TRY(generate_input(options, text, config));

  Answer answer(options, terminal, text);
  if (!options.stop.empty()) answer.hold_back(TRY(StopStrings::create(options.stop)));
  if (options.chat) answer.read_as_chat(std::move(input.tools), input.opens_reasoning);
  LiveKv kv = engine->new_kv();
  GenerationRequest request;
  request.prompt = std::move(input.prompt);
  request.kv = &kv;
  request.sampling = options.sampling;
  request.tokens_max = options.tokens_max;
  request.stop_at_eos = !options.ignore_eos;
  request.speculate = options.speculate;
  request.stop = options.stop;
  request.grammar = std::move(input.grammar);
  if (text) {
    request.token_bytes = [text](TokenId token) { return text->token_bytes(token); };
    request.tokenize = [text](std::string_view forced) { return text->encode_template(forced); };
    if (input.opens_reasoning) request.grammar_after = text->find_special(special::kThinkEnd);
  }
  Timing timing;
  timing.prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  const auto generation = TRY(engine->generate(std::move(request)));
  return run(*generation, answer, timing, options, terminal);
}

}  // namespace fathom::agents
