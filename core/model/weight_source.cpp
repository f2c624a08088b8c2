// Filling slices from files, from counter-based random numbers, from host numbers.
#include "core/model/weight_source.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "ftrun/ops.h"

namespace ftrun {
namespace {

/// Elements converted or drawn at a time, so that a large tensor needs no second full copy.
constexpr int64_t kChunkElements = int64_t{1} << 22;

/// Calls body(begin of the chunk, destination of the chunk) for consecutive pieces of [begin, end).
template <typename Body>
void in_chunks(int64_t begin, int64_t end, const Tensor& destination, Body&& body) {
  for (int64_t from = begin; from < end; from += kChunkElements) {
    const int64_t to = std::min(end, from + kChunkElements);
    body(from, to, destination.slice(0, from - begin, to - begin));
  }
}

bool is_rotary_buffer(std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }

bool is_floating(StoredDtype dtype) {
  return dtype == StoredDtype::kF32 || dtype == StoredDtype::kBF16 || dtype == StoredDtype::kF16 ||
         dtype == StoredDtype::kF64;
}

/// The name a parameter has in these files: its own, or a tied one where only that is there.
const std::string& stored_name(const ModelWeights& weights, const ModelParameter& parameter) {
  if (weights.find(parameter.name) != nullptr) return parameter.name;
  for (const ParameterTie& tie : parameter.ties) {
    if (weights.find(tie.name) != nullptr) return tie.name;
  }
  return parameter.name;
}

/// A tied parameter may be stored under several names, but only with the same content: one of them would be lost.
void require_tied_copies_equal(const ModelWeights& weights, const ModelParameter& parameter) {
  const TensorEntry* used = weights.find(stored_name(weights, parameter));
  for (const ParameterTie& tie : parameter.ties) {
    const TensorEntry* copy = weights.find(tie.name);
    if (copy == nullptr || copy == used) continue;
    const bool equal =
        copy->dtype == used->dtype && copy->shape == used->shape && std::ranges::equal(copy->bytes, used->bytes);
    if (equal) continue;
    throw invalid_argument(
        "{}: tensor '{}' is not the same as '{}', but config.json ties the two, so one of them would be lost: set "
        "tie_word_embeddings to false in config.json, or remove the tensor that is not wanted",
        copy->file.string(), copy->name, used->name);
  }
}

}  // namespace

uint64_t stream_of_name(std::string_view name) noexcept {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

StoredDtype stored_dtype_of(ftrun_dtype dtype) {
  if (dtype == FTRUN_F32) return StoredDtype::kF32;
  if (dtype == FTRUN_BF16) return StoredDtype::kBF16;
  throw internal_error("weights of dtype {}", dtype_name(dtype));
}

FileWeights::FileWeights(std::shared_ptr<const ModelWeights> weights, const NetworkModel& model)
    : weights_(std::move(weights)) {
  std::vector<TensorSpec> expected;
  std::vector<std::string> ignorable;
  for (const std::string& name : weights_->names()) {
    if (is_rotary_buffer(name)) ignorable.push_back(name);
  }
  if (model.is_classifier()) unused_head_ = model.parameter(model.info().head_parameter).name;
  for (const ModelParameter& parameter : model.parameters()) {
    if (parameter.name != kScoreWeight && parameter.origin != ParameterOrigin::kNetwork) continue;
    if (is_missing_head(parameter)) continue;
    const std::string& name = stored_name(*weights_, parameter);
    expected.push_back({name, StoredDtype::kF32, parameter.shape});
    for (const ParameterTie& tie : parameter.ties) {
      if (tie.name != name) ignorable.push_back(tie.name);
    }
  }
  weights_->require_exactly(expected, ignorable);
  for (const ModelParameter& parameter : model.parameters()) {
    if (parameter.origin == ParameterOrigin::kNetwork && !is_missing_head(parameter))
      require_tied_copies_equal(*weights_, parameter);
  }
  for (const TensorSpec& spec : expected) {
    const TensorEntry& entry = *weights_->find(spec.name);
    if (!is_floating(entry.dtype)) {
      throw invalid_argument("{}: tensor '{}': expected a floating-point dtype (F32, BF16, F16, F64), got {}",
                             entry.file.string(), entry.name, dtype_name(entry.dtype));
    }
  }
}

bool FileWeights::is_missing_head(const ModelParameter& parameter) const {
  return !unused_head_.empty() && parameter.name == unused_head_ &&
         weights_->find(stored_name(*weights_, parameter)) == nullptr;
}

const TensorEntry& FileWeights::entry_of(const ModelParameter& parameter) const {
  return weights_->require(stored_name(*weights_, parameter), parameter.shape);
}

void FileWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                       const Tensor& destination) {
  if (shapes_only(ctx)) return;
  if (is_missing_head(parameter)) {
    auto zeros = attributes<ftrun_fill_attributes>();
    execute(ctx, FTRUN_OP_FILL, {}, {destination}, &zeros);
    return;
  }
  const TensorEntry& entry = entry_of(parameter);
  const StoredDtype to = stored_dtype_of(destination.dtype());
  const uint64_t width = dtype_size_bytes(to);
  if (entry.dtype == to) {
    const auto bytes =
        entry.bytes.subspan(static_cast<size_t>(begin) * width, static_cast<size_t>(end - begin) * width);
    write_from_host(ctx, destination, bytes.data(), bytes.size());
    return;
  }
  std::vector<std::byte> converted;
  in_chunks(begin, end, destination, [&](int64_t from, int64_t until, const Tensor& piece) {
    converted.resize(static_cast<size_t>(until - from) * width);
    read_elements(entry, static_cast<uint64_t>(from), static_cast<uint64_t>(until), to, converted);
    write_from_host(ctx, piece, converted.data(), converted.size());
  });
}

void InitialWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                          const Tensor& destination) {
  const bool is_uniform = parameter.initializer == FTRUN_INITIALIZER_UNIFORM;
  if (parameter.initializer != FTRUN_INITIALIZER_NORMAL && !is_uniform) {
    auto fill = attributes<ftrun_fill_attributes>();
    fill.value = parameter.initializer == FTRUN_INITIALIZER_ONES ? 1.0 : 0.0;
    execute(ctx, FTRUN_OP_FILL, {}, {destination}, &fill);
    return;
  }
  auto random = attributes<ftrun_random_attributes>();
  random.seed = seed_;
  random.stream = stream_of_name(parameter.name);
  // Mean and standard deviation, or the interval.
  random.a = is_uniform ? -parameter.initializer_std : 0.0;
  random.b = parameter.initializer_std;
  const char* draw = is_uniform ? FTRUN_OP_RANDOM_UNIFORM : FTRUN_OP_RANDOM_NORMAL;
  in_chunks(begin, end, destination, [&](int64_t from, int64_t, const Tensor& piece) {
    random.offset = static_cast<uint64_t>(from);
    if (piece.dtype() == FTRUN_F32) {
      execute(ctx, draw, {}, {piece}, &random);
      return;
    }
    const Tensor numbers = empty_like(ctx, piece, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
    execute(ctx, draw, {}, {numbers}, &random);
    execute(ctx, FTRUN_OP_COPY, {numbers}, {piece});
  });
}

void HostWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                       const Tensor& destination) {
  if (shapes_only(ctx)) return;
  std::vector<float> values;
  std::vector<std::byte> converted;
  const StoredDtype to = stored_dtype_of(destination.dtype());
  in_chunks(begin, end, destination, [&](int64_t from, int64_t until, const Tensor& piece) {
    values.resize(static_cast<size_t>(until - from));
    reader_(parameter, from, values);
    converted.resize(values.size() * dtype_size_bytes(to));
    convert_elements(StoredDtype::kF32, std::as_bytes(std::span(values)), to, converted);
    write_from_host(ctx, piece, converted.data(), converted.size());
  });
}

}  // namespace ftrun
