// A tool server for tests, run inside the sandbox: the first argument says how it behaves.
// It reads no JSON: the client's frames have a known form, and it must not share the code under
// test.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

namespace {

constexpr std::array kTools = {"exists",  "progress", "die",   "flood",
                               "endless", "wrong",    "twice", "hang"};

std::string mode;

// The text behind `"key":` up to a comma, brace or quote.
std::string field(std::string_view frame, std::string_view key) {
  const std::string wanted = "\"" + std::string(key) + "\":";
  std::size_t at = frame.find(wanted);
  if (at == std::string_view::npos) return "";
  at += wanted.size();
  const bool is_text = at < frame.size() && frame[at] == '"';
  if (is_text) ++at;
  return std::string(frame.substr(at, frame.find_first_of(is_text ? "\"" : ",}", at) - at));
}

void say(const std::string& frame) { std::cout << frame << '\n' << std::flush; }

void answer(const std::string& id, const std::string& result) {
  say(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}");
}

void answer_text(const std::string& id, const std::string& text) {
  answer(id, R"({"content":[{"type":"text","text":")" + text + "\"}]}");
}

std::string tool(const std::string& name) {
  return R"({"name":")" + name + R"(","description":"Test tool )" + name +
         R"(","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}})";
}

void list(const std::string& id, const std::string& frame) {
  if (mode == "paginated") {
    const std::string cursor = field(frame, "cursor");
    const std::string number = cursor.empty() ? "1" : cursor;
    answer(id, R"({"tools":[)" + tool("page" + number) + "]" +
                   (number == "3"
                        ? ""
                        : R"(,"nextCursor":")" + std::to_string(std::stoi(number) + 1) + "\"") +
                   "}");
    return;
  }
  std::string tools = tool("echo");
  for (const char* name : kTools) tools += "," + tool(name);
  if (mode == "changes" && std::filesystem::exists("started_before")) tools += "," + tool("new");
  std::ofstream("started_before") << "yes";
  answer(id, R"({"tools":[)" + tools + "]}");
}

[[noreturn]] void flood() {
  for (;;)
    say(R"({"jsonrpc":"2.0","method":"notifications/message",)"
        R"("params":{"level":"info","data":"x"}})");
}

[[noreturn]] void endless() {
  const std::string piece(64UL << 10, 'x');
  for (;;) std::cout << piece << std::flush;
}

void call(const std::string& id, const std::string& frame) {
  const std::string name = field(frame, "name");
  if (name == "die") {
    std::cerr << "first words\nabout to die\n";
    std::exit(3);
  }
  if (name == "flood") flood();
  if (name == "endless") endless();
  if (name == "hang") {
    std::ofstream("hanging") << id;
    return;
  }
  if (name == "wrong") return say("this is no JSON");
  if (name == "exists")
    return answer_text(id, std::filesystem::exists(field(frame, "path")) ? "yes" : "no");
  if (name == "progress")
    for (const char* step : {"1", "2", "3"})
      say(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)" + id +
          R"(,"progress":)" + step + R"(,"total":3}})");
  answer_text(id, "hello " + field(frame, "path"));
  if (name == "twice") answer_text(id, "hello again");
}

}  // namespace

int main(int argc, char** argv) {
  mode = argc > 1 ? argv[1] : "good";
  if (mode == "exit") {
    std::cerr << "no configuration\n";
    return 4;
  }
  std::string frame;
  while (std::getline(std::cin, frame)) {
    const std::string method = field(frame, "method");
    const std::string id = field(frame, "id");
    if (mode == "silent") continue;
    if (method == "initialize")
      answer(id, R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}},)"
                 R"("serverInfo":{"name":"test","version":"1"}})");
    else if (method == "tools/list")
      list(id, frame);
    else if (method == "tools/call")
      call(id, frame);
    else if (method == "notifications/cancelled")
      std::ofstream("cancelled") << field(frame, "requestId");
  }
  std::ofstream("ended_by_itself") << "yes";
  while (mode == "stays") ::pause();
  return 0;
}
