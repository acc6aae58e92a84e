#include "tests/sandbox/probes/victim.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <stdexcept>

namespace fathom::test {

Victim::Victim(const std::string& folder, Listening listening) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2 failed");
  const UniqueFd their_input(in[0]);
  input_.reset(in[1]);
  const UniqueFd output(out[0]);
  UniqueFd their_output(out[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, their_input.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, their_output.get(), STDOUT_FILENO);
  std::array<std::string, 4> words{FATHOM_PROBES, "victim", folder,
                                   listening == Listening::everywhere ? "1" : "0"};
  std::array<char*, 5> argv{words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                            nullptr};
  std::string secret = "VICTIM_SECRET=in-its-environment";
  std::array<char*, 2> environment{secret.data(), nullptr};
  const int failed =
      ::posix_spawn(&pid_, FATHOM_PROBES, &actions, nullptr, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start the victim");
  their_output.reset();
  std::string line;
  for (char byte = 0; ::read(output.get(), &byte, 1) == 1 && byte != '\n';) line += byte;
  std::istringstream(line) >> port_ >> abstract_name_ >> segment_;
  if (segment_.empty()) throw std::runtime_error("the victim did not start: " + line);
}

Victim::~Victim() {
  input_.reset();
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace fathom::test
