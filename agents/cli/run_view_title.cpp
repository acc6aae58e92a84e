#include "agents/cli/run_view_title.hpp"

#include "agents/cli/run_view_data.hpp"
#include "agents/cli/run_view_style.hpp"
#include "runtime/base/text.hpp"

#include <array>
#include <optional>

namespace fathom::agents {
namespace {

constexpr std::size_t kTitleBytesMax = 2000;        // more than any line shows
constexpr std::size_t kWholeBytesMax = 16UL << 10;  // longer arguments are not in the event
constexpr std::size_t kPathsMax = 8;

// What a text that is cut off needs to be an object again: most are cut inside their longest text.
std::optional<EventData> read(std::string_view arguments) {
  static constexpr std::array<std::string_view, 4> kEnds = {"", "\"}", "}", "\\\"}"};
  for (const std::string_view end : kEnds) {
    EventData data(std::string(arguments) + std::string(end));
    if (data.has("command") || data.has("pattern") || data.has("path") || data.has("action") ||
        data.has("filter"))
      return data;
  }
  return std::nullopt;
}

std::string first_line(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  if (lines.empty()) return "";
  return std::string(lines.front());
}

std::string bash_title(const EventData& data) {
  std::string title = first_line(data.text("command"));
  if (!title.empty()) return data.flag("background").value_or(false) ? title + " &" : title;
  title = data.text("action");
  const std::string job = data.digits("job");
  return job.empty() ? title + " jobs" : title + " job " + job;
}

std::string editor_title(const EventData& data) {
  std::string title = data.text("command") + " " + data.text("path");
  const std::vector<std::string> range = data.texts("view_range", 2);
  if (range.size() == 2)
    title += ":" + range[0] + "-" + (range[1] == "-1" ? std::string("end") : range[1]);
  if (const std::string line = data.digits("insert_line"); !line.empty()) title += ":" + line;
  return title;
}

std::string search_title(const EventData& data) {
  std::string title = "\"" + first_line(data.text("pattern")) + "\"";
  if (const std::string path = data.text("path"); !path.empty()) title += " in " + path;
  if (const std::string glob = data.text("glob"); !glob.empty()) title += " (" + glob + ")";
  return title;
}

std::string git_title(const EventData& data) {
  std::string title = data.text("command");
  for (const char* key : {"rev", "name"})
    if (const std::string part = data.text(key); !part.empty()) title += " " + part;
  for (const std::string& path : data.texts("paths", kPathsMax)) title += " " + path;
  if (const std::string message = data.text("message"); !message.empty())
    title += " \"" + first_line(message) + "\"";
  return title;
}

std::string compact(std::string_view json) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size() && out.size() < kWholeBytesMax; ++i) {
    const char c = json[i];
    if (quoted && c == '\\' && i + 1 < json.size()) {
      out += c;
      out += json[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    const bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!is_blank || quoted) out += c;
  }
  return out == "{}" ? "" : out;
}

std::string line_of(std::string_view tool, const EventData& data, std::string_view arguments) {
  if (tool == "bash") return bash_title(data);
  if (tool == "str_replace_editor") return editor_title(data);
  if (tool == "search") return search_title(data);
  if (tool == "list") return data.text("path");
  if (tool == "git") return git_title(data);
  if (tool == "run_tests") return data.text("filter");
  return compact(arguments);
}

}  // namespace

CallTitle title_of(std::string_view tool, std::string_view arguments) {
  const std::optional<EventData> data = read(arguments);
  CallTitle title;
  title.line = data ? line_of(tool, *data, arguments) : compact(arguments);
  title.whole = title.line;
  if (data && tool == "bash") {
    if (const std::string command = data->text("command"); !lines_of(command).empty())
      title.whole = clip_prefix(command, kWholeBytesMax);
    title.is_cut = lines_of(title.whole).size() > 1;
  }
  if (data && tool == "str_replace_editor" && data->text("command") == "str_replace") {
    title.removed = clip_prefix(data->text("old_str"), kWholeBytesMax);
    title.added = clip_prefix(data->text("new_str"), kWholeBytesMax);
  }
  if (title.line.size() > kTitleBytesMax) {
    title.line = clip_prefix(title.line, kTitleBytesMax);
    title.is_cut = true;
  }
  for (char& c : title.line)
    if (c == '\n' || c == '\r') c = ' ';
  return title;
}

}  // namespace fathom::agents
