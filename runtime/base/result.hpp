// Result<T>: how every fallible function of Fathom answers when its caller should handle the
// failure. An Error is a class (for exit codes and retries) and one line for a person: outside-in,
// lower case, no full stop, naming the thing and the smallest fix.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace fathom {

/// What kind of trouble an Error is. The command line maps each to its own exit code
/// (agents/cli/exit_code.hpp); retry rules look at nothing else.
enum class ErrorCode : std::uint8_t {
  usage,        ///< the person's command or argument is wrong
  bad_data,     ///< bytes from outside do not have the form they should have
  not_found,    ///< a file, host, run or key that does not exist
  permission,   ///< the system or the peer refuses
  in_use,       ///< an address, a lock or a name that somebody else holds
  disk_full,    ///< no space or quota left
  io,           ///< any other failure of a file or device
  too_large,    ///< a named bound would be exceeded
  timeout,      ///< a deadline passed
  network,      ///< a connection could not be made or was lost
  tls,          ///< a certificate or handshake that cannot be trusted
  protocol,     ///< the peer broke the protocol
  unsupported,  ///< this build, kernel or version cannot do it
};

/// The snake_case name of a code, for --json output and the trace.
std::string_view name_of(ErrorCode code);

struct Error {
  ErrorCode code{};
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

/// Puts the outer thing in front: context("load ci.yaml", {"line 12: unknown key"}) reads
/// outside-in.
[[nodiscard]] Error context(std::string_view outer, Error error);

/// The Error for a failed system call: `what: strerror`, with the code that fits `errno_value`.
[[nodiscard]] Error system_error(std::string_view what, int errno_value);

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

/// Shorthand for the failing branch: return fail(ErrorCode::bad_data, "line 3: …");
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace fathom

// NOLINTBEGIN(bugprone-macro-parentheses): arguments are declarations or whole expressions

/// Expression form for plain functions: yields the value, or returns the error from the caller.
///   Config config = TRY(load(path));
#define TRY(...)                                                                          \
  ({                                                                                      \
    auto fathom_try_result = (__VA_ARGS__);                                               \
    if (!fathom_try_result) return std::unexpected(std::move(fathom_try_result).error()); \
    *std::move(fathom_try_result);                                                        \
  })

#define FATHOM_CONCAT_INNER(a, b) a##b
#define FATHOM_CONCAT(a, b) FATHOM_CONCAT_INNER(a, b)

/// Statement form for coroutines, where a statement expression must not suspend:
///   CO_TRY(auto page, co_await client.get(url));
#define CO_TRY(decl, ...) CO_TRY_NAMED(FATHOM_CONCAT(fathom_try_, __LINE__), decl, __VA_ARGS__)
#define CO_TRY_NAMED(name, decl, ...)                            \
  auto name = __VA_ARGS__;                                       \
  if (!name) co_return std::unexpected(std::move(name).error()); \
  decl = *std::move(name)

/// CO_TRY for a Result<void>.
#define CO_TRY_VOID(...)                                                                     \
  do {                                                                                       \
    auto fathom_try_result = __VA_ARGS__;                                                    \
    if (!fathom_try_result) co_return std::unexpected(std::move(fathom_try_result).error()); \
  } while (false)

// NOLINTEND(bugprone-macro-parentheses)
