// The session's own network: a loopback that is up, optionally the route that delivers connections
// to any address to listeners in the session, and those listeners.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

Failure raise_loopback(bool capture);

/// Binds what the plan lists. The sockets stay of this network wherever they are sent.
Failure open_listeners(wire::PlanReader& plan, int* listeners, std::size_t& count);

}  // namespace fathom::sandbox::zygote
