#include "agents/cli/terminal.hpp"

#include "runtime/base/text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace fathom::agents {
namespace {

bool wants_colour(ColourMode mode, const GetEnv& env, std::FILE* out) {
  if (mode != ColourMode::automatic) return mode == ColourMode::always;
  return ::isatty(::fileno(out)) == 1 && env("NO_COLOR").empty() && env("TERM") != "dumb";
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::plain:
      return "";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::cyan:
      return "\x1b[36m";
    case Colour::bold:
      return "\x1b[1m";
  }
  return "";
}

}  // namespace

Terminal::Terminal(ColourMode mode, const GetEnv& env, std::FILE* out)
    : out_(out), colour_(wants_colour(mode, env, out)) {}

std::string Terminal::paint(Colour colour, std::string_view text) const {
  if (!colour_ || colour == Colour::plain) return std::string(text);
  return std::string(code_of(colour)) + std::string(text) + "\x1b[0m";
}

void Terminal::out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), out_) != text.size()) write_error_ = errno;
}

void Terminal::note(std::string_view text) {
  std::fprintf(stderr, "fathom: %.*s\n", static_cast<int>(text.size()), text.data());
}

void Terminal::aside(std::string_view lines) {
  std::fwrite(lines.data(), 1, lines.size(), stderr);
}

Result<> Terminal::flush() {
  if (std::fflush(out_) != 0 && write_error_ == 0) write_error_ = errno;
  if (write_error_ == 0) return {};
  Error error = system_error("write standard output", write_error_);
  if (write_error_ == EPIPE) error.code = ErrorCode::io;  // a pipe, not a network
  if (error.code == ErrorCode::disk_full) error.message += " (free some, or write elsewhere)";
  return fail(std::move(error));
}

std::size_t Terminal::columns() const {
  winsize size{};
  if (::ioctl(::fileno(out_), TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string printable_lines(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find_first_of("\n\t\r");
    text += to_printable(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    if (bytes[end] != '\r' || bytes.substr(end + 1, 1) == "\n") text += bytes[end];
    bytes.remove_prefix(end + 1);
  }
  return text;
}

}  // namespace fathom::agents
