// ScriptedEngine: a test double that says what it is told to say, and remembers what it was asked.
#pragma once

#include "engine/session/engine.hpp"
#include "runtime/async/clock.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::test {

/// What is shared by all sessions of one engine.
struct Script {
  struct Step {
    engine::SampleOutcome outcome;
    Duration takes{};
    std::string cut_after{};  ///< what is heard of the answer before a fault
  };
  std::deque<Step> steps;
  /// Asked when `steps` is empty; empty: a fault that says so.
  std::function<Step(const engine::Transcript&)> otherwise;
  std::vector<std::string> bodies;  ///< of every attempt, in order
  std::vector<bool> may_call;
  std::vector<std::uint64_t> epochs;
  std::vector<bool> aside;  ///< asked by a fork
  engine::Transcript asked;   ///< by the last prepare
  bool spoil_prefix = false;  ///< the next request does not repeat what the one before promised

  void say(std::string text, Usage usage = {}) {
    engine::Answered answered;
    answered.sample.message.role = Role::assistant;
    answered.sample.message.text = std::move(text);
    answered.usage = usage;
    steps.push_back({std::move(answered), {}});
  }
  void call(std::vector<ToolCall> calls, std::string text = "") {
    engine::Answered answered;
    answered.sample.message.role = Role::assistant;
    answered.sample.message.text = std::move(text);
    answered.sample.message.calls = std::move(calls);
    answered.sample.finish = engine::FinishReason::tool_calls;
    steps.push_back({std::move(answered), {}});
  }
  void fail_with(engine::FaultClass kind, std::string message = "told to fail") {
    steps.push_back({std::unexpected(engine::Fault{kind, std::move(message), {}, false}), {}});
  }
};

class ScriptedSession final : public engine::Session {
 public:
  ScriptedSession(Clock& clock, std::shared_ptr<Script> script, std::string system)
      : clock_(clock), script_(std::move(script)), system_(std::move(system)) {}

  std::expected<engine::PreparedRequest, engine::Fault> prepare(
      const engine::Transcript& transcript, const engine::RequestLimits& limits) override {
    script_->asked = transcript;
    limits_ = limits;
    epoch_ = transcript.epoch;
    body_ = std::exchange(script_->spoil_prefix, false) ? "spoiled " + system_ : system_;
    starts_.clear();
    for (const Message& message : transcript.messages) {
      starts_.push_back(body_.size());
      body_ += "\n" + std::to_string(static_cast<int>(message.role)) + ":" + message.text;
      for (const ToolCall& call : message.calls)
        body_ += "\n!" + call.id + " " + call.name + " " + call.arguments;
      for (const ToolResult& result : message.results)
        body_ += "\n=" + result.call_id + " " + std::string(name_of(result.status)) + " " +
                 result.content;
    }
    const std::size_t stable = body_.size();
    body_ += "\n>";
    return engine::PreparedRequest{body_, stable, starts_, 0, 0};
  }

  asio::awaitable<engine::SampleOutcome> sample(const engine::SampleObserver& observer) override {
    script_->bodies.push_back(body_);
    script_->may_call.push_back(limits_.may_call);
    script_->epochs.push_back(epoch_);
    script_->aside.push_back(is_fork_);
    Script::Step step{std::unexpected(engine::Fault{
                          engine::FaultClass::refused, "the script has ended", {}, false}),
                      {}};
    if (!script_->steps.empty()) {
      step = std::move(script_->steps.front());
      script_->steps.pop_front();
    } else if (script_->otherwise) {
      step = script_->otherwise(script_->asked);
    }
    if (step.outcome && observer.on_delta) {
      const std::string& text = step.outcome->sample.message.text;
      const std::size_t half = text.size() / 2;
      using Kind = engine::SampleDelta::Kind;
      if (half != 0) observer.on_delta({Kind::content, 0, text.substr(0, half)});
      if (step.takes.count() != 0) co_await clock_.sleep_for(step.takes);
      if (!text.empty()) observer.on_delta({Kind::content, 0, text.substr(half)});
      std::size_t number = 0;
      for (const ToolCall& call : step.outcome->sample.message.calls) {
        observer.on_delta({Kind::call_started, number, call.name});
        observer.on_delta({Kind::call_arguments, number, call.arguments});
        observer.on_delta({Kind::call_finished, number++, ""});
      }
    } else {
      if (observer.on_delta && !step.cut_after.empty())
        observer.on_delta({engine::SampleDelta::Kind::content, 0, step.cut_after});
      if (step.takes.count() != 0) co_await clock_.sleep_for(step.takes);
    }
    co_return std::move(step.outcome);
  }

  [[nodiscard]] Result<std::unique_ptr<engine::Session>> fork() const override {
    auto forked = std::make_unique<ScriptedSession>(clock_, script_, system_);
    forked->is_fork_ = true;
    return forked;
  }

 private:
  Clock& clock_;
  std::shared_ptr<Script> script_;
  std::string system_;
  std::string body_;
  std::vector<std::size_t> starts_;
  engine::RequestLimits limits_;
  std::uint64_t epoch_ = 0;
  bool is_fork_ = false;
};

class ScriptedEngine final : public engine::Engine {
 public:
  explicit ScriptedEngine(Clock& clock) : clock_(clock) {
    info_.name = "scripted";
    info_.model = "scripted";
  }

  [[nodiscard]] const engine::EngineInfo& info() const override { return info_; }
  Result<std::unique_ptr<engine::Session>> open(engine::SessionSetup setup) override {
    return std::make_unique<ScriptedSession>(clock_, script, setup.system);
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
  engine::EngineInfo& change_info() { return info_; }

 private:
  Clock& clock_;
  engine::EngineInfo info_;
};

}  // namespace fathom::test
