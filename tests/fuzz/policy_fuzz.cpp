// Any bytes as a policy document, as a list of pins, and as what decide() is asked about. What
// loads prints as itself, a project's layer never widens what a request gets, and every error
// names a place.
#include "policies/decide.hpp"
#include "policies/policy_explain.hpp"
#include "policies/policy_pins.hpp"
#include "policies/policy_text.hpp"
#include "runtime/base/ensure.hpp"

#include <cstdint>
#include <string>

using namespace fathom;
using namespace fathom::policies;

namespace {

const LoadContext& context() {
  static const LoadContext value{.workspace = "/home/u/w",
                                 .home = "/home/u",
                                 .own_folders = {"/home/u/.config/fathom"},
                                 .id_prefix = ""};
  return value;
}

// A layer below the fuzzed one, with something of each to narrow.
const PolicyPatch& base() {
  static const PolicyPatch patch =
      load_policy_patch(
          "apiVersion: fathom/v1\nkind: Policy\nname: base\n"
          "filesystem: {read: [~/.cargo], hidden: [~/.ssh], write: [/opt/x]}\n"
          "exec: {otherwise: ask, rules: [{verdict: deny, commands: [\"git push *\"]}, {verdict: "
          "allow, commands: [\"git *\"]}]}\n"
          "network: {hosts: [a.example, {host: \"*.b.example\", verdict: ask}]}\n",
          "base.yaml", context())
          .value();
  return patch;
}

std::vector<Request> requests(const std::string& text) {
  const std::string word = text.substr(0, 200);
  return {request::ReadPath{"/home/u/.ssh/id"},
          request::ReadPath{"/home/u/.cargo/x"},
          request::ReadPath{word},
          request::WritePath{"/home/u/w/" + word},
          request::WritePath{"/opt/x/y"},
          request::WritePath{word},
          request::UseGit{word, true},
          request::UseGit{"/home/u/main/.git", false},
          request::Exec{{"git", "push"}, "/"},
          request::Exec{{"bash", "-c", word}, "/"},
          request::Exec{{word, word}, "/"},
          request::Connect{"a.example", 443, Phase::agent},
          request::Connect{"x.b.example", 443, Phase::setup},
          request::Connect{word, 443, Phase::test},
          request::UseSecret{word}};
}

void check_layers(const PolicyPatch& patch, const std::string& text) {
  PolicyMerge below(context());
  below.add(base(), Layer::built_in, Trust::full);
  PolicyMerge merge(context());
  merge.add(base(), Layer::built_in, Trust::full);
  merge.add(patch, Layer::project, Trust::narrow_only);
  const Policy before = std::move(below).finish().policy;
  const EffectivePolicy after = std::move(merge).finish();
  (void)explain_text(after);
  for (const Request& request : requests(text))
    ENSURE(decide(after.policy, request).verdict >= decide(before, request).verdict,
           "a project only narrows");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)parse_pins(text, "pins");
  const Result<PolicyPatch> patch = load_policy_patch(text, "p.yaml", context());
  if (!patch) {
    ENSURE(patch.error().message.starts_with("p.yaml: "), "an error names the file");
    return 0;
  }
  const Policy policy = load_policy(text, "p.yaml", context()).value();
  const std::string printed = to_yaml(policy);
  const Result<Policy> again = load_policy(printed, "again.yaml", context());
  ENSURE(again && *again == policy, "what loads prints as itself");
  ENSURE(to_yaml(*again) == printed, "and is printed the same");
  for (const Request& request : requests(text)) (void)decide(policy, request);
  check_layers(*patch, text);
  return 0;
}
