#include "tools/dispatch.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/git_write.hpp"

#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fathom::tools {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kInlineBytesMax = 16UL << 10;  // of a text in an event, as JSON
constexpr std::size_t kPreviewBytes = 512;
constexpr std::size_t kChangedMax = 64;  // files of one call that get an event each
constexpr std::string_view kNoOutput = "(no output)";

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

int strictness(policies::Verdict verdict) {
  using policies::Verdict;
  return verdict == Verdict::allow ? 0 : verdict == Verdict::ask ? 1 : 2;
}

// What stands in the workspace decides as well as the path's words: a git directory may have any
// name, and no mount keeps the runtime's own process from writing it.
std::optional<policies::Decision> refuse_git(const std::string& workspace,
                                             const policies::Request& request) {
  const auto* write = std::get_if<policies::request::WritePath>(&request);
  if (write == nullptr) return std::nullopt;
  const auto git = sandbox::git_directory_of_write(workspace, write->path);
  if (!git) return std::nullopt;
  return policies::Decision{policies::Verdict::deny, "filesystem.git",
                            "'" + to_printable(write->path) + "' is in the git directory '" +
                                to_printable(*git) + "': use git in bash, or the git tool",
                            ""};
}

policies::Decision decide_all(const policies::Policy& policy, const std::string& workspace,
                              const std::vector<policies::Request>& requests) {
  policies::Decision strictest{policies::Verdict::allow, "", "", ""};
  bool first = true;
  for (const policies::Request& request : requests) {
    policies::Decision decision = policies::decide(policy, request);
    if (decision.verdict != policies::Verdict::deny)
      if (auto refused = refuse_git(workspace, request)) decision = *std::move(refused);
    if (first || strictness(decision.verdict) > strictness(strictest.verdict))
      strictest = std::move(decision);
    first = false;
  }
  return strictest;
}

void append_part(std::string& content, std::string_view part) {
  if (part.empty()) return;
  if (!content.empty() && !content.ends_with('\n')) content += '\n';
  content += part;
}

std::string denied_text(const policies::Decision& decision) {
  std::string text = "denied: " + decision.reason;
  if (!decision.rule.empty()) text += " (rule " + decision.rule + ")";
  if (!decision.grant.empty()) text += "; the policy would allow it with: " + decision.grant;
  return text;
}

ToolOutput failure(ToolStatus status, std::string text) {
  ToolOutput output;
  output.status = status;
  output.digest = std::move(text);
  return output;
}

}  // namespace

ToolOutput ToolOutput::of(std::string text) {
  ToolOutput output;
  output.text.bytes = text.size();
  output.text.lines = static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
  output.text.head = std::move(text);
  return output;
}

struct Dispatcher::Prepared {
  ToolCall call;
  std::uint64_t seq = 0;  ///< of tool.requested
  Instant began{};
  Tool* tool = nullptr;
  std::optional<Arguments> arguments;
  Intent intent;
  std::optional<Error> error;  ///< known before anything was decided
  bool malformed = false;      ///< it is the call's own: whatever the workspace, it stays
  [[nodiscard]] bool is_reader() const { return error || intent.effect == Effect::read; }
};

struct Dispatcher::Asked {
  policies::Decision decision;
  bool may = false;
  bool later = false;
};

Dispatcher::Dispatcher(const ToolSet& tools, DispatchServices services)
    : tools_(tools), services_(std::move(services)) {}

Result<std::uint64_t> Dispatcher::emit(std::string_view type, std::string data,
                                       std::uint64_t cause) const {
  trace::EventDraft draft;
  draft.type = type;
  draft.cause = cause;
  draft.data = std::move(data);
  return TRY(services_.events(std::move(draft))).seq;
}

// A text as an event holds it: itself, or where to find it and how it begins.
asio::awaitable<std::string> Dispatcher::body(std::string_view text) {
  std::string inlined = dump(to_valid_utf8(text));
  if (inlined.size() <= kInlineBytesMax) co_return inlined;
  ordered_json reference{{"size", text.size()},
                         {"preview", to_valid_utf8(clip_prefix(text, kPreviewBytes))}};
  if (services_.blobs != nullptr) {
    auto putting = offload(services_.offload, [&] { return services_.blobs->put(text); });
    const Result<trace::BlobRef> blob = co_await std::move(putting);
    reference["ref"] = blob ? blob->name : "";
    if (!blob) reference["lost"] = blob.error().message;
  }
  co_return dump(reference);
}

asio::awaitable<Result<Dispatcher::Prepared>> Dispatcher::prepare(ToolCall call) {
  Prepared prepared;
  prepared.call = std::move(call);
  prepared.began = services_.clock.now();
  auto arguments_body = body(prepared.call.arguments);
  const std::string arguments = co_await std::move(arguments_body);
  CO_TRY(prepared.seq, emit("tool.requested",
                            R"({"call":)" + dump(prepared.call.id) + R"(,"tool":)" +
                                dump(clip_prefix(prepared.call.name, kToolNameBytesMax)) +
                                R"(,"arguments":)" + arguments + "}",
                            0));
  const ToolSet::Entry* entry = tools_.find(prepared.call.name);
  if (entry == nullptr) {
    const auto names = tools_.names();
    const std::string_view near = nearest(prepared.call.name, names);
    std::string all;
    for (const std::string_view name : names) all.append(all.empty() ? "" : ", ").append(name);
    prepared.error =
        Error{ErrorCode::usage,
              "no tool '" + to_printable(clip_prefix(prepared.call.name, kToolNameBytesMax)) + "'" +
                  (near.empty() ? "" : " (did you mean '" + std::string(near) + "'?)") +
                  "; tools: " + all};
    prepared.malformed = true;
    co_return prepared;
  }
  prepared.tool = entry->tool.get();
  auto parsed = Arguments::parse(prepared.call.arguments);
  if (!parsed) {
    prepared.error = Error{parsed.error().code, prepared.call.name + ": " + parsed.error().message +
                                                    "; " + entry->schema.signature()};
    prepared.malformed = true;
  } else if (const Result<> valid = entry->schema.check(*parsed); !valid) {
    prepared.error = valid.error();
    prepared.malformed = true;
  } else {
    auto intent = prepared.tool->intent(*parsed);
    if (intent)
      prepared.intent = *std::move(intent);
    else
      prepared.error = std::move(intent).error();
    prepared.malformed = prepared.error && prepared.error->code == ErrorCode::usage;
    prepared.arguments = *std::move(parsed);
  }
  co_return prepared;
}

// What a tool refuses by itself is a decision like any other: the trace must say who said no.
policies::Decision Dispatcher::decide(const Prepared& call) const {
  if (call.error)
    return {policies::Verdict::deny, "tool." + call.call.name, call.error->message, ""};
  return decide_all(services_.policy, services_.workspace, call.intent.requests);
}

asio::awaitable<Result<Dispatcher::Asked>> Dispatcher::ask(const Prepared& call) {
  Asked asked;
  asked.decision = decide(call);
  const policies::Decision& decision = asked.decision;
  const ordered_json said{{"call", call.call.id},
                          {"verdict", policies::name_of(decision.verdict)},
                          {"rule", decision.rule},
                          {"reason", decision.reason},
                          {"grant", decision.grant}};
  CO_TRY(const std::uint64_t decided, emit("tool.decided", dump(said), call.seq));
  asked.may = decision.verdict == policies::Verdict::allow;
  if (decision.verdict != policies::Verdict::ask || !services_.approve) co_return asked;
  CO_TRY(const std::uint64_t requested, emit("approval.requested", dump(said), decided));
  auto asking = services_.approve(call.call, decision);
  const Approval approval = co_await std::move(asking);
  asked.may = approval == Approval::given;
  asked.later = approval == Approval::later;
  if (asked.later) co_return asked;
  const ordered_json answer{{"call", call.call.id}, {"given", asked.may}};
  CO_TRY(const std::uint64_t answered, emit("approval.answered", dump(answer), requested));
  (void)answered;
  co_return asked;
}

asio::awaitable<Result<>> Dispatcher::take_snapshot(const Prepared& call) {
  if (call.intent.effect != Effect::write || !services_.snapshot) co_return Result<>{};
  auto taking = services_.snapshot(call.call);
  const Result<std::string> snapshot = co_await std::move(taking);
  if (!snapshot) co_return fail(context("snapshot before the call", snapshot.error()));
  if (snapshot->empty()) co_return Result<>{};
  const ordered_json data{{"call", call.call.id}, {"snapshot", *snapshot}};
  CO_TRY(const std::uint64_t seq, emit("tool.snapshot", dump(data), call.seq));
  (void)seq;
  co_return Result<>{};
}

asio::awaitable<void> Dispatcher::run_into(const Prepared& call,
                                           std::optional<Result<ToolOutput>>& into) const {
  const Call running{call.call.id, *call.arguments,
                     [&](std::string_view bytes) {
                       if (services_.on_output) services_.on_output(call.call.id, bytes);
                     },
                     &call.intent};
  auto work = call.tool->run(running);
  into = co_await std::move(work);
}

// In a group of its own, so that this call alone can be cancelled.
asio::awaitable<Result<ToolOutput>> Dispatcher::perform(const Prepared& call) {
  TaskGroup group(co_await asio::this_coro::executor);
  std::optional<Result<ToolOutput>> output;
  const auto entry = running_.emplace(call.call.id, &group).first;
  struct Leave {
    Dispatcher& dispatcher;
    decltype(entry) at;
    ~Leave() { dispatcher.running_.erase(at); }
  } const leave{*this, entry};
  group.spawn(run_into(call, output));
  std::exception_ptr unwinding;
  try {
    co_await group.join();
  } catch (const std::exception& error) {
    unwinding = std::current_exception();
    if (!is_cancellation(unwinding))
      co_return fail(ErrorCode::io, call.call.name + ": failed inside: " + error.what());
  }
  if (unwinding) std::rethrow_exception(unwinding);
  if (!output) co_return failure(ToolStatus::cancelled, "cancelled");
  co_return *std::move(output);
}

// What the model sees.
asio::awaitable<void> Dispatcher::fill(ToolOutput& output, CallReport& report) {
  Clipped clipped = clip(output.text, services_.clip);
  report.result.blob = output.text.blob;
  if (clipped.cut && services_.outputs != nullptr) {
    auto keeping = offload(services_.offload, [&] { return services_.outputs->keep(output.text); });
    const Result<OutputFiles::Kept> kept = co_await std::move(keeping);
    ClipOptions options = services_.clip;
    options.whole_at = kept ? kept->path.string() : "";
    if (kept) report.result.blob = kept->blob;
    clipped = clip(output.text, options);
  }
  report.text_cut = clipped.cut;
  std::string& content = report.result.content;
  append_part(content, to_valid_utf8(output.digest));
  append_part(content, clipped.text);
  append_part(content, to_valid_utf8(output.notes));
  if (content.empty()) content = kNoOutput;
}

asio::awaitable<Result<CallReport>> Dispatcher::finish(const Prepared& call, CallReport report,
                                                       ToolOutput output) {
  report.result.call_id = call.call.id;
  report.result.status = output.status;
  co_await fill(output, report);
  report.data = std::move(output.data);
  report.wrote = !output.changed.empty();
  for (std::size_t i = 0; i < std::min(output.changed.size(), kChangedMax); ++i) {
    const ordered_json changed{{"call", call.call.id}, {"path", output.changed[i]}};
    CO_TRY(const std::uint64_t seq, emit("file.changed", dump(changed), call.seq));
    (void)seq;
  }
  for (const sandbox::Denial& denial : output.denials) {
    const ordered_json denied{{"call", call.call.id},    {"what", denial.what},
                              {"target", denial.target}, {"rule", denial.rule},
                              {"grant", denial.grant},   {"count", denial.count}};
    CO_TRY(const std::uint64_t seq, emit("sandbox.denied", dump(denied), call.seq));
    (void)seq;
  }
  auto content_body = body(report.result.content);
  const std::string content = co_await std::move(content_body);
  ENSURE(ordered_json::accept(report.data), "a tool's data is JSON");
  const bool is_large = report.data.size() > kInlineBytesMax;
  auto data_body = body(is_large ? report.data : "");
  const std::string data = co_await std::move(data_body);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(services_.clock.now() - call.began);
  CO_TRY(
      const std::uint64_t seq,
      emit("tool.finished",
           R"({"call":)" + dump(call.call.id) + R"(,"status":")" +
               std::string(name_of(report.result.status)) + R"(","us":)" +
               std::to_string(took.count()) + R"(,"blob":)" + dump(report.result.blob) +
               R"(,"content":)" + content + R"(,"data":)" + (is_large ? data : report.data) + "}",
           call.seq));
  (void)seq;
  co_return report;
}

asio::awaitable<Result<CallReport>> Dispatcher::go(Prepared& call) {
  CallReport report;
  const auto failed = [&](Error error) {
    std::string text = "error: " + error.message;
    report.error = std::move(error);
    return finish(call, std::move(report), failure(ToolStatus::failed, std::move(text)));
  };
  if (!call.error && running_.contains(call.call.id))
    call.error = Error{ErrorCode::in_use, "call id '" + call.call.id + "' is still running"};
  report.malformed = call.malformed;
  if (call.error && call.error->code != ErrorCode::permission)
    co_return co_await failed(*call.error);
  auto asking = ask(call);
  CO_TRY(Asked asked, co_await std::move(asking));
  report.decision = asked.decision;
  if (asked.later) {
    report.suspended = true;
    report.result.call_id = call.call.id;
    co_return report;
  }
  if (!asked.may) {
    report.error = Error{ErrorCode::permission, asked.decision.reason};
    co_return co_await finish(call, std::move(report),
                              failure(ToolStatus::denied, denied_text(asked.decision)));
  }
  auto taking = take_snapshot(call);
  const Result<> snapshot = co_await std::move(taking);
  if (!snapshot) co_return co_await failed(snapshot.error());
  CO_TRY(const std::uint64_t started,
         emit("tool.started", R"({"call":)" + dump(call.call.id) + "}", call.seq));
  (void)started;
  auto performing = perform(call);
  Result<ToolOutput> output = co_await std::move(performing);
  if (!output) co_return co_await failed(std::move(output).error());
  co_return co_await finish(call, std::move(report), *std::move(output));
}

asio::awaitable<Result<CallReport>> Dispatcher::carry_out(Prepared& call) {
  try {
    auto going = go(call);
    co_return co_await std::move(going);
  } catch (const std::exception&) {
    // Unwinding as cancelled: what was requested must end in the trace as well. No waiting here.
    (void)emit("tool.finished", R"({"call":)" + dump(call.call.id) + R"(,"status":"cancelled"})",
               call.seq);
    throw;
  }
}

asio::awaitable<Result<CallReport>> Dispatcher::dispatch(ToolCall call) {
  auto preparing = prepare(std::move(call));
  CO_TRY(Prepared prepared, co_await std::move(preparing));
  auto carrying = carry_out(prepared);
  co_return co_await std::move(carrying);
}

asio::awaitable<Result<std::vector<CallReport>>> Dispatcher::dispatch_all(
    std::vector<ToolCall> calls) {
  std::vector<CallReport> reports(calls.size());
  std::optional<Error> broken;
  const auto store = [&](Prepared& call, std::size_t at) -> asio::awaitable<void> {
    auto carrying = carry_out(call);
    Result<CallReport> report = co_await std::move(carrying);
    if (report)
      reports[at] = *std::move(report);
    else if (!broken)
      broken = std::move(report).error();
  };
  for (std::size_t next = 0; next < calls.size();) {
    // Readers that stand side by side run side by side; a writer is a batch of its own.
    std::vector<std::pair<Prepared, std::size_t>> batch;
    batch.reserve(kCallsAtOnceMax);
    std::optional<Prepared> writer;
    while (next < calls.size() && batch.size() < kCallsAtOnceMax) {
      auto preparing = prepare(std::move(calls[next]));
      CO_TRY(Prepared prepared, co_await std::move(preparing));
      const std::size_t at = next++;
      if (!prepared.is_reader()) {
        writer = std::move(prepared);
        break;
      }
      batch.emplace_back(std::move(prepared), at);
    }
    TaskGroup group(co_await asio::this_coro::executor);
    for (auto& [prepared, at] : batch) group.spawn(store(prepared, at));
    co_await group.join();
    if (writer) co_await store(*writer, next - 1);
    if (broken) co_return fail(*broken);
    if (std::ranges::any_of(reports, &CallReport::suspended)) {
      for (; next < calls.size(); ++next) {
        reports[next].suspended = true;
        reports[next].result.call_id = calls[next].id;
      }
    }
  }
  co_return reports;
}

void Dispatcher::cancel(std::string_view call_id) {
  if (const auto found = running_.find(call_id); found != running_.end()) found->second->cancel();
}

}  // namespace fathom::tools
