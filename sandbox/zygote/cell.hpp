// A cell: the namespaces of one command, and the two processes in it that are ours. The init (PID 1
// there) waits for the launch, forks the command's process, reports how it ended, and by its own
// end takes along whatever is left. The child restricts itself and becomes the command.
#pragma once

#include "sandbox/zygote/session.hpp"

namespace fathom::sandbox::zygote {

/// The init's life. `cell` is its end of the cell socket, `extra_plan` a memfd with mount
/// operations for this command alone, or -1.
[[noreturn]] void run_cell(const CellContext& context, int cell, int extra_plan);

/// The child's life: restrict, then execute. `handshake` carries the number of the filter's
/// listener to the init, which shares this descriptor table until it has taken it; -1 without a
/// listener.
[[noreturn]] void run_child(const CellContext& context, const wire::Launch& launch,
                            wire::PlanReader& body, const int* stdio, int cell, int handshake);

/// Keeps every exec of this process and its descendants from granting capabilities: empty bounding
/// set, no special treatment of uid 0, both locked. Those that are held stay until they are
/// dropped.
void forbid_capabilities();

/// Gives up every capability that is held.
Failure drop_capabilities();

/// Kills and reaps every descendant. For rungs without a process namespace: descendants are stopped
/// first, so that none can fork past us, then killed.
void sweep_children();

}  // namespace fathom::sandbox::zygote
