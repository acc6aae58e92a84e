#include "runtime/base/result.hpp"

#include <cerrno>
#include <system_error>

namespace fathom {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::bad_data:
      return "bad_data";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::in_use:
      return "in_use";
    case ErrorCode::disk_full:
      return "disk_full";
    case ErrorCode::io:
      return "io";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::network:
      return "network";
    case ErrorCode::tls:
      return "tls";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::unsupported:
      return "unsupported";
  }
  return "unknown";
}

Error context(std::string_view outer, Error error) {
  error.message.insert(0, std::string(outer) + ": ");
  return error;
}

namespace {

ErrorCode code_of_errno(int value) {
  switch (value) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
      return ErrorCode::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::permission;
    case EADDRINUSE:
    case EEXIST:
    case EBUSY:
    case ETXTBSY:
      return ErrorCode::in_use;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::disk_full;
    case EFBIG:
    case ENAMETOOLONG:
    case EMFILE:
    case ENFILE:
      return ErrorCode::too_large;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE:
      return ErrorCode::network;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return ErrorCode::unsupported;
    default:
      return ErrorCode::io;
  }
}

}  // namespace

Error system_error(std::string_view what, int errno_value) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(errno_value);
  return {code_of_errno(errno_value), std::move(message)};
}

}  // namespace fathom
