#include "engine/cpu/thread_pool.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>

namespace fathom::engine {
namespace {

// A forward pass has its next parallel_for some microseconds behind the last: so long a worker
// stays awake. Beyond that its core belongs to others.
constexpr int kSpins = 4000;

constexpr int kClaimBits = 32;
constexpr std::uint64_t kLeftMask = (std::uint64_t{1} << kClaimBits) - 1;

thread_local bool t_inside_body = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins, then sleeps, until `value` is no longer `old`.
template <class T>
void wait_for_change(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

std::int64_t number_at(std::string_view text, std::size_t at) {
  std::int64_t value = -1;
  std::from_chars(text.data() + std::min(at, text.size()), text.data() + text.size(), value);
  return value;
}

// cpu.max of cgroup v2: "200000 100000" is two cores, "max 100000" no limit.
std::int64_t cgroup_cores() {
  const auto text = read_file("/sys/fs/cgroup/cpu.max", 4096);
  if (!text) return ThreadPool::kThreadsMax;
  const std::int64_t quota = number_at(*text, 0);
  const std::int64_t period = number_at(*text, text->find(' ') + 1);
  if (quota <= 0 || period <= 0) return ThreadPool::kThreadsMax;
  return (quota + period - 1) / period;
}

// The cores behind the mask: hardware threads of one core name the same list.
std::size_t distinct_cores(const cpu_set_t& set) {
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const std::string name = std::to_string(cpu);
    const auto list =
        read_file("/sys/devices/system/cpu/cpu" + name + "/topology/thread_siblings_list", 4096);
    cores.insert(list ? *list : name);
  }
  return cores.size();
}

}  // namespace

unsigned usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const auto cores = static_cast<std::int64_t>(distinct_cores(set));
  return static_cast<unsigned>(
      std::clamp<std::int64_t>(std::min(cores, cgroup_cores()), 1, ThreadPool::kThreadsMax));
}

ThreadPool::ThreadPool(unsigned threads) {
  for (unsigned i = 1; i < std::min(threads, kThreadsMax); ++i)
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

ThreadPool::~ThreadPool() {
  for (std::jthread& worker : workers_) worker.request_stop();
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain, ChunkBody body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t chunks = (count + grain - 1) / grain;
  ENSURE(chunks < kChunksMax, "a chunk is at least a row of a matrix");
  const std::unique_lock lock(busy_, std::defer_lock);
  if (chunks == 1 || workers_.empty() || t_inside_body || !busy_.try_lock()) {
    for (std::int64_t begin = 0; begin < count; begin += grain)
      body(begin, std::min(begin + grain, count));
    return;
  }
  const std::lock_guard held(busy_, std::adopt_lock);
  publish({count, grain, chunks, body});
  while (run_chunk()) {
  }
  for (std::int32_t left = unfinished_.load(std::memory_order_acquire); left != 0;
       left = unfinished_.load(std::memory_order_acquire))
    wait_for_change(unfinished_, left);
}

void ThreadPool::publish(const Job& job) {
  context_.store(job.body.context_, std::memory_order_relaxed);
  call_.store(job.body.call_, std::memory_order_relaxed);
  count_.store(job.count, std::memory_order_relaxed);
  grain_.store(job.grain, std::memory_order_relaxed);
  chunks_.store(job.chunks, std::memory_order_relaxed);
  unfinished_.store(static_cast<std::int32_t>(job.chunks), std::memory_order_relaxed);
  ++number_;
  claim_.store((std::uint64_t{number_} << kClaimBits) | static_cast<std::uint64_t>(job.chunks),
               std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
}

// Takes and runs one chunk; false when none is left.
bool ThreadPool::run_chunk() {
  std::uint64_t claim = claim_.load(std::memory_order_acquire);
  for (;;) {
    const auto left = static_cast<std::int64_t>(claim & kLeftMask);
    if (left == 0) return false;
    const ChunkBody body(context_.load(std::memory_order_relaxed),
                         call_.load(std::memory_order_relaxed));
    const std::int64_t count = count_.load(std::memory_order_relaxed);
    const std::int64_t grain = grain_.load(std::memory_order_relaxed);
    const std::int64_t chunks = chunks_.load(std::memory_order_relaxed);
    // Success says that the job was unfinished all along, so what was read belongs to it.
    if (!claim_.compare_exchange_weak(claim, claim - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;
    const std::int64_t begin = (chunks - left) * grain;
    t_inside_body = true;
    body(begin, std::min(begin + grain, count));
    t_inside_body = false;
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    return true;
  }
}

void ThreadPool::work(const std::stop_token& stop) {
  std::uint32_t seen = 0;
  while (!stop.stop_requested()) {
    wait_for_change(wake_, seen);
    seen = wake_.load(std::memory_order_acquire);
    while (run_chunk()) {
    }
  }
}

}  // namespace fathom::engine
