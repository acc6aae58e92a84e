// EgressSession: a real session with a broker, for tests of what programs inside can reach. Names
// resolve to an address of documentation, and dialling that reaches servers of the test on this
// machine's loopback: plain HTTP on every port but 443, TLS for api.test there. Nothing leaves the
// machine.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"
#include "sandbox/compile.hpp"
#include "sandbox/egress/egress_broker.hpp"
#include "sandbox/session.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_certificates.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom::test {

enum class ProxyVariables : std::uint8_t { unset, set };

struct Ran {
  int status = -1;  ///< exit status; 128 + signal
  std::string out;  ///< of both streams
};

class EgressSession {
 public:
  /// What the servers answer with.
  static constexpr const char* kHello = "hello from outside\n";

  EgressSession(asio::io_context& io, policies::Network network);

  /// Opens the session and serves it. The error says what this machine lacks.
  asio::awaitable<Result<>> open();
  asio::awaitable<void> close();

  asio::awaitable<Ran> run(std::vector<std::string> argv, ProxyVariables proxy);
  /// By bash, with the proxy variables unset.
  asio::awaitable<Ran> sh(std::string script) {
    return run({"/bin/bash", "-c", std::move(script)}, ProxyVariables::unset);
  }

  [[nodiscard]] const std::vector<sandbox::EgressRecord>& records() const { return records_; }
  [[nodiscard]] std::vector<std::string> dialled() const { return dialled_; }
  /// What an outside server got, one entry a connection.
  [[nodiscard]] const std::vector<std::string>& requests() const { return requests_; }
  /// Of the first record of that kind; nothing when there is none.
  [[nodiscard]] std::optional<sandbox::EgressRecord> record(sandbox::Via via,
                                                            const std::string& name) const;
  /// The file of the authority that vouches for api.test.
  [[nodiscard]] std::string ca_file() const { return (root_ / "work/ca.pem").string(); }

 private:
  sandbox::EgressOptions options();
  Result<sandbox::SessionPlan> plan(sandbox::RootMode mode) const;
  Loopback::Script answer(bool tls);

  TempDir root_;
  policies::Policy policy_;
  SystemClock clock_;
  asio::any_io_executor executor_;
  TestAuthority authority_;
  Loopback plain_;
  Loopback tls_;
  std::vector<sandbox::EgressRecord> records_;
  std::vector<std::string> dialled_;
  std::vector<std::string> requests_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::unique_ptr<sandbox::EgressBroker> broker_;
  std::unique_ptr<sandbox::Session> session_;
  TaskGroup serving_;
};

/// Opens a session for `network` and runs `body` in it. A machine without user or network
/// namespaces skips the test.
void run_in_session(const policies::Network& network,
                    const std::function<asio::awaitable<void>(EgressSession&)>& body);

}  // namespace fathom::test
