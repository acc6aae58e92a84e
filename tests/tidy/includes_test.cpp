#include "tests/tidy/includes.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tidy;

namespace {

bool layers_hold(std::string path, const std::string& header) {
  return check_layers({std::move(path), "#include \"" + header + "\"\n"}).empty();
}

bool may_use(std::string path, const std::string& header) {
  return check_third_parties({std::move(path), "#include <" + header + ">\n"}).empty();
}

}  // namespace

TEST_CASE("a file that includes a layer above is reported with its line", "[tests]") {
  CHECK(check_layers({"tools/x.cpp", "// \"agents/a.hpp\"\n\n#include \"agents/turn.hpp\"\n"}) ==
        Findings{{"tools/x.cpp", 3,
                  "tools must not include agents (it may include only runtime, policies, "
                  "sandbox)"}});
}

TEST_CASE("arrows point down and nowhere else", "[tests]") {
  CHECK(layers_hold("agents/turn.cpp", "tools/dispatch.hpp"));
  CHECK(layers_hold("agents/turn.cpp", "agents/turn.hpp"));
  CHECK(layers_hold("tests/agents/turn_test.cpp", "agents/turn.hpp"));
  CHECK(layers_hold("sandbox/compile.cpp", "policies/policy.hpp"));
  CHECK_FALSE(layers_hold("policies/decide.cpp", "sandbox/profile.hpp"));
  CHECK_FALSE(layers_hold("tools/shell.cpp", "engine/engine.hpp"));
  CHECK_FALSE(layers_hold("engine/engine.hpp", "policies/policy.hpp"));
  CHECK_FALSE(layers_hold("runtime/net/sse.cpp", "tests/support/catch.hpp"));
}

TEST_CASE("the parts of runtime stand on each other in one order", "[tests]") {
  CHECK(layers_hold("runtime/trace/journal.cpp", "runtime/async/clock.hpp"));
  CHECK(layers_hold("runtime/net/sse.cpp", "runtime/base/text.hpp"));
  CHECK_FALSE(layers_hold("runtime/net/sse.cpp", "runtime/trace/event.hpp"));
  CHECK_FALSE(layers_hold("runtime/async/clock.cpp", "runtime/net/sse.hpp"));
  CHECK(check_layers({"runtime/base/x.cpp", "#include \"runtime/async/clock.hpp\""}) ==
        Findings{{"runtime/base/x.cpp", 1,
                  "runtime/base must not include runtime/async (it may include nothing of ours: "
                  "the standard library is all it stands on)"}});
}

TEST_CASE("of the engine only the remote ones see more than runtime/base", "[tests]") {
  CHECK(layers_hold("engine/kv/store.cpp", "runtime/base/file.hpp"));
  CHECK(layers_hold("engine/remote/openai.cpp", "runtime/net/http_client.hpp"));
  CHECK_FALSE(layers_hold("engine/kv/store.cpp", "runtime/async/offload.hpp"));
  CHECK_FALSE(layers_hold("engine/local/forward.cpp", "engine/remote/openai.hpp"));
}

TEST_CASE("an include of ours names the file from the root", "[tests]") {
  CHECK(check_layers({"tools/x.cpp", "#include \"shell.hpp\""}) ==
        Findings{{"tools/x.cpp", 1,
                  "\"shell.hpp\" must be named from the root, such as \"tools/shell.hpp\"; a "
                  "library's header stands in <>"}});
}

TEST_CASE("each third party is confined to its place", "[tests]") {
  CHECK(may_use("runtime/net/http_client.cpp", "boost/beast/http.hpp"));
  CHECK_FALSE(may_use("runtime/net/http_client.hpp", "boost/beast/http.hpp"));
  CHECK_FALSE(may_use("agents/serve/server.cpp", "boost/beast/http.hpp"));
  CHECK(may_use("engine/kv/block.cpp", "openssl/evp.h"));
  CHECK_FALSE(may_use("engine/kv/block.cpp", "openssl/ssl.h"));
  CHECK(may_use("runtime/trace/blob_store.cpp", "zstd.h"));
  CHECK_FALSE(may_use("runtime/base/file.cpp", "zstd.h"));
  CHECK(may_use("agents/workflow/workflow.cpp", "yaml-cpp/yaml.h"));
  CHECK_FALSE(may_use("tools/test_report.cpp", "yaml-cpp/yaml.h"));
  CHECK(may_use("tools/git/repository.cpp", "git2.h"));
  CHECK_FALSE(may_use("tools/shell.cpp", "git2.h"));
  CHECK_FALSE(may_use("engine/cpu/reference.cpp", "cuda_runtime.h"));
  CHECK_FALSE(may_use("tools/shell.cpp", "boost/process/child.hpp"));
  CHECK(may_use("tests/tools/shell_test.cpp", "git2.h"));
  CHECK(may_use("examples/hello.cpp", "benchmark/benchmark.h"));
  CHECK(may_use("tests/bench/dnnl_product.cpp", "oneapi/dnnl/dnnl.hpp"));
  CHECK_FALSE(may_use("engine/cpu/matmul.cpp", "oneapi/dnnl/dnnl.hpp"));
}

TEST_CASE("what every includer would pay for stands in no header", "[tests]") {
  CHECK(may_use("agents/session.cpp", "nlohmann/json.hpp"));
  CHECK(may_use("agents/session.hpp", "nlohmann/json_fwd.hpp"));
  CHECK_FALSE(may_use("agents/session.hpp", "nlohmann/json.hpp"));
  CHECK_FALSE(may_use("tests/support/golden.hpp", "yaml-cpp/yaml.h"));
  CHECK_FALSE(may_use("tests/support/x.cpp", "boost/asio.hpp"));
  CHECK_FALSE(may_use("runtime/net/x.cpp", "boost/beast.hpp"));
}

TEST_CASE("runtime/base and the engine build without the libraries of the others", "[tests]") {
  CHECK(may_use("runtime/base/x.cpp", "sys/stat.h"));
  CHECK_FALSE(may_use("runtime/base/x.cpp", "boost/system/error_code.hpp"));
  CHECK_FALSE(may_use("runtime/base/x.cpp", "nlohmann/json.hpp"));
  CHECK(may_use("engine/model/config.cpp", "nlohmann/json.hpp"));
  CHECK_FALSE(may_use("engine/model/config.cpp", "boost/asio/awaitable.hpp"));
  CHECK(may_use("engine/remote/openai.hpp", "boost/asio/awaitable.hpp"));
}

TEST_CASE("a file's own header is x.hpp, also for its test", "[tests]") {
  CHECK(own_header_of("a/x.cpp") == "a/x.hpp");
  CHECK(own_header_of("tests/a/x_test.cpp") == "a/x.hpp");
  CHECK(own_header_of("a/x.hpp").empty());
  CHECK(check_include_order({"a/x.cpp", "#include <vector>\n#include \"a/x.hpp\"\n"}, "a/x.hpp") ==
        Findings{{"a/x.cpp", 1,
                  "the first include must be \"a/x.hpp\", so that the header is seen to compile "
                  "alone"}});
}

TEST_CASE("includes go from ours to the standard's, unless something stands between", "[tests]") {
  const auto lines = [](std::string text) {
    return check_include_order({"a/x.cpp", std::move(text)}, "a/x.hpp");
  };
  CHECK(lines("#include \"a/x.hpp\"\n\n#include \"runtime/base/ids.hpp\"\n\n#include <fmt/core.h>\n"
              "#include <git2.h>\n\n#include <unistd.h>\n\n#include <vector>\n")
            .empty());
  CHECK(lines("#include \"a/x.hpp\"\n#include <vector>\n// why\n#include <fmt/core.h>\n") ==
        Findings{{"a/x.cpp", 4,
                  "<fmt/core.h> (third-party) stands behind standard includes: run clang-format"}});
  CHECK(
      lines("#include \"a/x.hpp\"\n#include <vector>\n#if X\n#include <cpuid.h>\n#endif").empty());
}
