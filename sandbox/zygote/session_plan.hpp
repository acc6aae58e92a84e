// The head of a session's plan as the zygote reads it, up to its mount operations: what is needed
// before the holder exists. wire.hpp has the order. Reading performs nothing, so tests and the
// fuzzer read with the very same lines.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

/// Idmapped trees: no more than travel beside one message, and than a root view holds.
inline constexpr std::size_t kGivenMax = wire::kDescriptorsMax;
inline constexpr std::size_t kGroupsMax = 16;  // control groups of one session, one a v1 controller

/// A count and as many texts. False when there are more than fit, or the plan is malformed.
template <std::size_t N>
bool read_paths(wire::PlanReader& plan, const char* (&paths)[N], std::uint32_t& count) {
  count = plan.u32();
  if (count > N) return false;
  for (std::uint32_t i = 0; i < count; ++i) paths[i] = plan.text();
  return plan.ok();
}

struct SessionPlan {
  std::uint32_t namespaces = 0;
  std::uint32_t flags = 0;
  std::uint32_t cell_flags = 0;
  wire::Identity identity = wire::Identity::unchanged;
  std::uint32_t inside_uid = 0;
  std::uint32_t outside_uid = 0;
  std::uint32_t inside_gid = 0;
  std::uint32_t outside_gid = 0;
  const char* idmapped[kGivenMax] = {};
  std::uint32_t idmapped_count = 0;
  const char* groups[kGroupsMax] = {};
  std::uint32_t group_count = 0;
  wire::PlanReader rest;  ///< from the host name on
  bool ok = false;

  static SessionPlan read(const MappedPlan& mapped) {
    SessionPlan plan;
    wire::PlanReader in(mapped.bytes, mapped.size);
    plan.namespaces = in.u32();
    plan.flags = in.u32();
    plan.cell_flags = in.u32();
    plan.identity = static_cast<wire::Identity>(in.u32());
    plan.inside_uid = in.u32();
    plan.outside_uid = in.u32();
    plan.inside_gid = in.u32();
    plan.outside_gid = in.u32();
    plan.ok = read_paths(in, plan.idmapped, plan.idmapped_count) &&
              read_paths(in, plan.groups, plan.group_count);
    plan.rest = in;
    return plan;
  }
};

}  // namespace fathom::sandbox::zygote
