// One head per role, under the name that other frameworks read.
#include "core/train/scalar_heads.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/io/convert.h"

namespace ftrun {
namespace fs = std::filesystem;

bool is_sequence_classifier(const ModelConfig& config) {
  return std::ranges::any_of(config.architectures,
                             [](const std::string& name) { return name.ends_with("ForSequenceClassification"); });
}

void require_language_model(const ModelConfig& config, const std::string& role) {
  if (!is_sequence_classifier(config)) return;
  throw invalid_argument("{} is [{}]: it scores texts and cannot be '{}': expected a language model",
                         place_of_key(config.file, "architectures"), fmt::join(config.architectures, ", "), role);
}

void add_scalar_head(NetworkModel& model, const ModelConfig& config, const std::string& name) {
  if (!model.scalar_heads().empty()) {
    throw unimplemented("a second scalar head '{}' beside '{}'", name, model.scalar_heads().front().name);
  }
  const int64_t width = model.info().hidden_size;
  ModelParameter parameter;
  parameter.unit = model.head_unit();
  parameter.origin = ParameterOrigin::kScalarHead;
  parameter.initializer = FTRUN_INITIALIZER_UNIFORM;
  parameter.initializer_std = 1.0 / std::sqrt(static_cast<double>(width));
  ScalarHead head{name, -1, -1};
  if (is_sequence_classifier(config)) {
    parameter.name = kScoreWeight;
    parameter.role = FTRUN_PARAMETER_LINEAR;
    parameter.shape = {1, width};
    head.weight = model.add_parameter(parameter);
    model.add_scalar_head(head);
    return;
  }
  parameter.name = "v_head.summary.weight";
  parameter.role = FTRUN_PARAMETER_LINEAR;
  parameter.shape = {1, width};
  head.weight = model.add_parameter(parameter);
  parameter.name = "v_head.summary.bias";
  parameter.role = FTRUN_PARAMETER_BIAS;
  parameter.shape = {1};
  head.bias = model.add_parameter(parameter);
  model.add_scalar_head(head);
}

ScalarHeadWeights::ScalarHeadWeights(std::unique_ptr<WeightSource> base, const NetworkModel& model,
                                     const std::vector<fs::path>& folders, uint64_t seed, bool is_required)
    : base_(std::move(base)), initial_(seed) {
  for (const ScalarHead& head : model.scalar_heads()) {
    if (model.parameter(head.weight).name == kScoreWeight) return;
  }
  for (const fs::path& folder : folders) {
    const fs::path path = folder / kValueHeadFile;
    if (file_ || !fs::is_regular_file(path)) continue;
    file_ = std::make_unique<SafetensorsFile>(path);
  }
  if (!file_ && is_required) {
    throw not_found("'{}' has no {}: it is no reward model: expected a folder that stage rm has saved",
                    folders.back().string(), kValueHeadFile);
  }
  if (!file_) return;
  for (const ModelParameter& parameter : model.parameters()) {
    if (parameter.origin != ParameterOrigin::kScalarHead) continue;
    const TensorEntry& entry = file_->require(parameter.name);
    if (entry.shape == parameter.shape) continue;
    throw invalid_argument("{}: tensor '{}' has shape {}, this model needs {}", file_->path().string(), entry.name,
                           fmt::join(entry.shape, "x"), fmt::join(parameter.shape, "x"));
  }
}

void ScalarHeadWeights::fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                             const Tensor& destination) {
  if (parameter.origin != ParameterOrigin::kScalarHead || parameter.name == kScoreWeight) {
    return base_->fill(ctx, parameter, begin, end, destination);
  }
  if (!file_) return initial_.fill(ctx, parameter, begin, end, destination);
  if (shapes_only(ctx)) return;
  const StoredDtype to = stored_dtype_of(destination.dtype());
  std::vector<std::byte> converted(static_cast<size_t>(end - begin) * dtype_size_bytes(to));
  read_elements(file_->require(parameter.name), static_cast<uint64_t>(begin), static_cast<uint64_t>(end), to,
                converted);
  write_from_host(ctx, destination, converted.data(), converted.size());
}

}  // namespace ftrun
