#include "tools/edit/editor_tool.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/tool_set.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

using namespace fathom;
using namespace fathom::tools;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Bench {
  test::TempDir dir;
  std::unique_ptr<HostFiles> files = HostFiles::create(dir.path(), {}).value();
  OffloadPool offload;
  EditorTool tool{*files, offload};

  Result<ToolOutput> call(const json& arguments) {
    const Arguments parsed = Arguments::parse(arguments.dump()).value();
    const auto schema = ArgumentSchema::compile(tool.spec().name, tool.spec().parameters).value();
    if (auto checked = schema.check(parsed); !checked) return fail(checked.error());
    const auto intent = tool.intent(parsed);
    if (!intent) return fail(intent.error());
    return run(parsed, *intent);
  }

  Result<ToolOutput> run(const Arguments& parsed, const Intent& decided) {
    const std::string id = "c1";
    const Call call{id, parsed, {}, &decided};
    std::optional<Result<ToolOutput>> result;
    asio::io_context io;
    const auto keep = [&](std::exception_ptr error, Result<ToolOutput> output) {
      if (error) std::rethrow_exception(error);
      result = std::move(output);
    };
    asio::co_spawn(io, tool.run(call), keep);
    io.run();
    return *std::move(result);
  }

  Result<ToolOutput> view(const std::string& path) {
    return call({{"command", "view"}, {"path", path}});
  }
  Result<ToolOutput> replace(const std::string& path, const std::string& from,
                             const std::string& to) {
    return call({{"command", "str_replace"}, {"path", path}, {"old_str", from}, {"new_str", to}});
  }
  Result<ToolOutput> undo(const std::string& path) {
    return call({{"command", "undo_edit"}, {"path", path}});
  }
  [[nodiscard]] std::string on_disk(const std::string& path) const {
    return test::slurp(dir.path() / path);
  }
};

std::string text_of(const Result<ToolOutput>& output) { return output.value().text.text(); }

}  // namespace

TEST_CASE("the editor is a tool like any other", "[tools]") {
  Bench bench;
  std::vector<std::unique_ptr<Tool>> tools;
  tools.push_back(std::make_unique<EditorTool>(*bench.files, bench.offload));
  const auto set = ToolSet::create(std::move(tools));
  REQUIRE(set);
  CHECK(set->find("str_replace_editor")->schema.signature() ==
        "str_replace_editor(command: view|create|str_replace|insert|undo_edit, path: string, "
        "file_text?: string, old_str?: string, new_str?: string, insert_line?: integer, "
        "view_range?: integer[])");
}

TEST_CASE("a view shows numbered lines and how to go on", "[tools]") {
  Bench bench;
  bench.dir.write("a.txt", "one\ntwo\nthree\n");
  CHECK(text_of(bench.view("a.txt")) == "     1\tone\n     2\ttwo\n     3\tthree\n");
  const auto part = bench.call({{"command", "view"}, {"path", "a.txt"}, {"view_range", {2, 2}}});
  CHECK(text_of(part) == "     2\ttwo\n");
  CHECK(part->notes == "line 2 of 3");
  CHECK(json::parse(part->data) == json::parse(R"({"command":"view","path":"a.txt","wrote":false,
      "lines":[2,2],"total":3,"complete":true})"));
  CHECK(part->changed.empty());
}

TEST_CASE("a view that is cut says where to go on", "[tools]") {
  Bench bench;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "some line\n";
  bench.dir.write("long.txt", text);
  const auto output = bench.view("long.txt");
  CHECK(output->notes == "lines 1-1352 of 20000; view_range [1353, -1] goes on");
  const auto rest =
      bench.call({{"command", "view"}, {"path", "long.txt"}, {"view_range", {19'999, -1}}});
  CHECK(rest->text.lines == 2);
}

TEST_CASE("an edit writes the file and shows what stands there now", "[tools]") {
  Bench bench;
  bench.dir.write("a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
  const auto output = bench.replace("a.txt", "6\n7", "six\nseven\nmore");
  CHECK(output->digest == "a.txt: edited lines 6-8");
  CHECK(text_of(output) ==
        "     2\t2\n     3\t3\n     4\t4\n     5\t5\n     6\tsix\n     7\tseven\n     8\tmore\n"
        "     9\t8\n    10\t9\n    11\t10\n    12\t11\n");
  CHECK(output->changed == std::vector<std::string>{"a.txt"});
  CHECK(bench.on_disk("a.txt") == "1\n2\n3\n4\n5\nsix\nseven\nmore\n8\n9\n10\n11\n12\n");
}

TEST_CASE("errors begin with the path and change nothing", "[tools]") {
  Bench bench;
  bench.dir.write("a.txt", "x\nx\n");
  CHECK(bench.replace("a.txt", "x", "y").error().message ==
        "a.txt: old_str is in 2 places (lines 1, 2): add lines around it until it is in one");
  CHECK(bench.replace("b.txt", "x", "y").error().message ==
        "b.txt: there is no such file: create makes one");
  CHECK(bench.view("b").error().message == "b: there is no such file or folder");
  CHECK(bench.call({{"command", "str_replace"}, {"path", "a.txt"}}).error().message ==
        "str_replace needs old_str");
  CHECK(bench.call({{"command", "insert"}, {"path", "a.txt"}, {"new_str", "x"}}).error().message ==
        "insert needs insert_line (0 is the top)");
  CHECK(bench.call({{"command", "view"}, {"path", "a.txt"}, {"view_range", {3, 1}}})
            .error()
            .message ==
        "view_range must be [first, last] from line 1, or [first, -1] for the rest");
  CHECK(bench.call({{"command", "create"}, {"path", "../x"}, {"file_text", ""}}).error().code ==
        ErrorCode::permission);
  CHECK(bench.on_disk("a.txt") == "x\nx\n");
}

TEST_CASE("a file that changed after it was seen is refused once, with the change", "[tools]") {
  Bench bench;
  bench.dir.write("a.txt", "one\ntwo\nthree\n");
  REQUIRE(bench.view("a.txt"));
  bench.dir.write("a.txt", "one\n2\nthree\n");
  const auto refused = bench.replace("a.txt", "three", "3");
  CHECK(refused->status == ToolStatus::failed);
  CHECK(refused->digest == "a.txt was changed since you saw it, nothing was written");
  CHECK(text_of(refused) == "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
  CHECK(bench.on_disk("a.txt") == "one\n2\nthree\n");
  CHECK(bench.replace("a.txt", "three", "3")->status == ToolStatus::ok);
  CHECK(bench.on_disk("a.txt") == "one\n2\n3\n");
}

TEST_CASE("a file that was only touched, or never seen, is edited at once", "[tools]") {
  Bench bench;
  bench.dir.write("a.txt", "one\n");
  REQUIRE(bench.view("a.txt"));
  bench.dir.write("a.txt", "one\n");  // another inode, the same text
  CHECK(bench.replace("a.txt", "one", "1")->status == ToolStatus::ok);
  bench.dir.write("b.txt", "two\n");
  CHECK(bench.replace("b.txt", "two", "2")->status == ToolStatus::ok);
  CHECK(bench.replace("b.txt", "2", "zwei")->status == ToolStatus::ok);
}

TEST_CASE("a large file that changed must be viewed again", "[tools]") {
  Bench bench;
  const std::string text(kSeenFileBytesMax, 'x');
  bench.dir.write("big", text + "\nend\n");
  REQUIRE(bench.view("big"));
  bench.dir.write("big", text + "\nEND\n");
  for (int i = 0; i < 2; ++i)
    CHECK(bench.replace("big", "END", "1")->notes == "view it again first");
  REQUIRE(bench.view("big"));
  CHECK(bench.replace("big", "END", "1")->status == ToolStatus::ok);
}

TEST_CASE("create makes a file, and replaces only one that was seen", "[tools]") {
  Bench bench;
  const auto create = [&](const std::string& path, const std::string& text) {
    return bench.call({{"command", "create"}, {"path", path}, {"file_text", text}});
  };
  CHECK(create("n/a.txt", "x\ny\n")->digest == "n/a.txt: created, 2 lines");
  CHECK(bench.on_disk("n/a.txt") == "x\ny\n");
  CHECK(create("n/a.txt", "z\n")->digest == "n/a.txt: replaced all, 1 line");
  bench.dir.write("theirs", "t");
  CHECK(create("theirs", "mine").error().message ==
        "theirs: it exists: use str_replace or insert, or view it first to replace all of it");
  CHECK(create("n", "x").error().code == ErrorCode::usage);
  REQUIRE(bench.view("theirs"));
  CHECK(create("theirs", "mine"));
  CHECK(bench.on_disk("theirs") == "mine");
}

TEST_CASE("edits are taken back one by one, a created file at last", "[tools]") {
  Bench bench;
  REQUIRE(bench.call({{"command", "create"}, {"path", "a"}, {"file_text", "1\r\n2"}}));
  REQUIRE(bench.replace("a", "1", "one"));
  REQUIRE(bench.call({{"command", "insert"}, {"path", "a"}, {"insert_line", 2}, {"new_str", "3"}}));
  CHECK(bench.on_disk("a") == "one\r\n2\r\n3");
  CHECK(bench.undo("a")->status == ToolStatus::ok);
  CHECK(bench.on_disk("a") == "one\r\n2");
  CHECK(bench.undo("a")->digest == "a: took back the last edit, line 1");
  CHECK(bench.on_disk("a") == "1\r\n2");
  CHECK(bench.undo("a")->digest == "a: removed, as before it was created");
  CHECK_FALSE(fs::exists(bench.dir.path() / "a"));
  CHECK(bench.undo("a").error().message == "a: no edit of this session to take back");
}

TEST_CASE("an edit is not taken back over somebody else's change", "[tools]") {
  Bench bench;
  bench.dir.write("a", "1\n");
  REQUIRE(bench.replace("a", "1", "2"));
  bench.dir.write("a", "theirs\n");
  CHECK(bench.undo("a").error().code == ErrorCode::in_use);
  CHECK(bench.on_disk("a") == "theirs\n");
}

TEST_CASE("the policy is asked about the file that a link leads to", "[tools]") {
  Bench bench;
  bench.dir.write("real", "x\n");
  bench.dir.write("other", "x\n");
  fs::create_symlink("real", bench.dir.path() / "link");
  const std::string root = fs::canonical(bench.dir.path()).string();
  const auto edit =
      Arguments::parse(R"({"command":"str_replace","path":"link","old_str":"x","new_str":"y"})")
          .value();
  const Intent intent = bench.tool.intent(edit).value();
  CHECK(intent.effect == Effect::write);
  CHECK(std::get<policies::request::WritePath>(intent.requests.at(0)).path == root + "/real");
  const auto look = Arguments::parse(R"({"command":"view","path":"link"})").value();
  CHECK(bench.tool.intent(look)->effect == Effect::read);

  // Bent between the decision and the run: nothing is written.
  fs::remove(bench.dir.path() / "link");
  fs::create_symlink("other", bench.dir.path() / "link");
  CHECK(bench.run(edit, intent).error().message ==
        "link leads elsewhere than a moment ago: try again");
  CHECK(bench.on_disk("other") == "x\n");
}

TEST_CASE("a folder is viewed as names", "[tools]") {
  Bench bench;
  bench.dir.write("src/a.cpp", "x");
  CHECK(text_of(bench.view(".")) == "src/\nsrc/a.cpp\n");
  fs::create_directories(bench.dir.path() / "empty");
  CHECK(bench.view("empty")->digest == "empty is empty");
}
