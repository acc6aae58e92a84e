// What the operating system and Asio say about a connection, as an Error.
#pragma once

#include "runtime/base/result.hpp"

#include <boost/system/error_code.hpp>

#include <string_view>

namespace fathom::net {

/// The Error for `ec`, which is set; `doing` is what failed, such as "reading". Unwinds the caller
/// instead when `ec` says that it was cancelled: that is no failure.
[[nodiscard]] Error network_error(std::string_view doing, const boost::system::error_code& ec);

}  // namespace fathom::net
