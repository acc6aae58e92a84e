#include "sandbox/without_capabilities.hpp"

#include "runtime/base/ensure.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace fathom::sandbox {
namespace {

// By system call: the C library has no wrapper, and it is this thread's sets that are meant.
template <class Sets>
bool set(const Sets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

}  // namespace

WithoutCapabilities::WithoutCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  if (::syscall(SYS_capget, &header, before_.data()) != 0) return;
  Sets none = before_;
  for (__user_cap_data_struct& word : none) {
    to_restore_ = to_restore_ || word.effective != 0;
    word.effective = 0;
  }
  holds_ = !to_restore_ || set(none);
}

WithoutCapabilities::~WithoutCapabilities() {
  if (holds_ && to_restore_) ENSURE(set(before_), "what is permitted can be made effective again");
}

}  // namespace fathom::sandbox
