// The vector operations of the reference forward pass, each a formula of v4-spec §2.
#pragma once

#include "engine/model/quant_formats.hpp"
#include "engine/model/rope.hpp"
#include "engine/model/weight_matrix.hpp"

#include <span>
#include <vector>

namespace fathom::engine::reference {

using Values = std::vector<float>;

double dot(std::span<const float> a, std::span<const float> b);
/// W x, no rounding of x.
Values product(const WeightMatrix& matrix, std::span<const float> x);
/// w * x / sqrt(mean(x^2) + eps); an empty w is all ones.
Values rms(std::span<const float> x, std::span<const float> w, double eps);
/// 1 / sqrt(mean(x^2) + eps)
double inverse_rms(std::span<const float> x, double eps);
/// Rotates the pairs of the last dims by the angles of `position`, or back.
enum class Turn : bool { forward, inverse };
void rope(std::span<float> head, const RopeFrequencies& frequencies, std::int64_t position,
          Turn turn);
/// The Sylvester-Hadamard transform scaled by n^-1/2; the size is a power of two.
void hadamard(std::span<float> x);
/// §2.2 step 7, in place on an hc x hc matrix.
void sinkhorn(std::span<float> matrix, std::int64_t iterations, double eps);
double sigmoid(double x);
double softplus(double x);
double silu(double x);
/// The `count` highest, ties to the lower index; ascending indices.
std::vector<std::size_t> top_k(std::span<const float> scores, std::size_t count);

}  // namespace fathom::engine::reference
