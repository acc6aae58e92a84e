#include "agents/cli/cli.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  using fathom::agents::ExitCode;
  try {
    return static_cast<int>(fathom::agents::run_cli({argv + 1, argv + argc}, fathom::process_env));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fathom: bug: %s (please report this with the command you ran)\n",
                 error.what());
    return static_cast<int>(ExitCode::bug);
  }
}
