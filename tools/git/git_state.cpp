#include "tools/git/git_state.hpp"

#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/directory.hpp"
#include "tools/git/object_store.hpp"
#include "tools/git/repository_place.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace fathom::tools {
namespace {

constexpr std::size_t kRefBytesMax = 4096;               // of HEAD and a loose branch
constexpr std::size_t kPackedRefsBytesMax = 16UL << 20;  // some 200,000 names
constexpr std::size_t kRefDepthMax = 32;                 // folders in a branch's name
constexpr std::size_t kPackFilesMax = 1024;              // looked at for one pack
constexpr std::size_t kHeadLinksMax = 5;                 // as many as git follows
constexpr std::size_t kSha1Digits = 40;
constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kIdShown = 12;
constexpr std::string_view kRefPrefix = "ref: ";
constexpr std::array<std::string_view, 3> kRefsKept = {"refs/heads", "refs/tags", "refs/stash"};
constexpr std::array<std::string_view, 4> kPresences = {"unknown", "none", "broken", "whole"};

using Refs = std::map<std::string, std::string, std::less<>>;

UniqueFd open_folder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

std::string trimmed(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  return text;
}

bool is_kept(std::string_view name) {
  return std::ranges::any_of(kRefsKept, [&](std::string_view kept) {
    return name == kept || (name.starts_with(kept) && name[kept.size()] == '/');
  });
}

// The loose branches below an open folder; false beyond a bound.
bool read_loose(int folder, const std::string& name, std::size_t depth, Refs& refs) {
  if (depth == kRefDepthMax) return false;
  const auto listing = sandbox::list(folder, kRefsMax);
  if (!listing) return true;
  if (!listing->complete) return false;
  for (const sandbox::Listed& entry : listing->entries) {
    const std::string at = name + "/" + entry.name;
    if (const auto below = sandbox::open_directory(folder, entry.name)) {
      if (!read_loose(below->get(), at, depth + 1, refs)) return false;
      continue;
    }
    if (auto text = sandbox::read_regular(folder, entry.name, kRefBytesMax))
      refs[at] = trimmed(*std::move(text));
    if (refs.size() > kRefsMax) return false;
  }
  return true;
}

// "ID refs/heads/main" a line; "#" and "^" begin what is no branch.
bool read_packed(int common, Refs& refs) {
  const auto text = sandbox::read_regular(common, "packed-refs", kPackedRefsBytesMax);
  if (!text) return text.error().code == ErrorCode::not_found;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t space = line.find(' ');
    if (line.starts_with('#') || line.starts_with('^') || space == std::string_view::npos) continue;
    const std::string_view name = line.substr(space + 1);
    if (is_kept(name)) refs[std::string(name)] = line.substr(0, space);
  }
  return true;
}

// Loose ones stand before packed ones. Nothing beyond a bound.
std::optional<Refs> read_refs(int common) {
  Refs refs;
  if (!read_packed(common, refs)) return std::nullopt;
  for (const std::string_view kept : kRefsKept) {
    const std::string name(kept);
    if (const auto folder = sandbox::open_directory(common, name)) {
      Refs loose;
      if (!read_loose(folder->get(), name, 0, loose)) return std::nullopt;
      for (auto& [at, id] : loose) refs[at] = std::move(id);
    } else if (auto text = sandbox::read_regular(common, name, kRefBytesMax)) {
      refs[name] = trimmed(*std::move(text));
    }
  }
  return refs;
}

std::string digest_of(const Refs& refs) {
  std::string text;
  for (const auto& [name, id] : refs) text += id + " " + name + "\n";
  const auto id = ObjectStore::id_of(text, ObjectStore::Kind::content);
  return id ? to_hex(*id) : "";
}

bool is_object_id(std::string_view text) {
  return (text.size() == kSha1Digits || text.size() == kSha256Digits) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Whether anything is left that could be the commit: its own file, a pack, or objects elsewhere.
bool has_object(int common, const std::string& id) {
  const auto objects = sandbox::open_directory(common, "objects");
  if (!objects || !is_object_id(id)) return false;
  if (sandbox::stamp_of(objects->get(), "info/alternates")) return true;
  if (sandbox::stamp_of(objects->get(), id.substr(0, 2) + "/" + id.substr(2))) return true;
  const auto packs = sandbox::open_directory(objects->get(), "pack");
  if (!packs) return false;
  const auto listing = sandbox::list(packs->get(), kPackFilesMax);
  return listing && std::ranges::any_of(listing->entries, [](const sandbox::Listed& entry) {
           return entry.name.ends_with(".pack");
         });
}

std::string shown(const std::string& name) { return to_printable(clip_prefix(name, 200)); }

std::string place_of(const GitState& state) {
  std::string_view head = state.head;
  constexpr std::string_view kBranches = "refs/heads/";
  if (head.starts_with(kBranches)) head.remove_prefix(kBranches.size());
  const std::string id = state.commit.substr(0, kIdShown);
  if (state.head == state.commit) return shown(id);
  return shown(std::string(head)) + (id.empty() ? " without a commit" : " at " + shown(id));
}

}  // namespace

GitState look_at_git(const std::string& folder) {
  GitState state;
  const auto dot_git = sandbox::stamp_of(AT_FDCWD, folder + "/.git");
  if (!dot_git) {
    if (dot_git.error().code == ErrorCode::not_found) state.presence = GitPresence::none;
    return state;
  }
  state.presence = GitPresence::broken;
  const auto place = find_repository(folder);
  if (!place) return state;
  const UniqueFd git_dir = open_folder(place->git_dir);
  const UniqueFd common = open_folder(place->common_dir);
  if (!git_dir || !common) return state;
  auto head = sandbox::read_regular(git_dir.get(), "HEAD", kRefBytesMax);
  const auto refs = read_refs(common.get());
  if (refs) state.refs = digest_of(*refs);
  if (!head) return state;
  state.head = trimmed(*std::move(head));
  std::string at = state.head;
  for (std::size_t i = 0; refs && i < kHeadLinksMax && at.starts_with(kRefPrefix); ++i) {
    const auto found = refs->find(std::string_view(at).substr(kRefPrefix.size()));
    at = found == refs->end() ? "" : found->second;
  }
  if (!at.starts_with(kRefPrefix)) state.commit = at;
  if (state.head.starts_with(kRefPrefix)) state.head.erase(0, kRefPrefix.size());
  const bool has_refs = sandbox::stamp_of(common.get(), "refs").has_value();
  const bool has_objects = sandbox::stamp_of(common.get(), "objects").has_value();
  const bool has_commit = state.commit.empty() || has_object(common.get(), state.commit);
  if (has_refs && has_objects && has_commit) state.presence = GitPresence::whole;
  return state;
}

std::vector<std::string> git_changes(const GitState& before, const GitState& now) {
  const bool unknown =
      before.presence == GitPresence::unknown || now.presence == GitPresence::unknown;
  if (unknown || before == now) return {};
  const bool was_whole = before.presence == GitPresence::whole;
  const std::string lost = was_whole ? "; HEAD was " + place_of(before) +
                                           ", and its history is only where it was pushed or copied"
                                     : "";
  switch (now.presence) {
    case GitPresence::none:
      return {"the repository was removed, and undo cannot bring it back" + lost};
    case GitPresence::broken:
      if (before.presence == GitPresence::broken)
        return {"the repository was damaged already and has changed since; undo leaves it"};
      if (before.presence == GitPresence::none)
        return {"a .git was made that is no repository; undo leaves it"};
      return {"HEAD, branches or objects were removed, and undo cannot bring them back" + lost};
    case GitPresence::unknown:
    case GitPresence::whole:
      break;
  }
  if (before.presence == GitPresence::none)
    return {"the repository was made since; undo leaves it"};
  if (!was_whole) return {"the repository was damaged and is whole now; undo leaves it"};
  std::vector<std::string> lines;
  if (before.head != now.head || before.commit != now.commit)
    lines.push_back("HEAD was " + place_of(before) + " and is " + place_of(now) +
                    "; undo moves no branch");
  // The branch of HEAD is in the hash too, so its move alone says nothing of others.
  if (lines.empty() && !before.refs.empty() && !now.refs.empty() && before.refs != now.refs)
    lines.emplace_back("branches, tags or the stash were changed; undo leaves them");
  return lines;
}

std::string_view name_of(GitPresence presence) {
  return kPresences.at(static_cast<std::size_t>(presence));
}

GitPresence git_presence_from(std::string_view name) {
  const auto found = std::ranges::find(kPresences, name);
  return found == kPresences.end() ? GitPresence::unknown
                                   : static_cast<GitPresence>(found - kPresences.begin());
}

}  // namespace fathom::tools
