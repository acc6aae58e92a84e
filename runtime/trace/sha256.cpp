#include "runtime/trace/sha256.hpp"

#include "runtime/base/ensure.hpp"

#include <openssl/evp.h>

#include <array>

namespace fathom::trace {

struct Sha256::Context {
  Context() : state(EVP_MD_CTX_new()) { ENSURE(state != nullptr, "there is memory for a hash"); }
  ~Context() { EVP_MD_CTX_free(state); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void update(std::string_view bytes) const {
    ENSURE(EVP_DigestUpdate(state, bytes.data(), bytes.size()) == 1, "hashing memory cannot fail");
  }

  EVP_MD_CTX* state;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  ENSURE(EVP_DigestInit_ex(context_->state, EVP_sha256(), nullptr) == 1, "libcrypto has SHA-256");
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { context_->update(bytes); }

std::string Sha256::hex(std::string_view tail) const {
  const Context copy;
  ENSURE(EVP_MD_CTX_copy_ex(copy.state, context_->state) == 1, "a hash can be copied");
  copy.update(tail);
  std::array<unsigned char, 32> digest{};
  ENSURE(EVP_DigestFinal_ex(copy.state, digest.data(), nullptr) == 1, "hashing memory cannot fail");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace fathom::trace
