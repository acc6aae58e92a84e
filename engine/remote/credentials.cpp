#include "engine/remote/credentials.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace fathom::engine {
namespace {

constexpr const char* kOwnVariable = "FATHOM_API_KEY";

const char* variable_of(Vendor vendor) {
  switch (vendor) {
    case Vendor::deepseek:
      return "DEEPSEEK_API_KEY";
    case Vendor::openai:
      return "OPENAI_API_KEY";
    case Vendor::anthropic:
      return "ANTHROPIC_API_KEY";
    case Vendor::other:
      return "";
  }
  return "";
}

// A header's value: what else it may hold is trouble, and most often a pasted line too many.
Result<Secret> check(std::string text, const std::string& source) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string::npos) return fail(ErrorCode::bad_data, source + ": holds no key");
  text = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  if (text.size() > kKeyBytesMax)
    return fail(ErrorCode::too_large,
                source + ": a key has at most " + std::to_string(kKeyBytesMax) + " bytes");
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; }))
    return fail(ErrorCode::bad_data,
                source + ": a key is one word of visible ASCII, and this is not");
  return Secret(std::move(text));
}

Result<std::string> read_private(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(system_error("key file " + file.string(), errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0)
    return fail(system_error("key file " + file.string(), errno));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::bad_data, "key file " + file.string() + ": no regular file");
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return fail(ErrorCode::permission, "key file " + file.string() + ": belongs to another user");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(ErrorCode::permission,
                "key file " + file.string() + ": others can reach it: chmod 600 " + file.string());
  std::string text(kKeyBytesMax + 1, '\0');
  const std::size_t size =
      TRY(read_at(fd.get(), text.data(), text.size(), 0, "key file " + file.string()));
  text.resize(size);
  return text;
}

Result<Secret> look_up(const Endpoint& endpoint, const KeySources& sources) {
  if (!sources.file.empty()) {
    std::string text = TRY(read_private(sources.file));
    return check(std::move(text), "key file " + sources.file.string());
  }
  if (!sources.command.empty()) {
    if (!sources.run_command)
      return fail(ErrorCode::unsupported, "key command: none can be run here; use a key file");
    auto text = sources.run_command(sources.command);
    if (!text) return fail(context("key command", std::move(text).error()));
    return check(text->substr(0, text->find('\n')), "key command");
  }
  if (std::string text = sources.env(kOwnVariable); !text.empty())
    return check(std::move(text), kOwnVariable);
  const char* variable = variable_of(endpoint.vendor);
  if (endpoint.vendor == Vendor::other) return Secret();
  if (std::string text = sources.env(variable); !text.empty())
    return check(std::move(text), variable);
  return fail(ErrorCode::not_found, endpoint.origin.host + ": no key: set " +
                                        std::string(variable) + " or " + kOwnVariable);
}

}  // namespace

std::string Secret::redact(std::string_view text) const {
  std::string out(text);
  if (text_.size() < kRedactedBytesMin) return out;
  // As it is, and as JSON may spell it.
  std::string escaped;
  std::string slashed;
  for (const char c : text_) {
    const std::string_view before = c == '"' || c == '\\' ? "\\" : "";
    escaped.append(before).push_back(c);
    slashed.append(c == '/' ? "\\" : before).push_back(c);
  }
  // The longest first: the key may be a part of what it is spelled as.
  for (const std::string& spelled : {slashed, escaped, text_})
    for (std::size_t at = 0; (at = out.find(spelled, at)) != std::string::npos;) {
      out.replace(at, spelled.size(), kRedacted);
      at += kRedacted.size();
    }
  return out;
}

Result<Secret> find_key(const Endpoint& endpoint, const KeySources& sources) {
  Secret key = TRY(look_up(endpoint, sources));
  if (!key.empty() && endpoint.origin.scheme == net::Scheme::http &&
      !net::is_loopback(endpoint.origin.host))
    return fail(ErrorCode::permission,
                "http://" + endpoint.origin.authority() +
                    ": the key would travel unencrypted: write https://, or unset " + kOwnVariable +
                    " if it needs none");
  return key;
}

}  // namespace fathom::engine
