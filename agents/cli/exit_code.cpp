#include "agents/cli/exit_code.hpp"

namespace fathom::agents {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return ExitCode::usage;
    case ErrorCode::bad_data:
      return ExitCode::bad_data;
    case ErrorCode::not_found:
      return ExitCode::not_found;
    case ErrorCode::permission:
      return ExitCode::permission;
    case ErrorCode::in_use:
      return ExitCode::in_use;
    case ErrorCode::disk_full:
      return ExitCode::disk_full;
    case ErrorCode::io:
      return ExitCode::io;
    case ErrorCode::too_large:
      return ExitCode::too_large;
    case ErrorCode::timeout:
      return ExitCode::timeout;
    case ErrorCode::network:
      return ExitCode::infrastructure;
    case ErrorCode::tls:
      return ExitCode::tls;
    case ErrorCode::protocol:
      return ExitCode::protocol;
    case ErrorCode::unsupported:
      return ExitCode::unsupported;
  }
  return ExitCode::bug;
}

}  // namespace fathom::agents
