#include "engine/local/moe_block.hpp"

#include "engine/cpu/top_k.hpp"

#include <algorithm>
#include <cstring>

namespace fathom::engine {
namespace {

constexpr std::int64_t kRowGrain = 4;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

std::span<const std::int32_t> MoeBlock::experts(std::int64_t token) const {
  return std::span(experts_).subspan(at(token * c_.experts_per_token), at(c_.experts_per_token));
}

std::span<const float> MoeBlock::weights(std::int64_t token) const {
  return std::span(weights_).subspan(at(token * c_.experts_per_token), at(c_.experts_per_token));
}

void MoeBlock::route(const Moe& moe, std::span<const BatchToken> tokens, const Rows& input) {
  const std::int64_t k = c_.experts_per_token;
  const Rows scores{score_buffer_.get(input.n * c_.experts), input.n, c_.experts};
  plain_input_.reset(input.activations());
  products_.add(moe.gate, plain_input_, scores);
  products_.run();
  kernels().sqrt_softplus(scores.data, scores.n * scores.width);
  experts_.resize(at(input.n * k));
  weights_.resize(at(input.n * k));
  for (std::int64_t t = 0; t < input.n; ++t) {
    const float* score = scores.row(t);
    std::int32_t* chosen = &experts_[at(t * k)];
    if (moe.table) {
      for (std::int64_t i = 0; i < k; ++i)
        chosen[i] = static_cast<std::int32_t>(moe.table->at(tokens[at(t)].token, i));
    } else {
      biased_.resize(at(c_.experts));
      for (std::int64_t e = 0; e < c_.experts; ++e) biased_[at(e)] = score[e] + moe.bias[at(e)];
      top_k(biased_, k, selection_);
      std::ranges::copy(selection_, chosen);
    }
    float sum = 0;
    for (std::int64_t i = 0; i < k; ++i) sum += score[chosen[i]];
    for (std::int64_t i = 0; i < k; ++i)
      weights_[at(t * k + i)] = score[chosen[i]] / sum * static_cast<float>(c_.routed_scaling);
  }
}

/// Orders the pairs of token and expert by expert; behind them every token once more, for the
/// shared expert.
void MoeBlock::gather(const Moe& moe, std::int64_t tokens) {
  const std::int64_t k = c_.experts_per_token;
  group_sizes_.assign(at(c_.experts), 0);
  for (const std::int32_t expert : experts_) ++group_sizes_[at(expert)];
  groups_.clear();
  std::int64_t row = 0;
  for (std::int64_t e = 0; e < c_.experts; ++e) {
    const std::int64_t size = group_sizes_[at(e)];
    group_sizes_[at(e)] = row;  // from here on the next free row
    if (size > 0) groups_.push_back({&moe.experts[at(e)], row, row + size, {}});
    row += size;
  }
  groups_.push_back({&moe.shared, row, row + tokens, {}});
  token_of_.resize(at(row + tokens));
  weight_of_.resize(at(row + tokens));
  row_of_.resize(at(tokens * (k + 1)));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t i = 0; i <= k; ++i) {
      const std::int64_t place = i < k ? group_sizes_[at(experts_[at(t * k + i)])]++ : row + t;
      token_of_[at(place)] = t;
      weight_of_[at(place)] = i < k ? weights_[at(t * k + i)] : 1;
      row_of_[at(t * (k + 1) + i)] = place;
    }
  }
}

/// One row for each pair of token and expert, ordered and prepared as the expert's w1 and w3 read
/// it.
void MoeBlock::gather_inputs(const Rows& rounded) {
  const auto rows = static_cast<std::int64_t>(token_of_.size());
  const std::int64_t width = c_.hidden_size;
  float* gathered = gather_buffer_.get(rows * width);
  float* prepared = prepared_buffer_.get(prepared_floats(rows, width));
  products_.pool().parallel_for(
      static_cast<std::int64_t>(groups_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t g = begin; g < end; ++g) {
          Group& group = groups_[at(g)];
          for (std::int64_t row = group.begin; row < group.end; ++row)
            std::memcpy(gathered + row * width, rounded.row(token_of_[at(row)]),
                        at(width) * sizeof(float));
          group.input = prepare_activations(
              group.expert->w1.format,
              {gathered + group.begin * width, group.end - group.begin, width, width},
              prepared + prepared_floats(group.begin, width));
        }
      });
}

/// gate_buffer_ = silu(min(gate, limit)) * clamp(up) * weight, rounded as w2 reads it.
void MoeBlock::activate() {
  const std::int64_t width = c_.expert_hidden;
  const auto rows = static_cast<std::int64_t>(token_of_.size());
  float* gate = gate_buffer_.get(rows * width);
  const float* up = up_buffer_.get(rows * width);
  products_.pool().parallel_for(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* hidden = gate + row * width;
      kernels().swiglu(hidden, up + row * width,
                       {static_cast<float>(c_.swiglu_limit), weight_of_[at(row)]}, width, hidden);
      round_activations(numerics_, hidden, width);
    }
  });
}

void MoeBlock::run(const Moe& moe, std::span<const BatchToken> tokens, const Rows& input,
                   const Rows& output) {
  route(moe, tokens, input);
  gather(moe, input.n);
  const Rows rounded{rounded_buffer_.get(input.n * input.width), input.n, input.width};
  std::memcpy(rounded.data, input.data, at(input.n * input.width) * sizeof(float));
  round_activations(numerics_, rounded.data, rounded.n * rounded.width);
  gather_inputs(rounded);

  const auto rows = static_cast<std::int64_t>(token_of_.size());
  const std::int64_t width = c_.expert_hidden;
  float* gate = gate_buffer_.get(rows * width);
  float* up = up_buffer_.get(rows * width);
  for (const Group& group : groups_) {
    products_.add(
        {&group.expert->w1, {0, width}, group.input, {gate + group.begin * width, width}});
    products_.add({&group.expert->w3, {0, width}, group.input, {up + group.begin * width, width}});
  }
  products_.run();
  activate();

  float* prepared = prepared_buffer_.get(prepared_floats(rows, width));
  float* parts = part_buffer_.get(rows * c_.hidden_size);
  products_.pool().parallel_for(
      static_cast<std::int64_t>(groups_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t g = begin; g < end; ++g) {
          Group& group = groups_[at(g)];
          group.input = prepare_activations(
              group.expert->w2.format,
              {gate + group.begin * width, group.end - group.begin, width, width},
              prepared + prepared_floats(group.begin, width));
        }
      });
  for (const Group& group : groups_)
    products_.add({&group.expert->w2,
                   {0, c_.hidden_size},
                   group.input,
                   {parts + group.begin * c_.hidden_size, c_.hidden_size}});
  products_.run();

  const std::int64_t count = c_.experts_per_token + 1;
  products_.pool().parallel_for(input.n, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      float* out = output.row(t);
      std::memcpy(out, parts + row_of_[at(t * count)] * c_.hidden_size,
                  at(c_.hidden_size) * sizeof(float));
      for (std::int64_t i = 1; i < count; ++i)
        kernels().axpy(1, parts + row_of_[at(t * count + i)] * c_.hidden_size, c_.hidden_size, out);
    }
  });
}

}  // namespace fathom::engine
