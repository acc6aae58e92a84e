// What libgit2 gives out, owned: a Handle frees it. Its headers stay in .cpp files, so the types
// are only named here.
#pragma once

#include "runtime/base/result.hpp"

#include <memory>
#include <string_view>

// NOLINTBEGIN(readability-identifier-naming): libgit2's names
struct git_blob;
struct git_branch_iterator;
struct git_commit;
struct git_config;
struct git_diff;
struct git_filter_list;
struct git_index;
struct git_object;
struct git_odb;
struct git_odb_object;
struct git_patch;
struct git_reference;
struct git_repository;
struct git_revwalk;
struct git_signature;
struct git_status_list;
struct git_tree;
// NOLINTEND(readability-identifier-naming)

namespace fathom::tools {

/// Frees any of them; one overload each.
struct GitFree {
  void operator()(git_blob* it) const;
  void operator()(git_branch_iterator* it) const;
  void operator()(git_commit* it) const;
  void operator()(git_config* it) const;
  void operator()(git_diff* it) const;
  void operator()(git_filter_list* it) const;
  void operator()(git_index* it) const;
  void operator()(git_object* it) const;
  void operator()(git_odb* it) const;
  void operator()(git_odb_object* it) const;
  void operator()(git_patch* it) const;
  void operator()(git_reference* it) const;
  void operator()(git_repository* it) const;
  void operator()(git_revwalk* it) const;
  void operator()(git_signature* it) const;
  void operator()(git_status_list* it) const;
  void operator()(git_tree* it) const;
};

template <class T>
using Handle = std::unique_ptr<T, GitFree>;

/// A handle that a libgit2 function writes to: `git_odb_open(out(odb), …)`.
template <class T>
class Out {
 public:
  explicit Out(Handle<T>& handle) : handle_(handle) {}
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  ~Out() { handle_.reset(raw_); }
  operator T**() { return &raw_; }  // NOLINT(google-explicit-constructor): an argument

 private:
  Handle<T>& handle_;
  T* raw_ = nullptr;
};

template <class T>
Out<T> out(Handle<T>& handle) {
  return Out<T>(handle);
}

/// Starts libgit2 before the first use in this process and sets what holds for all of it: no
/// template folder, no check of who owns a folder (the check protects programs that a config names,
/// and none is ever run here). It is never shut down: handles of other threads may still be alive.
void start_libgit2();

/// The Error of the libgit2 call that just returned `code` on this thread.
[[nodiscard]] Error git_error(std::string_view what, int code);

}  // namespace fathom::tools
