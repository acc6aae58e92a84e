// diff, log and show.
#include "runtime/base/text.hpp"
#include "tools/git/git_commands.hpp"
#include "tools/git/git_lists.hpp"

#include <git2.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>

namespace fathom::tools {
namespace {

using Json = nlohmann::json;

Result<Handle<git_tree>> tree_of(const git_commit* commit) {
  Handle<git_tree> tree;
  if (const int code = git_commit_tree(out(tree), commit); code != 0)
    return fail(git_error("git", code));
  return tree;
}

struct DiffText {
  std::string text;
  Json files = Json::array();
  std::size_t added = 0;
  std::size_t removed = 0;
  bool cut = false;
};

int print_line(const git_diff_delta*, const git_diff_hunk*, const git_diff_line* line,
               void* payload) {
  auto& diff = *static_cast<DiffText*>(payload);
  if (diff.text.size() + line->content_len > kDiffBytesMax) {
    diff.cut = true;
    return 0;
  }
  const bool has_sign = line->origin == GIT_DIFF_LINE_CONTEXT ||
                        line->origin == GIT_DIFF_LINE_ADDITION ||
                        line->origin == GIT_DIFF_LINE_DELETION;
  if (has_sign) diff.text += line->origin;
  diff.text.append(line->content, line->content_len);
  return 0;
}

std::string_view change_name(git_delta_t status) {
  switch (status) {
    case GIT_DELTA_ADDED:
      return "added";
    case GIT_DELTA_DELETED:
      return "deleted";
    case GIT_DELTA_RENAMED:
      return "renamed";
    case GIT_DELTA_TYPECHANGE:
      return "type changed";
    case GIT_DELTA_CONFLICTED:
      return "conflicted";
    default:
      return "modified";
  }
}

Result<DiffText> print_diff(git_diff* diff) {
  git_diff_find_options find{};
  git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
  find.flags = GIT_DIFF_FIND_RENAMES;
  if (const int code = git_diff_find_similar(diff, &find); code != 0)
    return fail(git_error("git diff", code));
  DiffText text;
  const std::size_t count = git_diff_num_deltas(diff);
  for (std::size_t i = 0; i < count; ++i) {
    Handle<git_patch> patch;
    if (const int code = git_patch_from_diff(out(patch), diff, i); code != 0)
      return fail(git_error("git diff", code));
    const git_diff_delta* delta = git_diff_get_delta(diff, i);
    std::size_t added = 0;
    std::size_t removed = 0;
    if (patch) {
      git_patch_line_stats(nullptr, &added, &removed, patch.get());
      if (const int code = git_patch_print(patch.get(), print_line, &text); code != 0)
        return fail(git_error("git diff", code));
    }
    text.added += added;
    text.removed += removed;
    if (text.files.size() == kStatusPathsMax) continue;
    text.files.push_back({{"path", to_printable(delta->new_file.path)},
                          {"change", change_name(delta->status)},
                          {"added", added},
                          {"removed", removed},
                          {"binary", (delta->flags & GIT_DIFF_FLAG_BINARY) != 0}});
  }
  if (text.cut) text.text += "\n[the rest is cut: give paths]\n";
  return text;
}

// Files of the work tree are read as they are: nothing in a submodule is.
git_diff_options options_for(const PathList& paths) {
  git_diff_options options{};
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH;
  options.pathspec = paths.strings();
  return options;
}

Result<Handle<git_diff>> diff_of(const Repository& repository, const GitRequest& request) {
  const PathList paths(request.paths);
  git_diff_options options = options_for(paths);
  Handle<git_diff> diff;
  git_repository* repo = repository.get();
  const std::size_t dots = request.rev.find("..");
  int code = 0;
  if (dots != std::string::npos) {
    const std::string to = request.rev.substr(dots + 2);
    if (to.starts_with('.'))
      return fail(ErrorCode::usage, "git diff: 'A...B' is not taken, give 'A..B'");
    const auto old_commit = TRY(commit_at(repository, request.rev.substr(0, dots)));
    const auto new_commit = TRY(commit_at(repository, to));
    const auto old_tree = TRY(tree_of(old_commit.get()));
    const auto new_tree = TRY(tree_of(new_commit.get()));
    code = git_diff_tree_to_tree(out(diff), repo, old_tree.get(), new_tree.get(), &options);
  } else if (request.staged || !request.rev.empty()) {
    Handle<git_tree> tree;
    const Head head = TRY(head_of(repository));
    if (!request.rev.empty() || !head.commit.empty()) {
      const auto commit = TRY(commit_at(repository, request.rev));
      tree = TRY(tree_of(commit.get()));
    }
    if (request.staged) {
      code = git_diff_tree_to_index(out(diff), repo, tree.get(), nullptr, &options);
    } else {
      options.flags |= GIT_DIFF_IGNORE_SUBMODULES;
      code = git_diff_tree_to_workdir_with_index(out(diff), repo, tree.get(), &options);
    }
  } else {
    options.flags |= GIT_DIFF_IGNORE_SUBMODULES;
    code = git_diff_index_to_workdir(out(diff), repo, nullptr, &options);
  }
  if (code != 0) return fail(git_error("git diff", code));
  return diff;
}

std::string day_of(std::int64_t seconds, int offset_minutes) {
  const std::time_t local = seconds + std::int64_t{offset_minutes} * 60;
  std::tm parts{};
  if (::gmtime_r(&local, &parts) == nullptr) return "?";
  std::array<char, 32> text;
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts);
  return {text.data(), size};
}

Json commit_json(git_commit* commit) {
  const git_signature* author = git_commit_author(commit);
  const char* summary = git_commit_summary(commit);
  Json parents = Json::array();
  for (unsigned i = 0; i < git_commit_parentcount(commit); ++i)
    parents.push_back(hex_of(*git_commit_parent_id(commit, i)));
  return {{"commit", hex_of(*git_commit_id(commit))},
          {"author", to_printable(author->name)},
          {"email", to_printable(author->email)},
          {"time", author->when.time},
          {"subject", to_printable(summary != nullptr ? summary : "")},
          {"parents", std::move(parents)}};
}

// Against the first parent; a first commit against nothing.
Result<Handle<git_diff>> diff_to_parent(const Repository& repository, const git_commit* commit,
                                        unsigned parent, const PathList& paths) {
  git_diff_options options = options_for(paths);
  const Handle<git_tree> tree = TRY(tree_of(commit));
  Handle<git_tree> before;
  if (parent < git_commit_parentcount(commit)) {
    Handle<git_commit> parent_commit;
    if (const int code = git_commit_parent(out(parent_commit), commit, parent); code != 0)
      return fail(git_error("git", code));
    before = TRY(tree_of(parent_commit.get()));
  }
  Handle<git_diff> diff;
  const int code =
      git_diff_tree_to_tree(out(diff), repository.get(), before.get(), tree.get(), &options);
  if (code != 0) return fail(git_error("git", code));
  return diff;
}

// Whether a commit did something to the paths: it differs there from each of its parents.
Result<bool> touches(const Repository& repository, const git_commit* commit,
                     const std::vector<std::string>& paths) {
  if (paths.empty()) return true;
  const PathList list(paths);
  const unsigned parents = std::max(1U, git_commit_parentcount(commit));
  for (unsigned i = 0; i < parents; ++i) {
    const Handle<git_diff> diff = TRY(diff_to_parent(repository, commit, i, list));
    if (git_diff_num_deltas(diff.get()) == 0) return false;
  }
  return true;
}

Result<ToolOutput> show_commit(const Repository& repository, git_commit* commit,
                               const GitRequest& request) {
  const PathList paths(request.paths);
  const Handle<git_diff> diff = TRY(diff_to_parent(repository, commit, 0, paths));
  DiffText text = TRY(print_diff(diff.get()));
  const git_signature* author = git_commit_author(commit);
  std::string head = "commit " + hex_of(*git_commit_id(commit)) +
                     "\nAuthor: " + to_printable(author->name) + " <" +
                     to_printable(author->email) +
                     ">\nDate:   " + day_of(author->when.time, author->when.offset) + "\n\n";
  std::string_view message = git_commit_message(commit);
  while (message.ends_with('\n')) message.remove_suffix(1);
  for (; !message.empty();) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    head += "    " + std::string(message.substr(0, end)) + "\n";
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  ToolOutput output = ToolOutput::of(head + "\n" + text.text);
  Json json = commit_json(commit);
  json["message"] = to_valid_utf8(git_commit_message(commit));
  json["files"] = std::move(text.files);
  output.data = json.dump();
  return output;
}

Result<ToolOutput> show_tree(const git_tree* tree) {
  std::string text;
  Json names = Json::array();
  for (std::size_t i = 0; i < git_tree_entrycount(tree) && i < kStatusPathsMax; ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
    const bool is_folder = git_tree_entry_type(entry) == GIT_OBJECT_TREE;
    names.push_back(to_printable(git_tree_entry_name(entry)) + (is_folder ? "/" : ""));
    text += names.back().get<std::string>() + "\n";
  }
  ToolOutput output = ToolOutput::of(std::move(text));
  output.data = Json{{"type", "tree"}, {"names", std::move(names)}}.dump();
  return output;
}

Result<ToolOutput> show_blob(const git_blob* blob) {
  const auto size = static_cast<std::size_t>(git_blob_rawsize(blob));
  const bool binary = git_blob_is_binary(blob) != 0;
  ToolOutput output =
      binary ? ToolOutput::of("binary, " + format_bytes(size) + "\n")
             : ToolOutput::of(std::string(static_cast<const char*>(git_blob_rawcontent(blob)),
                                          std::min(size, kDiffBytesMax)));
  if (!binary && size > kDiffBytesMax) output.notes = "only the first 4 MiB are shown";
  output.data = Json{{"type", "blob"}, {"bytes", size}, {"binary", binary}}.dump();
  return output;
}

}  // namespace

Result<Handle<git_commit>> commit_at(const Repository& repository, const std::string& rev) {
  const std::string name = rev.empty() ? "HEAD" : rev;
  Handle<git_object> object;
  int code = git_revparse_single(out(object), repository.get(), name.c_str());
  if (code == GIT_ENOTFOUND)
    return fail(ErrorCode::not_found, "git: no revision '" + to_printable(name) + "'" +
                                          (rev.empty() ? ": nothing was committed yet" : ""));
  if (code != 0) return fail(git_error("git: '" + to_printable(name) + "'", code));
  Handle<git_object> peeled;
  code = git_object_peel(out(peeled), object.get(), GIT_OBJECT_COMMIT);
  if (code != 0) return fail(ErrorCode::usage, "git: '" + to_printable(name) + "' is no commit");
  return Handle<git_commit>(reinterpret_cast<git_commit*>(peeled.release()));
}

Result<ToolOutput> show_diff(const Repository& repository, const GitRequest& request) {
  const Handle<git_diff> diff = TRY(diff_of(repository, request));
  DiffText text = TRY(print_diff(diff.get()));
  ToolOutput output = ToolOutput::of(std::move(text.text));
  output.digest = std::to_string(text.files.size()) + " files changed, +" +
                  std::to_string(text.added) + " -" + std::to_string(text.removed);
  output.data = Json{
      {"files", std::move(text.files)},
      {"added", text.added},
      {"removed", text.removed},
      {"cut",
       text.cut}}.dump();
  return output;
}

Result<ToolOutput> show_log(const Repository& repository, const GitRequest& request) {
  Handle<git_revwalk> walk;
  if (const int code = git_revwalk_new(out(walk), repository.get()); code != 0)
    return fail(git_error("git log", code));
  git_revwalk_sorting(walk.get(), GIT_SORT_TIME);
  const std::size_t dots = request.rev.find("..");
  const auto end = TRY(commit_at(
      repository, dots == std::string::npos ? request.rev : request.rev.substr(dots + 2)));
  int code = git_revwalk_push(walk.get(), git_commit_id(end.get()));
  if (code == 0 && dots != std::string::npos) {
    const auto begin = TRY(commit_at(repository, request.rev.substr(0, dots)));
    code = git_revwalk_hide(walk.get(), git_commit_id(begin.get()));
  }
  if (code != 0) return fail(git_error("git log", code));
  std::string text;
  Json commits = Json::array();
  git_oid id;
  bool cut = false;
  for (std::size_t walked = 0; git_revwalk_next(&id, walk.get()) == 0; ++walked) {
    cut = commits.size() == request.max || walked == kLogWalkedMax;
    if (cut) break;
    Handle<git_commit> commit;
    code = git_commit_lookup(out(commit), repository.get(), &id);
    if (code != 0) return fail(git_error("git log", code));
    const bool wanted = TRY(touches(repository, commit.get(), request.paths));
    if (!wanted) continue;
    Json json = commit_json(commit.get());
    const git_signature* author = git_commit_author(commit.get());
    text += short_id(hex_of(id)) + " " + day_of(author->when.time, author->when.offset) + " " +
            json["author"].get<std::string>() + ": " + json["subject"].get<std::string>() + "\n";
    commits.push_back(std::move(json));
  }
  ToolOutput output = ToolOutput::of(std::move(text));
  if (cut) output.notes = "there are more: raise 'max' or give paths";
  output.data = Json{{"commits", std::move(commits)}, {"cut", cut}}.dump();
  return output;
}

Result<ToolOutput> show_revision(const Repository& repository, const GitRequest& request) {
  const std::string rev = request.rev.empty() ? "HEAD" : request.rev;
  Handle<git_object> object;
  const int code = git_revparse_single(out(object), repository.get(), rev.c_str());
  if (code == GIT_ENOTFOUND)
    return fail(ErrorCode::not_found,
                "git show: no '" + to_printable(rev) + "' (REV, or REV:PATH for a file as it was)");
  if (code != 0) return fail(git_error("git show: '" + to_printable(rev) + "'", code));
  switch (git_object_type(object.get())) {
    case GIT_OBJECT_BLOB:
      return show_blob(reinterpret_cast<const git_blob*>(object.get()));
    case GIT_OBJECT_TREE:
      return show_tree(reinterpret_cast<const git_tree*>(object.get()));
    default:
      break;
  }
  const auto commit = TRY(commit_at(repository, rev));
  return show_commit(repository, commit.get(), request);
}

}  // namespace fathom::tools
