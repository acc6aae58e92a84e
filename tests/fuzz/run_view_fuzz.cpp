// A run's events from elsewhere: the first byte chooses how they are shown, then a line an event,
// its type, a blank and its data. Whatever they hold, the terminal gets printable lines, and no
// status fills its line.
#include "agents/cli/run_view.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::agents;

namespace {

constexpr std::size_t kColumns = 30;

bool is_harmless(std::string_view text) {
  std::string plain;
  for (const char c : text)
    if (c != '\n' && c != '\t') plain += c;
  return to_printable(plain) == plain;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  RunView::Options options;
  options.is_terminal = true;
  options.columns = kColumns;
  options.verbose = (data[0] & 1U) != 0;
  options.marks = (data[0] & 2U) != 0 ? MarkSet::ascii : MarkSet::unicode;
  RunView view(options);
  Instant now;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string text =
        view.on(line.substr(0, blank), line.substr(std::min(line.size(), blank + 1)), now);
    ENSURE(is_harmless(text), "what is shown does not control the terminal");
    const std::string status = view.status(now);
    ENSURE(is_harmless(status) && status.find_first_of("\n\t") == std::string::npos,
           "the status is one line");
    ENSURE(columns_of(status) < kColumns, "the status leaves the last column free");
    now += std::chrono::milliseconds(700);
  }
  ENSURE(view.on("turn.finished", "{}", now).size() <= size * 8 + 256, "the end holds back little");
  return 0;
}
