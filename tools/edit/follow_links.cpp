#include "tools/edit/follow_links.hpp"

#include "policies/path_rules.hpp"
#include "sandbox/directory.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <vector>

namespace fathom::tools {
namespace {

using sandbox::FileType;

class Walk {
 public:
  Walk(int folder, const std::string& root) : folder_(folder), root_(root) {}

  Result<Followed> run(std::string_view path) {
    if (!prepend(path)) return outside(std::string(path));
    while (!rest_.empty()) {
      const std::string name = std::move(rest_.front());
      rest_.pop_front();
      if (name == ".." && at_.empty())
        return outside(std::filesystem::path(root_).parent_path().string());
      if (name == "..")
        leave();
      else if (const std::string out = TRY(enter(name)); !out.empty())
        return outside(out);
    }
    return Followed{place(), true, dangling_};
  }

 private:
  [[nodiscard]] std::string below() const {
    std::string path;
    for (const std::string& name : at_) path.append(path.empty() ? "" : "/").append(name);
    return path;
  }

  [[nodiscard]] std::string place() const {
    return at_.empty() ? root_ : root_ + (root_.ends_with('/') ? "" : "/") + below();
  }

  [[nodiscard]] Followed outside(std::string path) const {
    for (const std::string& name : rest_) path.append("/").append(name);
    return Followed{std::move(path), false, false};
  }

  // False when it is absolute and not of the tree.
  bool prepend(std::string_view path) {
    if (path.starts_with('/')) {
      if (!policies::is_at_or_below(path, root_)) return false;
      path.remove_prefix(root_.size());
      at_.clear();
    }
    std::vector<std::string> names;
    for (const std::filesystem::path& name : std::filesystem::path(path))
      if (!name.empty() && name != "." && name != "/") names.push_back(name.string());
    rest_.insert(rest_.begin(), names.begin(), names.end());
    return true;
  }

  void leave() {
    at_.pop_back();
    type_ = FileType::directory;
  }

  // Gives the path that a link leads to, when that is not of the tree.
  Result<std::string> enter(const std::string& name) {
    at_.push_back(name);
    const bool of_a_link = rest_.size() >= behind_link_;
    if (missing_ || type_ != FileType::directory) {
      missing_ = true;
      dangling_ = dangling_ || of_a_link;
      return std::string();
    }
    const std::string here = below();
    const auto stamp = sandbox::stamp_of(folder_, here);
    if (!stamp && stamp.error().code != ErrorCode::not_found) return fail(stamp.error());
    missing_ = !stamp;
    dangling_ = missing_ && of_a_link;
    if (missing_) return std::string();
    type_ = stamp->type;
    if (type_ != FileType::symlink) return std::string();
    if (++links_ > kLinksFollowedMax)
      return fail(ErrorCode::usage, "more than " + std::to_string(kLinksFollowedMax) + " links");
    std::string target = TRY(sandbox::read_link(folder_, here));
    if (!of_a_link) behind_link_ = rest_.size();
    leave();
    if (prepend(target)) return std::string();
    return target;
  }

  int folder_;
  const std::string& root_;
  std::vector<std::string> at_;          // followed, without links
  std::deque<std::string> rest_;         // still to follow
  FileType type_ = FileType::directory;  // of what `at_` names
  bool missing_ = false;
  bool dangling_ = false;
  int links_ = 0;
  /// How many names stood behind the link whose target is followed: as long as more are left, they
  /// are the link's.
  std::size_t behind_link_ = SIZE_MAX;
};

}  // namespace

Result<Followed> follow_links(int folder, const std::string& root, std::string_view path) {
  return Walk(folder, root).run(path);
}

}  // namespace fathom::tools
