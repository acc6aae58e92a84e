#include "tools/git/snapshot_diff.hpp"

#include "tools/git/absence.hpp"
#include "tools/git/handles.hpp"

#include <git2.h>

#include <algorithm>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::uint32_t kContextLines = 3;
constexpr std::size_t kIdDigits = 10;  // of a content, in a patch

// Folders are nothing here.
std::optional<Node> file_at(const TreeState& state, std::string_view path) {
  const auto found = state.find(path);
  if (found == state.end() || found->second.kind == NodeKind::folder) return std::nullopt;
  return found->second;
}

FileChange change_of(const std::optional<Node>& before, const std::optional<Node>& after) {
  if (!before) return FileChange::added;
  if (!after) return FileChange::deleted;
  if (before->kind != after->kind) return FileChange::retyped;
  return before->id == after->id ? FileChange::permissions : FileChange::modified;
}

std::string mode_of(const Node& node) {
  if (node.kind == NodeKind::link) return "120000";
  return (node.permissions & 0100U) != 0 ? "100755" : "100644";
}

std::string short_id(const std::optional<Node>& node) {
  return node ? to_hex(node->id).substr(0, kIdDigits) : std::string(kIdDigits, '0');
}

// As git does: names of plain ASCII stay, others stand in quotes with octal escapes.
std::string quoted(const std::string& name) {
  const auto is_plain = [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; };
  if (std::ranges::all_of(name, is_plain)) return name;
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kLetters = "abfnrtv\\\"";
  std::string text = "\"";
  for (const char c : name) {
    const std::size_t letter = kMeanings.find(c);
    if (letter != std::string_view::npos) {
      text += {'\\', kLetters[letter]};
    } else if (is_plain(c)) {
      text += c;
    } else {
      const unsigned byte = static_cast<unsigned char>(c);
      for (const unsigned shift : {6U, 3U, 0U}) {
        if (shift == 6U) text += '\\';
        text += static_cast<char>('0' + ((byte >> shift) & 7U));
      }
    }
  }
  return text + '"';
}

// Behind a name with a space a tab says where it ends.
std::string name_line(std::string_view sign, const std::optional<Node>& node, std::string name) {
  if (!node) name = "/dev/null";
  const bool has_space = name.find(' ') != std::string::npos && !name.starts_with('"');
  return std::string(sign) + name + (has_space ? "\t\n" : "\n");
}

int take_line(const git_diff_delta*, const git_diff_hunk*, const git_diff_line* line,
              void* payload) {
  // The lines before the hunks are written by header_of(): libgit2 knows no modes of buffers.
  if (line->origin == GIT_DIFF_LINE_FILE_HDR || line->origin == GIT_DIFF_LINE_BINARY) return 0;
  auto& text = *static_cast<std::string*>(payload);
  if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
      line->origin == GIT_DIFF_LINE_DELETION)
    text += line->origin;
  text.append(line->content, line->content_len);
  return 0;
}

struct Hunks {
  std::string text;
  std::size_t added = 0;
  std::size_t removed = 0;
  Told told = Told::lines;
};

Result<Hunks> hunks_of(const std::string& before, const std::string& after) {
  git_diff_options options{};
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_INDENT_HEURISTIC;
  options.context_lines = kContextLines;
  Handle<git_patch> patch;
  int code = git_patch_from_buffers(out(patch), before.data(), before.size(), nullptr, after.data(),
                                    after.size(), nullptr, &options);
  if (code != 0) return fail(git_error("diff", code));
  Hunks hunks;
  if ((git_patch_get_delta(patch.get())->flags & GIT_DIFF_FLAG_BINARY) != 0) {
    hunks.told = Told::binary;
    return hunks;
  }
  code = git_patch_line_stats(nullptr, &hunks.added, &hunks.removed, patch.get());
  if (code == 0) code = git_patch_print(patch.get(), take_line, &hunks.text);
  if (code != 0) return fail(git_error("diff", code));
  return hunks;
}

std::string header_of(const ChangedFile& file, const Hunks& hunks) {
  const std::string old_name = quoted("a/" + file.path);
  const std::string new_name = quoted("b/" + file.path);
  std::string text = "diff --git " + old_name + " " + new_name + "\n";
  const bool same_mode = file.before && file.after && mode_of(*file.before) == mode_of(*file.after);
  if (!file.before) text += "new file mode " + mode_of(*file.after) + "\n";
  if (!file.after) text += "deleted file mode " + mode_of(*file.before) + "\n";
  if (file.before && file.after && !same_mode)
    text += "old mode " + mode_of(*file.before) + "\nnew mode " + mode_of(*file.after) + "\n";
  const bool same_content = file.before && file.after && file.before->id == file.after->id;
  if (same_content) return same_mode ? "" : text;
  text += "index " + short_id(file.before) + ".." + short_id(file.after) +
          (same_mode ? " " + mode_of(*file.after) : "") + "\n";
  const std::string old_shown = file.before ? old_name : "/dev/null";
  const std::string new_shown = file.after ? new_name : "/dev/null";
  switch (file.told) {
    case Told::lines:
      if (hunks.text.empty()) return text;
      return text + name_line("--- ", file.before, old_name) +
             name_line("+++ ", file.after, new_name);
    case Told::binary:
      return text + "Binary files " + old_shown + " and " + new_shown + " differ\n";
    case Told::too_large:
      return text + "Files " + old_shown + " and " + new_shown + " differ: too large to show\n";
    case Told::lost:
      break;
  }
  return text + "Files " + old_shown + " and " + new_shown + " differ: the store lost one\n";
}

class Differ {
 public:
  Differ(const DiffSide& from, const DiffSide& to, const ObjectStore& store,
         const DiffBounds& bounds)
      : from_(from),
        to_(to),
        store_(store),
        bounds_(bounds),
        absence_before_(from.record, from.state, store),
        absence_after_(to.record, to.state, store) {}

  Result<SnapshotDiff> run() {
    std::set<std::string_view> paths;
    for (const DiffSide* side : {&from_, &to_})
      for (const auto& [path, node] : side->state) paths.insert(path);
    for (const std::string_view path : paths) {
      const auto before = file_at(from_.state, path);
      const auto after = file_at(to_.state, path);
      if (before == after) continue;
      const bool is_sure =
          (before || from_.state.contains(path) || absence_before_.was_absent(path)) &&
          (after || to_.state.contains(path) || absence_after_.was_absent(path));
      if ((is_sure ? diff_.files.size() : diff_.unsure.size()) >= bounds_.files_max) {
        ++diff_.more_files;
      } else if (!is_sure) {
        diff_.unsure.emplace_back(path);
      } else {
        TRY(add({std::string(path), change_of(before, after), Told::lines, before, after}));
      }
    }
    end_patch();
    return std::move(diff_);
  }

 private:
  Result<> add(ChangedFile file) {
    std::string text;
    if (file.change == FileChange::retyped) {
      // Git has no other words for it either: the one goes, the other comes.
      ChangedFile gone{file.path, FileChange::deleted, Told::lines, file.before, std::nullopt};
      ChangedFile come{file.path, FileChange::added, Told::lines, std::nullopt, file.after};
      text = TRY(text_of(gone)) + TRY(text_of(come));
      file.told = std::max(gone.told, come.told);
      file.removed = gone.removed;
      file.added = come.added;
    } else {
      text = TRY(text_of(file));
    }
    diff_.added += file.added;
    diff_.removed += file.removed;
    diff_.files.push_back(std::move(file));
    append(text);
    return {};
  }

  Result<std::string> text_of(ChangedFile& file) {
    Hunks hunks;
    if (file.change != FileChange::permissions) {
      const auto before = read(file.before, file.told);
      const auto after = read(file.after, file.told);
      if (before && after) {
        hunks = TRY(hunks_of(*before, *after));
        file.told = hunks.told;
        file.added = hunks.added;
        file.removed = hunks.removed;
      }
    }
    const std::string header = header_of(file, hunks);
    return header + hunks.text;
  }

  std::optional<std::string> read(const std::optional<Node>& node, Told& told) {
    if (!node) return "";
    const std::size_t room = std::min(bounds_.file_bytes_max, bounds_.read_bytes_max - read_);
    auto bytes = store_.read(node->id, ObjectStore::Kind::content, room);
    if (!bytes) {
      const bool is_large = bytes.error().code == ErrorCode::too_large;
      told = std::max(told, is_large ? Told::too_large : Told::lost);
      return std::nullopt;
    }
    read_ += bytes->size();
    return *std::move(bytes);
  }

  // Whole lines while there is room, then only their number.
  void append(std::string_view text) {
    bool misses_some = false;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
      text.remove_prefix(line.size());
      diff_.is_cut = diff_.is_cut || diff_.patch.size() + line.size() > bounds_.patch_bytes_max;
      if (!diff_.is_cut) {
        diff_.patch += line;
        continue;
      }
      ++more_lines_;
      misses_some = true;
    }
    cut_files_ += misses_some ? 1 : 0;
  }

  void end_patch() {
    if (!diff_.is_cut) return;
    const auto counted = [](std::size_t count, std::string_view noun) {
      return std::to_string(count).append(noun).append(count == 1 ? "" : "s");
    };
    diff_.patch += "[cut here: " + counted(more_lines_, " more line") + ", of " +
                   counted(cut_files_, " file") + "]\n";
  }

  const DiffSide& from_;
  const DiffSide& to_;
  const ObjectStore& store_;
  const DiffBounds& bounds_;
  Absence absence_before_;
  Absence absence_after_;
  SnapshotDiff diff_;
  std::size_t read_ = 0;
  std::size_t more_lines_ = 0;
  std::size_t cut_files_ = 0;
};

}  // namespace

std::string_view name_of(FileChange change) {
  switch (change) {
    case FileChange::added:
      return "added";
    case FileChange::modified:
      return "modified";
    case FileChange::deleted:
      return "deleted";
    case FileChange::permissions:
      return "permissions";
    case FileChange::retyped:
      return "retyped";
  }
  return "modified";
}

Result<SnapshotDiff> diff_states(const DiffSide& from, const DiffSide& to, const ObjectStore& store,
                                 const DiffBounds& bounds) {
  return Differ(from, to, store, bounds).run();
}

}  // namespace fathom::tools
