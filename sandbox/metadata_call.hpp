// MetadataCall: a waiting chmod, chown, utime, setxattr or removexattr in one of its many forms,
// copied out of the target once.
#pragma once

#include "sandbox/notify_channel.hpp"
#include "sandbox/target.hpp"

#include <sys/types.h>

#include <array>
#include <ctime>
#include <expected>
#include <optional>
#include <string>
#include <variant>

namespace fathom::sandbox {

/// What is to become of the file.
namespace change {
struct Mode {
  mode_t mode = 0;
};
struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};
struct Times {
  std::optional<std::array<timespec, 2>> times;  ///< nothing: now
};
struct SetAttribute {
  std::string name;
  std::string value;
  int flags = 0;
};
struct RemoveAttribute {
  std::string name;
};
}  // namespace change

using MetadataChange = std::variant<change::Mode, change::Owner, change::Times,
                                    change::SetAttribute, change::RemoveAttribute>;

enum class AtLink : std::uint8_t { follow, change_it };

/// Which file: `path` from the folder `descriptor` (or AT_FDCWD), or without a path the descriptor
/// itself.
struct MetadataPlace {
  int descriptor = -1;
  std::optional<std::string> path;
  AtLink at_link = AtLink::follow;
  bool may_be_path_only = false;  ///< a descriptor opened with O_PATH will do
};

struct MetadataCall {
  MetadataPlace place;
  MetadataChange change;
};

bool is_metadata_call(int number);

/// The error is the errno that the kernel would have for such arguments.
std::expected<MetadataCall, int> read_metadata_call(const Target& target, const NotifiedCall& call);

}  // namespace fathom::sandbox
