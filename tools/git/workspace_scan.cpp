#include "tools/git/workspace_scan.hpp"

#include "runtime/base/text.hpp"
#include "sandbox/directory.hpp"
#include "tools/git/beneath.hpp"

#include <algorithm>
#include <functional>
#include <optional>

namespace fathom::tools {
namespace {

using sandbox::FileType;
using sandbox::Stamp;

bool has_below(const std::vector<std::string>& sorted, std::string_view folder) {
  const std::string prefix = std::string(folder) + "/";
  const auto at = std::ranges::lower_bound(sorted, prefix);
  return at != sorted.end() && at->starts_with(prefix);
}

// One look. An Error is the store's; what cannot be seen of the tree is noted and left out.
class Scan {
 public:
  Scan(const ScanRequest& request, ObjectStore& store)
      : request_(request), store_(store), rules_(IgnoreFile::parse(request.excludes)) {}

  Result<ScanFinding> run() {
    const Stamp root = TRY(sandbox::stamp_of(request_.root, ""));
    device_ = root.device;
    found_.cache.looked_ns = request_.now_ns;
    found_.root = TRY(folder(request_.root, "", false, 0));
    return std::move(found_);
  }

 private:
  void leave_out(std::string path, std::string reason) {
    if (found_.uncovered.size() == kUncoveredMax) {
      found_.complete = false;
      return;
    }
    found_.uncovered.push_back({std::move(path), std::move(reason)});
  }

  // The tree of an open folder. `ignored`: only what is tracked counts here.
  Result<ObjectId> folder(int dir, const std::string& path, bool ignored, std::size_t depth) {
    std::vector<TreeEntry> entries;
    auto listing = sandbox::list(dir, request_.bounds.entries_max - looked_at_);
    if (!listing && path.empty()) return fail(std::move(listing).error());
    if (!listing) {
      leave_out(path, "cannot be listed");
    } else {
      looked_at_ += listing->entries.size();
      if (!listing->complete) leave_out(path, "too many files");
      std::ranges::sort(listing->entries, {}, &sandbox::Listed::name);
      rules_.enter(path, ignored ? IgnoreFile() : ignore_file(dir, listing->entries));
      auto filled = fill(dir, path, ignored, depth, listing->entries, entries);
      rules_.leave();
      if (!filled) return fail(std::move(filled).error());
    }
    return store_tree(path, encode_tree(entries));
  }

  static IgnoreFile ignore_file(int dir, const std::vector<sandbox::Listed>& entries) {
    constexpr std::string_view kName = ".gitignore";
    if (!std::ranges::binary_search(entries, kName, {}, &sandbox::Listed::name)) return {};
    const auto text = sandbox::read_regular(dir, std::string(kName), kIgnoreFileBytesMax);
    return text ? IgnoreFile::parse(*text) : IgnoreFile();
  }

  Result<> fill(int dir, const std::string& path, bool ignored, std::size_t depth,
                const std::vector<sandbox::Listed>& listed, std::vector<TreeEntry>& entries) {
    for (const sandbox::Listed& one : listed) {
      if (is_git_name(one.name)) continue;
      const std::string below = path.empty() ? one.name : path + "/" + one.name;
      std::optional<Node> node = TRY(entry(dir, one, below, ignored, depth));
      if (!node) continue;
      entries.push_back({one.name, *node});
      found_.state.emplace_hint(found_.state.end(), below, *node);
    }
    return {};
  }

  Result<std::optional<Node>> entry(int dir, const sandbox::Listed& one, const std::string& path,
                                    bool ignored, std::size_t depth) {
    std::optional<Node> nothing;
    // The type decides first: what is ignored needs no stat.
    const auto is_out = [&](bool is_folder) {
      const bool out = ignored || rules_.is_ignored(path, is_folder);
      return out && !(is_folder ? has_below(request_.tracked, path)
                                : std::ranges::binary_search(request_.tracked, path));
    };
    if (one.type_known && is_out(one.type == FileType::directory)) return nothing;
    const auto stamp = sandbox::stamp_of(dir, one.name);
    if (!stamp) {
      if (stamp.error().code != ErrorCode::not_found) leave_out(path, "cannot be looked at");
      return nothing;
    }
    const bool is_folder = stamp->type == FileType::directory;
    if (!one.type_known && is_out(is_folder)) return nothing;
    switch (stamp->type) {
      case FileType::directory:
        return subfolder(dir, one.name, path, *stamp,
                         {ignored || rules_.is_ignored(path, true), depth + 1});
      case FileType::regular:
        return file(dir, one.name, path, *stamp);
      case FileType::symlink:
        return link(dir, one.name, path);
      case FileType::other:
        break;
    }
    leave_out(path, "neither file, link nor folder");
    return nothing;
  }

  struct Below {
    bool ignored = false;
    std::size_t depth = 0;
  };
  Result<std::optional<Node>> subfolder(int dir, const std::string& name, const std::string& path,
                                        const Stamp& stamp, Below below) {
    std::optional<Node> nothing;
    if (stamp.device != device_) {
      leave_out(path, "another file system");
      return nothing;
    }
    if (std::ranges::find(request_.apart, path) != request_.apart.end()) {
      leave_out(path, "where snapshots are kept");
      return nothing;
    }
    if (below.depth > request_.bounds.depth_max) {
      leave_out(path, "too deep");
      return nothing;
    }
    const auto opened = sandbox::open_directory(dir, name);
    if (!opened) {
      leave_out(path, "cannot be opened");
      return nothing;
    }
    // Before what is in it, so that the map grows at its end.
    Node node{NodeKind::folder, static_cast<std::uint16_t>(stamp.mode & 0777U), {}};
    node.id = TRY(folder(opened->get(), path, below.ignored, below.depth));
    return std::optional<Node>(node);
  }

  Result<std::optional<Node>> file(int dir, const std::string& name, const std::string& path,
                                   const Stamp& stamp) {
    std::optional<Node> nothing;
    if (stamp.bytes > request_.bounds.file_bytes_max) {
      leave_out(path, "larger than " + format_bytes(request_.bounds.file_bytes_max));
      return nothing;
    }
    if (found_.bytes + stamp.bytes > request_.bounds.bytes_max) {
      leave_out(path,
                "all files together are larger than " + format_bytes(request_.bounds.bytes_max));
      return nothing;
    }
    Node node{NodeKind::file, static_cast<std::uint16_t>(stamp.mode & 0777U), {}};
    const ObjectId* known =
        request_.cache == nullptr ? nullptr : request_.cache->content(path, stamp);
    if (known != nullptr) {
      node.id = *known;
    } else {
      const auto bytes = sandbox::read_regular(dir, name, request_.bounds.file_bytes_max);
      if (!bytes) {
        leave_out(path, "cannot be read: " + bytes.error().message);
        return nothing;
      }
      node.id = TRY(store_.write(*bytes, ObjectStore::Kind::content));
      ++found_.files_read;
    }
    ++found_.files;
    found_.bytes += stamp.bytes;
    found_.cache.files.emplace(path, CachedFile::of(stamp, node.id));
    return std::optional<Node>(node);
  }

  Result<std::optional<Node>> link(int dir, const std::string& name, const std::string& path) {
    const auto target = sandbox::read_link(dir, name);
    if (!target) {
      leave_out(path, "cannot be read");
      return std::optional<Node>();
    }
    Node node{NodeKind::link, 0, {}};
    node.id = TRY(store_.write(*target, ObjectStore::Kind::content));
    return std::optional<Node>(node);
  }

  // A tree that was stored last time is there still.
  Result<ObjectId> store_tree(const std::string& path, const std::string& bytes) {
    const ObjectId id = TRY(ObjectStore::id_of(bytes, ObjectStore::Kind::tree));
    bool stored = false;
    if (request_.cache != nullptr) {
      const auto before = request_.cache->folders.find(path);
      stored = before != request_.cache->folders.end() && before->second == id;
    }
    if (!stored) (void)TRY(store_.write(bytes, ObjectStore::Kind::tree));
    found_.cache.folders.emplace(path, id);
    return id;
  }

  const ScanRequest& request_;
  ObjectStore& store_;
  IgnoreRules rules_;
  std::uint64_t device_ = 0;
  std::size_t looked_at_ = 0;
  ScanFinding found_;
};

}  // namespace

Result<ScanFinding> scan_workspace(const ScanRequest& request, ObjectStore& store) {
  return Scan(request, store).run();
}

}  // namespace fathom::tools
