// apply and restore: what writes files of the work tree, through descriptors and not by libgit2.
#include "runtime/base/text.hpp"
#include "sandbox/directory.hpp"
#include "tools/git/beneath.hpp"
#include "tools/git/git_commands.hpp"
#include "tools/git/git_lists.hpp"
#include "tools/git/patch_text.hpp"

#include <git2.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace fathom::tools {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kPatchedBytesMax = 256UL << 20;  // of all files of one patch

struct FileState {
  std::string bytes;
  std::uint32_t permissions = 0644;
  friend bool operator==(const FileState&, const FileState&) = default;
};

// nullopt when nothing is there; anything but a regular file is refused.
Result<std::optional<FileState>> read_state(int root, const std::string& path) {
  std::optional<FileState> nothing;
  const auto place = sandbox::open_place(root, path);
  if (!place && place.error().code == ErrorCode::not_found) return nothing;
  if (!place) return fail(context(to_printable(path), place.error()));
  const auto stamp = sandbox::stamp_of(place->folder.get(), place->name);
  if (!stamp && stamp.error().code == ErrorCode::not_found) return nothing;
  if (!stamp) return fail(context(to_printable(path), stamp.error()));
  auto bytes = sandbox::read_regular(place->folder.get(), place->name, kGitFileBytesMax);
  if (!bytes) return fail(context(to_printable(path), std::move(bytes).error()));
  return std::optional<FileState>(FileState{*std::move(bytes), stamp->mode & 0777U});
}

struct Edit {
  std::optional<FileState> before;
  std::optional<FileState> after;
};
using Edits = std::map<std::string, Edit>;

// The patch in memory, whole: nothing is written while a hunk may still be refused.
class Application {
 public:
  explicit Application(const Repository& repository) : repository_(repository) {}

  Result<> add(const FilePatch& patch) {
    if (patch.old_path.empty()) return make(patch);
    Edit* source = TRY(edit_of(patch.old_path));
    if (!source->after) {
      reject(patch.line, patch.old_path, "there is no such file");
      return {};
    }
    PatchedText patched = apply_hunks(source->after->bytes, patch.hunks);
    for (const Rejected& one : patched.rejected) reject(one.line, patch.old_path, one.reason);
    if (!patched.rejected.empty()) return {};
    FileState result{std::move(patched.text), patch.new_mode.value_or(source->after->permissions)};
    if (patch.new_path.empty()) {
      if (!result.bytes.empty() && !patch.hunks.empty())
        reject(patch.line, patch.old_path, "the file has more lines than the patch removes");
      source->after.reset();
      return {};
    }
    if (patch.new_path != patch.old_path) {
      Edit* target = TRY(edit_of(patch.new_path));
      if (target->after) {
        reject(patch.line, patch.new_path, "a file is there already");
        return {};
      }
      target->after = std::move(result);
      source->after.reset();
      return {};
    }
    source->after = std::move(result);
    return {};
  }

  Edits edits;
  std::string rejected;  ///< one line each
  Json rejected_json = Json::array();

 private:
  Result<> make(const FilePatch& patch) {
    Edit* target = TRY(edit_of(patch.new_path));
    if (target->after) {
      reject(patch.line, patch.new_path, "a file is there already");
      return {};
    }
    PatchedText patched = apply_hunks("", patch.hunks);
    for (const Rejected& one : patched.rejected) reject(one.line, patch.new_path, one.reason);
    target->after = FileState{std::move(patched.text), patch.new_mode.value_or(0644)};
    return {};
  }

  void reject(std::size_t line, const std::string& path, const std::string& reason) {
    rejected +=
        "patch line " + std::to_string(line) + ": " + to_printable(path) + ": " + reason + "\n";
    rejected_json.push_back({{"line", line}, {"path", to_printable(path)}, {"reason", reason}});
  }

  Result<Edit*> edit_of(const std::string& path) {
    const auto known = edits.find(path);
    if (known != edits.end()) return &known->second;
    Edit edit;
    edit.before = TRY(read_state(repository_.root.get(), path));
    if (edit.before) bytes_ += edit.before->bytes.size();
    if (bytes_ > kPatchedBytesMax)
      return fail(ErrorCode::too_large, "git apply: the files are larger than " +
                                            format_bytes(kPatchedBytesMax) + " together");
    edit.after = edit.before;
    return &edits.emplace(path, std::move(edit)).first->second;
  }

  const Repository& repository_;
  std::size_t bytes_ = 0;
};

Result<> put_state(int root, const std::string& path, const std::optional<FileState>& state) {
  if (!state) return remove_beneath(root, path);
  TRY(make_parents_beneath(root, path));
  return write_beneath(root, path, state->bytes, state->permissions);
}

// All or nothing: what was written is put back when a later file fails.
Result<> write_edits(int root, const Edits& edits) {
  for (auto at = edits.begin(); at != edits.end(); ++at) {
    if (at->second.before == at->second.after) continue;
    auto written = put_state(root, at->first, at->second.after);
    if (written) continue;
    while (at != edits.begin()) {
      --at;
      if (at->second.before == at->second.after) continue;
      if (!put_state(root, at->first, at->second.before))
        return fail(context("git apply: stopped half way", std::move(written).error()));
    }
    return fail(context("git apply: nothing was applied", std::move(written).error()));
  }
  return {};
}

// One path of the index or of a tree.
struct Source {
  std::uint32_t mode = 0;
  git_oid id{};
};

Result<Handle<git_index>> source_index(const Repository& repository, const GitRequest& request) {
  Handle<git_index> index;
  int code = 0;
  if (request.rev.empty() && !request.staged) {
    code = git_repository_index(out(index), repository.get());
    if (code == 0) code = git_index_read(index.get(), 0);
  } else {
    code = git_index_new(out(index));
    const Head head = TRY(head_of(repository));
    if (code == 0 && (!request.rev.empty() || !head.commit.empty())) {
      const Handle<git_commit> commit = TRY(commit_at(repository, request.rev));
      Handle<git_tree> tree;
      code = git_commit_tree(out(tree), commit.get());
      if (code == 0) code = git_index_read_tree(index.get(), tree.get());
    }
  }
  if (code != 0) return fail(git_error("git restore", code));
  return index;
}

std::map<std::string, Source> entries_among(git_index* index,
                                            const std::vector<std::string>& paths) {
  std::map<std::string, Source> found;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const git_index_entry* entry = git_index_get_byindex(index, i);
    if (git_index_entry_stage(entry) == 0 && is_among(paths, entry->path))
      found[entry->path] = {entry->mode, entry->id};
  }
  return found;
}

// libgit2 refuses names like ".git" when it reads an index or a tree. They are looked at again
// because all that follows joins them to a folder and trusts them.
Result<std::map<std::string, Source>> files_among(git_index* index,
                                                  const std::vector<std::string>& paths) {
  std::map<std::string, Source> files = entries_among(index, paths);
  std::erase_if(files, [](const auto& entry) {  // a submodule is its own repository
    return entry.second.mode == GIT_FILEMODE_COMMIT;
  });
  if (files.size() > kRestoredFilesMax)
    return fail(
        ErrorCode::too_large,
        "git restore: more than " + std::to_string(kRestoredFilesMax) + " files: name the files");
  for (const auto& [path, source] : files) {
    const auto plain = plain_path(path);
    if (!plain) return fail(context("git restore", plain.error()));
    if (*plain != path || path.empty())
      return fail(ErrorCode::bad_data,
                  "git restore: '" + to_printable(path) + "' is no plain path");
    if (source.mode != GIT_FILEMODE_BLOB && source.mode != GIT_FILEMODE_BLOB_EXECUTABLE &&
        source.mode != GIT_FILEMODE_LINK)
      return fail(ErrorCode::bad_data, "git restore: " + to_printable(path) + " has no known mode");
  }
  return files;
}

// The bytes as they belong in the work tree: line ends as the attributes say.
Result<std::string> worktree_bytes(const Repository& repository, const std::string& path,
                                   const Source& source) {
  Handle<git_blob> blob;
  int code = git_blob_lookup(out(blob), repository.get(), &source.id);
  if (code != 0) return fail(git_error("git restore: " + to_printable(path), code));
  if (static_cast<std::uint64_t>(git_blob_rawsize(blob.get())) > kGitFileBytesMax)
    return fail(ErrorCode::too_large, "git restore: " + to_printable(path) + " is too large");
  std::string raw(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                  static_cast<std::size_t>(git_blob_rawsize(blob.get())));
  if (source.mode == GIT_FILEMODE_LINK) return raw;
  const std::string driver = filter_driver(repository, path);
  if (!driver.empty())
    return fail(ErrorCode::unsupported, "git restore: " + to_printable(path) +
                                            " goes through the filter '" + to_printable(driver) +
                                            "', which is not run here: use git in bash");
  Handle<git_filter_list> filters;
  code = git_filter_list_load(out(filters), repository.get(), blob.get(), path.c_str(),
                              GIT_FILTER_TO_WORKTREE, GIT_FILTER_DEFAULT);
  if (code != 0) return fail(git_error("git restore: " + to_printable(path), code));
  if (!filters) return raw;
  git_buf filtered = GIT_BUF_INIT;
  code = git_filter_list_apply_to_blob(&filtered, filters.get(), blob.get());
  std::string bytes = code == 0 ? std::string(filtered.ptr, filtered.size) : std::string();
  git_buf_dispose(&filtered);
  if (code != 0) return fail(git_error("git restore: " + to_printable(path), code));
  return bytes;
}

bool is_as_wanted(int root, const std::string& path, const std::string& bytes, std::uint32_t mode) {
  const auto place = sandbox::open_place(root, path);
  if (!place) return false;
  if (mode == GIT_FILEMODE_LINK)
    return sandbox::read_link(place->folder.get(), place->name).value_or("") == bytes;
  const auto state = read_state(root, path);
  const bool executable = mode == GIT_FILEMODE_BLOB_EXECUTABLE;
  return state && *state && (*state)->bytes == bytes &&
         (((*state)->permissions & 0100U) != 0) == executable;
}

Result<bool> restore_file(const Repository& repository, const std::string& path,
                          const Source& source) {
  const std::string bytes = TRY(worktree_bytes(repository, path, source));
  const int root = repository.root.get();
  if (is_as_wanted(root, path, bytes, source.mode)) return false;
  TRY(make_parents_beneath(root, path));
  if (source.mode == GIT_FILEMODE_LINK)
    TRY(link_beneath(root, path, bytes));
  else
    TRY(write_beneath(root, path, bytes,
                      source.mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644));
  return true;
}

Result<ToolOutput> unstage(const Repository& repository, const GitRequest& request,
                           const std::map<std::string, Source>& wanted) {
  Handle<git_index> index;
  if (const int code = git_repository_index(out(index), repository.get()); code != 0)
    return fail(git_error("git restore", code));
  Json changed = Json::array();
  for (const auto& [path, source] : entries_among(index.get(), request.paths)) {
    if (wanted.contains(path)) continue;
    (void)git_index_remove_bypath(index.get(), path.c_str());
    changed.push_back(to_printable(path));
  }
  for (const auto& [path, source] : wanted) {
    const git_index_entry* now = git_index_get_bypath(index.get(), path.c_str(), 0);
    if (now != nullptr && now->mode == source.mode && git_oid_equal(&now->id, &source.id) != 0)
      continue;
    (void)git_index_conflict_remove(index.get(), path.c_str());
    git_index_entry entry{};
    entry.mode = source.mode;
    entry.id = source.id;
    entry.path = path.c_str();
    if (const int code = git_index_add(index.get(), &entry); code != 0)
      return fail(git_error("git restore: " + to_printable(path), code));
    changed.push_back(to_printable(path));
  }
  if (const int code = git_index_write(index.get()); code != 0)
    return fail(git_error("git restore", code));
  ToolOutput output = ToolOutput::of(std::to_string(changed.size()) + " files unstaged\n");
  output.data = Json{{"unstaged", std::move(changed)}}.dump();
  return output;
}

}  // namespace

Result<ToolOutput> apply_patch(const Repository& repository, const GitRequest& request) {
  const auto patches = parse_patch(request.patch);
  if (!patches) return fail(context("git apply", patches.error()));
  Application application(repository);
  for (const FilePatch& patch : *patches) TRY(application.add(patch));
  if (!application.rejected.empty()) {
    ToolOutput output = ToolOutput::of(application.rejected);
    output.status = ToolStatus::failed;
    output.digest = "git apply: nothing was applied, " +
                    std::to_string(application.rejected_json.size()) + " rejected";
    output.data = Json{{"applied", Json::array()}, {"rejected", application.rejected_json}}.dump();
    return output;
  }
  TRY(write_edits(repository.root.get(), application.edits));
  std::string text;
  ToolOutput output;
  Json applied = Json::array();
  for (const auto& [path, edit] : application.edits) {
    if (edit.before == edit.after) continue;
    text += std::string(!edit.before  ? "A "
                        : !edit.after ? "D "
                                      : "M ") +
            to_printable(path) + "\n";
    applied.push_back(to_printable(path));
    output.changed.push_back(repository.prefix + path);
  }
  std::vector<std::string> changed = std::move(output.changed);
  output = ToolOutput::of(std::move(text));
  output.changed = std::move(changed);
  output.data = Json{{"applied", std::move(applied)}, {"rejected", Json::array()}}.dump();
  return output;
}

Result<std::vector<std::string>> restored_files(const Repository& repository,
                                                const GitRequest& request) {
  const Handle<git_index> index = TRY(source_index(repository, request));
  const std::map<std::string, Source> wanted = TRY(files_among(index.get(), request.paths));
  std::vector<std::string> files;
  files.reserve(wanted.size());
  for (const auto& [path, source] : wanted) files.push_back(path);
  return files;
}

Result<ToolOutput> restore_paths(const Repository& repository, const GitRequest& request) {
  const Handle<git_index> index = TRY(source_index(repository, request));
  if (request.staged)
    return unstage(repository, request, entries_among(index.get(), request.paths));
  const std::map<std::string, Source> wanted = TRY(files_among(index.get(), request.paths));
  const std::map<std::string, Source> all = entries_among(index.get(), request.paths);
  for (const std::string& path : request.paths) {
    const bool known =
        std::ranges::any_of(all, [&](const auto& entry) { return is_among({path}, entry.first); });
    if (!known)
      return fail(ErrorCode::not_found,
                  "git restore: '" + to_printable(path) + "' is not in " +
                      (request.rev.empty() ? "the index" : to_printable(request.rev)));
  }
  ToolOutput output;
  Json restored = Json::array();
  std::vector<std::string> changed;
  std::string text;
  for (const auto& [path, source] : wanted) {
    const bool wrote = TRY(restore_file(repository, path, source));
    if (!wrote) continue;
    restored.push_back(to_printable(path));
    changed.push_back(repository.prefix + path);
    text += "M " + to_printable(path) + "\n";
  }
  output = ToolOutput::of(text.empty() ? "nothing differed\n" : std::move(text));
  output.changed = std::move(changed);
  output.data = Json{{"restored", std::move(restored)}}.dump();
  return output;
}

}  // namespace fathom::tools
