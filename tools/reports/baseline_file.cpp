#include "tools/reports/baseline_file.hpp"

#include "runtime/base/file.hpp"

#include <utility>

namespace fathom::tools {

asio::awaitable<std::optional<KeptBaseline>> BaselineFile::last() {
  auto reading = offload(pool_, [path = path_]() -> Result<KeptBaseline> {
    const std::string text = TRY(read_file(path, kKeptBaselineBytesMax));
    return parse_kept_baseline(text);
  });
  Result<KeptBaseline> kept = co_await std::move(reading);
  if (!kept || kept->workspace != owner_.workspace) co_return std::nullopt;
  co_return *std::move(kept);
}

asio::awaitable<Result<>> BaselineFile::keep(std::vector<std::string> command, Baseline cases) {
  KeptBaseline kept{owner_.run, owner_.workspace, std::move(command), std::move(cases)};
  auto writing = offload(pool_, [path = path_, kept = std::move(kept)]() -> Result<> {
    const std::string text = TRY(to_text(kept));
    return write_file_atomic(path, text, Sync::no);
  });
  co_return co_await std::move(writing);
}

}  // namespace fathom::tools
