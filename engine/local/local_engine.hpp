// V4 on this machine: one checkpoint, one thread that runs it, any number of callers.
//
// Requests go in and events come out through queues that need only the standard library; whoever
// lives on an event loop gets a wake-up call and reads without waiting.
#pragma once

#include "engine/local/forward.hpp"
#include "engine/local/generation.hpp"
#include "engine/local/scheduler.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace fathom::engine {

struct LocalEngineOptions {
  Numerics numerics = Numerics::official;
  unsigned threads = 0;  ///< 0: usable_cores()
  bool draft = true;     ///< with the MTP block, where the checkpoint has one and it pays
};

class LocalEngine {
 public:
  /// Maps the checkpoint and checks all of it but the weights' values; the errors name what is
  /// wrong with which file.
  static Result<std::unique_ptr<LocalEngine>> open(const std::filesystem::path& checkpoint,
                                                   const LocalEngineOptions& options = {});
  /// Cancels what still runs, and returns after the step in hand.
  ~LocalEngine();
  LocalEngine(const LocalEngine&) = delete;
  LocalEngine& operator=(const LocalEngine&) = delete;

  [[nodiscard]] const ModelConfig& config() const { return weights_.config; }
  [[nodiscard]] unsigned threads() const { return pool_.threads(); }
  [[nodiscard]] LiveKv new_kv() const { return forward_.new_kv(); }

  /// Any thread. The KV belongs to the engine until the generation is destroyed or has given
  /// `finished`. The request's functions are called on the engine's thread, and `wake` too, after
  /// each event; it must not wait. None may throw.
  /// Fails for what Scheduler::check refuses, for a KV that has a request, and when the engine has
  /// Scheduler::kRequestsMax requests.
  Result<std::unique_ptr<Generation>> generate(GenerationRequest request,
                                               std::function<void()> wake = {});

 private:
  struct Reader {
    std::shared_ptr<EventQueue> events;
    const LiveKv* kv = nullptr;
  };

  LocalEngine(Weights weights, const LocalEngineOptions& options);

  void run();
  /// False when the engine is to stop.
  bool obey(EngineInbox::Order order);
  void begin(EngineInbox::Order order);
  /// The last event of a request: from here on its KV is the caller's again.
  void end(const Reader& reader, const GenerationEvent& event);
  void deliver(std::span<const GenerationEvent> events);

  const Weights weights_;
  ThreadPool pool_;
  Forward forward_;
  Scheduler scheduler_;
  std::shared_ptr<EngineInbox> inbox_ = std::make_shared<EngineInbox>();
  std::mutex mutex_;
  std::set<const LiveKv*> busy_;         ///< guarded by mutex_: one for each request
  std::map<RequestId, Reader> readers_;  ///< of the engine's thread
  std::thread thread_;
};

}  // namespace fathom::engine
