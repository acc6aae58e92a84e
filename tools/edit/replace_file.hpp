// One file takes the place of another in one instant, and only of the one that was read.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/directory.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom::tools {

/// Writes the pieces beside `name` in `folder` and swaps them in. `expected` is what stands there
/// and is replaced; absent: nothing does. `in_use` when that is not so at the last moment; the file
/// that was found then is untouched. Gives the identity of the new file.
///
/// `folder` must be a descriptor of this call's own: it is locked against other sessions, of which
/// one succeeds and the others get `in_use`. What is left of the race with programs that know no
/// lock: bytes written through a descriptor that is still open after the swap was judged, and a
/// file that is renamed into place during the microseconds in which a failed swap is undone.
Result<sandbox::Stamp> replace_file(int folder, const std::string& name,
                                    std::span<const std::string_view> pieces,
                                    const std::optional<sandbox::Stamp>& expected);

/// Removes `name` when it is still the `expected` file, with the same care.
Result<> remove_file(int folder, const std::string& name, const sandbox::Stamp& expected);

}  // namespace fathom::tools
