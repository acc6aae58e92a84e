// A cell: the namespaces of one command, and the two processes in it that are ours. The init (PID 1
// there) forks the command's process, reports how it ended, and by its own end takes along whatever
// is left. The child restricts itself, waits for the launch, and becomes the command.
#pragma once

#include "sandbox/zygote/session.hpp"

namespace fathom::sandbox::zygote {

/// The init's life. `cell` is its end of the cell socket, `extra_plan` a memfd with mount
/// operations for this command alone, or -1.
[[noreturn]] void run_cell(const CellContext& context, const wire::Prepare& request, int cell,
                           int extra_plan);

/// The child's life: restrict itself, send the filter's listener when there is one, wait for the
/// launch, execute.
[[noreturn]] void run_child(const CellContext& context, const wire::Prepare& prepare, int cell);

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
