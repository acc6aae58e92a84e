#include "agents/cli/session_export.hpp"

#include "agents/cli/terminal.hpp"
#include "agents/session_state.hpp"
#include "engine/remote/openai_codec.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/event_json.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

using Out = std::function<void(std::string_view)>;

constexpr std::size_t kFenceMin = 3;
constexpr std::size_t kNameBytes = 200;  // of what is a name in all sane sessions

// --- Markdown ------------------------------------------------------------------------------------

std::size_t longest_backticks(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

std::string in_line(std::string_view text) {
  const std::string shown = to_printable(clip_prefix(text, kNameBytes));
  if (shown.empty()) return "(none)";
  const std::string ticks(longest_backticks(shown) + 1, '`');
  const bool touches = shown.front() == '`' || shown.back() == '`';
  return ticks + (touches ? " " : "") + shown + (touches ? " " : "") + ticks;
}

// A fence ends at a line of as many backticks as it began with: the text has no run of so many.
std::string fenced(std::string_view text, std::string_view language = "") {
  const std::string shown = printable_lines(text);
  const std::string ticks(std::max(kFenceMin, longest_backticks(shown) + 1), '`');
  std::string block = ticks + std::string(language) + "\n" + shown;
  if (!block.ends_with('\n')) block += '\n';
  return block + ticks + "\n\n";
}

// Whatever is open inside a quote (a fence, a comment of HTML) ends where the quote does.
std::string block_quote(std::string_view text) {
  const std::string shown = printable_lines(text);
  std::string block;
  std::string_view left = shown;
  while (!left.empty()) {
    const std::size_t end = left.find('\n');
    const std::string_view line = left.substr(0, end);
    block.append(line.empty() ? ">" : "> ").append(line).append("\n");
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
  }
  return block + "\n";
}

class MarkdownWriter {
 public:
  MarkdownWriter(const RunId& run, const Out& out) : run_(run), out_(out) {}

  void write(const engine::SessionEvent& event) {
    std::visit([this](const auto& one) { add(one); }, event);
  }

  /// Events that are not part of the transcript and that a reader wants to know of.
  void write_other(const trace::Event& event) {
    const std::string& type = event.what.type;
    if (type != "run.forked" && type != "approval.answered") return;
    const auto data = nlohmann::json::parse(event.what.data, nullptr, false);
    const auto text = [&](const char* key) {
      const auto found = data.find(key);
      return found != data.end() && found->is_string() ? found->get<std::string>() : "";
    };
    if (type == "run.forked") {
      out_("Forked here from run " + in_line(text("from")) + ".\n\n");
      return;
    }
    const auto given = data.find("given");
    const bool yes = given != data.end() && given->is_boolean() && given->get<bool>();
    out_((yes ? "Approved: call " : "Refused: call ") + in_line(text("call")) + ".\n\n");
  }

  void end() const {
    for (const auto& [call, tool] : open_)
      out_("Call " + in_line(call) + " of " + in_line(tool) + " has no result yet.\n");
  }

 private:
  void add(const engine::AgentStarted& began) {
    out_("# Session " + run_.to_string() + "\n\n* agent: " + in_line(began.agent) +
         "\n* engine: " + in_line(began.engine) + "\n* model: " + in_line(began.model) + "\n");
    std::string tools;
    for (const engine::ToolDeclaration& tool : began.setup.tools)
      tools += (tools.empty() ? "" : ", ") + in_line(tool.name);
    out_("* tools: " + (tools.empty() ? "none" : tools) + "\n\n## System text\n\n" +
         fenced(began.setup.system, "text"));
  }

  void add(const engine::UserSaid& said) {
    switch (said.how) {
      case engine::UserSaid::How::turn:
        return out_("## Turn " + std::to_string(said.turn) + "\n\n" + block_quote(said.text));
      case engine::UserSaid::How::steer:
        return out_("### The user, meanwhile\n\n" + block_quote(said.text));
      case engine::UserSaid::How::guard:
        return out_("### A note of the runtime (" + in_line(said.key) + ")\n\n" +
                    block_quote(said.text));
    }
  }

  void add(const engine::RequestSent&) {}

  void add(const engine::ModelAnswered& answered) {
    const Message& message = answered.message;
    if (!message.reasoning.empty()) out_("### Reasoning\n\n" + block_quote(message.reasoning));
    if (!message.text.empty()) out_("### The model\n\n" + block_quote(message.text));
    if (answered.end == engine::AnswerEnd::interrupted || answered.end == engine::AnswerEnd::length)
      out_("The answer was cut: " + std::string(engine::name_of(answered.end)) + ".\n\n");
    open_.clear();
    for (const ToolCall& call : message.calls) {
      open_[call.id] = call.name;
      out_("### Call of " + in_line(call.name) + " (" + in_line(call.id) + ")\n\n" +
           fenced(call.arguments, "json"));
    }
  }

  void add(const engine::CallFinished& finished) {
    const ToolResult& result = finished.result;
    const auto call = open_.find(result.call_id);
    if (call == open_.end()) return;  // a sub-agent's
    out_("### Result of " + in_line(call->second) + " (" + in_line(result.call_id) +
         "): " + std::string(name_of(result.status)) + "\n\n" + fenced(result.content, "text"));
    if (!result.blob.empty()) out_("Cut; the whole output is " + in_line(result.blob) + ".\n\n");
    open_.erase(call);
  }

  void add(const engine::Compacted& compacted) {
    out_("### Compacted\n\nFrom here on the model was shown " +
         std::to_string(compacted.transcript.messages.size()) +
         " messages in place of all before.\n\n");
  }

  void add(const engine::TurnEnded& ended) {
    out_("Turn " + std::to_string(ended.turn) + " ended: " + in_line(ended.reason) + ", " +
         std::to_string(ended.steps) + (ended.steps == 1 ? " step" : " steps") + ".\n\n");
  }

  const RunId& run_;
  const Out& out_;
  std::map<std::string, std::string> open_;  ///< calls of the last answer without result: tools
};

// --- the formats ---------------------------------------------------------------------------------

template <class Each>
Result<> for_each_event(const RunStore& runs, const RunId& run, Each each) {
  trace::JournalReader reader = TRY(trace::JournalReader::open(runs.journal(run)));
  while (const std::optional<trace::Event> event = TRY(reader.next())) {
    if (event->run != run)
      return fail(ErrorCode::bad_data, "journal of run " + run.to_string() + ": belongs to run " +
                                           event->run.to_string());
    TRY(each(*event));
  }
  return {};
}

Result<> write_markdown(const RunStore& runs, const RunId& run, const Out& out) {
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  MarkdownWriter writer(run, out);
  bool any = false;
  TRY(for_each_event(runs, run, [&](const trace::Event& event) -> Result<> {
    const auto known = TRY(engine::decode(event, blobs));
    any |= known && std::holds_alternative<engine::AgentStarted>(*known);
    if (!any) return {};
    if (known)
      writer.write(*known);
    else
      writer.write_other(event);
    return {};
  }));
  if (!any)
    return fail(ErrorCode::bad_data, "run " + run.to_string() + ": holds no session of an agent");
  writer.end();
  return {};
}

Result<> write_events(const RunStore& runs, const RunId& run, const Out& out) {
  trace::EventCodec codec;
  std::string line;
  return for_each_event(runs, run, [&](const trace::Event& event) -> Result<> {
    line.clear();
    TRY(codec.append(line, event));
    out(line);
    return {};
  });
}

Result<std::vector<std::string>> write_messages(const RunStore& runs, const RunId& run,
                                                const Out& out) {
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  const SessionState state = TRY(read_session(runs.journal(run), blobs));
  std::vector<Message> messages = state.transcript().messages;
  std::vector<std::string> notes;
  // A server refuses calls without results, so an answer whose calls are open is left out whole.
  if (!state.pending().empty() && !messages.empty() && !messages.back().calls.empty()) {
    notes.emplace_back("left out: the last answer, whose calls have no results yet");
    messages.pop_back();
  }
  const engine::OpenAiCodec codec(engine::OpenAiOptions{});
  engine::RenderedBody body;
  body.bytes = "[";
  if (const std::string& system = state.started()->setup.system; !system.empty()) {
    Message first;
    first.role = Role::system;
    first.text = system;
    codec.append(body, first, {});
  }
  for (const Message& message : messages) codec.append(body, message, {});
  out(body.bytes + "]\n");
  return notes;
}

constexpr std::array kFormats = {
    std::pair{ExportFormat::markdown, std::string_view("markdown")},
    std::pair{ExportFormat::jsonl, std::string_view("jsonl")},
    std::pair{ExportFormat::messages, std::string_view("messages")},
};

}  // namespace

Result<ExportFormat> parse_export_format(std::string_view text) {
  std::vector<std::string_view> names;
  for (const auto& [format, name] : kFormats) {
    if (name == text) return format;
    names.push_back(name);
  }
  const std::string_view near = nearest(text, names);
  return fail(ErrorCode::usage,
              "'" + to_printable(clip_prefix(text, 40)) + "' is not markdown, jsonl or messages" +
                  (near.empty() ? "" : " (did you mean '" + std::string(near) + "'?)"));
}

Result<std::vector<std::string>> export_session(const RunStore& runs, const RunId& run,
                                                ExportFormat format, const Out& out) {
  switch (format) {
    case ExportFormat::markdown:
      TRY(write_markdown(runs, run, out));
      break;
    case ExportFormat::jsonl:
      TRY(write_events(runs, run, out));
      break;
    case ExportFormat::messages:
      return write_messages(runs, run, out);
  }
  return std::vector<std::string>{};
}

}  // namespace fathom::agents
