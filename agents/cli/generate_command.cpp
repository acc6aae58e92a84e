#include "agents/cli/generate_command.hpp"

#include "agents/cli/progress.hpp"
#include "engine/cpu/kernels.hpp"
#include "engine/local/forward.hpp"
#include "engine/local/scheduler.hpp"
#include "engine/model/weights.hpp"
#include "engine/text/chat_encoding.hpp"
#include "engine/text/tokenizer.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>

namespace fathom::agents {
namespace {

using namespace engine;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What the prompt costs to read and the answer to say.
struct Timing {
  Clock::time_point start = Clock::now();
  std::optional<Clock::time_point> first_token;
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;
};

bool needs_tokenizer(const GenerateOptions& options) {
  return options.ids.empty() || options.output != GenerateOutput::ids || !options.stop.empty();
}

Result<Tokenizer> load_tokenizer(const GenerateOptions& options, const ModelConfig& config) {
  Tokenizer tokenizer = TRY(Tokenizer::load(options.model / "tokenizer.json"));
  if (tokenizer.vocab_size() > static_cast<std::size_t>(config.vocab_size))
    return fail(ErrorCode::bad_data,
                (options.model / "tokenizer.json").string() + ": has " +
                    std::to_string(tokenizer.vocab_size()) + " tokens, the model's vocabulary " +
                    std::to_string(config.vocab_size) + ": it belongs to another model");
  return tokenizer;
}

Result<ChatOptions> chat_options(const GenerateOptions& options, const ModelConfig& config) {
  ChatOptions out;
  out.profile = config.chat_profile;
  if (!options.profile.empty()) out.profile = TRY(parse_profile(options.profile));
  out.mode = options.think ? ThinkingMode::thinking : ThinkingMode::chat;
  if (!options.effort.empty()) out.reasoning_effort = options.effort;
  return out;
}

Result<std::vector<TokenId>> prompt_tokens(const GenerateOptions& options,
                                           const Tokenizer* tokenizer, const ModelConfig& config) {
  if (!options.ids.empty()) return parse_ids(options.ids);
  if (find_invalid_utf8(options.prompt) < options.prompt.size())
    return fail(ErrorCode::bad_data,
                "the prompt is not valid UTF-8: convert it, for example with iconv -t UTF-8");
  std::vector<TokenId> out;
  if (options.chat) {
    ChatMessage message;
    message.content = options.prompt;
    const ChatOptions chat = TRY(chat_options(options, config));
    const ChatPrompt prompt = TRY(encode_chat({message}, chat));
    return tokenizer->encode_pieces(prompt.pieces);
  }
  out = tokenizer->encode(options.prompt);
  out.insert(out.begin(), tokenizer->bos());
  return out;
}

/// Writes an answer as it comes.
class Answer {
 public:
  Answer(const GenerateOptions& options, Terminal& terminal, const Tokenizer* tokenizer,
         std::optional<StopStrings> stop)
      : options_(options), terminal_(terminal), tokenizer_(tokenizer), stop_(std::move(stop)) {}

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
    if (options_.output == GenerateOutput::json) {
      nlohmann::ordered_json out = {{"text", text_},
                                    {"ids", ids_},
                                    {"finish_reason", name_of(event.reason)},
                                    {"prompt_tokens", timing.prompt_tokens},
                                    {"completion_tokens", timing.tokens},
                                    {"drafted_tokens", event.drafts.all().drafted},
                                    {"accepted_tokens", event.drafts.all().accepted}};
      terminal_.out(out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    } else {
      terminal_.out("\n");
    }
  }

 private:
  void emit(std::string_view bytes) {
    if (options_.output == GenerateOutput::json)
      text_ += bytes;
    else
      terminal_.out(bytes);
  }

  const GenerateOptions& options_;
  Terminal& terminal_;
  const Tokenizer* tokenizer_;
  std::optional<StopStrings> stop_;
  std::vector<TokenId> ids_;
  std::string text_;
};

void report(const Timing& timing, const GenerationEvent& end, Terminal& terminal) {
  const double prefill =
      std::chrono::duration<double>(timing.first_token.value_or(Clock::now()) - timing.start)
          .count();
  const double decode = timing.first_token ? seconds_since(*timing.first_token) : 0;
  const auto rate = [](double tokens, double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f tokens/s", seconds > 0 ? tokens / seconds : 0);
    return std::string(text.data());
  };
  terminal.note("prompt " + std::to_string(timing.prompt_tokens) + " tokens, " +
                rate(static_cast<double>(timing.prompt_tokens), prefill) + "; answer " +
                std::to_string(timing.tokens) + " tokens, " +
                rate(static_cast<double>(timing.tokens - 1), decode) + "; " +
                std::to_string(end.drafts.all().accepted) + " of " + std::to_string(end.drafts.all().drafted) +
                " drafts accepted; ended by " + std::string(name_of(end.reason)));
}

Result<> run(Scheduler& scheduler, Answer& answer, Timing& timing, const GenerateOptions& options,
             Terminal& terminal) {
  std::optional<Progress> progress(std::in_place, "read the prompt");
  while (!scheduler.idle()) {
    for (const GenerationEvent& event : scheduler.step()) {
      if (event.kind == GenerationEvent::Kind::prefill) {
        if (progress)
          progress->show(static_cast<std::uint64_t>(event.prompt_done),
                         static_cast<std::uint64_t>(event.prompt_total), "tokens");
        continue;
      }
      progress.reset();
      if (event.kind == GenerationEvent::Kind::token) {
        if (!timing.first_token) timing.first_token = Clock::now();
        ++timing.tokens;
        answer.token(event);
        continue;
      }
      if (event.error) return fail(*event.error);
      answer.end(event, timing);
      if (options.stats) report(timing, event, terminal);
    }
    TRY(terminal.flush());
  }
  return {};
}

}  // namespace

Result<std::vector<std::int32_t>> parse_ids(const std::string& text) {
  std::vector<std::int32_t> out;
  for (std::size_t at = 0; (at = text.find_first_not_of(" ,\t\n", at)) != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(" ,\t\n", at), text.size());
    const std::string_view word = std::string_view(text).substr(at, end - at);
    std::int32_t id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size() || id < 0)
      return fail(ErrorCode::usage, "--ids: '" + to_printable(word) + "' is not a token id");
    out.push_back(id);
    at = end;
  }
  return out;
}

Result<> generate(const GenerateOptions& options, Terminal& terminal) {
  if (options.prompt.empty() && options.ids.empty())
    return fail(ErrorCode::usage, "give a prompt, or token ids with --ids \"0 5 9\"");
  const char* isa = std::getenv("FATHOM_ISA");
  TRY(choose_kernels(isa ? isa : ""));  // says what is wrong with the variable before it is used
  const Weights weights = TRY(Weights::load(options.model));
  std::optional<Tokenizer> tokenizer;
  if (needs_tokenizer(options)) tokenizer = TRY(load_tokenizer(options, weights.config));
  const Tokenizer* const text = tokenizer ? &*tokenizer : nullptr;

  ThreadPool pool(options.threads == 0 ? usable_cores() : options.threads);
  Forward forward(weights, options.numerics, pool);
  Scheduler scheduler(forward, weights.config);
  LiveKv kv = forward.new_kv();
  GenerationRequest request;
  request.prompt = TRY(prompt_tokens(options, text, weights.config));
  request.kv = &kv;
  request.sampling = options.sampling;
  request.tokens_max = options.tokens_max;
  request.stop_at_eos = !options.ignore_eos;
  request.speculate = options.speculate;
  request.stop = options.stop;
  if (text) request.token_bytes = [text](TokenId token) { return text->token_bytes(token); };
  std::optional<StopStrings> stop;
  if (!options.stop.empty()) stop = TRY(StopStrings::create(options.stop));

  for (const TokenId token : request.prompt)
    if (token >= weights.config.vocab_size)
      return fail(ErrorCode::usage, "--ids: " + std::to_string(token) +
                                        " is not in the vocabulary of " +
                                        std::to_string(weights.config.vocab_size));
  Timing timing;
  timing.prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  Answer answer(options, terminal, text, std::move(stop));
  TRY(scheduler.add(std::move(request)));
  return run(scheduler, answer, timing, options, terminal);
}

}  // namespace fathom::agents
