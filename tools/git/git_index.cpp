// add, commit, branch.
#include "runtime/base/text.hpp"
#include "sandbox/directory.hpp"
#include "tools/git/git_commands.hpp"
#include "tools/git/git_lists.hpp"

#include <git2.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::tools {
namespace {

using Json = nlohmann::json;

// A buffer of libgit2's that goes when this does.
struct Buffer {
  git_buf raw = GIT_BUF_INIT;
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { git_buf_dispose(&raw); }
};

Result<Handle<git_index>> index_of(const Repository& repository) {
  Handle<git_index> index;
  if (const int code = git_repository_index(out(index), repository.get()); code != 0)
    return fail(git_error("git: the index", code));
  return index;
}

Result<> write_index(git_index* index) {
  if (const int code = git_index_write(index); code != 0)
    return fail(git_error("git: the index", code));
  return {};
}

git_index_time index_time(std::int64_t ns) {
  return {static_cast<std::int32_t>(ns / 1'000'000'000),
          static_cast<std::uint32_t>(ns % 1'000'000'000)};
}

// Line ends as the attributes say; the driver of a filter is refused before.
Result<git_oid> store_file(const Repository& repository, const std::string& path,
                           const std::string& bytes) {
  const std::string driver = filter_driver(repository, path);
  if (!driver.empty())
    return fail(ErrorCode::unsupported, "git add: " + to_printable(path) +
                                            " goes through the filter '" + to_printable(driver) +
                                            "', which is not run here: add it with git in bash");
  Handle<git_filter_list> filters;
  int code = git_filter_list_load(out(filters), repository.get(), nullptr, path.c_str(),
                                  GIT_FILTER_TO_ODB, GIT_FILTER_DEFAULT);
  Buffer filtered;
  if (code == 0 && filters)
    code =
        git_filter_list_apply_to_buffer(&filtered.raw, filters.get(), bytes.data(), bytes.size());
  git_oid id{};
  const bool raw = !filters;
  if (code == 0)
    code = git_blob_create_from_buffer(&id, repository.get(), raw ? bytes.data() : filtered.raw.ptr,
                                       raw ? bytes.size() : filtered.raw.size);
  if (code != 0) return fail(git_error("git add: " + to_printable(path), code));
  return id;
}

// Read by us and not by libgit2: it would follow a link that stands in for a folder.
Result<> add_file(const Repository& repository, git_index* index, const std::string& path) {
  const sandbox::Place place = TRY(sandbox::open_place(repository.root.get(), path));
  const sandbox::Stamp stamp = TRY(sandbox::stamp_of(place.folder.get(), place.name));
  git_index_entry entry{};
  if (stamp.type == sandbox::FileType::symlink) {
    const std::string target = TRY(sandbox::read_link(place.folder.get(), place.name));
    const int code =
        git_blob_create_from_buffer(&entry.id, repository.get(), target.data(), target.size());
    if (code != 0) return fail(git_error("git add: " + to_printable(path), code));
    entry.mode = GIT_FILEMODE_LINK;
  } else {
    auto bytes = sandbox::read_regular(place.folder.get(), place.name, kGitFileBytesMax);
    if (!bytes) return fail(context("git add: " + to_printable(path), std::move(bytes).error()));
    entry.id = TRY(store_file(repository, path, *bytes));
    entry.mode = (stamp.mode & 0100U) != 0 ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
  }
  entry.path = path.c_str();
  entry.ctime = index_time(stamp.changed_ns);
  entry.mtime = index_time(stamp.modified_ns);
  entry.ino = static_cast<std::uint32_t>(stamp.inode);
  entry.uid = stamp.uid;
  entry.gid = stamp.gid;
  entry.file_size = static_cast<std::uint32_t>(stamp.bytes);
  const int code = git_index_add(index, &entry);
  // What is added is merged. Nothing to remove is an error of no weight.
  if (code == 0 && git_index_has_conflicts(index) != 0)
    (void)git_index_conflict_remove(index, path.c_str());
  if (code != 0) return fail(git_error("git add: " + to_printable(path), code));
  return {};
}

Result<> check_not_ignored(const Repository& repository, const GitRequest& request) {
  for (const std::string& path : request.paths) {
    int ignored = 0;
    const auto place = sandbox::open_place(repository.root.get(), path.empty() ? "." : path);
    const bool exists =
        path.empty() || (place && sandbox::stamp_of(place->folder.get(), place->name).has_value());
    if (!path.empty()) (void)git_ignore_path_is_ignored(&ignored, repository.get(), path.c_str());
    unsigned status = 0;
    const bool tracked = !path.empty() &&
                         git_status_file(&status, repository.get(), path.c_str()) == 0 &&
                         (status & (GIT_STATUS_WT_NEW | GIT_STATUS_IGNORED)) == 0;
    if (exists && ignored != 0 && !tracked)
      return fail(ErrorCode::usage, "git add: " + to_printable(path) + " is ignored (.gitignore)");
  }
  return {};
}

// As git: a path that names nothing is a mistake, and nothing is staged.
Result<> check_known(const Repository& repository, git_index* index, const GitRequest& request) {
  for (const std::string& path : request.paths) {
    const auto place = sandbox::open_place(repository.root.get(), path.empty() ? "." : path);
    if (path.empty() || (place && sandbox::stamp_of(place->folder.get(), place->name))) continue;
    bool tracked = false;
    for (std::size_t i = 0; !tracked && i < git_index_entrycount(index); ++i)
      tracked = is_among({path}, git_index_get_byindex(index, i)->path);
    if (!tracked)
      return fail(ErrorCode::not_found,
                  "git add: '" + to_printable(path) + "' is neither a file nor in the index");
  }
  return {};
}

std::string config_text(git_config* config, const char* name) {
  Buffer value;
  if (git_config_get_string_buf(&value.raw, config, name) != 0) return {};
  return value.raw.ptr;
}

// Nobody else than the configured identity: no address is made up from the machine's name.
Result<Handle<git_signature>> signature(const Repository& repository, const GetEnv& env,
                                        const std::string& role) {
  Handle<git_config> config;
  if (const int code = git_repository_config(out(config), repository.get()); code != 0)
    return fail(git_error("git commit", code));
  std::string name = env(("GIT_" + role + "_NAME").c_str());
  std::string email = env(("GIT_" + role + "_EMAIL").c_str());
  if (name.empty()) name = config_text(config.get(), "user.name");
  if (email.empty()) email = config_text(config.get(), "user.email");
  if (name.empty() || email.empty())
    return fail(ErrorCode::usage,
                "git commit: nobody to commit as: set user.name and user.email (git config)");
  Handle<git_signature> made;
  if (const int code = git_signature_now(out(made), name.c_str(), email.c_str()); code != 0)
    return fail(git_error("git commit", code));
  return made;
}

int collect_parent(const git_oid* id, void* payload) {
  static_cast<std::vector<git_oid>*>(payload)->push_back(*id);
  return 0;
}

struct Parents {
  std::vector<Handle<git_commit>> commits;
  std::vector<const git_commit*> pointers;
};

Result<Parents> parents_of(const Repository& repository, const Head& head) {
  std::vector<git_oid> ids;
  git_oid id;
  if (!head.commit.empty() && git_oid_fromstr(&id, head.commit.c_str()) == 0) ids.push_back(id);
  if (head.state == "merge") {
    const int code = git_repository_mergehead_foreach(repository.get(), collect_parent, &ids);
    if (code != 0) return fail(git_error("git commit: MERGE_HEAD", code));
  }
  Parents parents;
  for (const git_oid& parent : ids) {
    Handle<git_commit> commit;
    const int code = git_commit_lookup(out(commit), repository.get(), &parent);
    if (code != 0) return fail(git_error("git commit", code));
    parents.pointers.push_back(commit.get());
    parents.commits.push_back(std::move(commit));
  }
  return parents;
}

Result<std::string> message_for(const Repository& repository, const GitRequest& request,
                                const Head& head) {
  std::string text = request.message;
  Buffer prepared;
  if (text.empty() && !head.state.empty() &&
      git_repository_message(&prepared.raw, repository.get()) == 0)
    text = prepared.raw.ptr;
  Buffer clean;
  const bool ours = request.message.empty();  // what git prepared has its comments
  if (const int code = git_message_prettify(&clean.raw, text.c_str(), ours ? 1 : 0, '#'); code != 0)
    return fail(git_error("git commit", code));
  text.assign(clean.raw.ptr, clean.raw.size);
  if (text.empty()) return fail(ErrorCode::usage, "git commit: 'message' is missing");
  return text;
}

Result<> check_merged(git_index* index) {
  std::string names;
  std::string last;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const git_index_entry* entry = git_index_get_byindex(index, i);
    if (git_index_entry_is_conflict(entry) == 0 || last == entry->path) continue;
    last = entry->path;
    names += (names.empty() ? "" : ", ") + to_printable(entry->path);
  }
  if (names.empty()) return {};
  return fail(ErrorCode::usage, "git commit: not merged yet: " + names + " (edit, then add them)");
}

Result<> check_not_empty(const Head& head, const Parents& parents, const git_oid& tree,
                         git_index* index) {
  if (parents.commits.size() > 1 || !head.state.empty()) return {};
  const bool empty = parents.commits.empty()
                         ? git_index_entrycount(index) == 0
                         : git_oid_equal(git_commit_tree_id(parents.pointers[0]), &tree) != 0;
  if (empty) return fail(ErrorCode::usage, "git commit: nothing is staged (use add first)");
  return {};
}

Result<ToolOutput> list_branches(const Repository& repository, const Head& head) {
  Handle<git_branch_iterator> branches;
  if (const int code = git_branch_iterator_new(out(branches), repository.get(), GIT_BRANCH_LOCAL);
      code != 0)
    return fail(git_error("git branch", code));
  std::string text;
  Json list = Json::array();
  git_branch_t kind{};
  Handle<git_reference> branch;
  while (list.size() < kStatusPathsMax &&
         git_branch_next(out(branch), &kind, branches.get()) == 0) {
    const char* name = nullptr;
    if (git_branch_name(&name, branch.get()) != 0) continue;
    const git_oid* target = git_reference_target(branch.get());
    const std::string commit = target != nullptr ? hex_of(*target) : "";
    text +=
        (head.branch == name ? "* " : "  ") + to_printable(name) + " " + short_id(commit) + "\n";
    list.push_back({{"name", to_printable(name)}, {"commit", commit}});
  }
  if (head.branch.empty()) text = "* (HEAD detached at " + short_id(head.commit) + ")\n" + text;
  ToolOutput output = ToolOutput::of(std::move(text));
  output.data = Json{{"current", to_printable(head.branch)}, {"branches", std::move(list)}}.dump();
  return output;
}

}  // namespace

std::string filter_driver(const Repository& repository, const std::string& path) {
  const char* value = nullptr;
  const int code = git_attr_get(&value, repository.get(), GIT_ATTR_CHECK_FILE_THEN_INDEX,
                                path.c_str(), "filter");
  return code == 0 && git_attr_value(value) == GIT_ATTR_VALUE_STRING ? value : "";
}

Result<ToolOutput> add_paths(const Repository& repository, const GitRequest& request) {
  const Handle<git_index> index = TRY(index_of(repository));
  TRY(check_known(repository, index.get(), request));
  TRY(check_not_ignored(repository, request));
  git_status_options options{};
  git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
  options.show = GIT_STATUS_SHOW_WORKDIR_ONLY;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                  GIT_STATUS_OPT_EXCLUDE_SUBMODULES | GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH;
  const PathList paths(request.paths);
  options.pathspec = paths.strings();
  Handle<git_status_list> list;
  if (const int code = git_status_list_new(out(list), repository.get(), &options); code != 0)
    return fail(git_error("git add", code));
  Json added = Json::array();
  std::string notes;
  const std::size_t count = git_status_list_entrycount(list.get());
  for (std::size_t i = 0; i < count; ++i) {
    const git_status_entry* status = git_status_byindex(list.get(), i);
    const git_diff_delta* delta = status->index_to_workdir;
    if (delta == nullptr) continue;
    const std::string path =
        delta->new_file.path != nullptr ? delta->new_file.path : delta->old_file.path;
    if (path.ends_with('/')) {
      notes += to_printable(path) + " is a repository of its own and was not added\n";
      continue;
    }
    const auto place = sandbox::open_place(repository.root.get(), path);
    const bool exists = place && sandbox::stamp_of(place->folder.get(), place->name).has_value();
    if (exists)
      TRY(add_file(repository, index.get(), path));
    else if (const int code = git_index_remove_bypath(index.get(), path.c_str()); code != 0)
      return fail(git_error("git add: " + to_printable(path), code));
    if (added.size() < kStatusPathsMax) added.push_back(to_printable(path));
  }
  TRY(write_index(index.get()));
  ToolOutput output = ToolOutput::of(std::to_string(count) + " files staged\n");
  output.notes = notes;
  output.data = Json{{"staged", std::move(added)}}.dump();
  return output;
}

Result<ToolOutput> commit_index(const Repository& repository, const GitRequest& request,
                                const GetEnv& env) {
  const Head head = TRY(head_of(repository));
  if (head.state == "rebase" || head.state == "am" || head.state == "bisect")
    return fail(ErrorCode::usage,
                "git commit: a " + head.state + " is in progress: end it with git in bash");
  const Handle<git_index> index = TRY(index_of(repository));
  TRY(check_merged(index.get()));
  const Handle<git_signature> author = TRY(signature(repository, env, "AUTHOR"));
  const Handle<git_signature> committer = TRY(signature(repository, env, "COMMITTER"));
  const std::string message = TRY(message_for(repository, request, head));
  Parents parents = TRY(parents_of(repository, head));
  git_oid tree_id;
  int code = git_index_write_tree(&tree_id, index.get());
  if (code != 0) return fail(git_error("git commit", code));
  TRY(check_not_empty(head, parents, tree_id, index.get()));
  Handle<git_tree> tree;
  git_oid id;
  code = git_tree_lookup(out(tree), repository.get(), &tree_id);
  if (code == 0)
    code = git_commit_create(&id, repository.get(), "HEAD", author.get(), committer.get(), nullptr,
                             message.c_str(), tree.get(), parents.pointers.size(),
                             parents.pointers.data());
  if (code != 0) return fail(git_error("git commit", code));
  if (!head.state.empty()) (void)git_repository_state_cleanup(repository.get());
  const std::string subject = message.substr(0, message.find('\n'));
  ToolOutput output =
      ToolOutput::of("[" + (head.branch.empty() ? "detached HEAD" : to_printable(head.branch)) +
                     " " + short_id(hex_of(id)) + "] " + to_printable(subject) + "\n");
  Json json_parents = Json::array();
  for (const git_commit* parent : parents.pointers)
    json_parents.push_back(hex_of(*git_commit_id(parent)));
  output.data = Json{{"commit", hex_of(id)},
                     {"branch", to_printable(head.branch)},
                     {"parents", std::move(json_parents)}}
                    .dump();
  return output;
}

Result<ToolOutput> manage_branches(const Repository& repository, const GitRequest& request) {
  const Head head = TRY(head_of(repository));
  if (request.name.empty()) return list_branches(repository, head);
  const std::string name = to_printable(request.name);
  int valid = 0;
  if (git_branch_name_is_valid(&valid, request.name.c_str()) != 0 || valid == 0)
    return fail(ErrorCode::usage, "git branch: '" + name + "' is no name of a branch");
  Handle<git_reference> branch;
  int code =
      git_branch_lookup(out(branch), repository.get(), request.name.c_str(), GIT_BRANCH_LOCAL);
  const bool exists = code == 0;
  if (exists && !request.switches)
    return fail(ErrorCode::usage, "git branch: '" + name + "' exists");
  const Handle<git_commit> commit =
      TRY(commit_at(repository, exists ? "refs/heads/" + request.name : request.rev));
  const std::string id = hex_of(*git_commit_id(commit.get()));
  // To move between commits is a checkout: it changes files, which git in the sandbox does better.
  if (request.switches && id != head.commit)
    return fail(ErrorCode::usage,
                "git branch: '" + name + "' is another commit than HEAD: use git switch in bash");
  if (!exists)
    code = git_branch_create(out(branch), repository.get(), request.name.c_str(), commit.get(), 0);
  if (code == 0 && request.switches)
    code = git_repository_set_head(repository.get(), git_reference_name(branch.get()));
  if (code != 0) return fail(git_error("git branch", code));
  ToolOutput output = ToolOutput::of((request.switches ? "on branch " : "created branch ") + name +
                                     " at " + short_id(id) + "\n");
  output.data = Json{{"name", name}, {"commit", id}, {"switched", request.switches}}.dump();
  return output;
}

}  // namespace fathom::tools
