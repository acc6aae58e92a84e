// The threads of the forward pass: a product is cut into chunks, and whoever is free takes the
// next.
//
// Nobody waits for a thread, only for chunks: when all are finished, parallel_for returns, also
// when some worker never woke up because another program has its core. Waiting is a short bounded
// spin and then a futex; ggml's spin barriers fell to a fifth of one thread's speed beside a busy
// neighbour.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace fathom::engine {

/// A reference to a callable of (begin, end); it must outlive the call it is passed to.
class ChunkBody {
 public:
  // NOLINTBEGIN(cppcoreguidelines-missing-std-forward,cppcoreguidelines-pro-type-const-cast): it
  // only refers to the callable, which it calls as what it was
  template <class Body>
    requires(!std::same_as<std::remove_cvref_t<Body>, ChunkBody>)
  ChunkBody(Body&& body)  // NOLINT(google-explicit-constructor): lambdas are passed as they are
      : context_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        call_([](void* context, std::int64_t begin, std::int64_t end) {
          (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end);
        }) {}
  // NOLINTEND(cppcoreguidelines-missing-std-forward,cppcoreguidelines-pro-type-const-cast)

  void operator()(std::int64_t begin, std::int64_t end) const { call_(context_, begin, end); }

 private:
  friend class ThreadPool;
  using Call = void (*)(void*, std::int64_t, std::int64_t);
  ChunkBody(void* context, Call call) : context_(context), call_(call) {}

  void* context_;
  Call call_;
};

/// Threads this process can use to advantage: the cores of its affinity mask (one for two hardware
/// threads of a core), no more than its cgroup's quota, at most ThreadPool::kThreadsMax.
unsigned usable_cores();

// Padding is meant: what threads write at once lies in cache lines of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class ThreadPool {
 public:
  static constexpr unsigned kThreadsMax = 256;
  static constexpr std::int64_t kChunksMax = std::int64_t{1} << 30;  ///< of one parallel_for

  /// `threads` counts the caller of parallel_for, who works too: 1 starts none.
  explicit ThreadPool(unsigned threads = usable_cores());
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls body(begin, end) for chunks of at most `grain` that together are [0, count), in any
  /// order and on any of the threads, and returns when all have returned. `body` must not throw.
  /// Inside a body, and while another thread's call runs, it does all the work itself.
  void parallel_for(std::int64_t count, std::int64_t grain, ChunkBody body);

 private:
  struct Job {
    std::int64_t count = 0;
    std::int64_t grain = 1;
    std::int64_t chunks = 0;
    ChunkBody body;
  };

  void work(const std::stop_token& stop);
  bool run_chunk();
  void publish(const Job& job);
  void finish(std::int64_t chunks);

  // The job in hand. A worker may read these while the next job is written, but then its claim
  // fails: `claim_` has the job's number above the count of chunks not yet taken.
  std::atomic<void*> context_ = nullptr;
  std::atomic<ChunkBody::Call> call_ = nullptr;
  std::atomic<std::int64_t> count_ = 0;
  std::atomic<std::int64_t> grain_ = 1;
  std::atomic<std::int64_t> chunks_ = 0;
  alignas(64) std::atomic<std::uint64_t> claim_ = 0;
  alignas(64) std::atomic<std::int32_t> unfinished_ = 0;
  alignas(64) std::atomic<std::uint32_t> wake_ = 0;
  std::uint32_t number_ = 0;
  std::mutex busy_;
  std::vector<std::jthread> workers_;
};

}  // namespace fathom::engine
