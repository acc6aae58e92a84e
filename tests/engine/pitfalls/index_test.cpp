// Every pitfall of v4-spec §7 has its test: most of them in this folder, in a case that is called
// "pitfall N: " and the rule. The table below names the others, and what cannot be tested yet. What
// it says is checked: no number may be missing, and no named test may go away unnoticed.
//
// These are about the fast path. The golden vectors hold the same rules end to end, and those of
// the reference by the name of every vector on the way (reference_golden_test.cpp,
// forward_golden_test.cpp): there a mistake shows as wrong numbers, here as the rule it broke.
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/vectors.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace fathom::test;

namespace {

constexpr int kPitfalls = 38;

struct Elsewhere {
  int pitfall;
  const char* file;
  const char* test;
};

constexpr Elsewhere kElsewhere[] = {
    // Pages shared between sequences, under interleaving.
    {29, "tests/engine/local/forward_test.cpp",
     "a batch of sequences gives each what it gets alone"},
    {29, "tests/engine/local/forward_test.cpp", "forks share their past and nothing else"},
    {29, "tests/engine/kv/live_kv_test.cpp", "a fork and its original write apart, page by page"},
    // compress_ratios longer than the number of main layers.
    {33, "tests/engine/model/config_test.cpp",
     "the tail of compress_ratios belongs to draft stages"},
    // KV size accounting. Prefixes end at any token (pitfall 27), so no block size can forbid them.
    {36, "tests/engine/kv/live_kv_test.cpp", "the cost of a token is that of the release's table"},
    // Also of these, from other sides than here:
    {3, "tests/engine/cpu/row_kernels_test.cpp",
     "swiglu clamps the gate above and the value on both sides"},
    {10, "tests/engine/model/rope_test.cpp",
     "YaRN leaves fast pairs alone and slows the others by the factor"},
    {11, "tests/engine/cpu/row_kernels_test.cpp",
     "rope turns pairs, and its inverse turns them back"},
    {14, "tests/engine/local/forward_test.cpp", "a second sequence sees nothing of the first"},
    {15, "tests/engine/local/forward_test.cpp",
     "any chunking and any number of threads give the same bits"},
    {16, "tests/engine/local/forward_test.cpp",
     "after a rollback it is as if the tokens had never been"},
    {19, "tests/engine/cpu/top_k_test.cpp",
     "top_k chooses as a stable sort does, in rising order of index"},
    // The scale of the heads' weights changes no choice: the reference alone shows it, as idx_w.
    {20, "tests/engine/cpu/reference_golden_test.cpp",
     "the reference equals our own vectors in both numerics"},
    {22, "tests/engine/cpu/row_kernels_test.cpp",
     "hadamard is Sylvester's matrix over the root of its size"},
    {24, "tests/engine/cpu/attention_kernels_test.cpp",
     "a sink far above all scores leaves nothing, and none leaves all"},
    {27, "tests/engine/kv/live_kv_test.cpp",
     "after a rollback the stored rows are those of a sequence that never went on"},
    {28, "tests/engine/cpu/quantize_kernels_test.cpp",
     "a stored KV entry decodes to the quantised values, bit for bit"},
    {30, "tests/engine/local/forward_test.cpp",
     "drafts follow the main model through rollback and chunks"},
    {38, "tests/engine/model/rope_test.cpp",
     "rope angles equal the official tables up to a position of a million"},
};

/// Pitfall 31, streams collapsed between pipeline stages: there are no stages, one process runs all
/// layers. Of 27, restoring from the persistent store: there is no store yet; forks and rollbacks,
/// which restore the same state, are tested.
constexpr int kWithoutTest[] = {31};

bool has_test(const std::string& source, const std::string& name) {
  return source.find("TEST_CASE(\"" + name) != std::string::npos;
}

}  // namespace

TEST_CASE("every pitfall has a test that is called after it, here or where the table says",
          "[engine]") {
  std::string here;
  for (const auto& file : files_in("tests/engine/pitfalls", "_test.cpp")) here += slurp(file);
  REQUIRE_FALSE(here.empty());
  for (const Elsewhere& row : kElsewhere) {
    INFO(row.file << ": " << row.test);
    CHECK(has_test(slurp(row.file), std::string(row.test) + "\""));
  }
  for (int pitfall = 1; pitfall <= kPitfalls; ++pitfall) {
    INFO("pitfall " << pitfall);
    const bool named = has_test(here, "pitfall " + std::to_string(pitfall) + ": ");
    const bool elsewhere =
        std::ranges::find(kElsewhere, pitfall, &Elsewhere::pitfall) != std::ranges::end(kElsewhere);
    const bool without = std::ranges::find(kWithoutTest, pitfall) != std::ranges::end(kWithoutTest);
    CHECK((named || elsewhere) == !without);
  }
}
