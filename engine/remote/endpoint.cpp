#include "engine/remote/endpoint.hpp"

#include <cctype>
#include <string_view>
#include <utility>

namespace fathom::engine {
namespace {

bool is_or_below(std::string_view host, std::string_view domain) {
  if (!host.ends_with(domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

void strip(std::string& path, std::string_view ending) {
  if (path.ends_with(ending)) path.resize(path.size() - ending.size());
}

// Whether the path ends in a version, such as /v1 or /api/paas/v4.
bool has_version(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.size() >= 2 && last[0] == 'v' && std::isdigit(static_cast<unsigned char>(last[1]));
}

}  // namespace

Vendor vendor_of(const net::Origin& origin) {
  if (is_or_below(origin.host, "deepseek.com")) return Vendor::deepseek;
  if (is_or_below(origin.host, "openai.com")) return Vendor::openai;
  if (is_or_below(origin.host, "anthropic.com")) return Vendor::anthropic;
  return Vendor::other;
}

Result<Endpoint> find_endpoint(const EngineSpec& spec) {
  net::Url url = TRY(net::Url::parse(spec.place));
  Endpoint endpoint;
  endpoint.api = spec.kind == EngineSpec::Kind::anthropic ? Api::anthropic : Api::openai;
  endpoint.origin = std::move(url.origin);
  endpoint.vendor = vendor_of(endpoint.origin);
  const std::size_t query_at = url.target.find('?');
  const std::string query = query_at == std::string::npos ? "" : url.target.substr(query_at);
  std::string path = url.target.substr(0, query_at);
  while (path.ends_with('/')) path.pop_back();
  const std::string_view request =
      endpoint.api == Api::anthropic ? "/messages" : "/chat/completions";
  strip(path, request);
  // Anthropic's base has no version by custom, whatever stands before; OpenAI's has, except at
  // DeepSeek, and a longer path is what its owner says it is.
  const bool add_version = endpoint.api == Api::anthropic
                               ? !has_version(path)
                               : path.empty() && endpoint.vendor != Vendor::deepseek;
  if (add_version) path += "/v1";
  endpoint.answers = path + std::string(request) + query;
  endpoint.models = path + "/models" + query;
  return endpoint;
}

}  // namespace fathom::engine
