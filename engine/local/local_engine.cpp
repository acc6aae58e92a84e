#include "engine/local/local_engine.hpp"

#include "engine/cpu/kernels.hpp"

#include <chrono>
#include <cstdlib>
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
  const char* isa = std::getenv("FATHOM_ISA");
  TRY(choose_kernels(isa ? isa : ""));  // says what is wrong with the variable before it is used
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
  TRY(scheduler_.check(request));
  if (requests_.fetch_add(1) >= Scheduler::kRequestsMax) {
    --requests_;
    return fail(Scheduler::too_many());
  }
  auto events = std::make_shared<EventQueue>(std::move(wake));
  inbox_->post({.kind = Kind::add, .events = events, .request = std::move(request)});
  return std::make_unique<Generation>(inbox_, std::move(events));
}

void LocalEngine::run() {
  for (bool stopping = false; !stopping || !scheduler_.idle();) {
    for (const auto& [id, events] : readers_) scheduler_.hold(id, !stopping && events->full());
    for (EngineInbox::Order& order : inbox_->take(stopping || scheduler_.ready()))
      stopping = !obey(std::move(order)) || stopping;
    if (stopping)
      for (const auto& [id, events] : readers_) scheduler_.cancel(id);
    deliver(scheduler_.step());
  }
}

bool LocalEngine::obey(EngineInbox::Order order) {
  switch (order.kind) {
    case Kind::add:
      begin(std::move(order));
      return true;
    case Kind::cancel:
      for (const auto& [id, events] : readers_)
        if (events == order.events) scheduler_.cancel(id);
      return true;
    case Kind::look_again:
      return true;
    case Kind::stop:
      return false;
  }
  return true;
}

void LocalEngine::begin(EngineInbox::Order order) {
  const auto id = scheduler_.add(*std::move(order.request));
  if (id) {
    readers_.emplace(*id, std::move(order.events));
    return;
  }
  GenerationEvent event;
  event.kind = GenerationEvent::Kind::finished;
  event.reason = StopReason::failed;
  event.error = id.error();
  --requests_;
  order.events->push(std::move(event));
}

void LocalEngine::deliver(std::span<const GenerationEvent> events) {
  for (const GenerationEvent& event : events) {
    const auto reader = readers_.find(event.request);
    if (event.kind != GenerationEvent::Kind::finished) {
      reader->second->push(event);
      continue;
    }
    const std::shared_ptr<EventQueue> queue = std::move(reader->second);
    readers_.erase(reader);
    --requests_;
    queue->push(event);
  }
}

}  // namespace fathom::engine
