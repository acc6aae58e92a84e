// Tool: one capability of an agent. It says what it is (ToolSpec, frozen for a session), what a
// call would do (Intent, pure) and does it (run). It never decides whether it may: that is
// dispatch's, which asks the policy in between.
#pragma once

#include "policies/decide.hpp"
#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/outcome.hpp"
#include "tools/arguments.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

namespace asio = boost::asio;

/// What the model is told of a tool. The bytes are part of the session's prefix: they never change
/// while it lives.
struct ToolSpec {
  std::string name;
  std::string description;
  std::string parameters;  ///< JSON Schema of the arguments, an object, exactly as it is shown
};

/// Read-only calls of one sample run side by side; a writer runs alone, after a snapshot.
enum class Effect : std::uint8_t { read, write };

/// What a call would do, before it does anything.
struct Intent {
  Effect effect = Effect::write;
  std::vector<policies::Request> requests;  ///< the strictest answer to them counts
};

/// What a tool has to say. The model sees digest, text and notes in this order; only the text is
/// clipped.
struct ToolOutput {
  ToolStatus status = ToolStatus::ok;  ///< ok or failed; the rest is dispatch's to say
  std::string digest;                  ///< short lines that must survive: counts, the first error
  sandbox::CapturedOutput text;
  std::string notes;                 ///< short lines after the text: how it ended, what was denied
  std::string data = "{}";           ///< one JSON object for the trace and scripts
  std::vector<std::string> changed;  ///< files it wrote, relative to the workspace
  std::vector<sandbox::Denial> denials;  ///< what the sandbox refused meanwhile, for the trace

  /// All of `text`, nothing cut.
  static ToolOutput of(std::string text);
};

/// One call on its way through a tool.
struct Call {
  const std::string& id;
  const Arguments& arguments;
  /// Hears output while it comes, for people who watch; may be empty.
  std::function<void(std::string_view)> on_output;
  /// What intent() said and the policy was asked about; null when nobody decided.
  const Intent* intent = nullptr;
};

/// Whether the policy allows something without asking anybody.
using MayDo = std::function<bool(const policies::Request&)>;

class Tool {
 public:
  Tool() = default;
  virtual ~Tool() = default;
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;

  [[nodiscard]] virtual const ToolSpec& spec() const = 0;

  /// Pure but for looking at files. The arguments match the schema; what a schema cannot say (a
  /// path outside the workspace) is an error here, one line that says what to send instead:
  /// `usage` for arguments that no workspace would make right, `permission` for a refusal, which
  /// the trace keeps as a denial.
  [[nodiscard]] virtual Result<Intent> intent(const Arguments& arguments) const = 0;

  /// An error is a failed call: one short stable line that the model can act on. `unsupported` is
  /// for a sandbox or program that is not there: it will not get better by asking again.
  virtual asio::awaitable<Result<ToolOutput>> run(const Call& call) = 0;

  /// JSON Schemas of the arguments that a call can usefully have now, for an engine that holds a
  /// small model to them; empty where all that match the spec are as good. Blocks on files.
  [[nodiscard]] virtual std::vector<std::string> forms(const MayDo& /*may*/) const { return {}; }

  /// The workspace was taken back to what it was earlier: what was remembered of files is void.
  virtual void restored() {}
};

}  // namespace fathom::tools
