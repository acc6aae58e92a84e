// NotifyChannel: our end of a seccomp listener. A call that the filter answers "notify" waits in
// the kernel until it is answered here, or until its process is gone; an answer that comes too late
// is dropped.
#pragma once

#include "runtime/base/unique_fd.hpp"

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>

namespace fathom::sandbox {

/// A waiting call. The arguments are the registers: they cannot change any more, but what a pointer
/// among them leads to can, at any moment.
struct NotifiedCall {
  std::uint64_t id = 0;
  pid_t thread = 0;  ///< as this process sees it
  int number = 0;
  std::array<std::uint64_t, 6> arguments{};

  /// An argument that the kernel takes as an int.
  [[nodiscard]] int word(std::size_t at) const { return static_cast<int>(arguments.at(at)); }
};

enum class ChannelState : std::uint8_t {
  waiting,  ///< a call can be received
  quiet,
  ended,   ///< no process with the filter is left
  broken,  ///< it is no listener, or not any more
};

/// Does not own the listener.
class NotifyChannel {
 public:
  explicit NotifyChannel(int listener);

  /// Wakes the target on our processor, where the kernel can (Linux 6.6): 5 instead of 48 us a
  /// call.
  void wake_synchronously() const;

  /// Waits at most so long, in the kernel: a wait of microseconds for the next call of many.
  [[nodiscard]] ChannelState look(std::chrono::microseconds wait = {}) const;

  /// Takes the next call. To be asked only after look() said `waiting`: O_NONBLOCK means nothing to
  /// the kernel here. With one reader that is enough: a call that vanished since leaves its count
  /// behind, so the kernel answers ENOENT, here `quiet`, and does not block.
  [[nodiscard]] std::expected<NotifiedCall, ChannelState> receive() const;

  /// False when the call is gone: then the thread's number may be another's by now, and what was
  /// read of it is not the caller's.
  [[nodiscard]] bool still_waits(const NotifiedCall& call) const;

  void answer(const NotifiedCall& call, std::int64_t value) const;
  /// `error` is positive, as errno.
  void refuse(const NotifiedCall& call, int error) const;
  /// The kernel performs the call as if there were no listener. Whatever was looked at behind a
  /// pointer may be something else by then: never the result of a decision.
  void let_continue(const NotifiedCall& call) const;

  /// Gives the target a copy of `fd` and answers with its number. Returns errno, or 0.
  [[nodiscard]] int answer_with(const NotifiedCall& call, int fd, bool close_on_exec) const;

  /// Puts a copy of `fd` in the place of the target's descriptor `over`; the call goes on waiting.
  /// Returns errno, or 0.
  [[nodiscard]] int replace(const NotifiedCall& call, int fd, int over, bool close_on_exec) const;

 private:
  int listener_;
};

}  // namespace fathom::sandbox
