// BaselineKeeper: where the last whole run of a repository's tests is found by the next one, which
// another process may make.
#pragma once

#include "runtime/async/offload.hpp"
#include "runtime/base/result.hpp"
#include "tools/reports/kept_baseline.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom::tools {

namespace asio = boost::asio;

class BaselineKeeper {
 public:
  BaselineKeeper() = default;
  virtual ~BaselineKeeper() = default;
  BaselineKeeper(const BaselineKeeper&) = delete;
  BaselineKeeper& operator=(const BaselineKeeper&) = delete;

  /// Nothing when there is none, or none that can be read: it is a convenience.
  virtual asio::awaitable<std::optional<KeptBaseline>> last() = 0;
  /// Takes the place of the one before.
  virtual asio::awaitable<Result<>> keep(std::vector<std::string> command, Baseline cases) = 0;
};

/// One file for a workspace. Of two runs at the same time the later one to end stays.
class BaselineFile final : public BaselineKeeper {
 public:
  struct Owner {
    std::string run;        ///< the id of this run
    std::string workspace;  ///< a file that speaks of another is not taken
  };
  /// `pool` outlives this. The folder of `path` exists.
  BaselineFile(OffloadPool& pool, std::filesystem::path path, Owner owner)
      : pool_(pool), path_(std::move(path)), owner_(std::move(owner)) {}

  asio::awaitable<std::optional<KeptBaseline>> last() override;
  asio::awaitable<Result<>> keep(std::vector<std::string> command, Baseline cases) override;

 private:
  OffloadPool& pool_;
  std::filesystem::path path_;
  Owner owner_;
};

}  // namespace fathom::tools
