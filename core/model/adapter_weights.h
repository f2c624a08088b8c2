// Where the values of an adapted model come from: the base's, with adapters merged in, new pairs or those of files.
// Leaves out: which adapters a run has (core/train/adapters.h), PEFT's files (core/io/peft_adapter.h).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/io/peft_adapter.h"
#include "core/model/weight_source.h"

namespace ftrun {

/// The name of the module a linear weight belongs to: "model.layers.0.self_attn.q_proj" of "....q_proj.weight".
std::string module_of_weight(std::string_view weight_name);

/// A base whose linear weights have `adapter` merged in: W + scale B A, with magnitudes m (W + scale B A) / |row|;
/// whole modules replaced. Computed in f32 and rounded once to what is asked for. Source: PEFT tuners/lora/layer.py
/// (merge, get_delta_weight) and dora.py; DoRA's norm is that of the f32 row.
class MergedWeights : public WeightSource {
 public:
  /// Throws INVALID_ARGUMENT naming adapter, module and both shapes where the adapter is not one for `model`.
  MergedWeights(std::unique_ptr<WeightSource> base, std::shared_ptr<const PeftAdapter> adapter,
                const NetworkModel& model);
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  void fill_rows(ExecutionContext& ctx, const ModelParameter& parameter, const PeftPair& pair, int64_t begin,
                 int64_t end, const Tensor& destination);

  std::unique_ptr<WeightSource> base_;
  std::shared_ptr<const PeftAdapter> adapter_;
};

/// Values of an adapter that is trained on: pairs, magnitudes and whole modules from files, the rest from the base.
class AdapterFileWeights : public WeightSource {
 public:
  AdapterFileWeights(std::unique_ptr<WeightSource> base, std::shared_ptr<const PeftAdapter> adapter)
      : base_(std::move(base)), adapter_(std::move(adapter)) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  std::unique_ptr<WeightSource> base_;
  std::shared_ptr<const PeftAdapter> adapter_;
};

/// Values of a new adapter: pairs as the model declares them, keyed by (seed, name); magnitudes are the norms of the
/// base's rows.
class NewAdapterWeights : public WeightSource {
 public:
  NewAdapterWeights(std::unique_ptr<WeightSource> base, const NetworkModel& model, uint64_t seed)
      : base_(std::move(base)), model_(model), initial_(seed) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  std::unique_ptr<WeightSource> base_;
  const NetworkModel& model_;
  InitialWeights initial_;
};

/// Throws INVALID_ARGUMENT unless every pair and whole module of `adapter` fits a linear weight (or parameter) of
/// `model`: names the module and both shapes, of an adapter of a grown vocabulary both sizes.
void require_adapter_fits(const PeftAdapter& adapter, const NetworkModel& model);

/// Rows [begin, end) of a 2-d parameter as f32 [end - begin, I] on ctx's device.
Tensor rows_from(ExecutionContext& ctx, WeightSource& source, const ModelParameter& parameter, int64_t begin,
                 int64_t end);

/// Calls body(first row, last row) for chunks of rows that cover elements [begin, end) of a matrix with `columns`.
template <typename Body>
void for_row_chunks(int64_t begin, int64_t end, int64_t columns, Body&& body) {
  constexpr int64_t kChunkElements = int64_t{1} << 22;
  const int64_t chunk = std::max<int64_t>(1, kChunkElements / columns);
  const int64_t last = (end + columns - 1) / columns;
  for (int64_t row = begin / columns; row < last; row += chunk) body(row, std::min(last, row + chunk));
}

/// Of `rows` (rows `first` and on of a matrix) what lies inside elements [begin, end), into its place in destination.
void copy_rows_part(ExecutionContext& ctx, const Tensor& rows, int64_t first, int64_t begin, int64_t end,
                    const Tensor& destination);

}  // namespace ftrun
