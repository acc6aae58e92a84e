// One repair without anybody watching, for counting how many succeed.
#pragma once

#include "agents/ledger.hpp"
#include "agents/session.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace fathom::agents {

struct DemoTrial {
  bool fixed = false;  ///< the checks failed before, and pass now
  std::uint64_t attempts = 0;
  std::uint64_t failed_calls = 0;  ///< of tools other than run_tests, which failing tests fail
  Duration took{};                 ///< from the start of the session to its end
  Duration sampling{};             ///< of it, waiting for the model
  Usage usage{};
  /// Of the first requests of all attempts but the first: what a fork shares is not read again.
  std::uint64_t fork_prompt_tokens = 0;
  std::uint64_t fork_reused_tokens = 0;
  std::string why;  ///< one line where it was not fixed
  RunId run;
};

/// A session of an agent with a check, from its start to its end. `options.on_event` is used.
asio::awaitable<Result<DemoTrial>> try_repair(Session::Surroundings around, SessionOptions options,
                                              std::string task);

}  // namespace fathom::agents
