// fathom_probes: one small static program that tries one thing a run: an attack on what a sandbox
// should hold, or a need that it must not break. It is run unconfined first, which shows that the
// probe itself works, and then confined (probe_cases.hpp has the expectations).
//
//   fathom_probes PROBE [ARGUMENT…]         prints "ok", the name of an errno, or a value
//   fathom_probes alone PROBE [ARGUMENT…]   the same as the root of namespaces of its own: how an
//                                           attack that could harm the machine is calibrated
#pragma once

#include <cerrno>
#include <span>

namespace fathom::probes {

/// What a probe answers beside an errno: it has printed a value itself.
inline constexpr int kPrinted = -1;

/// Arguments behind the probe's name.
class Arguments {
 public:
  Arguments(int count, char** values) : count_(count), values_(values) {}
  [[nodiscard]] int count() const { return count_; }
  /// "" beyond the last.
  [[nodiscard]] const char* text(int index) const { return index < count_ ? values_[index] : ""; }
  /// Decimal, 0x… or 0… (octal).
  [[nodiscard]] long number(int index) const;
  [[nodiscard]] char** values() const { return values_; }

 private:
  int count_;
  char** values_;
};

/// Returns 0 for "ok", an errno, or kPrinted.
struct Probe {
  const char* name;
  int (*run)(const Arguments& arguments);
};

std::span<const Probe> file_probes();
std::span<const Probe> process_probes();
std::span<const Probe> namespace_probes();
std::span<const Probe> syscall_probes();
std::span<const Probe> network_probes();
std::span<const Probe> resource_probes();

/// 0 or errno of a call that returned `result`.
inline int answer_of(long result) { return result < 0 ? errno : 0; }

/// Prints a line and returns kPrinted.
int print(const char* text);
int print(long number);

/// Runs `body` in a forked child; its answer, or EPROTO when it died by a signal.
int in_child(int (*body)(const Arguments&), const Arguments& arguments);

}  // namespace fathom::probes
