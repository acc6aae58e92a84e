// Package caches: builds read what the host has already fetched and write into a layer of this
// project, so that they are quick and no dependency of one project can poison another's or the
// host's.
//
// What it does not protect: a project's layer outlives the session, so what one command writes
// there a later one of the same project reads.
#pragma once

#include "sandbox/compile.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::sandbox {

/// Folders of a cache below the home folder; empty for an unknown name.
std::vector<std::string> cache_folders(const std::string& name);

/// The overlays of the policy's caches: each folder's layer lies below `layers`, by project. Makes
/// the layers' folders. Caches that are not there on the host are made empty in the layer.
Result<std::vector<OverlayPlan>> cache_overlays(const policies::Policy& policy,
                                                const HostFacts& host, const Workspace& workspace,
                                                const std::filesystem::path& layers);

}  // namespace fathom::sandbox
