// The session's own network: a loopback that is up, optionally the route that delivers connections
// to any address to listeners in the session, and those listeners.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

/// A network namespace that a process of its own makes while ours goes on: it takes a third of the
/// time that a session needs.
class NetworkBuild {
 public:
  /// `capture`: with the route that delivers every address to the loopback.
  Failure start(bool capture);
  /// Waits for it and moves the calling process into it.
  Failure join();

 private:
  int ends_[2] = {-1, -1};  ///< of the pipe for what it reports
  pid_t builder_ = -1;
};

/// Binds what the plan lists. The sockets stay of this network wherever they are sent.
Failure open_listeners(wire::PlanReader& plan, int* listeners, std::size_t& count);

}  // namespace fathom::sandbox::zygote
