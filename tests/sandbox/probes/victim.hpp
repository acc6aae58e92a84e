// Victim: a process outside the sandbox that is worth attacking (the probe `victim`), ended with
// its owner.
#pragma once

#include "runtime/base/unique_fd.hpp"

#include <sys/types.h>

#include <string>

namespace fathom::test {

enum class Listening : bool { on_loopback, everywhere };

class Victim {
 public:
  /// `folder` gets its socket.
  explicit Victim(const std::string& folder, Listening listening = Listening::on_loopback);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] const std::string& abstract_name() const { return abstract_name_; }
  [[nodiscard]] const std::string& segment() const { return segment_; }

 private:
  pid_t pid_ = -1;
  UniqueFd input_;  // it ends when this is closed
  std::string port_;
  std::string abstract_name_;
  std::string segment_;
};

}  // namespace fathom::test
