// build_filter: the table and its rules as a program for the kernel.
//
// libseccomp generates the tree of call numbers; the argument rules are ours (seccomp_link.hpp). A
// filter is the last fence that a child puts up, after Landlock. It bounds which kernel code can be
// reached, never which file or host: no filter sees behind a pointer.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/filter_options.hpp"

#include <linux/filter.h>

#include <string>
#include <vector>

namespace fathom::sandbox {

/// For the architecture that this process runs on; 580 to 750 instructions. Building takes 1.6 ms
/// and a memfd, so the caller keeps the result per options. Installing takes 0.15 ms (the kernel
/// compiles it), so it may be worth doing before there is a command. Installed by seccomp(2) in the
/// child after no_new_privs; with any of NotifySet, with SECCOMP_FILTER_FLAG_NEW_LISTENER.
Result<std::vector<sock_filter>> build_filter(const FilterOptions& options);

/// What reports call a system call: its name, or "call 1234" when the table does not have it.
std::string syscall_name(int number);

}  // namespace fathom::sandbox
