#include "tools/mcp/mcp_content.hpp"

#include "tests/support/catch.hpp"
#include "tools/mcp/mcp_servers.hpp"
#include "tools/mcp/remote_tool.hpp"
#include "tools/tool_set.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::tools;
using nlohmann::json;

namespace {

std::string tool(std::string_view name, std::string_view schema = R"({"type":"object"})") {
  return R"({"name":")" + std::string(name) + R"(","description":"d","inputSchema":)" +
         std::string(schema) + "}";
}

}  // namespace

TEST_CASE("text is shown in order, and what is no text by a line", "[tools]") {
  const auto output = content_output(R"({"content":[
      {"type":"text","text":"one"},
      {"type":"image","mimeType":"image/png","data":"AAAAAAAA"},
      {"type":"resource","resource":{"uri":"file:///a","text":"inside"}},
      {"type":"resource","resource":{"uri":"file:///b","blob":"AAAA"}},
      {"type":"resource_link","uri":"file:///c","name":"c"},
      {"type":"dance"},
      {"type":"text","text":"two"}]})");
  REQUIRE(output);
  CHECK(output->status == ToolStatus::ok);
  CHECK(output->text.text() ==
        "one\n[image image/png, 6 B, not shown]\n[resource file:///a]\ninside\n"
        "[resource file:///b, 3 B, not shown]\n[resource file:///c]\n[dance, not shown]\ntwo");
  const json data = json::parse(output->data);
  CHECK(data["items"].size() == 7);
  CHECK(data["items"][0] == json({{"type", "text"}, {"bytes", 3}}));
  CHECK_FALSE(data.contains("structured"));
}

TEST_CASE("structure is data, and the text when there is no other", "[tools]") {
  const auto output = content_output(R"({"content":[],"structuredContent":{"b":1,"a":2}})");
  REQUIRE(output);
  CHECK(output->text.text() == R"({"b":1,"a":2})");
  CHECK(json::parse(output->data)["structured"] == json({{"a", 2}, {"b", 1}}));
  const auto both =
      content_output(R"({"content":[{"type":"text","text":"t"}],"structuredContent":{"b":1}})");
  CHECK(both->text.text() == "t");
}

TEST_CASE("structure beyond its bound is left out of data", "[tools]") {
  const std::string large = R"({"x":")" + std::string(kStructuredBytesMax, 'x') + "\"}";
  const auto output = content_output(R"({"structuredContent":)" + large + "}");
  REQUIRE(output);
  CHECK(output->text.bytes == large.size());
  CHECK(json::parse(output->data) == json({{"items", json::array()}}));
}

TEST_CASE("an error of the tool is a failed call", "[tools]") {
  const auto output = content_output(R"({"content":[{"type":"text","text":"no"}],"isError":true})");
  CHECK(output->status == ToolStatus::failed);
  CHECK(output->text.text() == "no");
}

TEST_CASE("items beyond the bound are counted", "[tools]") {
  std::string content = R"({"content":[)";
  for (std::size_t i = 0; i < kContentItemsMax + 3; ++i)
    content += R"({"type":"text","text":"x"},)";
  content.back() = ']';
  const auto output = content_output(content + "}");
  CHECK(output->text.text().ends_with("x\n[3 more items, not shown]"));
}

TEST_CASE("an answer without content is the server's fault", "[tools]") {
  CHECK(content_output("{}").error().message == "tools/call: the answer has no 'content'");
  CHECK(content_output("[]").error().code == ErrorCode::protocol);
}

TEST_CASE("a page of tools keeps each schema's bytes in their order", "[tools]") {
  const auto page = parse_tool_page(
      R"({"tools":[{"name":"a","description":" one\n  line ","inputSchema":{ "type": "object",
          "properties": {"z":{"type":"string"}, "b":{"type":"integer"}} }}],"nextCursor":"c"})");
  REQUIRE(page);
  CHECK(page->tools ==
        std::vector<RemoteTool>{
            {"a", "one line",
             R"({"type":"object","properties":{"z":{"type":"string"},"b":{"type":"integer"}}})"}});
  CHECK(page->cursor == "c");
  CHECK(page->notes.empty());
}

TEST_CASE("a tool that cannot be offered is left out with a note", "[tools]") {
  const auto page = parse_tool_page(
      R"({"tools":[{"inputSchema":{}},{"name":"b"},)" + tool("c", R"({"type":5})") + "," +
      tool("d", R"({"x":")" + std::string(kRemoteSchemaBytesMax, 'x') + "\"}") + "," +
      tool(std::string(kRemoteNameBytesMax + 1, 'n')) + "," + tool("ok") +
      R"(,{"name":"e","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}})"
      R"(,{"name":"f","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}})"
      R"(,{"name":"g","inputSchema":{"type":"object"},"execution":null}]})");
  REQUIRE(page);
  CHECK(page->tools.size() == 3);
  REQUIRE(page->notes.size() == 6);
  CHECK(page->notes[5] == "tool 'e': it runs as a task only, which is not offered; left out");
  CHECK(page->notes[0] == "a tool without a name; left out");
  CHECK(page->notes[1] == "tool 'b': no inputSchema; left out");
  CHECK(page->notes[2].starts_with("tool 'c': its inputSchema: "));
  CHECK(page->notes[3] == "tool 'd': its inputSchema has more than 16.0 KiB; left out");
  CHECK(parse_tool_page("{}").error().code == ErrorCode::protocol);
}

TEST_CASE("descriptions and lists are cut at their bounds", "[tools]") {
  std::string list = R"({"tools":[)";
  for (std::size_t i = 0; i < kRemoteToolsMax + 5; ++i) list += tool("t" + std::to_string(i)) + ",";
  list.back() = ']';
  const auto page = parse_tool_page(list + "}");
  CHECK(page->tools.size() == kRemoteToolsMax);
  CHECK(page->notes.size() == 1);
  const auto wordy = parse_tool_page(R"({"tools":[{"name":"w","inputSchema":{"type":"object"},)"
                                     R"("description":")" +
                                     std::string(5'000, 'w') + "\"}]}");
  CHECK(wordy->tools.at(0).description.size() == kRemoteDescriptionBytesMax);
}

TEST_CASE("names fit the tool set and never collide", "[tools]") {
  std::set<std::string, std::less<>> taken;
  CHECK(remote_tool_name("files", "read file", taken) == "mcp_files_read_file");
  CHECK(remote_tool_name("files", "read.file", taken) == "mcp_files_read_file_2");
  const std::string large(100, 'x');
  const std::string first = remote_tool_name("s", large, taken);
  const std::string second = remote_tool_name("s", large, taken);
  CHECK(first.size() == kToolNameBytesMax);
  CHECK(second.size() == kToolNameBytesMax);
  CHECK(second.ends_with("x_2"));
}

TEST_CASE("a server is given as a command or a URL", "[tools]") {
  const auto command = parse_mcp_server("files=npx  'a b' \"c\\\"d\" e\\ f ''");
  REQUIRE(command);
  CHECK(command->name == "files");
  CHECK(command->argv == std::vector<std::string>{"npx", "a b", "c\"d", "e f", ""});
  const auto url = parse_mcp_server("web=https://example.com/mcp?x=1");
  REQUIRE(url);
  CHECK(url->argv.empty());
  CHECK(url->url->to_string() == "https://example.com/mcp?x=1");
}

TEST_CASE("a server that is not given well says how to write it", "[tools]") {
  CHECK(parse_mcp_server("npx server").error().message ==
        "mcp server 'npx server': a name has letters, digits, '_' and '-', 24 at most; write "
        "NAME=COMMAND or NAME=https://…");
  CHECK(parse_mcp_server("a=").error().message ==
        "mcp server a: no command; write NAME=COMMAND or NAME=https://…");
  CHECK(parse_mcp_server("a='x").error().message == "mcp server a: a quote ' is not closed");
  CHECK_FALSE(parse_mcp_server("a=https://user:password@host/"));
  CHECK_FALSE(parse_mcp_server(std::string_view("a=x\0y", 5)));
}
