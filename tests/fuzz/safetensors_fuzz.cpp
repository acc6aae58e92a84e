// Any bytes as a safetensors file: an answer, and views that stay inside the file.
#include "engine/model/safetensors.hpp"
#include "runtime/base/ensure.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto tensors = fathom::engine::parse_safetensors(file);
  if (!tensors) return 0;
  for (const auto& tensor : *tensors) {
    ENSURE(tensor.bytes.empty() ||
               (tensor.bytes.data() >= file.data() &&
                tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size()),
           "a view lies inside the file");
    ENSURE(fathom::engine::element_count(tensor.shape) >= 0, "a shape has a size");
  }
  return 0;
}
