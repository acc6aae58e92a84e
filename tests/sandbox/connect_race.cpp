// A command that tries to have its address checked as one and used as another: while the main
// thread connects, a second one rewrites the port between an allowed and a forbidden one. Prints
// how often connect succeeded. Arguments: the forbidden port, the number of rounds.
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

sockaddr_in target;
std::atomic<bool> done{false};
std::uint16_t allowed_port = 0;
std::uint16_t forbidden_port = 0;
int server = -1;

void* rewrite(void*) {
  auto& port = *reinterpret_cast<std::atomic<std::uint16_t>*>(&target.sin_port);
  while (!done.load(std::memory_order_relaxed)) {
    port.store(forbidden_port, std::memory_order_relaxed);
    port.store(allowed_port, std::memory_order_relaxed);
  }
  return nullptr;
}

void* take(void*) {
  for (;;) {
    const int peer = ::accept(server, nullptr, nullptr);
    if (peer >= 0) ::close(peer);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  forbidden_port = htons(static_cast<std::uint16_t>(std::atoi(arguments[1])));
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server = ::socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof target;
  if (::bind(server, reinterpret_cast<sockaddr*>(&target), size) != 0 ||
      ::listen(server, 64) != 0 ||
      ::getsockname(server, reinterpret_cast<sockaddr*>(&target), &size) != 0)
    return 3;
  allowed_port = target.sin_port;
  pthread_t threads[2];
  ::pthread_create(&threads[0], nullptr, rewrite, nullptr);
  ::pthread_create(&threads[1], nullptr, take, nullptr);
  int connected = 0;
  for (int left = std::atoi(arguments[2]); left > 0; --left) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&target), sizeof target) == 0) ++connected;
    ::close(fd);
  }
  done = true;
  std::printf("%d\n", connected);
  std::fflush(stdout);
  ::_exit(connected > 0 ? 0 : 1);
}
