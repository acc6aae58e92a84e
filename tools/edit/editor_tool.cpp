#include "tools/edit/editor_tool.hpp"

#include "runtime/base/text.hpp"
#include "tools/edit/edit_forms.hpp"
#include "tools/edit/folder_view.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <deque>
#include <utility>

namespace fathom::tools {
namespace {

struct Name {
  std::string_view name;
  EditCommand command;
};
constexpr std::array<Name, 5> kNames = {{{"view", EditCommand::view},
                                         {"create", EditCommand::create},
                                         {"str_replace", EditCommand::str_replace},
                                         {"insert", EditCommand::insert},
                                         {"undo_edit", EditCommand::undo_edit}}};

std::string_view name_of(EditCommand command) {
  return kNames[static_cast<std::size_t>(command)].name;
}

Result<EditCommand> command_of(std::string_view name) {
  for (const Name& known : kNames)
    if (known.name == name) return known.command;
  return fail(ErrorCode::usage,
              "command must be one of view, create, str_replace, insert, "
              "undo_edit");
}

Result<std::string> text_for(const Arguments& arguments, EditCommand command,
                             std::string_view name) {
  if (auto text = arguments.text(name)) return *std::move(text);
  return fail(ErrorCode::usage, std::string(name_of(command)) + " needs " + std::string(name));
}

Result<std::optional<LineRange>> range_of(const Arguments& arguments) {
  if (!arguments.has("view_range")) return std::optional<LineRange>();
  const std::vector<std::int64_t> range = arguments.integers("view_range");
  if (range.empty()) return std::optional<LineRange>();  // null
  const bool to_the_end = range.size() == 2 && range[1] == -1;
  if (range.size() != 2 || range[0] < 1 || (!to_the_end && range[1] < range[0]))
    return fail(ErrorCode::usage,
                "view_range must be [first, last] from line 1, or [first, -1] for the rest");
  LineRange lines{static_cast<std::size_t>(range[0]), std::nullopt};
  if (!to_the_end) lines.last = static_cast<std::size_t>(range[1]);
  return std::optional(lines);
}

// All of a call but the place that its path means.
Result<EditRequest> read_request(const Arguments& arguments) {
  EditRequest request;
  request.command = TRY(command_of(arguments.text("command").value_or("")));
  request.asked = arguments.text("path").value_or("");
  switch (request.command) {
    case EditCommand::view:
      request.range = TRY(range_of(arguments));
      break;
    case EditCommand::create:
      request.file_text = TRY(text_for(arguments, request.command, "file_text"));
      break;
    case EditCommand::str_replace:
      request.old_text = TRY(text_for(arguments, request.command, "old_str"));
      request.new_text = arguments.text("new_str").value_or("");  // absent: removes old_str
      break;
    case EditCommand::insert: {
      request.new_text = TRY(text_for(arguments, request.command, "new_str"));
      const auto line = arguments.integer("insert_line");
      if (!line) return fail(ErrorCode::usage, "insert needs insert_line (0 is the top)");
      request.insert_line = *line;
      break;
    }
    case EditCommand::undo_edit:
      break;
  }
  return request;
}

// A link that is bent between the decision and the run must not lead to a file that nobody decided
// about.
Result<> check_decided(const Intent* decided, const EditRequest& request) {
  if (decided == nullptr) return {};
  const policies::Request& asked = decided->requests.front();
  const auto* read = std::get_if<policies::request::ReadPath>(&asked);
  const std::string& meant =
      read != nullptr ? read->path : std::get<policies::request::WritePath>(asked).path;
  if (meant == request.place.path) return {};
  return fail(ErrorCode::in_use,
              to_printable(request.asked) + " leads elsewhere than a moment ago: try again");
}

ToolOutput output_of(const EditRequest& request, EditOutcome outcome) {
  ToolOutput output = ToolOutput::of(std::move(outcome.text));
  output.status = outcome.refused ? ToolStatus::failed : ToolStatus::ok;
  output.digest = std::move(outcome.digest);
  output.notes = std::move(outcome.notes);
  nlohmann::json data = {{"command", name_of(request.command)},
                         {"path", to_valid_utf8(request.place.shown)},
                         {"wrote", outcome.wrote}};
  if (outcome.first_line > 0) data["lines"] = {outcome.first_line, outcome.last_line};
  if (request.command == EditCommand::view) {
    data["total"] = outcome.lines;
    data["complete"] = outcome.complete;
  }
  output.data = data.dump();
  if (outcome.wrote) output.changed = {request.place.shown};
  return output;
}

}  // namespace

const ToolSpec& EditorTool::description() {
  static const ToolSpec spec = {
      "str_replace_editor",
      "View a file (with line numbers) or a folder; create a file; replace old_str, which must "
      "occur exactly once in the file, by new_str; insert new_str after insert_line; undo_edit "
      "takes the last edit of a file back.",
      R"({"type":"object","properties":{)"
      R"("command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},)"
      R"("path":{"type":"string","description":"absolute, or relative to the workspace"},)"
      R"("file_text":{"type":"string","description":"create: all of the file"},)"
      R"("old_str":{"type":"string","description":"str_replace: exact text, no line numbers"},)"
      R"("new_str":{"type":"string","description":"str_replace, insert: the new text"},)"
      R"("insert_line":{"type":"integer","description":"insert: after this line, 0 is the top"},)"
      R"("view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2,)"
      R"("description":"view: [first, last] line, -1 is the end"}},)"
      R"("required":["command","path"],"additionalProperties":false})"};
  return spec;
}

Result<Intent> EditorTool::intent(const Arguments& arguments) const {
  const EditRequest request = TRY(read_request(arguments));
  const ResolvedPath place = TRY(files_.resolve(request.asked));
  const bool reads = request.command == EditCommand::view;
  if (!reads && !place.in_workspace)
    return fail(ErrorCode::permission, place.shown + " can only be viewed");
  Intent intent{reads ? Effect::read : Effect::write, {}};
  if (reads) {
    intent.requests.emplace_back(policies::request::ReadPath{place.path});
  } else {
    intent.requests.emplace_back(policies::request::WritePath{place.path});
  }
  return intent;
}

std::vector<std::string> EditorTool::forms(const MayDo& may) const {
  const auto root = files_.resolve(".");
  if (!root) return {};
  std::vector<KnownFile> known;
  std::deque<std::string> texts;  // of which `known` has views
  for (const std::string& path : files_below(files_, *root, kFormFilesMax)) {
    if (!is_form_path(path)) continue;
    const auto place = files_.resolve(path);
    if (!place || !may(policies::request::ReadPath{place->path})) continue;
    KnownFile file{path, {}, false};
    if (memory_.seen(place->path) != nullptr && may(policies::request::WritePath{place->path})) {
      auto read = files_.read(*place, kFormFileBytesMax);
      if (read) file = {path, texts.emplace_back(std::move(read->bytes)), true};
    }
    known.push_back(std::move(file));
  }
  return edit_forms(known);
}

void EditorTool::remember(const std::string& path, EditOutcome& outcome) {
  if (outcome.undo)
    memory_.edited(path, outcome.before ? &*outcome.before : nullptr, *std::move(outcome.undo));
  if (outcome.removed || outcome.undone)
    memory_.undone(path, outcome.undone ? &*outcome.undone : nullptr);
  if (outcome.seen) memory_.saw(path, *std::move(outcome.seen));
}

asio::awaitable<Result<ToolOutput>> EditorTool::run(const Call& call) {
  CO_TRY(EditRequest request, read_request(call.arguments));
  CO_TRY(request.place, files_.resolve(request.asked));
  CO_TRY_VOID(check_decided(call.intent, request));
  if (const Seen* seen = memory_.seen(request.place.path)) request.seen = *seen;
  if (const UndoStep* step = memory_.last_edit(request.place.path)) request.last_edit = *step;
  auto working = offload(offload_, [this, &request] { return perform(files_, request); });
  auto outcome = co_await std::move(working);
  if (!outcome) co_return fail(std::move(outcome).error());
  // Nothing is awaited in between: what was written is remembered even when the call is cancelled.
  remember(request.place.path, *outcome);
  co_return output_of(request, *std::move(outcome));
}

}  // namespace fathom::tools
