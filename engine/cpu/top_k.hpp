// The k highest of many scores: the indexer's selection and the router's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::engine {

/// Replaces `chosen` by the indices of the min(k, scores.size()) highest scores, in rising order
/// of index. Of equal scores the lower index is higher; -0 equals +0, and NaN is below -inf. Three
/// passes over the scores, whatever their order.
void top_k(std::span<const float> scores, std::int64_t k, std::vector<std::int32_t>& chosen);

}  // namespace fathom::engine
