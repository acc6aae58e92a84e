#include "tests/support/test_certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace fathom::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("cannot make a test certificate: ") + what);
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  require(key != nullptr, "key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), &X509_EXTENSION_free);
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

void set_time(ASN1_TIME* time, std::chrono::year_month_day day) {
  ASN1_TIME_set(time, std::chrono::system_clock::to_time_t(std::chrono::sys_days(day)));
}

Certificate make_certificate(const char* subject, EVP_PKEY* key, const CertificateSpec& spec) {
  static std::atomic<long> serial = 1;
  Certificate certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  set_time(X509_getm_notBefore(certificate.get()), spec.not_before);
  set_time(X509_getm_notAfter(certificate.get()), spec.not_after);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(subject), -1, -1, 0);
  return certificate;
}

void add_names(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  std::string list;
  for (const std::string& name : spec.names) list += (list.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& address : spec.addresses)
    list += (list.empty() ? "IP:" : ",IP:") + address;
  if (!list.empty()) add_extension(certificate, issuer, NID_subject_alt_name, list);
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  require(X509_sign(certificate, key, EVP_sha256()) > 0, "signature");
}

template <class Write>
std::string pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  require(write(out.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  return pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

Identity identity_of(X509* certificate, EVP_PKEY* key) {
  return {pem_of(certificate), pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace

struct TestAuthority::Impl {
  Key key = make_key();
  Certificate certificate = make_certificate("Fathom Test CA", key.get(), {});
};

TestAuthority::TestAuthority() : impl_(std::make_unique<Impl>()) {
  X509* const own = impl_->certificate.get();
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  sign(own, own, impl_->key.get());
}

TestAuthority::~TestAuthority() = default;

std::string TestAuthority::certificate() const { return pem_of(impl_->certificate.get()); }

Identity TestAuthority::issue(const CertificateSpec& spec) const {
  const Key key = make_key();
  const Certificate certificate = make_certificate(spec.common_name.c_str(), key.get(), spec);
  add_names(certificate.get(), impl_->certificate.get(), spec);
  sign(certificate.get(), impl_->certificate.get(), impl_->key.get());
  return identity_of(certificate.get(), key.get());
}

Identity TestAuthority::self_signed(const CertificateSpec& spec) {
  const Key key = make_key();
  const Certificate certificate = make_certificate("Fathom Test Self", key.get(), spec);
  add_names(certificate.get(), certificate.get(), spec);
  sign(certificate.get(), certificate.get(), key.get());
  return identity_of(certificate.get(), key.get());
}

}  // namespace fathom::test
