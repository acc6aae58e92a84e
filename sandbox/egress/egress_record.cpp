#include "sandbox/egress/egress_record.hpp"

namespace fathom::sandbox {

std::string_view name_of(Via via) {
  switch (via) {
    case Via::capture:
      return "capture";
    case Via::connect:
      return "connect";
    case Via::http:
      return "http";
    case Via::socks5:
      return "socks5";
    case Via::dns:
      return "dns";
  }
  return "";
}

}  // namespace fathom::sandbox
