// NotifySupervisor: answers the calls of one command that wait at its seccomp listener.
//
// Two kinds wait on every rung, for diagnosis alone: opens that may write, which go on and are
// judged by the kernel, and calls that are always refused. Their denials are named here, out of
// band, where no output of the command can forge them. Where the session has no namespaces, brokers
// answer more: ConnectBroker, MetadataBroker and SharedMemory.
//
// What it costs (2 busy cores, ratios of interleaved runs, with : without the listener): a warm
// launch of /bin/true 0.98; perl opening and closing for writing in a loop 26 : 9 us, of which 15
// are the round trip and 2 the look; creating files of 2 kB in a tmpfs 39 : 20 us; five runs of gcc
// -c 1.0. When opens with O_EXCL waited too, which is how git, tar and cp make new files, a
// checkout of 5,000 files on tmpfs took 1.51 times as long, tar 1.36, cp -r 1.42; since they do not
// (see NotifySet::write_opens): 1.00 to 1.06, 0.95 to 1.00 and 0.98 to 1.01. The price: a new file
// that cp or tar could not make elsewhere is refused without being named. Still dearer is only what
// creates files by O_TRUNC and does nothing else.
#pragma once

#include "sandbox/connect_broker.hpp"
#include "sandbox/metadata_broker.hpp"
#include "sandbox/notify_channel.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/run_command.hpp"
#include "sandbox/shared_memory.hpp"

#include <functional>
#include <optional>
#include <string>

namespace fathom {
class TaskGroup;
}

namespace fathom::sandbox {

/// What acts in commands' stead; each is nullptr where the filter does not let its calls wait.
struct Brokers {
  ConnectBroker* connect = nullptr;
  const MetadataBroker* metadata = nullptr;
  const SharedMemory* shared_memory = nullptr;
};

class NotifySupervisor final : public CommandWatch {
 public:
  NotifySupervisor(const FileFences& fences, Brokers brokers);

  asio::awaitable<void> watch(int pidfd, Outcome& outcome, std::function<void()> kill) override;
  asio::awaitable<void> serve(UniqueFd listener, Outcome& outcome) override;

 private:
  /// One command's run.
  struct Run {
    Outcome& outcome;
    TaskGroup& tasks;  ///< connections being made
  };
  asio::awaitable<void> take_calls(const NotifyChannel& channel,
                                   asio::posix::stream_descriptor& watched, Run run);
  void take(const NotifyChannel& channel, const NotifiedCall& call, Run& run);
  bool take_brokered(const NotifyChannel& channel, const NotifiedCall& call, Run& run);
  void look_at_open(const NotifyChannel& channel, const NotifiedCall& call, Outcome& outcome);
  [[nodiscard]] std::optional<Denial> judge(const Target& target, const std::string& path) const;
  void lose(Outcome& outcome);

  const FileFences& fences_;
  Brokers brokers_;
  std::function<void()> kill_;
  bool lost_ = false;
};

}  // namespace fathom::sandbox
