#include "policies/policy_files.hpp"

#include "policies/path_rules.hpp"
#include "policies/policy_pins.hpp"
#include "policies/shipped.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <optional>
#include <system_error>

namespace fathom::policies {
namespace {

// Links resolved, once: what the sandbox mounts and what decide() compares are the same path.
Result<std::string> real_path(const std::filesystem::path& path, std::string_view what) {
  std::error_code ec;
  const auto real = std::filesystem::canonical(path, ec);
  if (ec) return fail(system_error(std::string(what) + " " + path.string(), ec.value()));
  return real.string();
}

// Folders of our own may not be there yet.
std::string likely_path(const std::filesystem::path& path) {
  std::error_code ec;
  auto real = std::filesystem::weakly_canonical(path, ec).string();
  if (ec) real = path.lexically_normal().string();
  while (real.size() > 1 && real.ends_with('/')) real.pop_back();
  return real;
}

struct Document {
  std::string path;
  std::string text;
};

Result<std::optional<Document>> read_if_there(const std::filesystem::path& path) {
  auto text = read_file(path, kPolicyBytesMax);
  if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
  if (!text) return fail(context("read policy", std::move(text).error()));
  return Document{likely_path(path), *std::move(text)};
}

class Loader {
 public:
  Loader(LoadContext context, std::vector<Pin> pins)
      : context_(std::move(context)), pins_(std::move(pins)), merge_(context_) {}

  Result<> add_shipped(std::string_view name, Layer layer = Layer::built_in,
                       Trust trust = Trust::full) {
    const std::string_view text = shipped_policy(name);
    ENSURE(!text.empty(), "only names of the shipped documents come here");
    const std::string prefix = name == "default" ? "" : std::string(name) + ":";
    return add({std::string(name) + ".yaml", std::string(text)}, layer, prefix, trust);
  }

  /// What the command line or a sub-agent asks for.
  Result<> add_named(const std::string& name, Trust trust) {
    const auto asked = TRY(read_if_there(name));
    if (!asked)
      return fail(
          ErrorCode::not_found,
          "policy '" + to_printable(name) +
              "': no such file, and no shipped policy (default, readonly, ci-repair, demo)");
    return add_file(*asked, Layer::command_line, trust);
  }

  /// In the workspace, only a pinned document may widen.
  Result<> add_file(const Document& document, Layer layer, Trust trust) {
    const bool inside = is_at_or_below(document.path, context_.workspace);
    if (inside || layer == Layer::project)
      trust = is_pinned(pins_, document.path, document.text) ? trust : Trust::narrow_only;
    return add(document, layer, std::string(name_of(layer)) + ":", trust);
  }

  EffectivePolicy finish() && { return std::move(merge_).finish(); }

 private:
  Result<> add(const Document& document, Layer layer, std::string prefix, Trust trust) {
    LoadContext context = context_;
    context.id_prefix = std::move(prefix);
    merge_.add(TRY(load_policy_patch(document.text, document.path, context)), layer, trust);
    return {};
  }

  LoadContext context_;
  std::vector<Pin> pins_;
  PolicyMerge merge_;
};

Result<std::vector<Pin>> read_pins(const std::filesystem::path& path, const LoadContext& context) {
  // Commands can write the workspace: a list of pins in there would be their own word.
  if (is_at_or_below(likely_path(path), context.workspace)) return std::vector<Pin>{};
  const auto document = TRY(read_if_there(path));
  if (!document) return std::vector<Pin>{};
  return parse_pins(document->text, path.string());
}

}  // namespace

Result<LoadContext> load_context(const std::filesystem::path& workspace, const GetEnv& env) {
  LoadContext context;
  const std::filesystem::path home = env("HOME");
  if (!home.is_absolute())
    return fail(ErrorCode::usage, "no home directory: set HOME to an absolute path");
  context.home = likely_path(home);
  context.workspace = TRY(real_path(workspace, "workspace"));
  context.own_folders = {likely_path(TRY(config_dir(env))), likely_path(TRY(state_dir(env))),
                         likely_path(TRY(cache_dir(env)))};
  return context;
}

Result<EffectivePolicy> load_effective_policy(const PolicyRequest& request, const GetEnv& env) {
  const LoadContext context = TRY(load_context(request.workspace, env));
  const std::filesystem::path config = TRY(config_dir(env));
  const bool default_base = request.policy.empty() || request.policy == "default";
  const bool shipped = default_base || !shipped_policy(request.policy).empty();

  Loader loader(context, TRY(read_pins(config / "pins", context)));
  TRY(loader.add_shipped("default"));
  if (shipped && !default_base) TRY(loader.add_shipped(request.policy));
  if (const auto user = TRY(read_if_there(config / "policy.yaml")))
    TRY(loader.add_file(*user, Layer::user,
                        shipped && !default_base ? Trust::narrow_only : Trust::full));
  const std::filesystem::path project =
      std::filesystem::path(context.workspace) / ".fathom" / "policy.yaml";
  if (const auto document = TRY(read_if_there(project)))
    TRY(loader.add_file(*document, Layer::project, Trust::full));
  if (!shipped) TRY(loader.add_named(request.policy, Trust::full));
  for (const std::string& name : request.narrowed_by) {
    if (shipped_policy(name).empty())
      TRY(loader.add_named(name, Trust::narrow_only));
    else
      TRY(loader.add_shipped(name, Layer::command_line, Trust::narrow_only));
  }
  return std::move(loader).finish();
}

}  // namespace fathom::policies
