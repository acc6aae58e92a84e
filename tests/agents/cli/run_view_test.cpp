#include "agents/cli/run_view.hpp"

#include "agents/cli/run_view_title.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/base/text.hpp"
#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string kFolder = "tests/golden/agents/cli/";

struct Recorded {
  Instant at;
  std::string type;
  json data;
};

std::vector<Recorded> recorded() {
  std::vector<Recorded> events;
  std::istringstream lines(test::slurp(kFolder + "run_view_events.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const json event = json::parse(line);
    events.push_back(
        {Instant(std::chrono::milliseconds(event["ms"])), event["type"], event["data"]});
  }
  REQUIRE(events.size() > 50);
  return events;
}

// Colours in words, so that a golden file can be read.
std::string in_words(Colour colour, std::string_view text) {
  static constexpr std::array<std::string_view, 7> kNames = {"plain",  "dim",  "red", "green",
                                                             "yellow", "cyan", "bold"};
  if (colour == Colour::plain) return std::string(text);
  return "{" + std::string(kNames.at(static_cast<std::size_t>(colour))) + ":" + std::string(text) +
         "}";
}

std::string say(RunView& view, std::string_view type, const json& data, Instant now = {}) {
  return view.on(type, data.dump(), now);
}

std::string text_of(const std::vector<Recorded>& events, RunView::Options options) {
  RunView view(std::move(options));
  std::string text;
  for (const Recorded& event : events) text += say(view, event.type, event.data, event.at);
  return text;
}

// What a terminal shows: the status lines too, each behind the event it follows.
std::string with_status(const std::vector<Recorded>& events, RunView::Options options) {
  options.is_terminal = true;
  RunView view(std::move(options));
  std::string text;
  for (const Recorded& event : events) {
    text += say(view, event.type, event.data, event.at);
    const std::string status = view.status(event.at + 1200ms);
    if (!status.empty()) text += "[" + status + "]\n";
  }
  return text;
}

void check_golden(const std::string& name, const std::string& text) {
  const std::string path = kFolder + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  INFO(path);
  CHECK(text == test::slurp(path));
}

json delta(std::string_view kind, std::string_view text) {
  return {{"kind", kind}, {"call", 0}, {"text", text}};
}

json answer(std::string_view text) {
  return {{"request", 1}, {"text", text},     {"reasoning", ""}, {"calls", json::array()},
          {"usage", {}},  {"finish", "stop"}, {"repaired", ""}};
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The run of a call from its request to its result.
std::string run_call(RunView& view, const json& requested, const json& finished) {
  std::string out = say(view, "tool.requested", requested);
  out += say(view, "tool.started", {{"call", requested["call"]}});
  return out + say(view, "tool.finished", finished);
}

RunEnd some_end() {
  RunEnd end;
  end.steps = 5;
  end.usage = {.prompt_tokens = 379700,
               .reused_tokens = 174150,
               .completion_tokens = 336,
               .reasoning_tokens = 11};
  end.cost_usd = 0.0224;
  end.took = 83s;
  end.changes = "M src/parser.py  +3 -1\n+ notes.txt  +1\n";
  end.run = "01M8HSH55A1S6FVG5VFRRJMGX1";
  end.may_undo = true;
  return end;
}

}  // namespace

TEST_CASE("a run is shown as its golden text", "[agents]") {
  check_golden("run_view.txt", text_of(recorded(), {}));
}

TEST_CASE("a terminal shows what is under way, in colours", "[agents]") {
  RunView::Options options;
  options.columns = 100;
  options.paint = in_words;
  check_golden("run_view_terminal.txt", with_status(recorded(), options));
}

TEST_CASE("a verbose view shows reasoning and more of each result", "[agents]") {
  RunView::Options options;
  options.verbose = true;
  check_golden("run_view_verbose.txt", text_of(recorded(), options));
}

TEST_CASE("a narrow terminal without UTF-8 gets short lines of plain marks", "[agents]") {
  RunView::Options options;
  options.columns = 40;
  options.marks = MarkSet::ascii;
  options.is_terminal = true;
  const std::string text = with_status(recorded(), options);
  check_golden("run_view_narrow.txt", text);
  for (const char c : text) CHECK(static_cast<unsigned char>(c) < 0x80);
}

TEST_CASE("calls and what they print fit the terminal, and no status fills its line", "[agents]") {
  const std::string wide = std::string(300, 'x') + "\n" + std::string(300, 'y') + "\n中中中中中";
  for (const std::size_t columns : {20UL, 33UL, 60UL, 100UL}) {
    RunView::Options options;
    options.columns = columns;
    options.is_terminal = true;
    RunView view(options);
    const std::string text = run_call(
        view, {{"call", "a"}, {"tool", "bash"}, {"arguments", json({{"command", wide}}).dump()}},
        {{"call", "a"}, {"status", "failed"}, {"content", wide}});
    CHECK(lines_of(text).size() == 5);
    for (const std::string_view line : lines_of(text)) CHECK(columns_of(line) <= columns);
    for (const Recorded& event : recorded()) {
      (void)say(view, event.type, event.data, event.at);
      CHECK(columns_of(view.status(event.at)) < columns);
    }
  }
}

TEST_CASE("what is to be approved is shown as a whole", "[agents]") {
  RunView::Options options;
  options.columns = 30;
  const json asked = {{"call", "a"}, {"reason", "it may"}, {"grant", "exec: {allow: [sh]}"}};
  const auto ask = [&](const std::string& command) {
    RunView view(options);
    (void)say(
        view, "tool.requested",
        {{"call", "a"}, {"tool", "bash"}, {"arguments", json({{"command", command}}).dump()}});
    return say(view, "approval.requested", asked);
  };
  const std::string question =
      "  ? needs your approval: it may\n    smallest grant: exec: {allow: [sh]}\n";
  CHECK(ask("short") == question);
  CHECK(ask("harmless\nrm -rf x") == "    harmless\n    rm -rf x\n" + question);
  const std::string hidden = "ls                              ; rm -rf x";
  CHECK(ask(hidden) == "    " + hidden + "\n" + question);
  RunView view(options);
  (void)say(view, "tool.requested",
            {{"call", "a"},
             {"tool", "bash"},
             {"arguments", {{"ref", ""}, {"size", 20480}, {"preview", R"({"command":"ls ; )"}}}});
  CHECK(say(view, "approval.requested", asked) ==
        "    ls ;\n    ! this is not all of it: 20.0 KiB are in the trace\n" + question);
}

TEST_CASE("a call that a person refused says so once", "[agents]") {
  RunView view({});
  (void)say(view, "tool.requested", {{"call", "a"}, {"tool", "bash"}});
  (void)say(view, "approval.requested", {{"call", "a"}, {"reason", "it may"}});
  CHECK(say(view, "approval.answered", {{"call", "a"}, {"given", false}}) == "  ✗ not approved\n");
  CHECK(say(view, "tool.finished", {{"call", "a"}, {"status", "denied"}}).empty());
}

TEST_CASE("files that a call changed are in its outcome, unless its line names them", "[agents]") {
  RunView view({});
  const auto run = [&](const std::string& command) {
    (void)say(
        view, "tool.requested",
        {{"call", "a"}, {"tool", "bash"}, {"arguments", json({{"command", command}}).dump()}});
    for (const char* path : {"a.c", "b.c", "c.c", "d.c", "e.c"})
      (void)say(view, "file.changed", {{"call", "a"}, {"path", path}});
    return say(view, "tool.finished", {{"call", "a"}, {"status", "ok"}, {"us", 0}});
  };
  CHECK(run("make fmt") == "  ✓ 0 ms · changed a.c, b.c, c.c, 2 more\n");
  CHECK(run("fmt b.c") == "  ✓ 0 ms · changed a.c, c.c, 2 more\n");
}

TEST_CASE("the pieces in which words arrive do not change the text", "[agents]") {
  const std::vector<Recorded> whole = recorded();
  for (const bool verbose : {false, true}) {
    RunView::Options options;
    options.paint = in_words;
    options.verbose = verbose;
    const std::string expected = text_of(whole, options);
    for (const std::size_t size : {1UL, 2UL, 3UL, 7UL}) {
      std::vector<Recorded> cut;
      for (const Recorded& event : whole) {
        if (event.type != "model.delta" || event.data["text"].get<std::string>().empty()) {
          cut.push_back(event);
          continue;
        }
        std::string text = event.data["text"];
        for (std::size_t at = 0; at < text.size(); at += size) {
          cut.push_back(event);
          cut.back().data["text"] = text.substr(at, size);
        }
      }
      CHECK(cut.size() > whole.size());
      CHECK(text_of(cut, options) == expected);
    }
  }
}

TEST_CASE("a text with everything in it may be cut anywhere", "[agents]") {
  const std::vector<std::string> points = {"\n",     " ", "a",    "\r", "\n", "\n", "\n", "\t",
                                           "b",      " ", "\x1b", "[",  "2",  "J",  "é",  "中",
                                           "\u202e", "c", "\r",   "\n", "x",  " ",  "\n"};
  std::string all;
  for (const std::string& point : points) all += point;
  for (const bool verbose : {false, true}) {
    for (const char* kind : {"text", "reasoning"}) {
      RunView::Options options;
      options.paint = in_words;
      options.verbose = verbose;
      RunView at_once(options);
      const std::string expected = say(at_once, "model.delta", delta(kind, all)) +
                                   say(at_once, "turn.finished", json::object());
      for (std::size_t cut = 0; cut <= points.size(); ++cut) {
        std::string head;
        std::string tail;
        for (std::size_t i = 0; i < points.size(); ++i) (i < cut ? head : tail) += points[i];
        RunView view(options);
        CHECK(say(view, "model.delta", delta(kind, head)) +
                  say(view, "model.delta", delta(kind, tail)) +
                  say(view, "turn.finished", json::object()) ==
              expected);
      }
    }
  }
}

TEST_CASE("what a model or repository says cannot control the terminal", "[agents]") {
  const std::string attack =
      "a\x1b]0;title\x07 b\x9b"
      "2J \u202egpj.exe\u2028 \b\b\x7f c\u0085";
  for (const bool verbose : {false, true}) {
    RunView::Options options;
    options.is_terminal = true;
    options.verbose = verbose;
    RunView view(options);
    std::string text;
    for (const Recorded& event : recorded()) {
      json data = event.data;
      for (json& value : data)
        if (value.is_string()) value = to_valid_utf8(value.get<std::string>() + attack);
      data["call"] = "c\x1b[2J";
      data["arguments"] = R"({"command":"\u001b[31mls\u001b[0m\u202e","path":"\u0007"})";
      text += say(view, event.type, data, event.at);
      text += view.status(event.at) + "\n";
    }
    RunEnd end = some_end();
    end.why = attack;
    end.changes = attack;
    end.run = attack;
    text += view.summary(end);
    CHECK(has(text, "\\x1b]0;title\\x07"));
    CHECK(has(text, "<U+202E>gpj.exe<U+2028>"));
    for (const char* bad : {"\u202e", "\u2028", "\u0085", "\u009b"}) CHECK_FALSE(has(text, bad));
    for (const char c : text)
      CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t'));
    CHECK_FALSE(has(text, "\x7f"));
  }
}

TEST_CASE("broken data and unknown types are shown as nothing or little, never as a crash",
          "[agents]") {
  for (const Recorded& event : recorded()) {
    RunView view({});
    CHECK(view.on("no.such.type", event.data.dump(), {}).empty());
    for (const char* broken : {"", "nul", "[]", "{}", "{\"call\":", "\"text\"", "{\"call\":[1]}"})
      CHECK_FALSE(has(view.on(event.type, broken, {}), "\x1b"));
    // Each key of another kind than it should be.
    for (const auto& [key, value] : event.data.items()) {
      json changed = event.data;
      changed[key] = value.is_string() ? json(-1) : json("text");
      CHECK(view.on(event.type, changed.dump(), event.at).find('\x1b') == std::string::npos);
    }
  }
}

TEST_CASE("words that were not streamed are shown with the message", "[agents]") {
  RunView view({});
  CHECK(say(view, "model.message", answer("All done.\n")) == "All done.\n");
  CHECK(say(view, "model.message", answer("Again.")) == "\nAgain.\n");
}

TEST_CASE("the end of an answer that did not come in pieces is shown with the message",
          "[agents]") {
  RunView view({});
  CHECK(say(view, "model.delta", delta("text", "All d")) == "All d");
  CHECK(say(view, "model.message", answer("All done.")) == "one.\n");
}

TEST_CASE("an answer of which a middle piece was lost is shown again as a whole", "[agents]") {
  RunView view({});
  CHECK(say(view, "model.delta", delta("text", "All ")) == "All ");
  CHECK(say(view, "model.delta", delta("text", "one.")) == "one.");
  const std::string rest = say(view, "model.message", answer("All is done."));
  CHECK(has(rest, "lost on the way"));
  CHECK(rest.ends_with("\n\nAll is done.\n"));
}

TEST_CASE("an answer that is in the blob store begins with its preview and says how much is left",
          "[agents]") {
  json message = answer("");
  message["text"] = {{"ref", "sha256:00"}, {"size", 20480}, {"preview", "It begins"}};
  RunView view({});
  CHECK(say(view, "model.message", message) ==
        "It begins\n  … 20.0 KiB more of this answer are in the trace\n");
  RunView streamed({});
  (void)say(streamed, "model.delta", delta("text", std::string(20480, 'x')));
  CHECK(say(streamed, "model.message", message) == "\n");
}

TEST_CASE("calls that end out of order name themselves", "[agents]") {
  RunView view({});
  for (const char* id : {"a", "b"})
    (void)say(view, "tool.requested", {{"call", id}, {"tool", "list"}, {"arguments", "{}"}});
  (void)say(view, "tool.requested",
            {{"call", "c"}, {"tool", "search"}, {"arguments", R"({"pattern":"x"})"}});
  CHECK(say(view, "tool.finished", {{"call", "a"}, {"status", "ok"}, {"us", 100000}}) ==
        "  ✓ list · 0.1 s\n");
  CHECK(say(view, "tool.finished", {{"call", "c"}, {"status", "ok"}, {"us", 100000}}) ==
        "  ✓ search  \"x\" · 0.1 s\n");
}

TEST_CASE("a call shows the part of its arguments that tells it from others", "[agents]") {
  const auto title = [](std::string_view tool, std::string_view arguments) {
    const CallTitle title = title_of(tool, arguments);
    return title.line + (title.is_cut ? " (cut)" : "");
  };
  CHECK(title("bash", R"({"command":"make\n"})") == "make");
  CHECK(title("bash", R"({"command":"\ncat <<E\nx\nE"})") == "cat <<E (cut)");
  CHECK(title("bash", R"({"command":"serve","background":true})") == "serve &");
  CHECK(title("bash", R"({"action":"poll","job":3})") == "poll job 3");
  CHECK(title("bash", R"({"action":"list"})") == "list jobs");
  CHECK(title("bash", R"({"command":"cat > long.txt <<E\nthis is cut)") ==
        "cat > long.txt <<E (cut)");
  CHECK(title("bash", R"({"command":"cut here \)") == "cut here \\");
  CHECK(title("bash", "no json at all") == "nojsonatall");
  CHECK(title("str_replace_editor", R"({"command":"create","path":"a b","file_text":"x"})") ==
        "create a b");
  CHECK(title("str_replace_editor", R"({"command":"view","path":"a","view_range":[1,-1]})") ==
        "view a:1-end");
  CHECK(title("str_replace_editor", R"({"command":"insert","path":"a","insert_line":0})") ==
        "insert a:0");
  CHECK(title("search", R"({"pattern":"a.c","path":"src","glob":"*.c"})") ==
        "\"a.c\" in src (*.c)");
  CHECK(title("git", R"({"command":"add","paths":["a","b"]})") == "add a b");
  CHECK(title("run_tests", "{}").empty());
  CHECK(title("run_tests", R"({"filter":"-k x"})") == "-k x");
  CHECK(title("other", R"({ "a" : "b  c\" d", "n" : [1, 2] })") == R"({"a":"b  c\" d","n":[1,2]})");
}

TEST_CASE("a failed command says its code, and the line that tells of the error", "[agents]") {
  RunView view({});
  const json requested = {{"call", "a"}, {"tool", "bash"}, {"arguments", R"({"command":"make"})"}};
  CHECK(run_call(view, requested,
                 {{"call", "a"},
                  {"status", "failed"},
                  {"us", 1500000},
                  {"content", "cc a.c\na.c:1: error: no x\nmake: *** [a.o] 1\nexit code 2\n"},
                  {"data", {{"ending", "exited"}, {"exit_code", 2}}}}) ==
        "• bash  make\n"
        "  ✗ exit 2 · 1.5 s: a.c:1: error: no x\n"
        "    cc a.c\n"
        "    a.c:1: error: no x\n"
        "    make: *** [a.o] 1\n");
  CHECK(has(run_call(view, requested,
                     {{"call", "a"},
                      {"status", "failed"},
                      {"us", 900},
                      {"content", "(no output)"},
                      {"data", {{"ending", "memory_limit"}}}}),
            "✗ memory limit · 0 ms"));
}

TEST_CASE("a long output is shown by its end, and how much came before", "[agents]") {
  RunView view({});
  std::string output;
  for (int i = 1; i <= 20; ++i) output += "line " + std::to_string(i) + "\n";
  CHECK(has(run_call(view, {{"call", "a"}, {"tool", "bash"}, {"arguments", R"({"command":"x"})"}},
                     {{"call", "a"},
                      {"status", "ok"},
                      {"us", 0},
                      {"content", output},
                      {"data", {{"exit_code", 0}, {"lines", 1020}}}}),
            "    … 1,017 more lines\n    line 18\n    line 19\n    line 20\n"));
}

TEST_CASE("the status tells reading with its speed, waiting with what is left of it", "[agents]") {
  RunView::Options options;
  options.is_terminal = true;
  RunView view(options);
  const Instant start;
  CHECK(view.status(start).empty());
  (void)say(view, "model.request", {{"request", 1}, {"attempt", 1}}, start);
  CHECK(has(view.status(start), "waiting for the model"));
  (void)say(view, "prefill.progress", {{"done", 1000}, {"total", 9000}}, start + 1s);
  (void)say(view, "prefill.progress", {{"done", 5000}, {"total", 9000}}, start + 3s);
  CHECK(has(view.status(start + 3s), "reading 5,000 of 9,000 tokens (55 %) · 2,000 t/s"));
  (void)say(view, "model.retry", {{"class", "server"}, {"wait_ms", 4000}}, start + 4s);
  CHECK(has(view.status(start + 6s), "asking again in 2.0 s"));
}

TEST_CASE("a long prefill says lines of its own where no line can be rewritten", "[agents]") {
  RunView log({});
  RunView::Options options;
  options.is_terminal = true;
  RunView terminal(options);
  std::string said;
  for (int i = 0; i <= 100; ++i) {
    const json data = {{"done", i * 1000}, {"total", 100000}};
    const Instant now = Instant(std::chrono::seconds(i));
    said += say(log, "prefill.progress", data, now);
    CHECK(say(terminal, "prefill.progress", data, now).empty());
    CHECK(log.status(now).empty());
  }
  CHECK(said ==
        "  reading 30,000 of 100,000 tokens (30 %) · 1,000 t/s\n"
        "  reading 60,000 of 100,000 tokens (60 %) · 1,000 t/s\n"
        "  reading 90,000 of 100,000 tokens (90 %) · 1,000 t/s\n");
}

TEST_CASE("no status stands in the line that the model's words have begun", "[agents]") {
  RunView::Options options;
  options.is_terminal = true;
  RunView view(options);
  (void)say(view, "model.request", {{"request", 1}});
  CHECK_FALSE(view.status({}).empty());
  CHECK(say(view, "model.delta", delta("text", "Words")) == "Words");
  CHECK(view.status({}).empty());
  CHECK(say(view, "model.delta", delta("call_started", "bash")) == "\n");
  CHECK(has(view.status({}), "writing a call"));
}

TEST_CASE("the summary says why it ended, what it took and how to go on", "[agents]") {
  RunView view({});
  CHECK(view.summary(some_end()) ==
        "✓ answered · 5 steps · 1 min 23 s\n"
        "  tokens    reused 174,150 (45 %) · prefilled 205,550 · generated 336\n"
        "  cost      $0.0224\n"
        "  changed   M src/parser.py  +3 -1\n"
        "            + notes.txt  +1\n"
        "  go on     fathom session resume 01M8HSH55A1S6FVG5VFRRJMGX1\n"
        "  take back fathom undo 01M8HSH55A1S6FVG5VFRRJMGX1\n");
}

TEST_CASE("the summary of a run that was stopped says by what, and leaves out what there is not",
          "[agents]") {
  RunEnd end;
  end.end = TurnEnd::step_limit;
  end.why = "the limit of 1 steps was reached";
  end.steps = 1;
  RunView::Options options;
  options.marks = MarkSet::ascii;
  RunView view(options);
  CHECK(view.summary(end) == "x step limit: the limit of 1 steps was reached; 1 step; 0 ms\n");
}

TEST_CASE("marks are ASCII where the terminal or the locale has nothing else", "[agents]") {
  const auto marks = [](std::map<std::string, std::string> env) {
    return marks_for([env = std::move(env)](const char* name) {
      const auto found = env.find(name);
      return found == env.end() ? std::string() : found->second;
    });
  };
  CHECK(marks({}) == MarkSet::ascii);
  CHECK(marks({{"LANG", "C"}}) == MarkSet::ascii);
  CHECK(marks({{"LANG", "en_GB.UTF-8"}}) == MarkSet::unicode);
  CHECK(marks({{"LANG", "de_DE.utf8"}, {"TERM", "xterm"}}) == MarkSet::unicode);
  CHECK(marks({{"LANG", "C.UTF-8"}, {"TERM", "dumb"}}) == MarkSet::ascii);
  CHECK(marks({{"LANG", "C.UTF-8"}, {"LC_ALL", "POSIX"}}) == MarkSet::ascii);
  CHECK(marks({{"LANG", "C"}, {"LC_CTYPE", "C.UTF-8"}}) == MarkSet::unicode);
}

TEST_CASE("numbers, times and columns read as people write them", "[agents]") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(time_of(-5s) == "0 ms");
  CHECK(time_of(99ms) == "99 ms");
  CHECK(time_of(100ms) == "0.1 s");
  CHECK(time_of(9999ms) == "9.9 s");
  CHECK(time_of(59s) == "59 s");
  CHECK(time_of(3599s) == "59 min 59 s");
  CHECK(time_of(3660s) == "1 h 1 min");
  CHECK(percent_of(999, 1000) == "99 %");
  CHECK(percent_of(3, 0) == "0 %");
  CHECK(rate_of(10, 1ms).empty());
  ViewStyle style;
  style.columns = 6;
  CHECK(style.fitted("123456", 0) == "123456");
  CHECK(style.fitted("1234567", 0) == "12345…");
  CHECK(style.fitted("中中中中", 0) == "中中…");
  CHECK(style.fitted("123", 9).empty());
}

TEST_CASE("the journal of a session alone gives its words, calls and ends", "[agents]") {
  test::Disk disk;
  test::run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    test::AgentRig rig(simulator, disk);
    rig.script().call({test::call("look", "a"), test::call("change", "b")}, "I look first.");
    rig.script().say("All done.");
    auto opening = rig.open();
    co_await std::move(opening);
    auto running = rig.run("fix it");
    (void)co_await std::move(running);
  });
  RunView view({});
  std::string text;
  for (const trace::Event& event : disk.events)
    text += view.on(event.what.type, event.what.data, {});
  CHECK(has(text, "I look first.\n"));
  CHECK(has(text, "• look  {\"text\":\"a\"}\n"));
  CHECK(has(text, "seen a\n"));
  CHECK(has(text, "• change  {\"text\":\"b\"}\n"));
  CHECK(text.ends_with("All done.\n"));
}

TEST_CASE("the keys of the runtime's own events are those that the view reads", "[agents]") {
  const test::TempDir dir;
  const auto blobs = trace::BlobStore::open(dir.path() / "blobs").value();
  RunView view({});
  const auto shown_of = [&](const engine::SessionEvent& event) {
    const auto draft = engine::encode(event, blobs);
    REQUIRE(draft);
    return view.on(draft->type, draft->data, {});
  };
  engine::ModelAnswered answered;
  answered.message.text = "Words.";
  answered.message.reasoning = "two words";
  answered.end = engine::AnswerEnd::length;
  answered.usage = {.prompt_tokens = 2000, .reused_tokens = 1500, .completion_tokens = 9};
  answered.cost_usd = 0.5;
  CHECK(shown_of(answered) ==
        "  thought · 2 words\n"
        "\n"
        "Words.\n"
        "  ! the answer was cut off: it reached its greatest length\n"
        "  prompt 2,000 · reused 1,500 (75 %) · generated 9 · $0.5000\n");
  engine::UserSaid steer;
  steer.how = engine::UserSaid::How::steer;
  steer.text = "stop that";
  CHECK(shown_of(steer) == "  » your message was delivered: stop that\n");
  engine::UserSaid guard;
  guard.how = engine::UserSaid::How::guard;
  guard.key = "wrap_up";
  guard.text = "Come to an end.";
  CHECK(shown_of(guard) == "  ! told the model (wrap up): Come to an end.\n");
  engine::Compacted compacted;
  compacted.transcript.messages.resize(3);
  CHECK(shown_of(compacted) ==
        "  ✓ the transcript was made shorter: 3 messages stand for what was said\n");
}

TEST_CASE("a status fits the terminal as wide as that is now", "[agents]") {
  RunView view({100, {}, MarkSet::ascii, true, false});
  (void)say(view, "model.request", {{"step", 1}});
  const std::string wide = view.status({});
  REQUIRE(columns_of(wide) > 12);
  view.resize(12);
  CHECK(columns_of(view.status({})) <= 12);
  view.resize(100);
  CHECK(view.status({}) == wide);
}
