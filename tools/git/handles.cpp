#include "tools/git/handles.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <git2.h>

#include <string>

namespace fathom::tools {

void GitFree::operator()(git_blob* it) const { git_blob_free(it); }
void GitFree::operator()(git_branch_iterator* it) const { git_branch_iterator_free(it); }
void GitFree::operator()(git_commit* it) const { git_commit_free(it); }
void GitFree::operator()(git_config* it) const { git_config_free(it); }
void GitFree::operator()(git_diff* it) const { git_diff_free(it); }
void GitFree::operator()(git_filter_list* it) const { git_filter_list_free(it); }
void GitFree::operator()(git_index* it) const { git_index_free(it); }
void GitFree::operator()(git_object* it) const { git_object_free(it); }
void GitFree::operator()(git_odb* it) const { git_odb_free(it); }
void GitFree::operator()(git_odb_object* it) const { git_odb_object_free(it); }
void GitFree::operator()(git_patch* it) const { git_patch_free(it); }
void GitFree::operator()(git_reference* it) const { git_reference_free(it); }
void GitFree::operator()(git_repository* it) const { git_repository_free(it); }
void GitFree::operator()(git_revwalk* it) const { git_revwalk_free(it); }
void GitFree::operator()(git_signature* it) const { git_signature_free(it); }
void GitFree::operator()(git_status_list* it) const { git_status_list_free(it); }
void GitFree::operator()(git_tree* it) const { git_tree_free(it); }

void start_libgit2() {
  static const bool started = [] {
    return git_libgit2_init() > 0 && git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "") == 0 &&
           git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) == 0;
  }();
  ENSURE(started, "libgit2 needs nothing but memory to start");
}

Error git_error(std::string_view what, int code) {
  const ::git_error* error = git_error_last();
  std::string message(what);
  message += ": ";
  message += error != nullptr && error->message != nullptr ? to_printable(error->message)
                                                           : "git error " + std::to_string(code);
  switch (code) {
    case GIT_ENOTFOUND:
    case GIT_EUNBORNBRANCH:
      return {ErrorCode::not_found, std::move(message)};
    case GIT_ELOCKED:
      return {ErrorCode::in_use, std::move(message)};
    case GIT_EINVALIDSPEC:
    case GIT_EAMBIGUOUS:
    case GIT_EEXISTS:
      return {ErrorCode::usage, std::move(message)};
    default:
      return {
          error != nullptr && error->klass == GIT_ERROR_OS ? ErrorCode::io : ErrorCode::bad_data,
          std::move(message)};
  }
}

}  // namespace fathom::tools
