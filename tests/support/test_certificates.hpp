// Certificates made while the test runs: nothing to renew in the repository, and any defect can be
// had.
#pragma once

#include "runtime/async/clock.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace fathom::test {

/// A certificate with its private key, both PEM.
struct Identity {
  std::string certificate;
  std::string key;
};

struct CertificateSpec {
  std::vector<std::string> names = {};      ///< DNS names it is for
  std::vector<std::string> addresses = {};  ///< IP addresses it is for
  std::string common_name = "Fathom Test Server";
  /// ManualClock's wall time starts in 2026.
  std::chrono::year_month_day not_before = std::chrono::year{2025} / 1 / 1;
  std::chrono::year_month_day not_after = std::chrono::year{2030} / 1 / 1;
};

/// A certification authority that nobody trusts until its certificate is named in a ca_file.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  [[nodiscard]] std::string certificate() const;
  [[nodiscard]] Identity issue(const CertificateSpec& spec) const;
  /// An identity that vouches for itself.
  [[nodiscard]] static Identity self_signed(const CertificateSpec& spec);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::test
