#include "agents/run_history.hpp"

#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <utility>

namespace fathom::agents {

using nlohmann::json;

Result<RunHistory> read_history(const std::filesystem::path& journal) {
  trace::JournalReader reader = TRY(trace::JournalReader::open(journal));
  RunHistory history;
  std::map<std::string, std::string> tools;  // by call
  bool changed_earlier = false;              // before the run was resumed
  for (;;) {
    const std::optional<trace::Event> event = TRY(reader.next());
    if (!event) return history;
    history.run = event->run;
    const std::string& type = event->what.type;
    if (type == "run.forked") {
      // What was written up to here is another run's to take back.
      history.steps.clear();
      history.left.reset();
      history.changed = true;
      changed_earlier = false;
      tools.clear();
    }
    if (type != "run.started" && type != "tool.requested" && type != "tool.snapshot") continue;
    const json data = json::parse(event->what.data, nullptr, false);
    const auto text = [&](const char* name) {
      const auto found = data.find(name);
      return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    if (type == "run.started") history.workspace = text("workspace");
    if (type == "tool.requested") tools[text("call")] = text("tool");
    if (type != "tool.snapshot") continue;
    const auto id = tools::SnapshotId::parse(text("snapshot"));
    if (!id) continue;
    if (text("call").empty()) {
      history.left = *id;
      const auto changed = data.find("changed");
      history.changed = changed_earlier || changed == data.end() || *changed != false;
      continue;
    }
    if (history.left) {
      // It had come to its end, was resumed and writes on: what it leaves is not known yet.
      changed_earlier = history.changed;
      history.left.reset();
      history.changed = true;
    }
    history.steps.push_back({tools[text("call")], *id});
  }
}

}  // namespace fathom::agents
