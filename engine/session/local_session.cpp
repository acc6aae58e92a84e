#include "engine/session/local_session.hpp"

#include "engine/session/local_prompt.hpp"
#include "engine/session/local_timeline.hpp"
#include "engine/text/dsml_parser.hpp"
#include "engine/text/special_token.hpp"
#include "engine/text/tokenizer_grammar.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kCallPrefix = "call-";
constexpr float kNever = -100;  // the least bias there is

Result<Tokenizer> load_tokenizer(const std::filesystem::path& file, const ModelConfig& config) {
  Tokenizer tokenizer = TRY(Tokenizer::load(file));
  const bool fits = std::cmp_less_equal(tokenizer.vocab_size(), config.vocab_size) &&
                    tokenizer.bos() == config.bos_id && tokenizer.eos() == config.eos_id;
  if (!fits)
    return fail(ErrorCode::bad_data, file.string() +
                                         ": belongs to another model: its size, begin or end of "
                                         "sentence is not config.json's");
  return tokenizer;
}

SamplingOptions sampling_of(const SamplingSettings& settings) {
  SamplingOptions out;
  if (settings.temperature) out.temperature = static_cast<float>(*settings.temperature);
  if (settings.top_p) out.top_p = static_cast<float>(*settings.top_p);
  out.seed = settings.seed.value_or(out.seed);
  return out;
}

/// The number in an id of ours; 0 of another.
std::uint64_t number_of(std::string_view id) {
  std::uint64_t number = 0;
  if (!id.starts_with(kCallPrefix)) return 0;
  id.remove_prefix(kCallPrefix.size());
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  return error == std::errc() && end == id.data() + id.size() ? number : 0;
}

std::vector<GrammarTool> grammar_tools(const SessionSetup& setup) {
  std::vector<GrammarTool> out;
  out.reserve(setup.tools.size());
  for (const ToolDeclaration& tool : setup.tools) out.push_back({tool.name, tool.parameters});
  return out;
}

/// What every request of a session is asked with.
struct Asking {
  std::shared_ptr<const LocalModel> model;
  SessionSetup setup;
  DeclaredTools tools;
  std::shared_ptr<const Grammar> calls;   ///< null without tools
  std::shared_ptr<const Grammar> answer;  ///< null without a schema
  std::optional<TokenId> think_end;
  std::optional<TokenId> marker;  ///< with which calls begin
};

/// One answer on its way.
struct Reading {
  DsmlParser parser;
  bool reasoning;
  Usage usage;
  StopReason reason{};
  std::optional<Error> error;
};

class LocalSession : public Session {
 public:
  LocalSession(std::shared_ptr<const Asking> asking, LocalPrompt prompt,
               std::unique_ptr<LocalTimeline> timeline)
      : asking_(std::move(asking)), prompt_(std::move(prompt)), timeline_(std::move(timeline)) {}

  std::expected<PreparedRequest, Fault> prepare(const Transcript& transcript,
                                                const RequestLimits& limits) override;
  asio::awaitable<SampleOutcome> sample(const SampleObserver& observer) override;
  [[nodiscard]] Result<std::unique_ptr<Session>> fork() const override;

 private:
  [[nodiscard]] const LocalModel& model() const { return *asking_->model; }
  [[nodiscard]] Fault fault(FaultClass kind, std::string_view why) const {
    return {
        .kind = kind, .message = model().info.name + ": " + std::string(why), .retry_after = {}};
  }
  [[nodiscard]] Fault fault(const Error& error) const;

  /// Makes narrowed_, before limits_ change.
  Result<> narrow(const RequestLimits& limits);
  [[nodiscard]] GenerationRequest request_to(std::size_t end) const;
  [[nodiscard]] GenerationRequest answer_request() const;
  [[nodiscard]] Reading new_reading() const;
  /// Reads the prompt up to what opens the answer, where that is much, and marks the place.
  asio::awaitable<Result<>> read_prompt(const SampleObserver& observer);
  void hear(const GenerationEvent& event, std::size_t before, Reading& reading,
            const SampleObserver& observer) const;
  SampleOutcome answer_of(Reading reading, const SampleObserver& observer);

  std::shared_ptr<const Asking> asking_;
  LocalPrompt prompt_;
  std::unique_ptr<LocalTimeline> timeline_;
  RequestLimits limits_;
  std::shared_ptr<const Grammar> narrowed_;  ///< of limits_, where it is not the setup's
  std::uint64_t calls_ = 0;                  ///< the last number given
  bool prepared_ = false;
};

Fault LocalSession::fault(const Error& error) const {
  switch (error.code) {
    case ErrorCode::too_large:
      return fault(FaultClass::overflow, error.message);
    case ErrorCode::in_use:
      return fault(FaultClass::rate, error.message);
    case ErrorCode::usage:
    case ErrorCode::bad_data:
    case ErrorCode::unsupported:
      return fault(FaultClass::refused, error.message);
    default:
      return fault(FaultClass::server, error.message);
  }
}

std::expected<PreparedRequest, Fault> LocalSession::prepare(const Transcript& transcript,
                                                            const RequestLimits& limits) {
  prepared_ = false;
  timeline_->settle();
  prompt_.answered(timeline_->sampled());
  if (const Result<> rendered = prompt_.render(transcript); !rendered)
    return std::unexpected(fault(rendered.error()));
  for (const Message& message : transcript.messages)
    for (const ToolCall& call : message.calls) calls_ = std::max(calls_, number_of(call.id));
  const std::span<const TokenId> tokens = prompt_.tokens();
  if (tokens.size() >= model().info.context_tokens)
    return std::unexpected(
        fault(FaultClass::overflow,
              "the prompt has " + std::to_string(tokens.size()) + " tokens: the context is " +
                  std::to_string(model().info.context_tokens) + ", and an answer needs room"));
  if (const Result<> held = narrow(limits); !held) return std::unexpected(fault(held.error()));
  timeline_->align(tokens, prompt_.stable_tokens());
  limits_ = limits;
  prepared_ = true;
  return PreparedRequest{.body = prompt_.text(),
                         .stable_bytes = prompt_.stable_bytes(),
                         .starts = prompt_.starts(),
                         .tokens = tokens.size(),
                         .resident_tokens = timeline_->resident()};
}

Result<> LocalSession::narrow(const RequestLimits& limits) {
  if (limits.must_call == limits_.must_call && limits.forms == limits_.forms) return {};
  narrowed_ = nullptr;
  if (!limits.must_call && limits.forms.empty()) return {};
  std::vector<GrammarTool> tools = grammar_tools(asking_->setup);
  for (const CallForms& forms : limits.forms) {
    const auto tool = std::ranges::find(tools, forms.tool, &GrammarTool::name);
    if (tool == tools.end() || forms.schemas.empty())
      return fail(ErrorCode::usage, "no forms for a tool '" + to_printable(forms.tool) + "'");
    tool->parameters = forms.schemas.front();
    tool->or_parameters.assign(forms.schemas.begin() + 1, forms.schemas.end());
  }
  const auto choice = limits.must_call ? CallChoice::required : CallChoice::automatic;
  narrowed_ = TRY(Grammar::tool_calls(model().vocabulary, tools,
                                      {.choice = choice, .calls_max = kCallsPerSampleMax}));
  return {};
}

GenerationRequest LocalSession::request_to(std::size_t end) const {
  GenerationRequest out;
  const auto rest = prompt_.tokens().first(end).subspan(timeline_->resident());
  out.prompt.assign(rest.begin(), rest.end());
  return out;
}

GenerationRequest LocalSession::answer_request() const {
  GenerationRequest out = request_to(prompt_.tokens().size());
  const std::uint64_t room = model().info.context_tokens;
  const auto bound = [](std::uint64_t one, std::uint64_t other) {
    return other == 0 ? one : std::min(one, other);
  };
  out.tokens_max = static_cast<std::int64_t>(
      bound(bound(room, asking_->setup.sampling.answer_tokens_max), limits_.answer_tokens_max));
  out.sampling = sampling_of(asking_->setup.sampling);
  out.sampling.seed = limits_.seed.value_or(out.sampling.seed);
  if (limits_.temperature) out.sampling.temperature = static_cast<float>(*limits_.temperature);
  const auto& calls = narrowed_ ? narrowed_ : asking_->calls;
  out.grammar = limits_.may_call && calls ? calls : asking_->answer;
  if (!limits_.may_call && asking_->calls && asking_->marker)
    out.sampling.logit_bias.push_back({*asking_->marker, kNever});
  if (prompt_.opens_reasoning()) out.grammar_after = asking_->think_end;
  const Tokenizer& tokenizer = model().tokenizer;
  out.token_bytes = [&tokenizer](TokenId token) { return tokenizer.token_bytes(token); };
  out.tokenize = [&tokenizer](std::string_view text) { return tokenizer.encode_template(text); };
  return out;
}

Reading LocalSession::new_reading() const {
  using Options = DsmlOptions;
  const Options options{
      .start = prompt_.opens_reasoning() ? Options::Start::reasoning : Options::Start::content,
      .calls = limits_.may_call ? Options::Calls::emit : Options::Calls::drop};
  Reading out{.parser = DsmlParser(asking_->tools, options),
              .reasoning = prompt_.opens_reasoning(),
              .usage = {},
              .error = {}};
  out.usage.prompt_tokens = prompt_.tokens().size();
  out.usage.reused_tokens = timeline_->resident();
  return out;
}

asio::awaitable<Result<>> LocalSession::read_prompt(const SampleObserver& observer) {
  const std::size_t stable = prompt_.stable_tokens();
  const std::size_t resident = timeline_->resident();
  if (stable - resident > LocalTimeline::kCheckpointTokensMin) {
    GenerationRequest request = request_to(stable);
    request.tokens_max = 1;  // its only token is not read, and forgotten
    request.speculate = false;
    const std::size_t total = prompt_.tokens().size() - resident;
    auto reading =
        timeline_->generate(std::move(request), [&observer, total](const GenerationEvent& event) {
          if (observer.on_prefill && event.kind == GenerationEvent::Kind::prefill)
            observer.on_prefill(static_cast<std::uint64_t>(event.prompt_done), total);
        });
    CO_TRY_VOID(co_await std::move(reading));
  }
  timeline_->align(prompt_.tokens(), stable);
  timeline_->checkpoint();
  co_return Result<>{};
}

void LocalSession::hear(const GenerationEvent& event, std::size_t before, Reading& reading,
                        const SampleObserver& observer) const {
  switch (event.kind) {
    case GenerationEvent::Kind::prefill:
      if (observer.on_prefill)
        observer.on_prefill(before + static_cast<std::uint64_t>(event.prompt_done),
                            before + static_cast<std::uint64_t>(event.prompt_total));
      break;
    case GenerationEvent::Kind::token:
      ++reading.usage.completion_tokens;
      if (reading.reasoning) ++reading.usage.reasoning_tokens;
      if (event.token == asking_->think_end) reading.reasoning = false;
      for (const SampleDelta& delta :
           reading.parser.feed(model().tokenizer.token_bytes(event.token)))
        if (observer.on_delta) observer.on_delta(delta);
      break;
    case GenerationEvent::Kind::finished:
      reading.reason = event.reason;
      reading.error = event.error;
      break;
  }
}

SampleOutcome LocalSession::answer_of(Reading reading, const SampleObserver& observer) {
  if (reading.error) return std::unexpected(fault(FaultClass::server, reading.error->message));
  if (reading.reason == StopReason::cancelled)
    return std::unexpected(fault(FaultClass::server, "the engine was closed"));
  const bool cut = reading.reason == StopReason::length;
  auto finished = reading.parser.finish(cut ? EndedBy::limit : EndedBy::eos);
  for (const SampleDelta& delta : finished.deltas)
    if (observer.on_delta) observer.on_delta(delta);
  std::vector<ToolCall>& calls = finished.sample.message.calls;
  if (calls.size() > kCallsPerSampleMax)
    return std::unexpected(fault(FaultClass::format, std::to_string(calls.size()) +
                                                         " calls in one answer: at most " +
                                                         std::to_string(kCallsPerSampleMax)));
  for (ToolCall& call : calls) call.id = std::string(kCallPrefix) + std::to_string(++calls_);
  return Answered{.sample = std::move(finished.sample),
                  .usage = reading.usage,
                  .model = model().info.model,
                  .repaired = ""};
}

asio::awaitable<SampleOutcome> LocalSession::sample(const SampleObserver& observer) {
  ENSURE(prepared_, "a request is prepared before it is asked");
  // After a cancelled attempt: what it said is not part of the request.
  timeline_->align(prompt_.tokens(), prompt_.stable_tokens());
  Reading reading = new_reading();
  auto prompt = read_prompt(observer);
  if (const Result<> read = co_await std::move(prompt); !read)
    co_return std::unexpected(fault(read.error()));
  const std::size_t before = timeline_->resident() - reading.usage.reused_tokens;
  auto answering = timeline_->generate(answer_request(), [&](const GenerationEvent& event) {
    hear(event, before, reading, observer);
  });
  if (const Result<> answered = co_await std::move(answering); !answered)
    co_return std::unexpected(fault(answered.error()));
  co_return answer_of(std::move(reading), observer);
}

Result<std::unique_ptr<Session>> LocalSession::fork() const {
  if (timeline_->generating())
    return fail(ErrorCode::in_use, model().info.name +
                                       ": a session that is answering cannot be forked: wait for "
                                       "the answer, or cancel it");
  auto out = std::make_unique<LocalSession>(asking_, prompt_, timeline_->fork());
  out->limits_ = limits_;
  out->narrowed_ = narrowed_;
  out->calls_ = calls_;
  out->prepared_ = prepared_;
  return out;
}

/// The grammars of a setup; what is wrong with it.
Result<> hold_to_grammar(Asking& asking, std::span<const std::string> functions) {
  const SessionSetup& setup = asking.setup;
  const Grammar::Vocabulary& vocabulary = asking.model->vocabulary;
  if (!setup.tools.empty()) {
    asking.tools = TRY(DeclaredTools::create(functions));
    asking.calls = TRY(
        Grammar::tool_calls(vocabulary, grammar_tools(setup), {.calls_max = kCallsPerSampleMax}));
  }
  if (setup.answer_schema.empty()) return {};
  auto answer = Grammar::json_schema(vocabulary, setup.answer_schema, Unsupported::relax);
  if (!answer) return fail(context("answer schema", answer.error()));
  asking.answer = *std::move(answer);
  return {};
}

}  // namespace

Result<std::unique_ptr<Engine>> LocalChatEngine::open(const EngineSpec& spec,
                                                      const std::filesystem::path& dir,
                                                      const LocalEngineOptions& options) {
  auto engine = TRY(LocalEngine::open(dir, options));
  const ModelConfig& config = engine->config();
  Tokenizer tokenizer = TRY(load_tokenizer(dir / "tokenizer.json", config));
  Grammar::Vocabulary vocabulary =
      TRY(grammar_vocabulary(tokenizer, static_cast<std::size_t>(config.vocab_size)));
  EngineInfo info;
  info.name = spec.to_string();
  info.model = std::filesystem::absolute(dir / "").parent_path().filename().string();
  info.context_tokens = static_cast<std::uint64_t>(config.context_max);
  return std::make_unique<LocalChatEngine>(std::make_shared<const LocalModel>(
      std::move(info), std::move(engine), std::move(tokenizer), std::move(vocabulary)));
}

Result<std::unique_ptr<Session>> LocalChatEngine::open(SessionSetup setup) {
  const ModelConfig& config = model_->engine->config();
  TRY(check(sampling_of(setup.sampling), static_cast<std::int32_t>(config.vocab_size)));
  LocalPrompt prompt = TRY(LocalPrompt::create(setup, config.chat_profile, model_->tokenizer));
  auto asking = std::make_shared<Asking>();
  asking->model = model_;
  asking->setup = std::move(setup);
  asking->think_end = model_->tokenizer.find_special(special::kThinkEnd);
  asking->marker = model_->tokenizer.find_special(special::kDsml);
  TRY(hold_to_grammar(*asking, prompt.functions()));
  return std::make_unique<LocalSession>(std::move(asking), std::move(prompt),
                                        std::make_unique<LocalTimeline>(*model_->engine));
}

}  // namespace fathom::engine
