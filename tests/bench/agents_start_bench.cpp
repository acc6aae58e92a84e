// From the start of `fathom run` to the arrival of its first request at a server of this machine,
// and what the program holds while it waits for the answer. The peer of the first is /bin/true,
// from start to end, and a connection made and accepted: no program's request can come earlier.
#include "runtime/base/unique_fd.hpp"
#include "tests/bench/agents_bench.hpp"
#include "tests/bench/agents_bench_session.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace fathom::agents {
namespace {

constexpr int kRounds = 41;
constexpr double kStartGoalMs = 20;
constexpr double kMemoryGoalMb = 30;

double ms_since(Steady::time_point start) {
  return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

// A server that knows one answer.
class Stub {
 public:
  Stub() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* const address = reinterpret_cast<sockaddr*>(&address_);
    if (::bind(listening_.get(), address, size) != 0 || ::listen(listening_.get(), 8) != 0 ||
        ::getsockname(listening_.get(), address, &size) != 0)
      std::abort();
  }

  [[nodiscard]] std::uint16_t port() const { return ntohs(address_.sin_port); }
  [[nodiscard]] UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
      std::abort();
    return fd;
  }
  [[nodiscard]] UniqueFd accept() const {
    return UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  UniqueFd listening_;
  sockaddr_in address_{};
};

std::string receive(const UniqueFd& fd) {
  std::array<char, 65'536> buffer{};
  const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
  if (size <= 0) std::abort();
  return {buffer.data(), static_cast<std::size_t>(size)};
}

// Our request fits into what is received at once, or into a few pieces; its body is one object.
void receive_rest(const UniqueFd& fd, std::string request) {
  constexpr std::string_view kLength = "Content-Length: ";
  for (;; request += receive(fd)) {
    const std::size_t head = request.find("\r\n\r\n");
    const std::size_t length = request.find(kLength);
    if (head == std::string::npos || length == std::string::npos) continue;
    const std::size_t body = std::stoull(request.substr(length + kLength.size()));
    if (request.size() >= head + 4 + body) return;
  }
}

void answer(const UniqueFd& fd) {
  const std::string body =
      R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",)"
      R"("content":"Done."}}],"usage":{"prompt_tokens":9,"completion_tokens":1}})";
  const std::string whole =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  if (::write(fd.get(), whole.data(), whole.size()) < 0) std::abort();
}

pid_t start_program(std::vector<std::string> words, std::vector<std::string> environment) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {0, 1, 2})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (std::string& variable : environment) env.push_back(variable.data());
  env.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawn(&pid, argv.front(), &files, nullptr, argv.data(), env.data()) != 0)
    std::abort();
  posix_spawn_file_actions_destroy(&files);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

// What all threads of a process have computed so far.
double cpu_ms(pid_t pid) {
  double sum_ns = 0;
  std::error_code ignored;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", ignored)) {
    std::ifstream times(task.path() / "schedstat");
    double ns = 0;
    if (times >> ns) sum_ns += ns;
  }
  return sum_ns / 1e6;
}

struct Memory {
  double program_kb = 0;
  double libraries_kb = 0;
  double own_kb = 0;  // heap, stacks, what was written of files
  [[nodiscard]] double all_kb() const { return program_kb + libraries_kb + own_kb; }
};

Memory memory_of(pid_t pid) {
  Memory memory;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/smaps");
  std::string file;
  double rss = 0;
  for (std::string line; std::getline(maps, line);) {
    const bool is_value = line.find(": ") != std::string::npos && line.find('-') > line.find(':');
    if (!is_value) file = line.find('/') == std::string::npos ? "" : line.substr(line.find('/'));
    if (line.starts_with("Rss:")) rss = std::stod(line.substr(4));
    if (!line.starts_with("Anonymous:")) continue;
    const double anonymous = std::stod(line.substr(10));
    memory.own_kb += anonymous;
    const bool is_library = file.find(".so") != std::string::npos;
    (is_library ? memory.libraries_kb : memory.program_kb) += rss - anonymous;
  }
  return memory;
}

struct Measured {
  std::vector<double> start_ms;
  std::vector<double> cpu_ms;
  std::vector<double> plain_ms;
  Memory memory;  // the largest
};

void measure_plain(const Stub& stub, Measured& into) {
  const auto start = Steady::now();
  wait_for(start_program({"/bin/true"}, {}));
  const UniqueFd client = stub.connect();
  if (::write(client.get(), "x", 1) != 1) std::abort();
  const UniqueFd server = stub.accept();
  (void)receive(server);
  into.plain_ms.push_back(ms_since(start));
}

bool measure_run(const Stub& stub, const BenchPlace& place, Measured& into) {
  const auto start = Steady::now();
  const pid_t pid = start_program(
      {FATHOM_PROGRAM, "run", "--engine", "openai:http://127.0.0.1:" + std::to_string(stub.port()),
       "--repo", place.workspace(), "Say that you are done."},
      {"HOME=" + place.home().string(), "PATH=" + process_env("PATH")});
  const UniqueFd server = stub.accept();
  std::string request = receive(server);
  const double took_ms = ms_since(start);
  const double used_ms = cpu_ms(pid);
  receive_rest(server, std::move(request));
  const Memory memory = memory_of(pid);
  answer(server);
  if (wait_for(pid) != 0) return false;
  into.start_ms.push_back(took_ms);
  into.cpu_ms.push_back(used_ms);
  if (memory.all_kb() > into.memory.all_kb()) into.memory = memory;
  return true;
}

std::string parts_of(const Memory& memory) {
  const auto mb = [](double kb) { return std::to_string(kb / 1024).substr(0, 4) + " MB"; };
  return "program " + mb(memory.program_kb) + ", libraries " + mb(memory.libraries_kb) +
         ", own pages " + mb(memory.own_kb);
}

}  // namespace

void run_start_bench(BenchReport& report) {
  const Stub stub;
  const BenchPlace place;
  Measured measured;
  for (int i = 0; i < kRounds; ++i) {
    measure_plain(stub, measured);
    if (!measure_run(stub, place, measured)) break;
  }
  if (measured.start_ms.size() < kRounds) {
    report.rows.push_back({"start to first request", 0, "ms", kStartGoalMs, 0, "",
                           "not measured: fathom run has failed"});
    return;
  }
  const double least = *std::ranges::min_element(measured.start_ms);
  report.rows.push_back({"start to first request", median(measured.start_ms), "ms", kStartGoalMs,
                         median(measured.plain_ms), "/bin/true and a connection",
                         "least " + std::to_string(least).substr(0, 5) + " ms"});
  report.rows.push_back(
      {"start to first request, cpu", median(measured.cpu_ms), "ms", kStartGoalMs, 0, "", ""});
  report.rows.push_back({"memory while it waits", measured.memory.all_kb() / 1024, "MB",
                         kMemoryGoalMb, 0, "", parts_of(measured.memory)});
}

}  // namespace fathom::agents
