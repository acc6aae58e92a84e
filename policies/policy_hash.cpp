#include "policies/policy_text.hpp"
#include "runtime/base/ensure.hpp"

#include <openssl/evp.h>

#include <array>

namespace fathom::policies {

std::string sha256_hex(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  ENSURE(done == 1 && size == 32, "hashing memory cannot fail");
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += kHex[digest[i] >> 4U];
    out += kHex[digest[i] & 0xFU];
  }
  return out;
}

std::string policy_hash(const Policy& policy) {
  // No document states the roots, and what is allowed depends on them. A NUL ends each, so that no
  // two policies have the same text.
  const std::string roots =
      policy.filesystem.workspace_root + '\0' + policy.filesystem.home_root + '\0';
  return "sha256:" + sha256_hex(roots + to_yaml(policy));
}

}  // namespace fathom::policies
