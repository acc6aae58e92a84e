// Cancellation travels as an exception, operation_aborted, and only as that: it unwinds and is
// never swallowed.
#pragma once

#include <exception>

namespace fathom {

/// True when `error` is the unwinding of a cancelled task, as opposed to a failure.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error);

/// Unwinds the calling task as cancelled.
[[noreturn]] void throw_cancelled();

}  // namespace fathom
