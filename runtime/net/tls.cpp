#include "runtime/net/tls.hpp"

#include "runtime/base/text.hpp"
#include "runtime/net/network_error.hpp"
#include "runtime/net/socket_stream.hpp"
#include "runtime/net/url.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

namespace fathom::net {

namespace ssl = asio::ssl;
using boost::system::error_code;
using Socket = ssl::stream<asio::ip::tcp::socket>;

struct TlsContext::Impl {
  /// Made when there is something to read into it, at the latest by the first handshake: waking
  /// OpenSSL takes 1.3 ms, which a program that talks to a local server need not spend.
  ssl::context& opened();

  std::optional<ssl::context> context;
  std::string folder;  // SSL_CERT_DIR
  bool default_file_due = false;
};

ssl::context& TlsContext::Impl::opened() {
  if (context) return *context;
  context.emplace(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // An idle connection then costs 34 KiB less.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  // A default that does not exist is no error: distributions have the one or the other.
  error_code ignored;
  context->add_verify_path(folder.empty() ? X509_get_default_cert_dir() : folder, ignored);
  return *context;
}

namespace {

constexpr std::size_t kNamesShownMax = 4;
constexpr std::size_t kNameBytesMax = 120;

class TlsStream final : public SocketStream<Socket> {
 public:
  using SocketStream::SocketStream;

  // What waits to be read need not be data: servers send session tickets whenever they like.
  // Reading without waiting lets OpenSSL take those; only when it then has nothing to give is the
  // connection still good.
  [[nodiscard]] bool is_quiet() override {
    SSL* const session = socket().native_handle();
    const bool buffered = SSL_pending(session) > 0 || BIO_pending(SSL_get_rbio(session)) > 0;
    if (!buffered && SocketStream::is_quiet()) return true;
    char byte = 0;
    error_code ec;
    socket().next_layer().non_blocking(true, ec);
    if (!ec) socket().read_some(asio::buffer(&byte, 1), ec);
    return ec == asio::error::would_block || ec == asio::error::try_again;
  }
};

// Why OpenSSL did not accept the chain; kept by its verify callback, since the certificate is gone
// afterwards.
struct Verdict {
  int error = X509_V_OK;
  std::string subject;
  std::string issuer;
  std::string names;       ///< what the certificate is for
  std::string not_before;  ///< dates, as 2026-01-31
  std::string not_after;
};

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_ONELINE);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return to_printable(clip_prefix({data, static_cast<std::size_t>(size)}, kNameBytesMax));
}

std::string text_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return "an unreadable date";
  std::array<char, 32> text;
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &fields);
  return text.data();
}

std::string text_of(const GENERAL_NAME& name) {
  const ASN1_STRING* value = name.type == GEN_IPADD ? name.d.iPAddress : name.d.dNSName;
  const std::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                               static_cast<std::size_t>(ASN1_STRING_length(value)));
  if (name.type == GEN_DNS) return to_printable(clip_prefix(bytes, kNameBytesMax));
  std::array<char, INET6_ADDRSTRLEN> address{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "a malformed address";
  inet_ntop(family, bytes.data(), address.data(), address.size());
  return address.data();
}

std::string names_in(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  std::string list;
  std::size_t shown = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (shown == kNamesShownMax) return list + ", …";
    list += (shown++ == 0 ? "" : ", ") + text_of(*name);
  }
  return list.empty() ? "no name at all" : list;
}

void keep_verdict(Verdict& verdict, X509_STORE_CTX* store) {
  if (verdict.error != X509_V_OK) return;
  verdict.error = X509_STORE_CTX_get_error(store);
  const X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (!certificate) return;
  verdict.subject = text_of(X509_get_subject_name(certificate));
  verdict.issuer = text_of(X509_get_issuer_name(certificate));
  verdict.names = names_in(certificate);
  verdict.not_before = text_of(X509_get0_notBefore(certificate));
  verdict.not_after = text_of(X509_get0_notAfter(certificate));
}

std::string reason_of(const Verdict& verdict, const std::string& host, const std::string& today) {
  switch (verdict.error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "it expired on " + verdict.not_after + " (this machine's clock says " + today +
             "; if that is right, the server must renew it)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "it is valid only from " + verdict.not_before + " (this machine's clock says " +
             today + ": is it right?)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "it is for " + verdict.names + " and not for " + host +
             " (use a name it is for, or a certificate for this one)";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "no trusted CA signed it, its issuer is '" + verdict.issuer +
             "' (if you trust that issuer, name its PEM file in SSL_CERT_FILE or ca_file)";
    default:
      return std::string(X509_verify_cert_error_string(verdict.error)) + " ('" + verdict.subject +
             "')";
  }
}

Error explain(const error_code& ec, const Verdict& verdict, const std::string& host,
              const std::string& today) {
  // Called also for cancellation, which must unwind.
  if (ec.category() == boost::system::system_category() || ec == asio::error::operation_aborted)
    return network_error("TLS handshake", ec);
  if (verdict.error != X509_V_OK)
    return {ErrorCode::tls,
            "the server's certificate is not trusted: " + reason_of(verdict, host, today)};
  if (ec == asio::error::eof || ec == ssl::error::stream_truncated)
    return {ErrorCode::network, "the peer closed the connection during the TLS handshake"};
  const auto code = static_cast<unsigned long>(static_cast<unsigned int>(ec.value()));
  const bool from_openssl = ec.category() == asio::error::get_ssl_category();
  if (from_openssl && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
    return {ErrorCode::tls, "the peer does not speak TLS on this port (is it an http:// address?)"};
  return {ErrorCode::tls, "TLS handshake: " + ec.message()};
}

Result<> trust(ssl::context& context, const std::string& file, std::string_view named_by) {
  error_code ec;
  context.load_verify_file(file, ec);
  if (!ec) return {};
  return fail(ErrorCode::tls, std::string(named_by) + ": no certificate could be read from " +
                                  to_printable(file) + ": " + ec.message());
}

// Prepares `socket` to accept `host` only. False when OpenSSL runs out of memory, its only reason
// to refuse.
bool expect(Socket& socket, const std::string& host, WallTime now) {
  SSL* const session = socket.native_handle();
  X509_VERIFY_PARAM* const param = SSL_get0_param(session);
  X509_VERIFY_PARAM_set_time(param, std::chrono::system_clock::to_time_t(now));
  // The subject's common name is free text of which CAs promise nothing: without the second flag
  // OpenSSL takes it for a host name where a certificate has no alternative name (RFC 9525 §2).
  X509_VERIFY_PARAM_set_hostflags(
      param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  constexpr std::string_view kAlpn = "\x08http/1.1";
  if (SSL_set_alpn_protos(session, reinterpret_cast<const unsigned char*>(kAlpn.data()),
                          kAlpn.size()) != 0)
    return false;
  // An address is matched against the certificate's addresses; SNI carries names only (RFC 6066).
  if (is_ip_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
  return SSL_set_tlsext_host_name(session, host.c_str()) == 1 &&
         X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1;
}

std::string day_of(WallTime time) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text.data();
}

}  // namespace

TlsContext::TlsContext(Key, std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::create(const std::string& ca_file,
                                                       const GetEnv& env) {
  auto impl = std::make_unique<Impl>();
  // SSL_CERT_FILE and SSL_CERT_DIR each replace one half of OpenSSL's default store, as they do for
  // other programs.
  impl->folder = env("SSL_CERT_DIR");
  const std::string file = env("SSL_CERT_FILE");
  impl->default_file_due = file.empty();
  if (!file.empty()) TRY(trust(impl->opened(), file, "SSL_CERT_FILE"));
  if (!ca_file.empty()) TRY(trust(impl->opened(), ca_file, "ca_file"));
  return std::make_unique<TlsContext>(Key(), std::move(impl));
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> TlsContext::handshake(
    std::unique_ptr<asio::ip::tcp::socket> socket, const std::string& host, const Clock& clock) {
  ssl::context& context = impl_->opened();
  // Reading the system's bundle takes 35 ms.
  if (std::exchange(impl_->default_file_due, false)) {
    error_code ignored;
    context.load_verify_file(X509_get_default_cert_file(), ignored);
  }
  const WallTime now = clock.wall_now();
  auto secured = std::make_unique<Socket>(std::move(*socket), context);
  if (!expect(*secured, host, now)) co_return fail(ErrorCode::tls, "TLS could not be set up");
  // Shared with the callback, which lives as long as the connection.
  const auto verdict = std::make_shared<Verdict>();
  secured->set_verify_mode(ssl::verify_peer);
  secured->set_verify_callback([verdict](bool accepted, ssl::verify_context& store) {
    if (!accepted) keep_verdict(*verdict, store.native_handle());
    return accepted;
  });
  error_code ec;
  co_await secured->async_handshake(ssl::stream_base::client,
                                    asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(explain(ec, *verdict, host, day_of(now)));
  co_return std::make_unique<TlsStream>(std::move(secured));
}

}  // namespace fathom::net
