#include "tools/edit/edit_command.hpp"

#include "runtime/base/text.hpp"
#include "tools/edit/diff.hpp"
#include "tools/edit/edit_match.hpp"
#include "tools/edit/folder_view.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::tools {
namespace {

using sandbox::FileType;

std::shared_ptr<const std::string> keep(std::string bytes) {
  return bytes.size() > kSeenFileBytesMax ? nullptr
                                          : std::make_shared<const std::string>(std::move(bytes));
}

std::string lines_named(std::size_t first, std::size_t last) {
  if (first == last) return "line " + std::to_string(first);
  return "lines " + std::to_string(first) + "-" + std::to_string(last);
}

void add_note(std::string& notes, const std::string& note) {
  if (!notes.empty()) notes += '\n';
  notes += note;
}

// ---- view -------------------------------------------------------------------------------------

void describe(EditOutcome& outcome, const FileView::Shown& shown, const EditRequest& request) {
  const bool to_the_end = shown.counted && shown.last == shown.lines;
  outcome.complete =
      to_the_end || (request.range && request.range->last && shown.last >= *request.range->last);
  if (shown.lines == 0) {
    outcome.digest = request.place.shown + " is empty";
  } else if (!to_the_end || shown.first > 1) {
    std::string note = lines_named(shown.first, shown.last) + " of " +
                       (shown.counted ? "" : "more than ") + std::to_string(shown.lines);
    if (!outcome.complete)
      note += "; view_range [" + std::to_string(shown.last + 1) + ", -1] goes on";
    add_note(outcome.notes, note);
  }
  if (to_the_end && shown.open_end) add_note(outcome.notes, "no line break at the end");
  if (shown.crlf) add_note(outcome.notes, "lines end in CRLF; send \\n, it is kept");
  if (shown.escaped > 0)
    add_note(outcome.notes, "\\xNN stands for a byte that is no text and stays as it is");
}

Result<EditOutcome> view(WorkspaceFiles& files, const EditRequest& request) {
  EditOutcome outcome;
  if (request.place.type == FileType::directory) {
    if (request.range) return fail(ErrorCode::usage, "it is a folder: view it without view_range");
    FolderView folder = TRY(view_folder(files, request.place));
    outcome.text = std::move(folder.text);
    outcome.lines = folder.entries;
    outcome.complete = !folder.cut;
    if (folder.entries == 0) outcome.digest = request.place.shown + " is empty";
    if (folder.cut)
      outcome.notes =
          "more than " + std::to_string(kFolderLinesMax) + " names: view a folder in it";
    return outcome;
  }
  FileView file_view(request.range.value_or(LineRange{}));
  std::string bytes;
  bool all = true;
  const auto piece = [&](std::string_view part) {
    if (bytes.size() + part.size() <= kSeenFileBytesMax) {
      bytes += part;
    } else {
      all = false;
    }
    return file_view.feed(part);
  };
  const FileIdentity identity = TRY(files.scan(request.place, piece));
  FileView::Shown shown = TRY(file_view.finish());
  all = all && bytes.size() == identity.bytes;
  outcome.seen = Seen{identity, all ? keep(std::move(bytes)) : nullptr};
  outcome.text = std::move(shown.text);
  outcome.first_line = shown.first;
  outcome.last_line = shown.last;
  outcome.lines = shown.lines;
  describe(outcome, shown, request);
  return outcome;
}

// ---- edits ------------------------------------------------------------------------------------

// What stands around the splice afterwards, with line numbers.
void show_snippet(EditOutcome& outcome, std::string_view before, const Splice& splice) {
  const std::string_view head = before.substr(0, splice.offset);
  const std::string_view tail = before.substr(splice.offset + splice.length);
  outcome.first_line = line_at(head, head.size());
  const auto feeds = static_cast<std::size_t>(std::ranges::count(splice.text, '\n'));
  const bool ends_line = splice.text.ends_with('\n') && feeds > 0;
  outcome.last_line = outcome.first_line + feeds - (ends_line ? 1 : 0);
  std::size_t begin = head.size();
  std::size_t first = outcome.first_line;
  for (std::size_t i = 0; i <= kSnippetContextLines && begin > 0; ++i) {
    if (i > 0) --first;
    const std::size_t feed = head.substr(0, begin - (i > 0 ? 1 : 0)).rfind('\n');
    begin = feed == std::string_view::npos ? 0 : feed + 1;
    if (first == 1) break;
  }
  std::size_t end = line_end(tail, 0);
  for (std::size_t i = 0; i < kSnippetContextLines && end < tail.size(); ++i)
    end = line_end(tail, end);
  std::string window(head.substr(begin));
  window.append(splice.text).append(tail.substr(0, end));
  std::string_view rest = window;
  if (first == 1) rest.remove_prefix(mark_bytes(rest));
  LineNumbering numbering(first, kSnippetBytesMax);
  while (!rest.empty() && numbering.next_line() < first + kSnippetLinesMax) {
    const std::size_t line = line_end(rest, 0);
    if (!numbering.add(rest.substr(0, line))) break;
    rest.remove_prefix(line);
  }
  outcome.text = numbering.take();
  if (!rest.empty()) outcome.text += "… " + std::to_string(count_lines(rest)) + " more lines\n";
}

Result<Written> write_spliced(WorkspaceFiles& files, const ResolvedPath& place,
                              const FileBytes& file, const Splice& splice) {
  const std::string_view bytes = file.bytes;
  const std::array<std::string_view, 3> pieces = {bytes.substr(0, splice.offset), splice.text,
                                                  bytes.substr(splice.offset + splice.length)};
  return files.write(place, pieces, file.identity);
}

// What the session knows of the file is not what is there: says what changed, instead of an edit
// that rests on it.
std::optional<EditOutcome> changed_since_seen(const EditRequest& request, const FileBytes& file) {
  if (!request.seen || request.seen->is_restored) return std::nullopt;
  if (request.seen->identity == file.identity) return std::nullopt;
  if (request.seen->bytes && *request.seen->bytes == file.bytes) return std::nullopt;
  EditOutcome outcome;
  outcome.refused = true;
  outcome.digest = request.place.shown + " was changed since you saw it, nothing was written";
  if (request.seen->bytes && file.bytes.size() <= kSeenFileBytesMax) {
    outcome.text = line_diff(*request.seen->bytes, file.bytes);
    outcome.notes = "look at this change and send the edit again if it still fits";
    outcome.seen = Seen{file.identity, keep(file.bytes)};
  } else {
    outcome.notes = "view it again first";
  }
  return outcome;
}

Result<EditOutcome> change(WorkspaceFiles& files, const EditRequest& request, const FileBytes& file,
                           const Splice& splice) {
  const Written written = TRY(write_spliced(files, request.place, file, splice));
  EditOutcome outcome;
  outcome.wrote = true;
  outcome.before = file.identity;
  outcome.undo =
      UndoStep{written.identity,
               {splice.offset, splice.text.size(), file.bytes.substr(splice.offset, splice.length)},
               false};
  show_snippet(outcome, file.bytes, splice);
  const std::size_t size = file.bytes.size() - splice.length + splice.text.size();
  outcome.seen = Seen{written.identity,
                      size > kSeenFileBytesMax ? nullptr : keep(spliced(file.bytes, splice))};
  if (written.left_other_names)
    outcome.notes = "the file had other names (hard links), which keep the old text";
  if (outcome.undo->inverse.text.size() > kUndoBytesMax)
    add_note(outcome.notes, "too much was replaced to take this edit back");
  return outcome;
}

Result<FileBytes> read_existing(WorkspaceFiles& files, const EditRequest& request) {
  if (!request.place.exists)
    return fail(ErrorCode::not_found, "there is no such file: create makes one");
  return files.read(request.place, kEditedFileBytesMax);
}

Result<EditOutcome> splice_file(WorkspaceFiles& files, const EditRequest& request) {
  const FileBytes file = TRY(read_existing(files, request));
  if (auto refused = changed_since_seen(request, file)) return *std::move(refused);
  const bool replaces = request.command == EditCommand::str_replace;
  const Splice splice =
      TRY(replaces ? plan_replace(file.bytes, request.old_text, request.new_text)
                   : plan_insert(file.bytes, request.insert_line, request.new_text));
  EditOutcome outcome = TRY(change(files, request, file, splice));
  outcome.digest =
      request.place.shown + ": " +
      (splice.text.empty() ? "removed at line " + std::to_string(outcome.first_line)
                           : "edited " + lines_named(outcome.first_line, outcome.last_line));
  return outcome;
}

Result<EditOutcome> create(WorkspaceFiles& files, const EditRequest& request) {
  EditOutcome outcome;
  if (request.place.exists) {
    if (!request.seen)
      return fail(ErrorCode::usage,
                  "it exists: use str_replace or insert, or view it first to replace all of it");
    const FileBytes file = TRY(read_existing(files, request));
    if (auto refused = changed_since_seen(request, file)) return *std::move(refused);
    if (file.bytes == request.file_text)
      return fail(ErrorCode::usage, "it holds exactly this text: nothing would change");
    outcome = TRY(change(files, request, file, {0, file.bytes.size(), request.file_text}));
    outcome.digest = request.place.shown + ": replaced all";
  } else {
    const std::array<std::string_view, 1> pieces = {request.file_text};
    const Written written = TRY(files.write(request.place, pieces, std::nullopt));
    outcome.wrote = true;
    outcome.undo = UndoStep{written.identity, {0, request.file_text.size(), ""}, true};
    outcome.seen = Seen{written.identity, keep(request.file_text)};
    outcome.digest = request.place.shown + ": created";
  }
  // The model has just sent the text: no need to read it again.
  outcome.text.clear();
  outcome.first_line = request.file_text.empty() ? 0 : 1;
  outcome.last_line = count_lines(request.file_text);
  outcome.digest +=
      ", " + std::to_string(outcome.last_line) + (outcome.last_line == 1 ? " line" : " lines");
  return outcome;
}

Result<EditOutcome> undo(WorkspaceFiles& files, const EditRequest& request) {
  if (!request.last_edit) return fail(ErrorCode::not_found, "no edit of this session to take back");
  const UndoStep& step = *request.last_edit;
  const FileBytes file = TRY(read_existing(files, request));
  if (file.identity != step.after)
    return fail(ErrorCode::in_use,
                "it was changed since its last edit, which can no longer be taken back: view it");
  EditOutcome outcome;
  if (step.was_new) {
    if (auto removed = files.remove(request.place, step.after); !removed)
      return fail(std::move(removed).error());
    outcome.wrote = true;
    outcome.removed = true;
    outcome.digest = request.place.shown + ": removed, as before it was created";
    return outcome;
  }
  outcome = TRY(change(files, request, file, step.inverse));
  outcome.undone = outcome.undo->after;
  outcome.undo.reset();
  outcome.digest = request.place.shown + ": took back the last edit, " +
                   lines_named(outcome.first_line, outcome.last_line);
  return outcome;
}

Result<EditOutcome> dispatch(WorkspaceFiles& files, const EditRequest& request) {
  switch (request.command) {
    case EditCommand::view:
      if (!request.place.exists)
        return fail(ErrorCode::not_found, "there is no such file or folder");
      return view(files, request);
    case EditCommand::create:
      return create(files, request);
    case EditCommand::undo_edit:
      return undo(files, request);
    case EditCommand::str_replace:
    case EditCommand::insert:
      break;
  }
  return splice_file(files, request);
}

}  // namespace

Result<EditOutcome> perform(WorkspaceFiles& files, const EditRequest& request) {
  auto outcome = dispatch(files, request);
  if (!outcome) return fail(context(request.place.shown, std::move(outcome).error()));
  return outcome;
}

}  // namespace fathom::tools
