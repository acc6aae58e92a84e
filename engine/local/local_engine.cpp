#include "engine/local/local_engine.hpp"

#include "engine/cpu/kernels.hpp"

#include <chrono>
#include <utility>

namespace fathom::engine {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

using Kind = EngineInbox::Order::Kind;

}  // namespace

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(const std::filesystem::path& checkpoint,
                                                       const LocalEngineOptions& options) {
  if (const auto& kernels = try_kernel_choice(); !kernels) return fail(kernels.error());
  Weights weights = TRY(Weights::load(checkpoint));
  return std::unique_ptr<LocalEngine>(new LocalEngine(std::move(weights), options));
}

LocalEngine::LocalEngine(Weights weights, const LocalEngineOptions& options)
    : weights_(std::move(weights)),
      pool_(options.threads == 0 ? usable_cores() : options.threads),
      forward_(weights_, options.numerics, pool_,
               options.draft && weights_.mtp ? Drafting::on : Drafting::off),
      scheduler_(forward_, weights_.config, steady_seconds),
      thread_([this] { run(); }) {}

LocalEngine::~LocalEngine() {
  inbox_->post({.kind = Kind::stop, .events = {}, .request = {}});
  thread_.join();
}

Result<std::unique_ptr<Generation>> LocalEngine::generate(GenerationRequest request,
                                                          std::function<void()> wake) {
  {
    // First of all: the engine moves the position of a KV that is busy.
    const std::lock_guard lock(mutex_);
    if (busy_.contains(request.kv)) return fail(Scheduler::one_at_a_time());
    TRY(scheduler_.check(request));
    if (busy_.size() >= Scheduler::kRequestsMax) return fail(Scheduler::too_many());
    busy_.insert(request.kv);
  }
  auto events = std::make_shared<EventQueue>(std::move(wake));
  inbox_->post({.kind = Kind::add, .events = events, .request = std::move(request)});
  return std::make_unique<Generation>(inbox_, std::move(events));
}

void LocalEngine::run() {
  for (bool stopping = false; !stopping || !scheduler_.idle();) {
    for (const auto& [id, reader] : readers_)
      scheduler_.hold(id, !stopping && reader.events->full());
    for (EngineInbox::Order& order : inbox_->take(stopping || scheduler_.ready()))
      stopping = !obey(std::move(order)) || stopping;
    if (stopping)
      for (const auto& [id, reader] : readers_) scheduler_.cancel(id);
    deliver(scheduler_.step());
  }
}

bool LocalEngine::obey(EngineInbox::Order order) {
  switch (order.kind) {
    case Kind::add:
      begin(std::move(order));
      return true;
    case Kind::cancel:
      for (const auto& [id, reader] : readers_)
        if (reader.events == order.events) scheduler_.cancel(id);
      return true;
    case Kind::look_again:
      return true;
    case Kind::stop:
      return false;
  }
  return true;
}

void LocalEngine::begin(EngineInbox::Order order) {
  const Reader reader{std::move(order.events), order.request->kv};
  const auto id = scheduler_.add(*std::move(order.request));
  if (id) {
    readers_.emplace(*id, reader);
    return;
  }
  GenerationEvent event;
  event.kind = GenerationEvent::Kind::finished;
  event.reason = StopReason::failed;
  event.error = id.error();
  end(reader, event);
}

void LocalEngine::end(const Reader& reader, const GenerationEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(reader.kv);
  }
  reader.events->push(event);
}

void LocalEngine::deliver(std::span<const GenerationEvent> events) {
  for (const GenerationEvent& event : events) {
    const auto found = readers_.find(event.request);
    if (event.kind != GenerationEvent::Kind::finished) {
      found->second.events->push(event);
      continue;
    }
    const Reader reader = std::move(found->second);
    readers_.erase(found);
    end(reader, event);
  }
}

}  // namespace fathom::engine
