// CallsView: the calls of a run, a line each when they begin and a few when they end. Calls that
// run side by side are named again at their end.
#pragma once

#include "agents/cli/run_view_data.hpp"
#include "agents/cli/run_view_style.hpp"
#include "agents/cli/run_view_title.hpp"
#include "runtime/async/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

class CallsView {
 public:
  /// What is given back is permanent text of whole lines.
  enum class Detail : std::uint8_t { folded, verbose };
  explicit CallsView(Detail detail) : detail_(detail) {}

  /// Of model.message: calls that are not run are still named when their results come.
  void on_planned(const EventData& message);
  [[nodiscard]] std::string on_requested(const EventData& data, Instant now,
                                         const ViewStyle& style);
  void on_decided(const EventData& data);
  void on_started(const EventData& data, Instant now);
  void on_output(const EventData& data);
  void on_changed(const EventData& data);
  void on_denied(const EventData& data);
  [[nodiscard]] std::string on_approval_requested(const EventData& data, const ViewStyle& style);
  [[nodiscard]] std::string on_approval_answered(const EventData& data, const ViewStyle& style);
  [[nodiscard]] std::string on_finished(const EventData& data, Instant now, const ViewStyle& style);

  /// Something else was printed: the next end names its call.
  void interrupt() { last_said_.clear(); }
  /// What runs or waits, in one line; "" when nothing does.
  [[nodiscard]] std::string status(Instant now, const ViewStyle& style) const;

 private:
  enum class Stage : std::uint8_t { planned, requested, asked, started };
  struct Denial {
    std::string text;
    std::string grant;
  };
  struct Call {
    std::string id;
    std::string tool;
    CallTitle title;
    std::uint64_t bytes = 0;  ///< of the arguments
    bool is_whole = true;     ///< the arguments were all in the event
    bool is_refused = false;  ///< by a person
    Stage stage = Stage::planned;
    Instant since{};
    std::string reason;  ///< of a decision that was not "allow"
    std::string grant;
    std::string last_output;
    std::vector<std::string> changed;
    std::vector<Denial> denials;
    std::uint64_t more_changed = 0;
    std::uint64_t more_denials = 0;
  };

  Call& call_of(const EventData& data);
  [[nodiscard]] static std::string title_text(const Call& call, const ViewStyle& style);
  [[nodiscard]] static std::string name_of(const Call& call, const ViewStyle& style);
  [[nodiscard]] static std::string all_of(const Call& call, const ViewStyle& style);
  [[nodiscard]] std::string outcome(const Call& call, const EventData& data, Instant now,
                                    const ViewStyle& style) const;
  [[nodiscard]] std::string body(const Call& call, const EventData& data,
                                 const ViewStyle& style) const;

  Detail detail_;
  std::deque<Call> calls_;  ///< those without a result, oldest first
  std::string last_said_;   ///< the call whose line is the last one
};

}  // namespace fathom::agents
