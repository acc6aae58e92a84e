// MetadataBroker: modes, owners, times and attributes of files, where no mount keeps a command from
// changing them. Landlock has no rights for these, so the calls wait, and the broker makes the
// change in the command's stead, or refuses it:
//
//   copy the arguments → open the file, O_PATH, as the command would find it → is the call still
//   waiting? → where does the kernel say that this descriptor is? → may the command write there? →
//   change the descriptor's file, without our capabilities
//
// What was judged is what is changed: no path is walked twice, and no call goes on to the kernel.
//
// What it does not protect: advisory locks, and what reading changes (access times). A file with a
// second name inside the workspace is changed for its name outside as well; commands cannot make
// such names. A file system that does not answer (a dead NFS server) holds the runtime's thread up,
// where otherwise it would hold the command.
//
// What it costs: about 38 us of the runtime's processor time a chmod (2 us unconfined), and the
// round trip (notify_channel.hpp).
//
// What commands notice: names that lead through /proc/PID/{cwd,root,exe} are refused, those through
// /proc/self/fd and /dev/fd work. Group changes are judged by the runtime's groups, which are the
// command's.
#pragma once

#include "sandbox/denied_paths.hpp"
#include "sandbox/metadata_call.hpp"
#include "sandbox/outcome.hpp"

namespace fathom::sandbox {

class MetadataBroker {
 public:
  explicit MetadataBroker(const FileFences& fences) : fences_(fences) {}

  /// Answers a call that is_metadata_call(), at once.
  void answer(const NotifyChannel& channel, const NotifiedCall& call, Outcome& outcome) const;

 private:
  const FileFences& fences_;
};

}  // namespace fathom::sandbox
