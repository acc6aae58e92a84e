#include "engine/remote/answer_draft.hpp"

#include "engine/remote/call_repair.hpp"
#include "engine/remote/wire_json.hpp"
#include "engine/text/declared_tools.hpp"
#include "engine/text/dsml_parser.hpp"
#include "runtime/base/text.hpp"

#include <utility>

namespace fathom::engine {
namespace {

constexpr std::string_view kMarker = "DSML";
constexpr std::size_t kNameBytesShown = 64;

std::unexpected<Fault> unreadable(std::string why) {
  return std::unexpected(Fault{FaultClass::format, std::move(why), std::nullopt});
}

void note(std::string& repaired, const std::string& what) {
  if (!repaired.empty()) repaired += "; ";
  repaired += what;
}

std::string describe(const ToolCall& call, std::size_t number) {
  return "call " + std::to_string(number + 1) + " (" +
         to_printable(clip_prefix(call.name, kNameBytesShown)) + ")";
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

Result<DeclaredTools> declare(const std::vector<ToolDeclaration>& tools) {
  std::vector<std::string> functions;
  for (const ToolDeclaration& tool : tools) {
    std::string function = "{";
    append_json_field(function, "name", tool.name);
    if (is_json_object(tool.parameters)) function += ",\"parameters\":" + tool.parameters;
    functions.push_back(function + "}");
  }
  return DeclaredTools::create(functions);
}

}  // namespace

AnswerDraft::Step AnswerDraft::count(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= kAnswerBytesMax) return {};
  return unreadable("the answer is longer than " + format_bytes(kAnswerBytesMax));
}

AnswerDraft::Step AnswerDraft::add_reasoning(std::string text, std::vector<SampleDelta>& deltas) {
  if (text.empty()) return {};
  reasoning_ += text;
  const std::size_t size = text.size();
  deltas.push_back({SampleDelta::Kind::reasoning, 0, std::move(text)});
  return count(size);
}

AnswerDraft::Step AnswerDraft::add_content(std::string text, std::vector<SampleDelta>& deltas) {
  if (text.empty()) return {};
  content_ += text;
  const std::size_t size = text.size();
  deltas.push_back({SampleDelta::Kind::content, 0, std::move(text)});
  return count(size);
}

AnswerDraft::Step AnswerDraft::open_call(std::string id) {
  if (calls_.size() == kCallsPerSampleMax)
    return unreadable("more than " + std::to_string(kCallsPerSampleMax) + " calls in one answer");
  const std::size_t size = id.size();
  calls_.emplace_back();
  calls_.back().call.id = std::move(id);
  return count(size);
}

void AnswerDraft::set_id(std::size_t call, std::string id) {
  if (calls_[call].call.id.empty()) calls_[call].call.id = std::move(id);
}

AnswerDraft::Step AnswerDraft::add_name(std::size_t call, std::string_view text) {
  Draft& draft = calls_[call];
  if (text.empty() || draft.announced || draft.call.name == text) return {};
  draft.call.name += text;
  if (draft.call.name.size() > kToolNameBytesMax)
    return unreadable("a tool's name is longer than " + std::to_string(kToolNameBytesMax) +
                      " bytes");
  return count(text.size());
}

void AnswerDraft::announce(std::size_t call, std::vector<SampleDelta>& deltas) {
  Draft& draft = calls_[call];
  if (draft.announced) return;
  draft.announced = true;
  deltas.push_back({SampleDelta::Kind::call_started, call, draft.call.name});
}

AnswerDraft::Step AnswerDraft::add_arguments(std::size_t call, std::string text,
                                             std::vector<SampleDelta>& deltas) {
  if (text.empty()) return {};
  announce(call, deltas);
  calls_[call].call.arguments += text;
  const std::size_t size = text.size();
  deltas.push_back({SampleDelta::Kind::call_arguments, call, std::move(text)});
  return count(size);
}

bool AnswerDraft::empty() const { return reasoning_.empty() && content_.empty() && calls_.empty(); }

// Fills settled.sample's calls from those that are to be run.
void AnswerDraft::mend_calls(Settled& settled) {
  const bool cut = settled.sample.finish == FinishReason::length;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    ToolCall call = calls_[i].call;
    if (!is_json_object(call.arguments)) {
      if (cut) {
        note(settled.repaired, describe(call, i) + ": dropped, it was cut by the length limit");
        continue;
      }
      if (auto mended = repair_arguments(call.arguments)) {
        // A call without arguments is a habit of some servers and nothing to tell.
        if (!call.arguments.empty())
          note(settled.repaired, describe(call, i) + ": " + mended->what);
        call.arguments = std::move(mended->arguments);
      }
    }
    settled.sample.message.calls.push_back(std::move(call));
    settled.kept.push_back(i);
  }
}

void AnswerDraft::read_calls_in_text(Settled& settled, FinishReason finish,
                                     std::vector<SampleDelta>& deltas) {
  Message& message = settled.sample.message;
  // The block stands in the content, or in a reasoning that never ended.
  const bool in_content = message.text.contains(kMarker);
  const bool in_reasoning = is_blank(message.text) && message.reasoning.contains(kMarker);
  if (!in_content && !in_reasoning) return;
  auto tools = declare(context_.tools);
  if (!tools) return;
  DsmlOptions options;
  options.start = in_content ? DsmlOptions::Start::content : DsmlOptions::Start::reasoning;
  DsmlParser parser(*std::move(tools), options);
  std::vector<SampleDelta> found = parser.feed(in_content ? message.text : message.reasoning);
  auto [last, sample] =
      parser.finish(finish == FinishReason::length ? EndedBy::limit : EndedBy::eos);
  if (sample.message.calls.empty() || sample.message.calls.size() > kCallsPerSampleMax) return;

  found.insert(found.end(), last.begin(), last.end());
  for (SampleDelta& delta : found)
    if (delta.kind != SampleDelta::Kind::reasoning && delta.kind != SampleDelta::Kind::content)
      deltas.push_back(std::move(delta));
  message.text = std::move(sample.message.text);
  if (!in_content) message.reasoning = std::move(sample.message.reasoning);
  message.calls = std::move(sample.message.calls);
  note(settled.repaired, "read " + std::to_string(message.calls.size()) + " call(s) from the " +
                             (in_content ? "content" : "reasoning") +
                             " (the server parses none: start it with a tool parser)");
}

std::expected<AnswerDraft::Settled, Fault> AnswerDraft::settle(FinishReason finish,
                                                               std::vector<SampleDelta>& deltas) {
  for (const Draft& draft : calls_)
    if (draft.call.name.empty()) return unreadable("a tool call without a name");
  Settled settled;
  settled.sample.finish = finish == FinishReason::length ? finish : FinishReason::stop;
  settled.sample.message.role = Role::assistant;
  settled.sample.message.reasoning = std::move(reasoning_);
  settled.sample.message.text = std::move(content_);
  mend_calls(settled);
  for (const std::size_t call : settled.kept) {
    announce(call, deltas);
    deltas.push_back({SampleDelta::Kind::call_finished, call, {}});
  }
  Message& message = settled.sample.message;
  if (calls_.empty() && context_.may_call && !context_.tools.empty())
    read_calls_in_text(settled, finish, deltas);
  if (!context_.may_call && !message.calls.empty()) {
    note(settled.repaired,
         "dropped " + std::to_string(message.calls.size()) + " call(s): the request allowed none");
    message.calls.clear();
    settled.kept.clear();
  }
  if (!message.calls.empty() && finish != FinishReason::length)
    settled.sample.finish = FinishReason::tool_calls;
  return settled;
}

}  // namespace fathom::engine
