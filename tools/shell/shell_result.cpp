#include "tools/shell/shell_result.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::tools {
namespace {

using Json = nlohmann::ordered_json;

// The command in a line: the first one of it, cut.
std::string words_of(const ShellJob& job) {
  const std::string line = job.command.substr(0, job.command.find('\n'));
  const std::string_view start = clip_prefix(line, kJobWordsMax);
  return to_printable(start) + (start.size() < job.command.size() ? "…" : "");
}

std::string seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

std::string summary_of(const ShellJob& job) {
  const Result<sandbox::Outcome>& end = *job.end;
  return end ? to_printable(sandbox::summary(*end)) : end.error().message;
}

Json data_of(const sandbox::Outcome& outcome, const sandbox::CapturedOutput& text) {
  Json data = {{"running", false}, {"ending", name_of(outcome.ending)}};
  if (outcome.ending == sandbox::Ending::exited) data["exit_code"] = outcome.exit_code;
  if (outcome.ending == sandbox::Ending::signalled) data["signal"] = outcome.signal;
  data["ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(outcome.usage.wall).count();
  data["bytes"] = text.bytes;
  data["lines"] = text.lines;
  if (!text.blob.empty()) data["blob"] = text.blob;
  data["left_processes"] = outcome.left_processes;
  data["rung"] = name_of(outcome.rung);
  return data;
}

}  // namespace

ToolOutput ended_output(const sandbox::Outcome& outcome, sandbox::CapturedOutput text,
                        StateKept state) {
  ToolOutput output;
  const bool exited = outcome.ending == sandbox::Ending::exited;
  output.status = exited && outcome.exit_code == 0 ? ToolStatus::ok : ToolStatus::failed;
  if (exited && outcome.exit_code != 0)
    output.notes = "exit code " + std::to_string(outcome.exit_code) + "\n";
  output.notes += notice_for_model(outcome);
  if (exited && outcome.left_processes)
    output.notes +=
        "[shell] processes that it left running were killed: use background: true for those that "
        "are to stay\n";
  if (state == StateKept::no)
    output.notes +=
        "[shell] the shell died with it: cwd, variables and functions are those before this "
        "call\n";
  output.data = data_of(outcome, text).dump();
  output.denials = outcome.denials;
  output.text = std::move(text);
  return output;
}

ToolOutput running_output(const ShellJob& job, sandbox::CapturedOutput text, Duration age) {
  ToolOutput output;
  const std::string id = std::to_string(job.id);
  output.notes = "job " + id + " is running (" + seconds(age) +
                 "): action poll shows its output, action kill ends it\n";
  output.data = Json({{"running", true},
                      {"job", job.id},
                      {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(age).count()},
                      {"bytes", text.bytes},
                      {"lines", text.lines}})
                    .dump();
  output.text = std::move(text);
  return output;
}

ToolOutput list_output(const std::vector<ShellJob*>& jobs, Instant now) {
  std::string text;
  Json list = Json::array();
  for (const ShellJob* job : jobs) {
    text += "job " + std::to_string(job->id) + ": ";
    text += job->end ? "ended, " + summary_of(*job) : "running for " + seconds(now - job->started);
    text += ", " + std::to_string(job->unread.bytes()) + " bytes unread: " + words_of(*job) + "\n";
    list.push_back({{"job", job->id},
                    {"running", !job->end},
                    {"unread_bytes", job->unread.bytes()},
                    {"command", words_of(*job)}});
  }
  ToolOutput output = ToolOutput::of(text.empty() ? "no jobs\n" : text);
  output.data = Json({{"jobs", std::move(list)}}).dump();
  return output;
}

std::string end_notice(const ShellJob& job) {
  return "job " + std::to_string(job.id) + " ended: " + summary_of(job) + " (" + words_of(job) +
         ")";
}

void name_job(ToolOutput& output, const ShellJob& job) {
  Json data = Json::parse(output.data);
  data["job"] = job.id;
  output.data = data.dump();
  output.notes = end_notice(job) + "\n" + output.notes;
}

}  // namespace fathom::tools
