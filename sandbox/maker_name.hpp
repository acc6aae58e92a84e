// Names of folders that go with the process that made them: "fathom-PID-START-NAMESPACE-BOOT-N". A
// later runtime removes those whose maker is gone. Numbers of processes mean something in one
// process namespace of one boot only, and a folder may be shared between containers or machines:
// whose number is not ours to judge holds a lock on its folder, and is gone when that is free.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace fathom::sandbox {

/// How the names of this process's folders begin, and those of no other process.
std::string maker_name_prefix();

/// A name for a new folder of this process.
std::string new_maker_name();

/// Takes the lock of a folder of ours; it is held while the descriptor is open.
Result<UniqueFd> hold_folder(const std::filesystem::path& folder);

/// Whether `folder` has such a name, of a process that is gone.
bool is_left_behind(const std::filesystem::path& folder);

}  // namespace fathom::sandbox
