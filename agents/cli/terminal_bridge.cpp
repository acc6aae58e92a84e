#include "agents/cli/terminal_bridge.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace fathom::agents {

TerminalBridge::TerminalBridge(asio::any_io_executor executor)
    : executor_(executor), resized_(executor) {}

TerminalBridge::~TerminalBridge() { stop(); }

void TerminalBridge::start(UniqueFd master) {
  master_.emplace(executor_, master.release());
  // Opened anew: waiting makes a descriptor non-blocking for all who share its opening, and that is
  // standard output and the person's own shell when it is the one of standard input.
  int keyboard = ::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (keyboard < 0) keyboard = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  keyboard_.emplace(executor_, keyboard);
  termios mode{};
  if (::tcgetattr(STDIN_FILENO, &mode) == 0) {
    saved_ = mode;
    ::cfmakeraw(&mode);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  }
  copy_size();
  resized_.add(SIGWINCH);
  follow_size();
  read_keys();
  read_screen();
}

void TerminalBridge::stop() {
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
  saved_.reset();
  resized_.cancel();
  boost::system::error_code ignored;
  if (keyboard_) keyboard_->cancel(ignored);
  if (master_) master_->cancel(ignored);
}

void TerminalBridge::copy_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    ::ioctl(master_->native_handle(), TIOCSWINSZ, &size);
}

void TerminalBridge::follow_size() {
  resized_.async_wait([this](boost::system::error_code ec, int) {
    if (ec) return;
    copy_size();
    follow_size();
  });
}

void TerminalBridge::read_keys() {
  keyboard_->async_read_some(
      asio::buffer(keys_), [this](boost::system::error_code ec, std::size_t size) {
        if (ec) return;
        asio::async_write(*master_, asio::buffer(keys_.data(), size),
                          [this](boost::system::error_code failed, std::size_t) {
                            if (!failed) read_keys();
                          });
      });
}

// The end of the master (the shell is gone) ends the bridge, so that the event loop can run dry.
void TerminalBridge::read_screen() {
  master_->async_read_some(asio::buffer(screen_),
                           [this](boost::system::error_code ec, std::size_t size) {
                             if (ec) return stop();
                             const char* at = screen_.data();
                             while (size > 0) {
                               const ssize_t written = ::write(STDOUT_FILENO, at, size);
                               if (written < 0 && errno == EINTR) continue;
                               if (written <= 0) return stop();
                               at += written;
                               size -= static_cast<std::size_t>(written);
                             }
                             read_screen();
                           });
}

}  // namespace fathom::agents
