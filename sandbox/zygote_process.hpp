// ZygoteProcess: the small process from which every sandbox is forked (zygote/zygote.cpp).
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"

#include <sys/types.h>

#include <memory>
#include <string_view>

namespace fathom::sandbox {

/// Start it before the runtime has threads or a large heap, once a process. It ends with us,
/// however we end, and with it every session.
class ZygoteProcess {
 public:
  static Result<std::unique_ptr<ZygoteProcess>> start();

  /// Ends it and waits until its sessions' control groups are removed.
  ~ZygoteProcess();
  ZygoteProcess(const ZygoteProcess&) = delete;
  ZygoteProcess& operator=(const ZygoteProcess&) = delete;

  /// Asks for a session; the answer comes on the returned session socket. `plan` is
  /// SessionPlan::encode().
  Result<UniqueFd> open_session(std::string_view plan);

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  ZygoteProcess(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_;
  UniqueFd socket_;
};

}  // namespace fathom::sandbox
