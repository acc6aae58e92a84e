// Sections G and H of the table: the network and resources.
#include "tests/sandbox/probes/probe_cases.hpp"

namespace fathom::test {
namespace {

constexpr std::string_view kNoSocket = "EPERM|EACCES|ECONNREFUSED";

constexpr ProbeCase kNetworkCases[] = {
    {"G2", "talk_on_loopback 127.0.0.1", "ok", "ok", "ok"},
    {"G2", "talk_on_loopback 127.9.9.9", "ok", "ok", "ok"},
    {"G2", "talk_on_loopback ::1", "ok|EADDRNOTAVAIL", "ok|EADDRNOTAVAIL", "ok|EADDRNOTAVAIL"},
    {"G2", "talk_by_path {work}/own-socket", "ok", "ok", "ok"},
    {"G2", "send_datagram 127.0.0.1 9", "ok", "ok", "EPERM"},
    {"G3", "connect_tcp 127.0.0.1 {port}", "ok", "ECONNREFUSED", kNoSocket},
    {"G3", "connect_tcp ::ffff:127.0.0.1 {port}", "ok", "ECONNREFUSED", kNoSocket},
    {"G3", "fast_open 127.0.0.1 {port}", "ok|EINPROGRESS|EOPNOTSUPP", "ECONNREFUSED|EPERM",
     kNoSocket},
    {"G8", "socket 2 2 17", "ok", "ok", "EPERM"},
    {"G8", "socket 10 2 0", "ok", "ok", "EPERM"},
    {"G10", "socket 40 1 0", "ok|EAFNOSUPPORT", "EPERM", "EPERM"},
    {"G10", "open_device /dev/vsock 1", "*", "ENOENT", "EACCES|ENOENT"},
    {"G10", "interfaces", "*", "0", "*"},
    {"G10", "alone raise_interface", "ok", "EPERM", "EPERM"},
};

constexpr ProbeCase kResourceCases[] = {
    {"H1", "fill_file {tmp}/fathom-probe 96", "ok", "ENOSPC", "?no private folders on this rung"},
    {"H1", "fill_file {shm}/fathom-probe 96", "ok|ENOSPC", "ENOSPC",
     "?shared memory is in the scratch folder on this rung, without a size of its own"},
    {"H1", "lock_memory 64", "*", "EAGAIN|ENOMEM|EPERM", "EAGAIN|ENOMEM|EPERM"},
    {"H2", "real_time 1", "ok|EPERM", "EPERM", "EPERM"},
    {"H2", "real_time 2", "ok|EPERM", "EPERM", "EPERM"},
    {"H2", "hurry -20", "ok|EACCES", "EPERM|EACCES", "EPERM|EACCES"},
    {"H2", "hurry 5", "ok", "ok", "ok"},
    {"H3", "fork_until_refused 200", "ok", "EAGAIN", "root=EAGAIN user=~pids EAGAIN|ok"},
    {"H3", "open_until_refused 100000", "*", "EMFILE", "EMFILE"},
    {"H3", "raise_limit 7", "*", "EPERM", "EPERM"},
    {"H4", "make_sparse {work}/sparse", "ok|EFBIG", "EFBIG", "EFBIG"},
    {"H4", "make_files {tmp} 9000", "ok", "ENOSPC", "?no private folders on this rung"},
    {"H4", "nest_folders {work} 3000", "ok", "ok", "ok"},
};

// {target} and {metadata} are addresses of the test's own network namespace.
constexpr ProbeCase kHostNetworkCases[] = {
    {"G1", "connect_tcp {target} {port}", "ok", "ENETUNREACH", kNoSocket},
    {"G1", "fast_open {target} {port}", "ok|EINPROGRESS|EOPNOTSUPP", "ENETUNREACH", kNoSocket},
    {"G1", "send_datagram {target} 9", "ok", "ENETUNREACH", "EPERM"},
    {"G1", "send_datagram 224.0.0.1 9", "ok|ENETUNREACH", "ENETUNREACH", "EPERM"},
    {"G1", "send_echo {target}", "ok", "EPERM", "EPERM"},
    {"G1", "connect_tcp ::ffff:{target} {port}", "ok", "ENETUNREACH", kNoSocket},
    {"G3", "connect_tcp 127.0.0.1 {port}", "ok", "ECONNREFUSED", kNoSocket},
    {"C7", "connect_tcp {metadata} {port}", "ok", "ENETUNREACH", kNoSocket},
    {"C7", "connect_tcp ::ffff:{metadata} {port}", "ok", "ENETUNREACH", kNoSocket},
};

}  // namespace

std::span<const ProbeCase> network_cases() { return kNetworkCases; }
std::span<const ProbeCase> resource_cases() { return kResourceCases; }
std::span<const ProbeCase> host_network_cases() { return kHostNetworkCases; }

}  // namespace fathom::test
