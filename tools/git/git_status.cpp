#include "runtime/base/text.hpp"
#include "tools/git/git_commands.hpp"
#include "tools/git/git_lists.hpp"

#include <git2.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::tools {
namespace {

using Json = nlohmann::json;

std::string_view state_name(int state) {
  switch (state) {
    case GIT_REPOSITORY_STATE_NONE:
      return "";
    case GIT_REPOSITORY_STATE_MERGE:
      return "merge";
    case GIT_REPOSITORY_STATE_REVERT:
    case GIT_REPOSITORY_STATE_REVERT_SEQUENCE:
      return "revert";
    case GIT_REPOSITORY_STATE_CHERRYPICK:
    case GIT_REPOSITORY_STATE_CHERRYPICK_SEQUENCE:
      return "cherry-pick";
    case GIT_REPOSITORY_STATE_BISECT:
      return "bisect";
    case GIT_REPOSITORY_STATE_APPLY_MAILBOX:
      return "am";
    default:
      return "rebase";
  }
}

struct Mark {
  unsigned flag;
  char letter;
  std::string_view change;
};
constexpr std::array<Mark, 5> kStaged = {{{GIT_STATUS_INDEX_NEW, 'A', "added"},
                                          {GIT_STATUS_INDEX_DELETED, 'D', "deleted"},
                                          {GIT_STATUS_INDEX_RENAMED, 'R', "renamed"},
                                          {GIT_STATUS_INDEX_TYPECHANGE, 'T', "type changed"},
                                          {GIT_STATUS_INDEX_MODIFIED, 'M', "modified"}}};
constexpr std::array<Mark, 5> kUnstaged = {{{GIT_STATUS_WT_DELETED, 'D', "deleted"},
                                            {GIT_STATUS_WT_RENAMED, 'R', "renamed"},
                                            {GIT_STATUS_WT_TYPECHANGE, 'T', "type changed"},
                                            {GIT_STATUS_WT_UNREADABLE, '!', "unreadable"},
                                            {GIT_STATUS_WT_MODIFIED, 'M', "modified"}}};

const Mark* mark_of(const std::array<Mark, 5>& marks, unsigned status) {
  const auto found =
      std::ranges::find_if(marks, [&](const Mark& mark) { return (status & mark.flag) != 0; });
  return found == marks.end() ? nullptr : &*found;
}

std::string name_of(const git_diff_delta* delta) {
  if (delta == nullptr) return {};
  return to_printable(delta->new_file.path != nullptr ? delta->new_file.path
                                                      : delta->old_file.path);
}

struct StatusText {
  std::string text;
  Json staged = Json::array();
  Json unstaged = Json::array();
  Json untracked = Json::array();
  Json conflicted = Json::array();
};

void add_entry(const git_status_entry& entry, StatusText& to) {
  const Mark* staged = mark_of(kStaged, entry.status);
  const Mark* unstaged = mark_of(kUnstaged, entry.status);
  const std::string path =
      name_of(entry.index_to_workdir != nullptr ? entry.index_to_workdir : entry.head_to_index);
  std::string line;
  if ((entry.status & GIT_STATUS_CONFLICTED) != 0) {
    to.conflicted.push_back(path);
    line = "UU " + path;
  } else if ((entry.status & GIT_STATUS_WT_NEW) != 0 && staged == nullptr) {
    to.untracked.push_back(path);
    line = "?? " + path;
  } else {
    line = {staged != nullptr ? staged->letter : ' ', unstaged != nullptr ? unstaged->letter : ' ',
            ' '};
    if (staged != nullptr && staged->letter == 'R')
      line += to_printable(entry.head_to_index->old_file.path) + " -> ";
    line += path;
    if (staged != nullptr) to.staged.push_back({{"path", path}, {"change", staged->change}});
    if (unstaged != nullptr) to.unstaged.push_back({{"path", path}, {"change", unstaged->change}});
  }
  to.text += line + "\n";
}

// Submodules by what the index says and what HEAD of the folder says; they are not looked into.
Json submodules_of(const Repository& repository, git_index* index, std::string& text) {
  Json submodules = Json::array();
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const git_index_entry* entry = git_index_get_byindex(index, i);
    if (entry->mode != GIT_FILEMODE_COMMIT || submodules.size() == kStatusPathsMax) continue;
    const std::string recorded = hex_of(entry->id);
    std::string here;
    const std::string workspace = repository.place.folder.substr(
        0, repository.place.folder.size() - repository.prefix.size());
    const auto opened = open_repository(workspace.empty() ? repository.place.folder : workspace,
                                        repository.prefix + entry->path);
    if (opened) {
      git_oid id;
      if (git_reference_name_to_id(&id, opened->get(), "HEAD") == 0) here = hex_of(id);
    }
    const std::string path = to_printable(entry->path);
    submodules.push_back({{"path", path}, {"commit", recorded}, {"head", here}});
    if (!here.empty() && here != recorded)
      text += " M " + path + " (submodule: " + short_id(recorded) + " -> " + short_id(here) + ")\n";
  }
  return submodules;
}

}  // namespace

std::string short_id(std::string_view hex) { return std::string(hex.substr(0, 10)); }

Result<Head> head_of(const Repository& repository) {
  Head head;
  head.state = state_name(git_repository_state(repository.get()));
  Handle<git_reference> reference;
  if (const int code = git_reference_lookup(out(reference), repository.get(), "HEAD"); code != 0)
    return fail(git_error("HEAD", code));
  constexpr std::string_view kBranches = "refs/heads/";
  if (git_reference_type(reference.get()) == GIT_REFERENCE_SYMBOLIC) {
    const std::string_view target = git_reference_symbolic_target(reference.get());
    head.branch = target.starts_with(kBranches) ? target.substr(kBranches.size()) : target;
  }
  git_oid id;
  const int code = git_reference_name_to_id(&id, repository.get(), "HEAD");
  if (code != 0 && code != GIT_ENOTFOUND) return fail(git_error("HEAD", code));
  if (code == 0) head.commit = hex_of(id);
  return head;
}

Result<ToolOutput> show_status(const Repository& repository, const GitRequest& request) {
  const Head head = TRY(head_of(repository));
  git_status_options options{};
  git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES |
                  GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH | GIT_STATUS_OPT_RENAMES_HEAD_TO_INDEX;
  PathList paths(request.paths);
  options.pathspec = paths.strings();
  Handle<git_status_list> list;
  if (const int code = git_status_list_new(out(list), repository.get(), &options); code != 0)
    return fail(git_error("git status", code));
  StatusText status;
  status.text = "## " + (head.branch.empty() ? "HEAD (detached at " + short_id(head.commit) + ")"
                                             : to_printable(head.branch));
  if (head.commit.empty()) status.text += " (no commits yet)";
  if (!head.state.empty()) status.text += " (" + head.state + " in progress)";
  status.text += "\n";
  const std::size_t count = git_status_list_entrycount(list.get());
  for (std::size_t i = 0; i < std::min(count, kStatusPathsMax); ++i)
    add_entry(*git_status_byindex(list.get(), i), status);
  if (count > kStatusPathsMax)
    status.text += "and " + std::to_string(count - kStatusPathsMax) + " more\n";
  Handle<git_index> index;
  if (const int code = git_repository_index(out(index), repository.get()); code != 0)
    return fail(git_error("git status", code));
  Json submodules = submodules_of(repository, index.get(), status.text);
  ToolOutput output = ToolOutput::of(std::move(status.text));
  output.data = Json{{"branch", to_printable(head.branch)},
                     {"commit", head.commit},
                     {"state", head.state},
                     {"staged", std::move(status.staged)},
                     {"unstaged", std::move(status.unstaged)},
                     {"untracked", std::move(status.untracked)},
                     {"conflicted", std::move(status.conflicted)},
                     {"submodules", std::move(submodules)},
                     {"complete", count <= kStatusPathsMax}}
                    .dump();
  return output;
}

}  // namespace fathom::tools
