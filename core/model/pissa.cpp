// Dense linear algebra by Eigen on the host, one weight at a time.
#include "core/model/pissa.h"

#include <Eigen/Dense>
#include <algorithm>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "core/ops/matmul.h"

namespace ftrun {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixMap = Eigen::Map<const Matrix>;

struct Principal {
  Matrix u_OR;
  Eigen::VectorXf s_R;
  Matrix v_IR;
};

Matrix orthonormal(const Matrix& columns) {
  const Eigen::HouseholderQR<Matrix> qr(columns);
  return qr.householderQ() * Matrix::Identity(columns.rows(), columns.cols());
}

Principal decompose(const Matrix& weight, int64_t rank) {
  const Eigen::BDCSVD<Matrix> svd(weight, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {svd.matrixU().leftCols(rank), svd.singularValues().head(rank), svd.matrixV().leftCols(rank)};
}

/// Numbers between -1 and 1 that depend on their place only (SplitMix64).
Matrix start_vectors(int64_t rows, int64_t columns) {
  Matrix result(rows, columns);
  for (int64_t i = 0; i < rows * columns; ++i) {
    auto value = static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    result.data()[i] = static_cast<float>((value ^ (value >> 31)) >> 40) / 8388608.0f - 1.0f;
  }
  return result;
}

Principal iterate(const MatrixMap& weight, int64_t rank, int64_t iterations) {
  Matrix q_OR = orthonormal(weight * start_vectors(weight.cols(), rank));
  for (int64_t i = 0; i < iterations; ++i) {
    const Matrix p_IR = orthonormal(weight.transpose() * q_OR);
    q_OR = orthonormal(weight * p_IR);
  }
  Principal small = decompose(q_OR.transpose() * weight, rank);
  small.u_OR = q_OR * small.u_OR;
  return small;
}

}  // namespace

PrincipalPair principal_pair(std::span<const float> weight_OI, int64_t rows, int64_t columns, int64_t rank,
                             double scale, int64_t iterations) {
  const MatrixMap weight(weight_OI.data(), rows, columns);
  const Principal found = iterations < 0 ? decompose(weight, rank) : iterate(weight, rank, iterations);
  const Eigen::VectorXf root = (found.s_R / static_cast<float>(scale)).cwiseSqrt();
  const Matrix a = root.asDiagonal() * found.v_IR.transpose();
  const Matrix b = found.u_OR * root.asDiagonal();
  return {{a.data(), a.data() + a.size()}, {b.data(), b.data() + b.size()}};
}

namespace {

std::vector<float> whole_weight(ExecutionContext& ctx, WeightSource& base, const ModelParameter& weight) {
  const int64_t rows = weight.shape[0];
  std::vector<float> values;
  constexpr int64_t kChunkElements = int64_t{1} << 22;
  const int64_t chunk = std::max<int64_t>(1, kChunkElements / weight.shape[1]);
  for (int64_t row = 0; row < rows; row += chunk) {
    const std::vector<float> part = read_floats(ctx, rows_from(ctx, base, weight, row, std::min(rows, row + chunk)));
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

/// Elements [begin, end) of W - scale B0 A0.
void fill_rest(ExecutionContext& ctx, WeightSource& base, const ModelParameter& weight, const PrincipalPair& pair,
               double scale, int64_t begin, int64_t end, const Tensor& destination) {
  const int64_t columns = weight.shape[1];
  const int64_t rank = static_cast<int64_t>(pair.a_RI.size()) / columns;
  const Tensor a_RI = from_host(ctx, FTRUN_F32, {rank, columns}, pair.a_RI.data());
  for_row_chunks(begin, end, columns, [&](int64_t first, int64_t last) {
    const Tensor rows = rows_from(ctx, base, weight, first, last);
    const Tensor b = from_host(ctx, FTRUN_F32, {last - first, rank}, pair.b_OR.data() + first * rank);
    ops::matmul_into(ctx, b, a_RI, rows, false, false, true, -scale);
    copy_rows_part(ctx, rows, first, begin, end, destination);
  });
}

}  // namespace

const PrincipalPair& PrincipalPairs::of(ExecutionContext& ctx, WeightSource& base, const LinearAdapter& adapter) {
  const auto [found, is_new] = pairs_.try_emplace(adapter.weight);
  if (!is_new || shapes_only(ctx)) return found->second;
  const ModelParameter& weight = model_.parameter(adapter.weight);
  found->second = principal_pair(whole_weight(ctx, base, weight), weight.shape[0], weight.shape[1],
                                 model_.parameter(adapter.a).shape[0], adapter.scale, iterations_);
  return found->second;
}

void PissaWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                        const Tensor& destination) {
  for (const LinearAdapter& adapter : model_.adapters()) {
    const bool is_weight = model_.parameter(adapter.weight).name == parameter.name;
    const bool is_a = model_.parameter(adapter.a).name == parameter.name;
    if (!is_weight && !is_a && model_.parameter(adapter.b).name != parameter.name) continue;
    if (shapes_only(ctx)) return;
    const PrincipalPair& pair = pairs_->of(ctx, *base_, adapter);
    if (is_weight) return fill_rest(ctx, *base_, parameter, pair, adapter.scale, begin, end, destination);
    HostWeights values([&](const ModelParameter&, int64_t from, std::span<float> out) {
      std::copy_n((is_a ? pair.a_RI : pair.b_OR).begin() + from, out.size(), out.begin());
    });
    return values.fill(ctx, parameter, begin, end, destination);
  }
  base_->fill(ctx, parameter, begin, end, destination);
}

void PrincipalRestWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                                const Tensor& destination) {
  const PeftPair* pair = nullptr;
  if (parameter.origin == ParameterOrigin::kNetwork) pair = adapter_->find_pair(module_of_weight(parameter.name));
  if (pair == nullptr) return base_->fill(ctx, parameter, begin, end, destination);
  if (shapes_only(ctx)) return;
  if (weight_ != parameter.name) {
    pair_ = principal_pair(whole_weight(ctx, *base_, parameter), parameter.shape[0], parameter.shape[1], pair->rank(),
                           pair->scale, -1);
    weight_ = parameter.name;
  }
  fill_rest(ctx, *base_, parameter, pair_, pair->scale, begin, end, destination);
}

void ConvertedPissaWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                                 const Tensor& destination) {
  const bool is_b = parameter.origin == ParameterOrigin::kAdapter && parameter.name.ends_with(".lora_B.weight");
  // A stands before A0, so its elements are the file's first ones.
  if (!is_b) return whole_.fill(ctx, parameter, begin, end, destination);
  if (shapes_only(ctx)) return;
  const PeftPair* pair = adapter_->find_pair(parameter.name.substr(0, parameter.name.find(".lora_")));
  const int64_t rank = parameter.shape[1];
  if (pair == nullptr || pair->b->shape != std::vector<int64_t>{parameter.shape[0], 2 * rank}) {
    throw invalid_argument("'{}': '{}' is no pair of a PiSSA run of rank {}", adapter_->folder().string(),
                           parameter.name, rank);
  }
  std::vector<float> both(static_cast<size_t>(2 * parameter.elements));
  read_elements(*pair->b, 0, both.size(), StoredDtype::kF32, std::as_writable_bytes(std::span(both)));
  HostWeights values([&](const ModelParameter&, int64_t from, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t element = from + static_cast<int64_t>(i);
      out[i] = both[static_cast<size_t>(element / rank * 2 * rank + element % rank)];
    }
  });
  values.fill(ctx, parameter, begin, end, destination);
}

}  // namespace ftrun
