// Measures the kernels of engine/cpu as shares of what this machine can do, in one run:
// `./dev bench engine`, or `kernel_bench [gemv|gemm|peer|hog …]`, by default all. Shares are of the
// best of the rounds, in which the yardsticks take their turns with what is measured. Nothing is
// reported when a yardstick changed by more than 15 % meanwhile: then a neighbour was measured.
//
// On two 2.3 GHz Xeon cores with AVX-512 (read 16 and 31 GB/s, FMA 206 GFLOP/s a thread), of one
// thread: FP4 GEMV 0.81, FP8 0.87, BF16 0.92 of the read bandwidth; 512 vectors FP4 0.74, FP8 0.74,
// BF16 0.81 of FMA. Two threads 1.83 to 1.90 of one with chunks of 256 KiB; beside a busy neighbour
// 1.04.
//
// `peer` is oneDNN 2.6, on the same matrices and vectors, which has no FP8 or FP4. Of one thread of
// the same machine (instruction set avx512_core_vnni, FMA 205 GFLOP/s): f32 1.00 of oneDNN's with
// weights as they are stored, 0.97 with weights that it packed beforehand; BF16 weights 1.03 of its
// f32. Its bf16 needs instructions that this processor lacks: emulated, it has a fifth of our
// speed. Not counted is how vectors are prepared, ours once for all matrices that read them.
#include "engine/cpu/cpu_info.hpp"
#include "engine/cpu/kernels.hpp"
#include "engine/cpu/matmul.hpp"
#include "tests/bench/dnnl_product.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace fathom::bench;
using namespace fathom::engine;

namespace {

constexpr std::int64_t kSide = 4096;
constexpr std::int64_t kManyRows = kSide / 4;  ///< for many vectors, so that a sample is short
constexpr std::int64_t kVectors = 512;
constexpr float kActivation = 0.25f;
constexpr std::int64_t kWeightBytes = std::int64_t{5} << 28;  // 1.25 GiB: no cache has it
constexpr int kSlices =
    16;  ///< a sample takes one, so that many are short and one finds a quiet core
constexpr int kRounds = 5 * kSlices;
constexpr double kDriftMax = 0.15;
constexpr double kSecondCoreMin = 1.3;  ///< all threads over one: below it a neighbour has a core

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Memory in small pages, as a mapped checkpoint has.
class Pages {
 public:
  explicit Pages(std::int64_t bytes) : bytes_(bytes) {
    void* at = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    ::madvise(at, static_cast<std::size_t>(bytes), MADV_NOHUGEPAGE);
    data_ = static_cast<std::byte*>(at);
  }
  ~Pages() { ::munmap(data_, static_cast<std::size_t>(bytes_)); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::int64_t size() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::int64_t bytes_;
};

/// One thing that is measured: `work(slice)` does `units` (bytes or flops).
struct Item {
  std::string_view name;
  double units;
  std::function<void(int slice)> work;
  double best = 0;         ///< units a second
  double best_before = 0;  ///< in the first half of the rounds

  void measure(int round) {
    best = std::max(best, units / seconds([&] { work(round % kSlices); }));
  }
};

struct Bench {
  const Kernels& kernels = fathom::engine::kernels();
  Pages weights{kWeightBytes};
  std::vector<std::uint8_t> scales = std::vector<std::uint8_t>(kWeightBytes / 16);
  ThreadPool one{1};
  ThreadPool all;

  Bench() {
    std::mt19937_64 random(1);
    auto* words = reinterpret_cast<std::uint64_t*>(weights.data());
    for (std::int64_t i = 0; i < kWeightBytes / 8; ++i)
      words[i] = (random() & 0x0fbf0fbf0fbf0fbfULL) | 0x3000300030003000ULL;  // normal in all
    for (std::uint8_t& scale : scales) scale = static_cast<std::uint8_t>(120 + random() % 8);
  }

  /// Matrix `i` of as many as fit.
  [[nodiscard]] WeightMatrix matrix(WeightFormat format, std::int64_t i) const {
    const std::int64_t bytes = kSide * row_bytes(format, kSide);
    return {format, kSide, kSide, weights.data() + i * bytes,
            scales.data() + i * (kSide * kSide / 32)};
  }
  [[nodiscard]] static std::int64_t matrices(WeightFormat format) {
    return kWeightBytes / (kSide * row_bytes(format, kSide));
  }
};

Item read_item(Bench& bench, ThreadPool& pool, std::string_view name) {
  constexpr std::int64_t kPart = 1 << 18;
  constexpr std::int64_t kParts = kWeightBytes / kSlices / kPart;
  return {name, static_cast<double>(kParts * kPart), [&bench, &pool](int slice) {
            const std::byte* data = bench.weights.data() + slice * kParts * kPart;
            pool.parallel_for(kParts, 1, [&](std::int64_t begin, std::int64_t end) {
              volatile auto sink =
                  bench.kernels.read_probe(data + begin * kPart, (end - begin) * kPart);
              (void)sink;
            });
          }};
}

Item fma_item(Bench& bench, ThreadPool& pool, std::string_view name) {
  constexpr std::int64_t kSteps = 20'000;
  constexpr std::int64_t kParts = 64;
  return {name, kFmaProbeFlops * kSteps * kParts, [&bench, &pool](int) {
            pool.parallel_for(kParts, 1, [&](std::int64_t begin, std::int64_t end) {
              for (; begin < end; ++begin) {
                volatile float sink = bench.kernels.fma_probe(kSteps);
                (void)sink;
              }
            });
          }};
}

/// Matrices of one format times n vectors. Units are stored bytes for n = 1, else flops.
struct Product {
  std::vector<float> buffer;
  std::vector<float> y;

  Item item(Bench& bench, ThreadPool& pool, WeightFormat format, std::int64_t n,
            std::string_view name) {
    const std::vector<float> x(static_cast<std::size_t>(n * kSide), kActivation);
    buffer.resize(static_cast<std::size_t>(n * kSide) + 16);
    auto* aligned = buffer.data() + (16 - reinterpret_cast<std::uintptr_t>(buffer.data()) / 4 % 16);
    y.resize(static_cast<std::size_t>(n * kSide));
    const PreparedActivations view =
        prepare_activations(format, {x.data(), n, kSide, kSide}, aligned);
    if (n > 1) return many(bench, pool, {format, n, view, name});
    const std::int64_t count = Bench::matrices(format) / kSlices;
    const double stored = static_cast<double>(kSide * row_bytes(format, kSide)) +
                          (format == WeightFormat::fp4 ? kSide * kSide / 32.0 : 0.0);
    return {name, static_cast<double>(count) * stored,
            [this, &bench, &pool, format, view, count](int slice) {
              for (std::int64_t i = slice * count; i < (slice + 1) * count; ++i)
                matmul(pool, bench.kernels, bench.matrix(format, i), view, {y.data(), kSide});
            }};
  }

 private:
  struct Many {
    WeightFormat format;
    std::int64_t n;
    PreparedActivations x;
    std::string_view name;
  };
  Item many(Bench& bench, ThreadPool& pool, const Many& of) {
    return {of.name, 2.0 * kManyRows * kSide * static_cast<double>(of.n),
            [this, &bench, &pool, of](int slice) {
              WeightMatrix w = bench.matrix(of.format, slice);
              w.rows = kManyRows;
              matmul(pool, bench.kernels, w, of.x, {y.data(), kSide});
            }};
  }
};

/// Ends the program when a yardstick moved while the rest was measured.
void check_drift(const Item& yardstick, double best_after) {
  const double change = std::abs(best_after - yardstick.best_before) / yardstick.best_before;
  if (change <= kDriftMax) return;
  std::printf("%s went from %.1f to %.1f G/s: neighbours work here, so nothing is reported\n",
              yardstick.name.data(), yardstick.best_before / 1e9, best_after / 1e9);
  std::exit(3);
}

/// `yardsticks` say which items must have been as fast in the second half as in the first.
void run_rounds(std::vector<Item>& items, const std::vector<std::size_t>& yardsticks) {
  std::vector<double> after(items.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double before = std::exchange(items[i].best, 0.0);
      // Never the slice that another item has just brought into the last cache.
      items[i].measure(round + 2 * static_cast<int>(i));
      if (round >= kRounds / 2) after[i] = std::max(after[i], items[i].best);
      items[i].best = std::max(items[i].best, before);
      if (round < kRounds / 2) items[i].best_before = items[i].best;
    }
  }
  for (const std::size_t i : yardsticks) check_drift(items[i], after[i]);
}

void print_share(const Item& item, const Item& of, double goal) {
  std::printf("%-22s %8.2f G/s  %.2f of %s", item.name.data(), item.best / 1e9, item.best / of.best,
              of.name.data());
  if (goal > 0) std::printf("   goal %.2f", goal);
  std::printf("\n");
}

void bench_gemv(Bench& bench) {
  Product fp4, fp8, bf16;
  std::vector<Item> items;
  for (ThreadPool* pool : {&bench.one, &bench.all}) {
    const bool single = pool == &bench.one;
    items.push_back(read_item(bench, *pool, single ? "read, 1 thread" : "read, all threads"));
    items.push_back(fp4.item(bench, *pool, WeightFormat::fp4, 1,
                             single ? "fp4 gemv, 1 thread" : "fp4 gemv, all"));
    items.push_back(fp8.item(bench, *pool, WeightFormat::fp8, 1,
                             single ? "fp8 gemv, 1 thread" : "fp8 gemv, all"));
    items.push_back(bf16.item(bench, *pool, WeightFormat::bf16, 1,
                              single ? "bf16 gemv, 1 thread" : "bf16 gemv, all"));
  }
  run_rounds(items, {0, 4});
  if (bench.all.threads() > 1 && items[4].best < kSecondCoreMin * items[0].best)
    std::printf("another program has a core: what follows of all threads is one thread's\n");
  for (std::size_t base : {0u, 4u}) {
    std::printf("%-22s %8.2f G/s\n", items[base].name.data(), items[base].best / 1e9);
    for (std::size_t i = 1; i < 4; ++i)
      print_share(items[base + i], items[base], i == 1 ? 0.80 : 0.85);
  }
  for (std::size_t i = 1; i < 4; ++i)
    std::printf("%u threads / 1          %.2f (%s)   goal 1.80\n", bench.all.threads(),
                items[4 + i].best / items[i].best, items[i].name.data());
}

void bench_gemm(Bench& bench) {
  Product fp4, fp8, bf16, f32, few;
  std::vector<Item> items;
  items.push_back(fma_item(bench, bench.one, "fma, 1 thread"));
  items.push_back(fp4.item(bench, bench.one, WeightFormat::fp4, kVectors, "fp4 gemm 512"));
  items.push_back(fp8.item(bench, bench.one, WeightFormat::fp8, kVectors, "fp8 gemm 512"));
  items.push_back(bf16.item(bench, bench.one, WeightFormat::bf16, kVectors, "bf16 gemm 512"));
  items.push_back(f32.item(bench, bench.one, WeightFormat::f32, kVectors, "f32 gemm 512"));
  items.push_back(few.item(bench, bench.one, WeightFormat::fp4, 8, "fp4 gemm 8"));
  run_rounds(items, {0});
  std::printf("%-22s %8.2f G/s\n", items[0].name.data(), items[0].best / 1e9);
  for (std::size_t i = 1; i < items.size(); ++i)
    print_share(items[i], items[0], i < 5 ? 0.60 : 0.0);
}

/// A product of one format on one pool, and oneDNN's of the same matrices and vectors with as many
/// threads.
class Pair {
 public:
  Pair(WeightFormat format, std::string_view ours, std::string_view stored, std::string_view packed)
      : format_(format), names_{ours, stored, packed} {}

  void add_to(std::vector<Item>& items, Bench& bench, ThreadPool& pool) {
    first_ = items.size();
    items.push_back(ours_.item(bench, pool, format_, kVectors, names_[0]));
    theirs_.resize(ours_.y.size());
    items.back().work(0);
    for (const DnnlWeights weights : {DnnlWeights::as_stored, DnnlWeights::packed}) {
      auto work = their_product(bench, pool, weights);
      if (!work) return;
      work(0);
      check_agree();
      items.push_back({names_[1 + peers_++], items[first_].units, std::move(work)});
    }
  }

  [[nodiscard]] bool compared() const { return peers_ > 0; }
  [[nodiscard]] const Item& ours(const std::vector<Item>& items) const { return items[first_]; }
  [[nodiscard]] const Item& as_stored(const std::vector<Item>& items) const {
    return items[first_ + 1];
  }

  void print(const std::vector<Item>& items, const Item& fma) const {
    print_share(ours(items), fma, 0);
    for (std::size_t i = first_ + 1; i <= first_ + peers_; ++i) {
      print_share(items[i], fma, 0);
      print_share(ours(items), items[i], 1);
    }
    if (!compared()) std::printf("oneDNN does not do it on this processor: not compared\n");
  }

 private:
  std::function<void(int)> their_product(const Bench& bench, const ThreadPool& pool,
                                         DnnlWeights weights) {
    std::vector<const std::byte*> matrices;
    for (int slice = 0; slice < kSlices; ++slice)
      matrices.push_back(bench.matrix(format_, slice).data);
    const std::vector<float> x(static_cast<std::size_t>(kVectors * kSide), kActivation);
    const auto threads = static_cast<int>(pool.threads());
    return dnnl_product({format_, kManyRows, kSide, kVectors, kSide, threads, weights}, matrices, x,
                        theirs_.data());
  }

  /// Or another product was measured.
  void check_agree() const {
    constexpr float kDifferenceMax = 1e-4f;
    for (std::size_t i = 0; i < theirs_.size(); ++i) {
      if (std::abs(theirs_[i] - ours_.y[i]) <= kDifferenceMax * std::abs(ours_.y[i])) continue;
      std::printf("%s: %g and %g at %zu\n", names_[1 + peers_].data(), theirs_[i], ours_.y[i], i);
      std::exit(1);
    }
  }

  WeightFormat format_;
  std::array<std::string_view, 3> names_;
  Product ours_;
  std::vector<float> theirs_;
  std::size_t first_ = 0;  ///< of our item and `peers_` of oneDNN
  std::size_t peers_ = 0;
};

void bench_peer(Bench& bench) {
  if (dnnl_instruction_set().empty()) {
    std::printf("oneDNN is not installed: not compared\n");
    return;
  }
  std::printf("oneDNN uses %s\n", dnnl_instruction_set().c_str());
  double fma_one = 0;
  for (ThreadPool* pool : {&bench.one, &bench.all}) {
    if (pool == &bench.all && pool->threads() == 1) return;
    Pair f32(WeightFormat::f32, "f32 gemm 512", "oneDNN f32, as stored", "oneDNN f32, packed");
    Pair bf16(WeightFormat::bf16, "bf16 gemm 512", "oneDNN bf16, as stored", "oneDNN bf16, packed");
    std::vector<Item> items;
    items.push_back(fma_item(bench, *pool, pool == &bench.one ? "fma, 1 thread" : "fma, all"));
    f32.add_to(items, bench, *pool);
    bf16.add_to(items, bench, *pool);
    run_rounds(items, {0});
    const Item& fma = items[0];
    if (pool == &bench.one) fma_one = fma.best;
    std::printf("%-22s %8.2f G/s\n", fma.name.data(), fma.best / 1e9);
    if (pool == &bench.all && fma.best < kSecondCoreMin * fma_one) {
      std::printf("another program has a core: all threads are not compared\n");
      return;
    }
    f32.print(items, fma);
    bf16.print(items, fma);
    // Without bf16 instructions oneDNN's best way for such weights is to widen them all beforehand.
    if (f32.compared()) print_share(bf16.ours(items), f32.as_stored(items), 1);
  }
}

// A neighbour that never rests, on whichever core the system gives it.
void bench_hog(Bench& bench) {
  std::atomic<bool> stop = false;
  Product fp8_one, fp8_all;
  std::vector<Item> items;
  items.push_back(fp8_one.item(bench, bench.one, WeightFormat::fp8, 1, "fp8 gemv, 1 thread, hog"));
  items.push_back(fp8_all.item(bench, bench.all, WeightFormat::fp8, 1, "fp8 gemv, all, hog"));
  std::jthread hog([&] {
    while (!stop) {
      volatile float sink = bench.kernels.fma_probe(1000);
      (void)sink;
    }
  });
  double one = 0;
  double all = 0;
  for (int round = 0; round < kRounds; ++round) {
    one += seconds([&] { items[0].work(round % kSlices); });
    all += seconds([&] { items[1].work(round % kSlices); });
  }
  stop = true;
  std::printf("beside a busy neighbour, all threads / 1: %.2f (means)   goal 0.90\n", one / all);
}

void print_machine(const Bench& bench) {
  const KernelChoice& choice = kernel_choice();
  double load = 0;
  (void)::getloadavg(&load, 1);
  std::printf("%s, %u threads, load %.2f\n", cpu_info().model.c_str(), bench.all.threads(), load);
  std::printf("kernels: %s, %s", name_of(choice.kernels->isa).data(), choice.reason.c_str());
  for (const IsaProbe& probe : choice.probes)
    if (probe.probe_us > 0) std::printf("; %s %.0f us", name_of(probe.isa).data(), probe.probe_us);
  std::printf("\n");
  constexpr std::size_t kCopy = std::size_t{1} << 29;
  double best = 0;
  for (int i = 0; i < 5; ++i)
    best = std::max(best, static_cast<double>(kCopy) / seconds([&] {
                            std::memcpy(bench.weights.data(), bench.weights.data() + kCopy, kCopy);
                          }));
  std::printf("memcpy                 %8.2f G/s copied\n", best / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const auto wants = [&](std::string_view part) {
    return argc == 1 ||
           std::any_of(argv + 1, argv + argc, [&](char* word) { return part == word; });
  };
  Bench bench;
  print_machine(bench);
  if (wants("gemv")) bench_gemv(bench);
  if (wants("gemm")) bench_gemm(bench);
  if (wants("peer")) bench_peer(bench);
  if (wants("hog")) bench_hog(bench);
}
