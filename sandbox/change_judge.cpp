#include "sandbox/change_judge.hpp"

namespace fathom::sandbox {
namespace {

std::string rule_of(Zone zone) {
  switch (zone) {
    case Zone::hooks:
      return "git.hooks";
    case Zone::info:
      return "git.info";
    case Zone::remotes:
      return "git.remotes";
    default:
      return "git.unknown";
  }
}

Ruling withheld(std::string rule, std::string reason) {
  return {Fate::withheld,
          Check::nothing,
          {Zone::guarded, false, {}},
          std::move(rule),
          std::move(reason)};
}

// A repository may go with all it holds; its hooks may not go from under it.
bool is_kept_up(Zone zone) {
  return zone == Zone::guarded || zone == Zone::hooks || zone == Zone::info ||
         zone == Zone::remotes;
}

Ruling judge_git_folder(const Ground& ground, const JudgedEntry& entry, const GitEntry& git) {
  if (git.access == GitAccess::guarded)
    return withheld(rule_of(ground.zone), "git does not make this folder");
  if (entry.doing == Doing::removed && is_kept_up(git.zone))
    return withheld(rule_of(git.zone), "a git directory keeps this folder");
  Ruling ruling;
  ruling.inside = {git.zone, ground.new_repository, {}};
  return ruling;
}

Ruling judge_git_file(const Ground& ground, const JudgedEntry& entry, const GitEntry& git) {
  const bool fresh = ground.new_repository && entry.doing == Doing::made;
  const bool removed = entry.doing == Doing::removed;
  switch (git.access) {
    case GitAccess::written:
    case GitAccess::foreign:
      return {};
    case GitAccess::todo:
      return {Fate::runs_later,
              Check::nothing,
              {},
              "git.rebase",
              "`git rebase --continue` runs its steps"};
    case GitAccess::alternates:
      return {Fate::runs_later,
              Check::nothing,
              {},
              "git.alternates",
              "objects are read from elsewhere"};
    case GitAccess::inert:
      if (fresh) return {};
      break;
    case GitAccess::config:
      if (!removed) return {Fate::applied, Check::config, {}, "git.config", ""};
      return withheld("git.config", "a git directory keeps its config");
    case GitAccess::common_dir:
      if (fresh) return {Fate::applied, Check::common_dir, {}, "git.commondir", ""};
      return withheld("git.commondir", "says where git finds its hooks");
    case GitAccess::guarded:
      break;
  }
  const bool ordinary = entry.type == FileType::regular;
  return withheld(ordinary ? rule_of(ground.zone) : "git.link",
                  ordinary ? "git does not write this file" : "git would follow it");
}

}  // namespace

Ruling ChangeJudge::judge_plain(const Ground& ground, const JudgedEntry& entry) const {
  if (equals_ignoring_case(entry.name, ".git")) {
    const bool removed = entry.doing == Doing::removed;
    if (entry.type == FileType::directory)
      return {Fate::applied,
              Check::nothing,
              {Zone::repository, entry.doing == Doing::made, {}},
              "git.dir",
              removed ? "the git directory is gone" : ""};
    if (entry.type == FileType::regular && !removed)
      return {Fate::applied, Check::git_file, {}, "git.dir", ""};
    return withheld("git.dir", removed ? "says where the repository is" : "git would follow it");
  }
  if (const policies::ProtectedName* found = names_.match(entry.folders, entry.name)) {
    if (found->protection == policies::Protection::deny)
      return withheld(found->rule, "a protected name (" + found->pattern + ")");
    return {entry.type == FileType::directory ? Fate::applied : Fate::runs_later,
            Check::nothing,
            {Zone::reported, false, found->rule},
            found->rule,
            ""};
  }
  if (ground.zone == Zone::reported)
    return {entry.type == FileType::directory ? Fate::applied : Fate::runs_later, Check::nothing,
            ground, ground.rule, ""};
  return {};
}

Ruling ChangeJudge::judge(const Ground& ground, const JudgedEntry& entry) const {
  if (ground.zone == Zone::plain || ground.zone == Zone::reported)
    return judge_plain(ground, entry);
  if (ground.zone == Zone::guarded) return withheld("git.unknown", "in a protected folder");
  const GitEntry git = git_entry(ground.zone, entry.name, entry.type);
  if (git.access == GitAccess::foreign) return judge_plain({}, entry);
  return entry.type == FileType::directory ? judge_git_folder(ground, entry, git)
                                           : judge_git_file(ground, entry, git);
}

}  // namespace fathom::sandbox
