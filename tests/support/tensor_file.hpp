// The f32 tensors of a small safetensors file, read whole: for comparing with expected vectors. The
// engine has its own reader, which this one does not trust.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fathom::test {

class TensorFile {
 public:
  /// Nothing where there is no such file; the file itself is trusted.
  static std::optional<TensorFile> open(const std::string& path);

  /// All values of a tensor of dtype F32; throws std::out_of_range for an unknown name.
  [[nodiscard]] std::vector<float> floats(const std::string& name) const;

 private:
  struct Place {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::string bytes_;
  std::map<std::string, Place> places_;
};

}  // namespace fathom::test
