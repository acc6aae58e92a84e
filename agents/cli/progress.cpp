#include "agents/cli/progress.hpp"

#include "runtime/base/text.hpp"

#include <unistd.h>

#include <cstdio>

namespace fathom::agents {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

Progress::Progress(std::string_view what)
    : what_(what), interactive_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

bool Progress::is_due(bool last) {
  if (!interactive_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (!last && now - last_ < kInterval) return false;
  last_ = now;
  return true;
}

void Progress::write(const std::string& text) {
  std::fprintf(stderr, "\r\033[K%s %s", what_.c_str(), text.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::show(std::uint64_t done, std::uint64_t total, std::string_view unit) {
  if (is_due(done == total))
    write(std::to_string(done) + " of " + std::to_string(total) + " " + std::string(unit));
}

void Progress::show_bytes(std::uint64_t done, std::uint64_t total) {
  if (is_due(done == total)) write(format_bytes(done) + " of " + format_bytes(total));
}

}  // namespace fathom::agents
