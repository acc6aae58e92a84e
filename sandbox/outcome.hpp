// Outcome: how a command ended, decided out of band. Nothing that the command prints or returns can
// make a denial, a limit or a failure of ours: the classification uses only what the zygote, the
// kernel and our own clock report. The first status wins.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/egress/egress_record.hpp"
#include "sandbox/host.hpp"
#include "sandbox/output_capture.hpp"
#include "sandbox/zygote/wire.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fathom::sandbox {

enum class Ending : std::uint8_t {
  exited,        ///< by itself; exit_code counts
  signalled,     ///< by a signal that was not ours; signal counts
  deadline,      ///< wall time was up
  cancelled,     ///< the caller did not want it any more
  memory_limit,  ///< killed for the memory limit
  disk_limit,    ///< wrote more than it may
  output_limit,  ///< printed more than it may
  not_started,   ///< nothing was executed: evidence says what is missing
  lost,          ///< the sandbox itself failed while the command ran
};

struct Usage {
  std::chrono::microseconds wall{0};
  std::chrono::microseconds user{0};
  std::chrono::microseconds system{0};
  std::uint64_t memory_bytes_max = 0;  ///< of the largest process

  friend bool operator==(const Usage&, const Usage&) = default;
};

/// Something the sandbox refused. Equal denials are counted, not repeated.
struct Denial {
  std::string what;    ///< "write", "read", "connect", "system call"
  std::string target;  ///< path, host:port or name of the call
  std::string rule;    ///< id of the policy's rule, or of the sandbox's own
  std::string grant;   ///< smallest line of policy that would allow it; "" when nothing would
  std::uint64_t count = 1;
  std::string note =
      {};  ///< how it is known, when it was not seen happening: "named in the command"

  friend bool operator==(const Denial&, const Denial&) = default;
};

inline constexpr std::size_t kDenialsMax = 64;  // kept of one command

inline constexpr std::size_t kConnectionsKeptMax = 256;  // of one command

/// A guarantee that is held less firmly than it could be, said in every result.
struct WeakerGuarantee {
  policies::Guarantee guarantee{};
  policies::Strength strength{};
  std::string reason;
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in reading order; one a command
struct Outcome {
  Ending ending = Ending::not_started;
  int exit_code = 0;
  int signal = 0;
  std::string
      evidence;  ///< who said so: "deadline of 600000 ms", "exec: No such file or directory"
  wire::Stage stage = wire::Stage::none;  ///< of not_started
  Usage usage;
  CapturedOutput out;
  CapturedOutput err;
  bool left_processes = false;  ///< it ended with processes alive, which were killed
  std::vector<Denial> denials;
  std::uint64_t denials_more = 0;         ///< beyond kDenialsMax
  std::vector<EgressRecord> connections;  ///< that the session made while it ran, with their bytes
  std::uint64_t connections_more = 0;     ///< beyond kConnectionsKeptMax
  std::vector<std::string> repaired;      ///< protected paths that were put back or quarantined
  std::vector<std::string>
      runs_later;  ///< build files it changed, which run outside the sandbox later
  Rung rung = Rung::full;
  std::vector<WeakerGuarantee> weaker;

  /// Keeps the first ending.
  void end(Ending how, std::string why);
  /// Names an ending better, by evidence that came with it.
  void classify(Ending how, std::string why);
  void add(Denial denial);
  void add(EgressRecord connection);
  [[nodiscard]] bool has_ended() const { return ended_; }

 private:
  bool ended_ = false;
};

std::string_view name_of(Ending ending);

/// 'exit code 1', 'killed by signal 9', 'stopped: deadline of 2000 ms': one line for people.
std::string summary(const Outcome& outcome);

/// At most five lines for a model: what was blocked, by which rule, and what to do instead.
inline constexpr std::size_t kNoticeLinesMax = 5;
std::string notice_for_model(const Outcome& outcome);

/// One JSON object in one line, with a line feed; output as text made valid UTF-8.
std::string to_json(const Outcome& outcome);

}  // namespace fathom::sandbox
