#include "tests/tidy/includes.hpp"

#include "tests/tidy/lexer.hpp"
#include "tests/tidy/path.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace fathom::tidy {
namespace {

struct Include {
  std::string_view path;
  bool quoted = false;
  int line = 0;
  std::size_t token = 0;  ///< its place among the file's tokens without comments
};

std::vector<Include> includes_of(std::span<const Token> code) {
  std::vector<Include> includes;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const std::string_view text = code[i].text;
    if (code[i].kind != TokenKind::header_name || text.size() < 2) continue;
    includes.push_back({text.substr(1, text.size() - 2), text.front() == '"', code[i].line, i});
  }
  return includes;
}

struct Layer {
  std::string_view folder;
  std::vector<std::string_view> may_include;  ///< beside itself
  std::string_view why;
};

// The most specific folder comes first. engine is split because all of it but the remote engines
// must build where there is no Boost, and of runtime only base is there then.
const std::vector<Layer>& layers() {
  static const std::vector<Layer> table = {
      {"runtime/base", {}, "the standard library is all it stands on"},
      {"runtime/async", {"runtime/base"}, ""},
      {"runtime/trace", {"runtime/base", "runtime/async"}, ""},
      {"runtime/net", {"runtime/base", "runtime/async"}, ""},
      {"runtime", {}, ""},
      {"policies", {"runtime"}, ""},
      {"engine/session", {"engine", "runtime"}, ""},
      {"engine/remote", {"engine", "runtime"}, ""},
      {"engine/replay", {"engine", "runtime"}, ""},
      {"engine", {"runtime/base"}, "it also builds where there is no Boost"},
      {"sandbox", {"runtime", "policies"}, ""},
      {"tools", {"runtime", "policies", "sandbox"}, ""},
      {"agents", {"runtime", "policies", "engine", "sandbox", "tools"}, ""},
      {"tests", {"runtime", "policies", "engine", "sandbox", "tools", "agents", "examples"}, ""},
      {"examples", {"runtime", "policies", "engine", "sandbox", "tools", "agents"}, ""},
  };
  return table;
}

const Layer* layer_of(std::string_view path) {
  const auto found = std::ranges::find_if(
      layers(), [&](const Layer& layer) { return is_below(path, layer.folder); });
  return found == layers().end() ? nullptr : &*found;
}

bool may_include(const Layer& from, std::string_view target) {
  return layer_of(target) == &from ||
         std::ranges::any_of(from.may_include,
                             [&](std::string_view folder) { return is_below(target, folder); });
}

// "agents", or "runtime/net" where the layer may see another part of runtime.
std::string_view name_for(const Layer& from, std::string_view target) {
  const std::string_view top = first_folder(target);
  const auto same_top = [&](std::string_view folder) { return first_folder(folder) == top; };
  const bool sees_a_part = same_top(from.folder) || std::ranges::any_of(from.may_include, same_top);
  const Layer* layer = layer_of(target);
  return sees_a_part && layer ? layer->folder : top;
}

std::string complaint(const Layer& from, std::string_view target) {
  std::string text(from.folder);
  text += " must not include ";
  text += name_for(from, target);
  text += " (it may include ";
  if (from.may_include.empty()) text += "nothing of ours";
  for (std::size_t i = 0; i < from.may_include.size(); ++i)
    text.append(i == 0 ? "only " : ", ").append(from.may_include[i]);
  if (!from.why.empty()) text.append(": ").append(from.why);
  return text + ")";
}

constexpr std::string_view kTrace = "runtime/trace/*.cpp";
constexpr std::string_view kKv = "engine/kv/*.cpp";
constexpr std::string_view kNet = "runtime/net/*.cpp";

struct ThirdParty {
  std::string_view name;
  std::vector<std::string_view> headers;  ///< globs
  std::vector<std::string_view> places;   ///< globs of the files that may include them
};

// The first row that has a header decides: libcrypto stands before the rest of OpenSSL.
const std::vector<ThirdParty>& third_parties() {
  static const std::vector<ThirdParty> table = {
      {"Beast", {"boost/beast/**"}, {kNet}},
      {"libcrypto",
       {"openssl/evp.h", "openssl/sha.h", "openssl/hmac.h", "openssl/rand.h", "openssl/err.h",
        "openssl/crypto.h", "openssl/opensslv.h"},
       {kNet, kTrace, kKv, "policies/policy_hash.cpp"}},
      {"OpenSSL's TLS", {"openssl/**", "boost/asio/ssl.hpp", "boost/asio/ssl/**"}, {kNet}},
      {"zstd", {"zstd.h", "zstd_errors.h", "zdict.h"}, {kTrace, kKv}},
      {"xxHash", {"xxhash.h", "xxh3.h"}, {kTrace, kKv, "engine/model/*.cpp"}},
      {"simdjson", {"simdjson.h", "simdjson/**"}, {kTrace}},
      {"yaml-cpp", {"yaml-cpp/**"}, {"policies/*.cpp", "agents/**.cpp"}},
      {"CLI11", {"CLI/**"}, {"agents/**.cpp"}},
      {"libgit2", {"git2.h", "git2/**"}, {"tools/git/*.cpp"}},
      {"valijson", {"valijson/**"}, {"tools/json_schema.cpp"}},
      {"pugixml", {"pugixml.hpp"}, {"tools/reports/*.cpp"}},
      {"seccomp", {"seccomp.h", "linux/seccomp.h"}, {"sandbox/*.cpp", "sandbox/zygote/*.cpp"}},
      {"Landlock", {"linux/landlock.h"}, {"sandbox/*.cpp", "sandbox/zygote/*.cpp"}},
      {"Boost.Process", {"boost/process.hpp", "boost/process/**"}, {"sandbox/*.cpp"}},
      {"PCRE2", {"pcre2.h", "pcre2posix.h"}, {"engine/text/*.cpp"}},
      {"CUDA",
       {"cuda.h", "cuda_*.h", "cuda/**", "cublas*.h", "cub/**", "thrust/**", "nvrtc.h", "mma.h"},
       {"engine/cuda/**"}},
      {"Catch2", {"catch2/**"}, {"tests/**"}},
      {"Google Benchmark", {"benchmark/**"}, {"tests/**"}},
      {"oneDNN", {"oneapi/dnnl/**", "dnnl*"}, {"tests/bench/*.cpp"}},
  };
  return table;
}

bool matches_any(std::span<const std::string_view> globs, std::string_view path) {
  return std::ranges::any_of(globs,
                             [&](std::string_view glob) { return glob_matches(glob, path); });
}

const ThirdParty* third_party_of(std::string_view header) {
  const auto found = std::ranges::find_if(third_parties(), [&](const ThirdParty& third_party) {
    return matches_any(third_party.headers, header);
  });
  return found == third_parties().end() ? nullptr : &*found;
}

enum class Group : std::uint8_t { own, ours, third_party, system, standard };
constexpr std::array<std::string_view, 5> kGroupNames = {"its own header", "ours", "third-party",
                                                         "system", "standard"};

Group group_of(std::string_view header) {
  constexpr std::array<std::string_view, 7> kSystemFolders = {"sys",   "linux", "asm", "netinet",
                                                              "netdb", "arpa",  "net"};
  if (layer_of(header)) return Group::ours;
  const std::string_view folder = first_folder(header);
  if (std::ranges::find(kSystemFolders, folder) != kSystemFolders.end()) return Group::system;
  if (third_party_of(header) || !folder.empty()) return Group::third_party;
  return header.ends_with(".h") ? Group::system : Group::standard;
}

// What is wrong with including `header` in `path`, as a whole message.
std::optional<std::string> misplaced(std::string_view path, std::string_view header) {
  const std::string name = "<" + std::string(header) + ">";
  if (header == "boost/asio.hpp" || header == "boost/beast.hpp")
    return name + " costs seconds in every file: include the parts you use";
  if (is_header(path) && header == "nlohmann/json.hpp")
    return name + " in a header costs all its includers seconds: use <nlohmann/json_fwd.hpp> here";
  if (is_header(path) && header.starts_with("yaml-cpp/"))
    return name + " in a header costs all its includers seconds: keep it in the .cpp";
  if (is_below(path, "tests") || is_below(path, "examples")) return std::nullopt;
  if (const ThirdParty* third_party = third_party_of(header)) {
    if (matches_any(third_party->places, path)) return std::nullopt;
    std::string places;
    for (std::string_view place : third_party->places)
      places.append(places.empty() ? "" : ", ").append(place);
    return std::string(third_party->name) + " is confined to " + places + ": " + name +
           " must not be included here";
  }
  if (group_of(header) != Group::third_party) return std::nullopt;
  const Layer* layer = layer_of(path);
  if (!layer) return std::nullopt;
  if (layer->folder == "runtime/base")
    return "runtime/base includes no third party: " + name + " belongs in a layer above";
  if (layer->folder == "engine" && !header.starts_with("nlohmann/"))
    return "engine must build without " + std::string(first_folder(header)) + ": " + name +
           " belongs in engine/remote or agents";
  return std::nullopt;
}

}  // namespace

Findings check_layers(const SourceFile& file) {
  Findings findings;
  const Layer* from = layer_of(file.path);
  if (!from) return findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  for (const Include& include : includes_of(code)) {
    if (include.quoted && first_folder(include.path).empty()) {
      findings.push_back({file.path, include.line,
                          "\"" + std::string(include.path) +
                              "\" must be named from the root, such as \"" +
                              std::string(folder_of(file.path)) + "/" + std::string(include.path) +
                              "\"; a library's header stands in <>"});
    } else if (layer_of(include.path) && !may_include(*from, include.path)) {
      findings.push_back({file.path, include.line, complaint(*from, include.path)});
    }
  }
  return findings;
}

Findings check_third_parties(const SourceFile& file) {
  Findings findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  for (const Include& include : includes_of(code))
    if (auto message = misplaced(file.path, include.path))
      findings.push_back({file.path, include.line, *std::move(message)});
  return findings;
}

Findings check_include_order(const SourceFile& file, std::string_view own_header) {
  Findings findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  const std::vector<Include> includes = includes_of(code);
  if (!own_header.empty() && (includes.empty() || includes.front().path != own_header)) {
    findings.push_back({file.path, includes.empty() ? 1 : includes.front().line,
                        "the first include must be \"" + std::string(own_header) +
                            "\", so that the header is seen to compile alone"});
    return findings;
  }
  const auto group = [&](const Include& include) {
    return include.path == own_header ? Group::own : group_of(include.path);
  };
  for (std::size_t i = 1; i < includes.size(); ++i) {
    // Anything between two includes (#if, #define, code) opens a new run: there the order has a
    // meaning.
    const bool same_run = includes[i].token == includes[i - 1].token + 2;
    const Group before = group(includes[i - 1]);
    const Group here = group(includes[i]);
    if (!same_run || here >= before) continue;
    findings.push_back({file.path, includes[i].line,
                        "<" + std::string(includes[i].path) + "> (" +
                            std::string(kGroupNames[static_cast<std::size_t>(here)]) +
                            ") stands behind " +
                            std::string(kGroupNames[static_cast<std::size_t>(before)]) +
                            " includes: run clang-format"});
  }
  return findings;
}

std::string own_header_of(std::string_view path) {
  for (std::string_view ending : {"_test.cpp", ".cpp", ".cu"}) {
    if (!path.ends_with(ending)) continue;
    if (ending == "_test.cpp") {
      if (!is_below(path, "tests")) continue;
      path.remove_prefix(std::string_view("tests/").size());
    }
    path.remove_suffix(ending.size());
    return std::string(path) + ".hpp";
  }
  return "";
}

}  // namespace fathom::tidy
