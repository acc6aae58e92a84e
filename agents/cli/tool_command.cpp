#include "agents/cli/tool_command.hpp"

#include "agents/cli/interruptible.hpp"
#include "agents/toolbox.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

constexpr const char* kCallId = "call-1";

ExitCode exit_of(const tools::CallReport& report) {
  switch (report.result.status) {
    case ToolStatus::ok:
      return ExitCode::ok;
    case ToolStatus::denied:
      return ExitCode::denied;
    case ToolStatus::cancelled:
      return ExitCode::interrupted;
    case ToolStatus::failed:
      break;
  }
  if (report.malformed) return ExitCode::usage;
  const bool is_missing = report.error && report.error->code == ErrorCode::unsupported;
  return is_missing ? ExitCode::infrastructure : ExitCode::failed;
}

std::string json_text(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

struct OneCall {
  const ToolOptions& options;
  ToolCall call;
  Terminal& terminal;
  Toolbox::Surroundings around;
};

void show(const OneCall& one, const Toolbox& box, const tools::CallReport& report) {
  const std::string run = box.run().to_string();
  if (one.options.json) {
    ordered_json shown{{"run", run},
                       {"tool", one.call.name},
                       {"status", name_of(report.result.status)},
                       {"content", report.result.content},
                       {"blob", report.result.blob},
                       {"data", ordered_json::parse(report.data)}};
    if (report.error)
      shown["error"] = {{"code", name_of(report.error->code)}, {"message", report.error->message}};
    if (report.result.status == ToolStatus::denied)
      shown["decision"] = {{"verdict", policies::name_of(report.decision.verdict)},
                           {"rule", report.decision.rule},
                           {"grant", report.decision.grant}};
    if (box.refusal())
      shown["missing"] = ordered_json::parse(sandbox::to_json(*box.refusal())).at("missing");
    one.terminal.out(json_text(shown));
    return;
  }
  const bool is_person = ::isatty(STDOUT_FILENO) == 1;
  std::string content = report.result.content;
  if (!content.ends_with('\n')) content += '\n';
  one.terminal.out(is_person ? printable_lines(content) : content);
  if (report.decision.verdict == policies::Verdict::ask &&
      report.result.status == ToolStatus::denied)
    one.terminal.note("needs approval: --yes gives it");
  const std::vector<std::string> git_changes = box.git_changes();
  if (report.wrote && !box.has_changed() && git_changes.empty())
    one.terminal.note(
        "undo does not know what this wrote: ignored, or larger than a snapshot takes");
  for (const std::string& line : git_changes) one.terminal.note(".git: " + to_printable(line));
  const std::string_view what = git_changes.empty() ? "it" : "the files";
  one.terminal.note(
      "run " + run +
      (box.has_changed() ? " (fathom undo " + run + " takes " + std::string(what) + " back)" : ""));
}

// A tool of a server that is not there: to say that there is no such tool would be no help.
std::optional<tools::CallReport> answer_without_server(const Toolbox& box, const ToolCall& call) {
  const tools::McpServers::Trouble* trouble = box.trouble_behind(call.name);
  if (trouble == nullptr) return std::nullopt;
  tools::CallReport report;
  report.result.call_id = call.id;
  report.result.status = trouble->refusal ? ToolStatus::denied : ToolStatus::failed;
  report.result.content = "error: " + to_printable(trouble->text);
  report.error = Error{ErrorCode::unsupported, trouble->text};
  report.decision =
      trouble->refusal.value_or(policies::Decision{policies::Verdict::allow, "", "", ""});
  return report;
}

asio::awaitable<Result<ExitCode>> make_call(OneCall& one) {
  ToolboxOptions options;
  options.repository = one.options.repository;
  options.policy = one.options.policy;
  options.mcp = one.options.mcp;
  options.calls = tools::Calls::one;
  if (one.options.yes) options.start_mcp_if = policies::Verdict::ask;
  for (const std::string_view name : known_tools()) options.tools.emplace_back(name);
  if (one.options.yes)
    options.approve = [](const ToolCall&,
                         const policies::Decision&) -> asio::awaitable<tools::Approval> {
      co_return tools::Approval::given;
    };
  auto opening = Toolbox::open(one.around, std::move(options));
  CO_TRY(const std::unique_ptr<Toolbox> box, co_await std::move(opening));
  for (const std::string& note : box->notes()) one.terminal.note(note);
  std::exception_ptr unwinding;
  std::optional<Result<tools::CallReport>> report = answer_without_server(*box, one.call);
  try {
    if (!report) {
      auto calling = box->dispatcher().dispatch(one.call);
      report = co_await std::move(calling);
    }
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  // Whatever happened, nothing of the run stays behind.
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const ExitCode exit = report && *report ? exit_of(**report)
                        : unwinding       ? ExitCode::interrupted
                                          : ExitCode::io;
  auto closing = box->close(ordered_json({{"exit_code", static_cast<int>(exit)}}).dump());
  const Result<> closed = co_await std::move(closing);
  if (unwinding) std::rethrow_exception(unwinding);
  if (!*report) co_return fail(report->error());
  show(one, *box, **report);
  if (!closed) co_return fail(closed.error());
  co_return exit;
}

void show(const std::vector<ToolDoc>& docs, const ToolOptions& options, Terminal& terminal) {
  ordered_json all = ordered_json::array();
  std::string text;
  for (const ToolDoc& doc : docs) {
    all.push_back({{"name", doc.spec.name},
                   {"description", doc.spec.description},
                   {"parameters", ordered_json::parse(doc.spec.parameters)}});
    text += terminal.paint(Colour::bold, to_printable(doc.signature)) +
            (doc.is_default ? "  [default]" : "") + "\n    " + doc.spec.description + "\n";
  }
  terminal.out(options.json ? json_text(all) : text);
}

// The tools of servers are known once these run.
asio::awaitable<Result<ExitCode>> list_all(OneCall& one) {
  ToolboxOptions options;
  options.repository = one.options.repository;
  options.policy = one.options.policy;
  options.mcp = one.options.mcp;
  for (const std::string_view name : known_tools()) options.tools.emplace_back(name);
  CO_TRY(std::vector<ToolDoc> docs, tool_docs());
  auto opening = Toolbox::open(one.around, std::move(options));
  CO_TRY(const std::unique_ptr<Toolbox> box, co_await std::move(opening));
  // Whatever happens now, nothing of the run stays behind.
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  for (const tools::ToolSet::Entry& entry : box->tools().entries())
    if (std::ranges::none_of(
            docs, [&](const ToolDoc& doc) { return doc.spec.name == entry.tool->spec().name; }))
      docs.push_back({entry.tool->spec(), entry.schema.signature(), false});
  for (const std::string& note : box->notes()) one.terminal.note(note);
  auto closing = box->close(ordered_json({{"exit_code", 0}}).dump());
  CO_TRY_VOID(co_await std::move(closing));
  show(docs, one.options, one.terminal);
  co_return ExitCode::ok;
}

}  // namespace

Result<ExitCode> tool_list(const ToolOptions& options, const GetEnv& env, Terminal& terminal) {
  if (options.mcp.empty()) {
    show(TRY(tool_docs()), options, terminal);
    return ExitCode::ok;
  }
  const auto zygote = TRY(sandbox::ZygoteProcess::start());  // before there are threads
  SystemClock clock;
  OffloadPool offload;
  asio::io_context io{1};
  OneCall one{options, {}, terminal, {*zygote, clock, offload, io.get_executor(), env}};
  return run_interruptible(io, list_all(one)).value_or(ExitCode::interrupted);
}

Result<ExitCode> tool_call(const ToolOptions& options, const GetEnv& env, Terminal& terminal) {
  const auto zygote = TRY(sandbox::ZygoteProcess::start());  // before there are threads
  std::string arguments = options.arguments;
  if (arguments == "-") arguments = TRY(read_file("/dev/stdin", tools::kArgumentsBytesMax + 1));
  SystemClock clock;
  OffloadPool offload;
  asio::io_context io{1};
  OneCall one{options,
              {kCallId, options.name, std::move(arguments), ""},
              terminal,
              {*zygote, clock, offload, io.get_executor(), env}};
  return run_interruptible(io, make_call(one)).value_or(ExitCode::interrupted);
}

}  // namespace fathom::agents
