// Sha256: the hash by which blobs and requests are named, of bytes that come in pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace fathom::trace {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  /// 64 small hexadecimal digits of all bytes so far and `tail` behind them, which is not kept: it
  /// can go on from here.
  [[nodiscard]] std::string hex(std::string_view tail = {}) const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace fathom::trace
