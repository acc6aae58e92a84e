#include "sandbox/committer.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/file_copy.hpp"
#include "sandbox/host_edits.hpp"
#include "sandbox/overlay_layer.hpp"
#include "sandbox/remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace fathom::sandbox {
namespace {

constexpr std::uint32_t kPermissionBits = 0777;

enum class Standing : std::uint8_t { as_before, as_after, changed };

std::unexpected<Error> conflict(std::string reason) {
  return fail(ErrorCode::in_use, std::move(reason));
}

constexpr const char* kChanged = "changed on the host during the commit";

// A rename changes ctime, so what was swapped out is known by the rest.
bool is_same_thing(const Stamp& before, const Stamp& now) {
  if (before.type != now.type || before.inode != now.inode || before.device != now.device)
    return false;
  if (now.type == FileType::directory) return true;
  return before.bytes == now.bytes && before.modified_ns == now.modified_ns;
}

bool is_folder(const Stamp& stamp) { return stamp.type == FileType::directory; }

// Where a step is made.
struct Site {
  const Step& step;
  int folder = -1;
  std::string name;
  std::string temporary;
};

class Committer {
 public:
  explicit Committer(const CommitSite& site) : site_(site), reader_(site.upper) {}

  Result<Committed> run(const std::vector<Step>& steps) {
    Committed done;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (site_.before_step) site_.before_step(i);
      const Result<> made = make(steps[i], i);
      if (made) {
        ++done.made;
        continue;
      }
      if (made.error().code == ErrorCode::disk_full)
        return fail(context("commit " + steps[i].path, made.error()));
      done.unmade.push_back({steps[i].path, made.error().message});
    }
    return done;
  }

  void clean(const std::vector<Step>& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto place = open_place(site_.lower, steps[i].path);
      if (!place) continue;
      const Site at{steps[i], place->folder.get(), place->name, temporary_name(i)};
      const auto there = look(at);
      if (there) (void)clear_temporary(at, *there);
    }
  }

 private:
  [[nodiscard]] std::string temporary_name(std::size_t index) const {
    return ".fathom-" + site_.id + '-' + std::to_string(index);
  }

  Result<> make(const Step& step, std::size_t index) {
    const auto place = open_place(site_.lower, step.path);
    if (!place) {
      if (place.error().code == ErrorCode::permission) return fail(place.error());
      return conflict("its folder is gone, or is a link now");
    }
    const Site at{step, place->folder.get(), place->name, temporary_name(index)};
    const Standing standing = TRY(look(at));
    TRY(clear_temporary(at, standing));
    if (standing == Standing::as_after) return {};
    if (standing == Standing::changed) return conflict(kChanged);
    switch (step.kind) {
      case StepKind::make_folder:
        return make_folder(at);
      case StepKind::write_file:
        return write_file(at);
      case StepKind::write_text:
        return write_text(at);
      case StepKind::make_link:
        return make_link(at);
      case StepKind::remove:
        return remove(at);
      case StepKind::set_mode:
        return set_mode(at);
    }
    return {};
  }

  Result<Standing> look(const Site& at) {
    const Step& step = at.step;
    const Result<Stamp> now = stamp_of(at.folder, at.name);
    if (!now) {
      if (now.error().code != ErrorCode::not_found) return fail(now.error());
      if (step.kind == StepKind::remove) return Standing::as_after;
      const bool was_free = !step.before && step.kind != StepKind::set_mode;
      return was_free ? Standing::as_before : Standing::changed;
    }
    if (step.kind == StepKind::set_mode && !step.before)
      return is_folder(*now) ? Standing::as_before : Standing::changed;
    if (is_as_planned(step, *now)) return Standing::as_before;
    return TRY(is_result(at, *now)) ? Standing::as_after : Standing::changed;
  }

  static bool is_as_planned(const Step& step, const Stamp& now) {
    if (!step.before || !is_same_thing(*step.before, now)) return false;
    if (is_folder(now)) return true;
    // A name that goes moves the ctime of the file's further names.
    if (step.shared) return step.before->mode == now.mode;
    return step.before->changed_ns == now.changed_ns;
  }

  Result<bool> is_result(const Site& at, const Stamp& now) {
    const Step& step = at.step;
    const bool same_mode = ((now.mode ^ step.mode) & kPermissionBits) == 0;
    const bool file = now.type == FileType::regular;
    switch (step.kind) {
      case StepKind::make_folder:
        return is_folder(now);
      case StepKind::set_mode:
        return same_mode;
      case StepKind::make_link:
        return now.type == FileType::symlink && TRY(read_link(at.folder, at.name)) == step.text;
      case StepKind::write_text: {
        if (!file || now.bytes != step.text.size()) return false;
        const auto text = read_regular(at.folder, at.name, step.text.size());
        return same_mode && text && *text == step.text;
      }
      case StepKind::write_file: {
        if (!file || !same_mode) return false;
        const UniqueFd layer = TRY(open_layer(step.path));
        const UniqueFd here(
            ::openat(at.folder, at.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        return here ? has_same_bytes(layer.get(), here.get()) : Result<bool>(false);
      }
      case StepKind::remove:
        return false;
    }
    return false;
  }

  // What an earlier attempt left: an unfinished new file, or what it swapped out.
  Result<> clear_temporary(const Site& at, Standing standing) {
    const Result<Stamp> left = stamp_of(at.folder, at.temporary);
    if (!left) return {};
    const std::optional<Stamp>& before = at.step.before;
    if (standing == Standing::as_before || !before) return remove_tree(at.folder, at.temporary);
    if (TRY(is_swapped_out(at))) return remove_tree(at.folder, at.temporary);
    if (at.step.kind == StepKind::remove && ::renameat2(at.folder, at.temporary.c_str(), at.folder,
                                                        at.name.c_str(), RENAME_NOREPLACE) == 0)
      return conflict(kChanged);
    return conflict("changed on the host during the commit; what stood there is " + at.temporary +
                    " beside it");
  }

  Result<bool> is_swapped_out(const Site& at) {
    const Stamp now = TRY(stamp_of(at.folder, at.temporary));
    if (!is_same_thing(*at.step.before, now)) return false;
    if (!is_folder(now)) return true;
    const Times times = at.step.shared ? Times::modified : Times::changed_below;
    const auto below = look_below(at.folder, at.temporary, site_.began_ns, times);
    return below && !below->newer;
  }

  Result<> publish(const Site& at) {
    const char* from = at.temporary.c_str();
    const char* to = at.name.c_str();
    if (!at.step.before) {
      if (::renameat2(at.folder, from, at.folder, to, RENAME_NOREPLACE) == 0) return {};
      const int error = errno;
      (void)remove_tree(at.folder, at.temporary);
      if (error == EEXIST) return conflict("appeared on the host during the commit");
      return fail(system_error("rename", error));
    }
    if (::renameat2(at.folder, from, at.folder, to, RENAME_EXCHANGE) != 0) {
      const int error = errno;
      // Some network file systems do not swap: then a plain rename, just after the check.
      const bool plain =
          error == EINVAL && !is_folder(*at.step.before) && at.step.kind != StepKind::make_folder;
      if (plain && ::renameat(at.folder, from, at.folder, to) == 0) return {};
      (void)remove_tree(at.folder, at.temporary);
      return error == ENOENT ? conflict(kChanged) : Result<>(fail(system_error("rename", error)));
    }
    if (TRY(is_swapped_out(at))) return remove_tree(at.folder, at.temporary);
    if (::renameat2(at.folder, from, at.folder, to, RENAME_EXCHANGE) == 0)
      (void)remove_tree(at.folder, at.temporary);
    return conflict(kChanged);
  }

  [[nodiscard]] std::pair<uid_t, gid_t> owner_of(const Step& step) const {
    if (step.before) return {step.before->uid, step.before->gid};
    return {site_.owner, site_.group};
  }

  // An ordinary user's new files are theirs already; a group can only be kept, not always.
  void give_to_owner(int file, const Step& step) const {
    const auto [uid, gid] = owner_of(step);
    if (::geteuid() == 0)
      (void)!::fchown(file, uid, gid);
    else if (step.before)
      (void)!::fchown(file, static_cast<uid_t>(-1), gid);
  }

  Result<> make_folder(const Site& at) {
    const std::string& name = at.step.before ? at.temporary : at.name;
    if (::mkdirat(at.folder, name.c_str(), S_IRWXU) != 0) {
      if (errno == EEXIST) return conflict("appeared on the host during the commit");
      return fail(system_error("make the folder", errno));
    }
    const UniqueFd made(
        ::openat(at.folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (made) give_to_owner(made.get(), at.step);
    return at.step.before ? publish(at) : Result<>{};
  }

  Result<UniqueFd> open_layer(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const UniqueFd folder =
        TRY(reader_.folder(slash == std::string::npos ? "" : path.substr(0, slash)));
    return LayerReader::file(folder.get(), path.substr(slash + 1));  // npos + 1 is 0
  }

  Result<> write_file(const Site& at) {
    const UniqueFd from = TRY(open_layer(at.step.path));
    const Stamp stamp = TRY(stamp_of(from.get(), ""));
    if (stamp.type != FileType::regular) return fail(ErrorCode::bad_data, "not a file any more");
    struct stat status{};
    const bool shared = ::fstat(from.get(), &status) == 0 && status.st_nlink > 1;
    if (shared && TRY(link_to_first(at, stamp.inode))) return {};
    TRY(write_beside(at, [&](int to) -> Result<> {
      TRY(copy_bytes(from.get(), to, stamp.bytes));
      copy_user_attributes(from.get(), to);
      return {};
    }));
    if (shared) {
      const Result<Stamp> made = stamp_of(at.folder, at.temporary);
      if (made) linked_.insert_or_assign(stamp.inode, Linked{at.step.path, made->inode});
    }
    return publish(at);
  }

  Result<> write_text(const Site& at) {
    TRY(write_beside(at, [&](int to) { return write_all(to, at.step.text, at.step.path); }));
    return publish(at);
  }

  Result<> write_beside(const Site& at, const std::function<Result<>(int)>& fill) {
    const UniqueFd to(::openat(at.folder, at.temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return fail(system_error("write", errno));
    Result<> written = fill(to.get());
    give_to_owner(to.get(), at.step);
    if (written && ::fchmod(to.get(), at.step.mode & kPermissionBits) != 0)
      written = fail(system_error("set the mode", errno));
    if (!written) (void)::unlinkat(at.folder, at.temporary.c_str(), 0);
    return written;
  }

  // Names of one file in the layer become names of one file in the workspace.
  Result<bool> link_to_first(const Site& at, std::uint64_t layer_inode) {
    const auto first = linked_.find(layer_inode);
    if (first == linked_.end()) return false;
    const auto place = open_place(site_.lower, first->second.path);
    if (!place) return false;
    const UniqueFd file(
        ::openat(place->folder.get(), place->name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file || TRY(stamp_of(file.get(), "")).inode != first->second.inode) return false;
    const std::string self = "/proc/self/fd/" + std::to_string(file.get());
    if (::linkat(AT_FDCWD, self.c_str(), at.folder, at.temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return false;
    TRY(publish(at));
    return true;
  }

  Result<> make_link(const Site& at) {
    if (::symlinkat(at.step.text.c_str(), at.folder, at.temporary.c_str()) != 0)
      return fail(system_error("make the link", errno));
    const auto [uid, gid] = owner_of(at.step);
    if (::geteuid() == 0)
      (void)!::fchownat(at.folder, at.temporary.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW);
    return publish(at);
  }

  Result<> remove(const Site& at) {
    if (::renameat2(at.folder, at.name.c_str(), at.folder, at.temporary.c_str(),
                    RENAME_NOREPLACE) != 0) {
      // As publish(): without the flag, just after the check, and only what is one name.
      const int error = errno;
      if (error == EINVAL && !is_folder(*at.step.before) &&
          ::unlinkat(at.folder, at.name.c_str(), 0) == 0)
        return {};
      return error == ENOENT ? Result<>{} : Result<>(fail(system_error("remove", error)));
    }
    if (TRY(is_swapped_out(at))) return remove_tree(at.folder, at.temporary);
    (void)::renameat2(at.folder, at.temporary.c_str(), at.folder, at.name.c_str(),
                      RENAME_NOREPLACE);
    return conflict(kChanged);
  }

  Result<> set_mode(const Site& at) {
    const UniqueFd path(::openat(at.folder, at.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!path) return fail(system_error("set the mode", errno));
    const Stamp now = TRY(stamp_of(path.get(), ""));
    const bool as_planned = at.step.before ? is_same_thing(*at.step.before, now) : is_folder(now);
    if (!as_planned) return conflict(kChanged);
    // Bits such as setgid of a folder are the workspace's own and stay.
    const std::uint32_t mode = (now.mode & ~kPermissionBits) | (at.step.mode & kPermissionBits);
    const std::string self = "/proc/self/fd/" + std::to_string(path.get());
    if (::chmod(self.c_str(), mode) != 0) return fail(system_error("set the mode", errno));
    return {};
  }

  struct Linked {
    std::string path;
    std::uint64_t inode = 0;  // in the workspace
  };

  const CommitSite& site_;
  LayerReader reader_;
  std::map<std::uint64_t, Linked> linked_;  // by inode in the layer
};

}  // namespace

Result<Committed> make_steps(const CommitSite& site, const std::vector<Step>& steps) {
  return Committer(site).run(steps);
}

void remove_leavings(const CommitSite& site, const std::vector<Step>& steps) {
  Committer(site).clean(steps);
}

}  // namespace fathom::sandbox
