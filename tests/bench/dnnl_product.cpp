#include "tests/bench/dnnl_product.hpp"

#include <oneapi/dnnl/dnnl.hpp>

#include <memory>
#include <vector>

// Of the OpenMP library that libdnnl brings: gcc's, whose header clang does not find.
extern "C" void omp_set_num_threads(int);

namespace fathom::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::data_type type_of(engine::WeightFormat format) {
  return format == engine::WeightFormat::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// The transposed product Y = X W^T, with which rows of Y are our output vectors.
class Multiplier {
 public:
  Multiplier(const DnnlShape& shape, std::span<const std::byte* const> matrices,
             std::span<const float> x, float* y)
      : threads_(shape.threads) {
    omp_set_num_threads(threads_);  // the primitive is made for as many
    const auto type = type_of(shape.format);
    const memory::desc stored({shape.cols, shape.rows}, type, Tag::ba);
    const memory::desc wanted({shape.cols, shape.rows}, type, Tag::any);
    const memory::desc vectors({shape.n, shape.cols}, type, Tag::ab);
    const memory::desc out({shape.n, shape.rows}, memory::data_type::f32,
                           memory::dims{shape.stride, 1});
    const bool packs = shape.weights == DnnlWeights::packed;
    const dnnl::matmul::primitive_desc chosen({vectors, packs ? wanted : stored, out}, engine_);
    product_ = dnnl::matmul(chosen);
    x_ = converted({{shape.n, shape.cols}, memory::data_type::f32, Tag::ab}, x.data(), vectors);
    y_ = memory(out, engine_, y);
    for (const std::byte* matrix : matrices)
      weights_.push_back(packs ? converted(stored, matrix, chosen.weights_desc())
                               : wrapped(stored, matrix));
  }

  void run(int i) {
    omp_set_num_threads(threads_);
    product_.execute(stream_, {{DNNL_ARG_SRC, x_},
                               {DNNL_ARG_WEIGHTS, weights_[static_cast<std::size_t>(i)]},
                               {DNNL_ARG_DST, y_}});
    stream_.wait();
  }

 private:
  /// oneDNN's memory is never const; what is only read stays as it is.
  memory wrapped(const memory::desc& layout, const void* data) const {
    return {layout, engine_,
            const_cast<void*>(data)};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
  memory converted(const memory::desc& from, const void* data, const memory::desc& to) {
    memory source = wrapped(from, data);
    memory target(to, engine_);
    dnnl::reorder(source, target).execute(stream_, source, target);
    stream_.wait();
    return target;
  }

  int threads_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul product_;
  memory x_;
  memory y_;
  std::vector<memory> weights_;
};

}  // namespace

std::string dnnl_instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "another";
  }
}

std::function<void(int)> dnnl_product(const DnnlShape& shape,
                                      std::span<const std::byte* const> matrices,
                                      std::span<const float> x, float* y) {
  try {
    auto multiplier = std::make_shared<Multiplier>(shape, matrices, x, y);
    return [multiplier](int i) { multiplier->run(i); };
  } catch (const dnnl::error&) {
    return {};  // bf16 needs AVX-512
  }
}

}  // namespace fathom::bench
