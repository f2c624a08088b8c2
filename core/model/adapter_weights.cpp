// Rows of a base in f32, changed by device ops, rounded once.
#include "core/model/adapter_weights.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "core/model/adapted_linear.h"
#include "core/model/optimizer_slice.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reductions.h"

namespace ftrun {
namespace {

void fill_from_entry(ExecutionContext& ctx, const TensorEntry& entry, int64_t begin, int64_t end,
                     const Tensor& destination) {
  if (shapes_only(ctx)) return;
  const StoredDtype to = stored_dtype_of(destination.dtype());
  std::vector<std::byte> converted(static_cast<size_t>(end - begin) * dtype_size_bytes(to));
  read_elements(entry, static_cast<uint64_t>(begin), static_cast<uint64_t>(end), to, converted);
  write_from_host(ctx, destination, converted.data(), converted.size());
}

/// Rows [begin, end) of a file's tensor as f32.
Tensor rows_of_entry(ExecutionContext& ctx, const TensorEntry& entry, int64_t begin, int64_t end) {
  int64_t row = 1;
  for (size_t axis = 1; axis < entry.shape.size(); ++axis) row *= entry.shape[axis];
  const Tensor rows = empty(ctx, FTRUN_F32, {end - begin, row}, FTRUN_MEMORY_WORKSPACE);
  fill_from_entry(ctx, entry, begin * row, end * row, rows.reshape({(end - begin) * row}));
  return rows;
}

const TensorEntry* entry_for(const PeftAdapter& adapter, std::string_view name) {
  const size_t at = name.find(".lora_");
  if (at == std::string_view::npos) {
    const auto found = adapter.saved().find(name);
    return found == adapter.saved().end() ? nullptr : found->second;
  }
  const PeftPair* pair = adapter.find_pair(name.substr(0, at));
  if (pair == nullptr) return nullptr;
  const std::string_view part = name.substr(at + 1);
  return part.starts_with("lora_A") ? pair->a : part.starts_with("lora_B") ? pair->b : pair->magnitude;
}

/// The whole tensor of `parameter` in the adapter under its own name or a tied one, or NULL.
const TensorEntry* saved_entry(const PeftAdapter& adapter, const ModelParameter& parameter) {
  const TensorEntry* entry = entry_for(adapter, parameter.name);
  for (const ParameterTie& tie : parameter.ties) {
    if (entry == nullptr) entry = entry_for(adapter, tie.name);
  }
  return entry;
}

/// Whether a parameter that is not a linear layer's goes by the name, as its own or as a tied one.
bool is_elsewhere(const NetworkModel& model, const std::string& name) {
  return std::ranges::any_of(model.parameters(), [&](const ModelParameter& parameter) {
    return parameter.role != FTRUN_PARAMETER_LINEAR &&
           (parameter.name == name ||
            std::ranges::any_of(parameter.ties, [&](const ParameterTie& tie) { return tie.name == name; }));
  });
}

std::string another_base(const PeftAdapter& adapter) {
  const std::string& base = adapter.config().base_model_name_or_path;
  return "it is an adapter of another base" + (base.empty() ? std::string() : fmt::format(" ('{}')", base));
}

void require_pair_fits(const PeftAdapter& adapter, const PeftPair& pair, const NetworkModel& model) {
  const int32_t id = model.find(pair.module + ".weight");
  const std::string folder = adapter.folder().string();
  if (is_elsewhere(model, pair.module + ".weight")) {
    throw invalid_argument(
        "'{}': the adapter has a pair on '{}', which is no linear layer of a block: pairs elsewhere are not supported, "
        "only modules that were trained whole (PEFT's modules_to_save)",
        folder, pair.module);
  }
  if (id < 0) {
    throw invalid_argument("'{}': the adapter is for '{}', and the model has no such linear layer: {}", folder,
                           pair.module, another_base(adapter));
  }
  const std::vector<int64_t>& shape = model.parameter(id).shape;
  const bool fits = pair.b->shape[0] == shape[0] && pair.a->shape[1] == shape[1] &&
                    (pair.magnitude == nullptr || pair.magnitude->num_elements() == static_cast<uint64_t>(shape[0]));
  if (fits) return;
  throw invalid_argument("'{}': '{}' of the adapter has lora_B {} and lora_A {}, the model's weight is {}: {}", folder,
                         pair.module, fmt::join(pair.b->shape, "x"), fmt::join(pair.a->shape, "x"),
                         fmt::join(shape, "x"), another_base(adapter));
}

/// Rows of embedding and head are ids, and an adapter of a base whose vocabulary was grown holds them whole.
void require_same_vocabulary(const PeftAdapter& adapter, const std::string& name, const TensorEntry& entry,
                             const NetworkModel& model) {
  const int32_t id = model.find(name);
  if (id < 0 || entry.shape.size() != 2) return;
  const ModelParameter& parameter = model.parameter(id);
  const int64_t ids = model.info().vocab_size;
  const bool is_by_id = parameter.role == FTRUN_PARAMETER_EMBEDDING || id == model.info().head_parameter;
  if (!is_by_id || entry.shape[0] == ids || entry.shape[1] != parameter.shape[1]) return;
  throw invalid_argument(
      "'{}': the adapter was trained with a vocabulary of {} ids (its '{}' is {}), and the model's has {}: {}",
      adapter.folder().string(), entry.shape[0], name, fmt::join(entry.shape, "x"), ids,
      entry.shape[0] < ids ? another_base(adapter)
                           : fmt::format("give it the base as it was grown (transformers' "
                                         "resize_token_embeddings({}), saved with the adapter's tokenizer)",
                                         entry.shape[0]));
}

/// One tensor of the model under several names: an adapter must replace all of them by the same, or the merged model
/// would answer differently.
void require_tied_alike(const PeftAdapter& adapter, const ModelParameter& parameter) {
  std::vector<std::string> names = {parameter.name};
  for (const ParameterTie& tie : parameter.ties) names.push_back(tie.name);
  const TensorEntry* first = saved_entry(adapter, parameter);
  for (const std::string& name : names) {
    const TensorEntry* entry = entry_for(adapter, name);
    if (entry != nullptr && std::ranges::equal(entry->bytes, first->bytes)) continue;
    throw invalid_argument(
        "'{}': the model ties {}, but the adapter {}: merged into one tensor it would answer differently: ftrun export "
        "writes two with tie_word_embeddings: false; to train on, export the base so and name that",
        adapter.folder().string(), fmt::join(names, " and "),
        entry == nullptr ? fmt::format("replaces '{}' and not '{}'", first->name, name)
                         : fmt::format("holds two different tensors for them"));
  }
}

void require_saved_fits(const PeftAdapter& adapter, const std::string& name, const TensorEntry& entry,
                        const NetworkModel& model) {
  const int32_t id = model.find(name);
  if (id >= 0 && model.parameter(id).shape == entry.shape) {
    // A classifier's embedding stands alone: its head of words is in no file.
    if (!model.is_classifier()) require_tied_alike(adapter, model.parameter(id));
    return;
  }
  throw invalid_argument(
      "'{}': the adapter holds a whole '{}' of shape {}, the model has {}", adapter.folder().string(), name,
      fmt::join(entry.shape, "x"),
      id < 0 ? std::string("no such parameter") : fmt::format("shape {}", fmt::join(model.parameter(id).shape, "x")));
}

}  // namespace

std::string module_of_weight(std::string_view weight_name) {
  constexpr std::string_view kSuffix = ".weight";
  if (weight_name.ends_with(kSuffix)) weight_name.remove_suffix(kSuffix.size());
  return std::string(weight_name);
}

void require_adapter_fits(const PeftAdapter& adapter, const NetworkModel& model) {
  for (const PeftPair& pair : adapter.pairs()) require_pair_fits(adapter, pair, model);
  for (const auto& [name, entry] : adapter.saved()) require_same_vocabulary(adapter, name, *entry, model);
  for (const auto& [name, entry] : adapter.saved()) require_saved_fits(adapter, name, *entry, model);
}

void copy_rows_part(ExecutionContext& ctx, const Tensor& rows, int64_t first, int64_t begin, int64_t end,
                    const Tensor& destination) {
  const int64_t offset = first * rows.dim(1);
  const int64_t from = std::max(begin, offset);
  const int64_t to = std::min(end, offset + rows.element_count());
  copy_between(ctx, rows.reshape({rows.element_count()}).slice(0, from - offset, to - offset),
               destination.slice(0, from - begin, to - begin));
}

Tensor rows_from(ExecutionContext& ctx, WeightSource& source, const ModelParameter& parameter, int64_t begin,
                 int64_t end) {
  const int64_t columns = parameter.shape.back();
  const Tensor rows = empty(ctx, FTRUN_F32, {end - begin, columns}, FTRUN_MEMORY_WORKSPACE);
  source.fill(ctx, parameter, begin * columns, end * columns, rows.reshape({(end - begin) * columns}));
  return rows;
}

MergedWeights::MergedWeights(std::unique_ptr<WeightSource> base, std::shared_ptr<const PeftAdapter> adapter,
                             const NetworkModel& model)
    : base_(std::move(base)), adapter_(std::move(adapter)) {
  require_adapter_fits(*adapter_, model);
}

void MergedWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                         const Tensor& destination) {
  if (parameter.origin != ParameterOrigin::kAdapter) {
    if (const TensorEntry* saved = saved_entry(*adapter_, parameter)) {
      return fill_from_entry(ctx, *saved, begin, end, destination);
    }
    const PeftPair* pair = adapter_->find_pair(module_of_weight(parameter.name));
    if (pair != nullptr) return fill_rows(ctx, parameter, *pair, begin, end, destination);
  }
  base_->fill(ctx, parameter, begin, end, destination);
}

void MergedWeights::fill_rows(ExecutionContext& ctx, const ModelParameter& parameter, const PeftPair& pair,
                              int64_t begin, int64_t end, const Tensor& destination) {
  if (shapes_only(ctx)) return;
  const Tensor a_RI = rows_of_entry(ctx, *pair.a, 0, pair.rank());
  for_row_chunks(begin, end, parameter.shape[1], [&](int64_t first, int64_t last) {
    Tensor rows = rows_from(ctx, *base_, parameter, first, last);
    const Tensor b = rows_of_entry(ctx, *pair.b, first, last);
    ops::matmul_into(ctx, b, a_RI, rows, false, false, true, pair.scale);
    if (pair.magnitude != nullptr) {
      const Tensor norms = adapted_row_norms(ctx, rows, {}, {}, 1.0);
      const Tensor magnitude = rows_of_entry(ctx, *pair.magnitude, first, last).reshape({last - first});
      rows = ops::mul(ctx, rows, ops::div(ctx, magnitude, norms).reshape({last - first, 1}));
    }
    copy_rows_part(ctx, rows, first, begin, end, destination);
  });
}

void AdapterFileWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                              const Tensor& destination) {
  if (const TensorEntry* entry = saved_entry(*adapter_, parameter)) {
    return fill_from_entry(ctx, *entry, begin, end, destination);
  }
  base_->fill(ctx, parameter, begin, end, destination);
}

void NewAdapterWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                             const Tensor& destination) {
  if (parameter.origin != ParameterOrigin::kAdapter) return base_->fill(ctx, parameter, begin, end, destination);
  for (const LinearAdapter& adapter : model_.adapters()) {
    if (adapter.magnitude < 0 || model_.parameter(adapter.magnitude).name != parameter.name) continue;
    if (shapes_only(ctx)) return;
    const ModelParameter& weight = model_.parameter(adapter.weight);
    // A new pair adds nothing, so the norms are those of the base.
    for_row_chunks(begin * weight.shape[1], end * weight.shape[1], weight.shape[1], [&](int64_t first, int64_t last) {
      const Tensor norms = adapted_row_norms(ctx, rows_from(ctx, *base_, weight, first, last), {}, {}, 1.0);
      copy_between(ctx, norms, destination.slice(0, first - begin, last - begin));
    });
    return;
  }
  initial_.fill(ctx, parameter, begin, end, destination);
}

}  // namespace ftrun
