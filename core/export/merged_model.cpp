// Chunks through the device, converted once.
#include "core/export/merged_model.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "core/io/sharded_writer.h"
#include "core/train/progress.h"

namespace ftrun {
namespace {

constexpr int64_t kChunkElements = int64_t{1} << 22;

std::vector<TensorSpec> specs_of(const ExportSetup& setup) {
  std::vector<TensorSpec> specs;
  const NetworkModel& model = *setup.model;
  for (size_t id = 0; id < model.parameters().size(); ++id) {
    const ModelParameter& parameter = model.parameters()[id];
    if (!model.is_unused_head(static_cast<int32_t>(id)))
      specs.push_back({parameter.name, setup.dtype, parameter.shape});
  }
  return specs;
}

}  // namespace

ExportRank::ExportRank(const ExportSetup& setup)
    : instance_(setup.run, host_services(), *setup.devices, nullptr, nullptr, &services_) {}

std::unique_ptr<WeightSource> merged_weights(const ExportSetup& setup) {
  return adapted_weights(setup.adapters, *setup.model, base_weights(setup, *setup.model), 0);
}

uint64_t merged_model_bytes(const ExportSetup& setup) {
  return sharded_model_bytes(specs_of(setup), setup.max_shard_bytes);
}

void write_merged(const ExportSetup& setup, const std::filesystem::path& folder) {
  ExportRank context(setup);
  ExecutionContext& ctx = context.rank().context();
  const std::unique_ptr<WeightSource> source = merged_weights(setup);
  ShardedModelWriter writer(folder, specs_of(setup), setup.max_shard_bytes);
  Progress progress("merging", setup.model->total_elements());
  int64_t done = 0;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (const TensorSpec& spec : specs_of(setup)) {
    const ModelParameter& parameter = setup.model->parameter(setup.model->find(spec.name));
    for (int64_t from = 0; from < parameter.elements; from += kChunkElements) {
      const int64_t to = std::min(parameter.elements, from + kChunkElements);
      const Tensor chunk = empty(ctx, FTRUN_F32, {to - from}, FTRUN_MEMORY_WORKSPACE);
      source->fill(ctx, parameter, from, to, chunk);
      values.resize(static_cast<size_t>(to - from));
      read(ctx, chunk, values.data(), values.size() * sizeof(float));
      bytes.resize(values.size() * dtype_size_bytes(setup.dtype));
      if (convert_elements(StoredDtype::kF32, std::as_bytes(std::span(values)), setup.dtype, bytes) > 0) {
        throw io_error("parameter '{}' holds numbers that {} cannot hold: set save_dtype: float32", parameter.name,
                       dtype_name(setup.dtype));
      }
      writer.write(parameter.name, bytes);
      done += to - from;
      progress.advance_to(done);
    }
  }
  progress.clear();
  writer.finish();
}

}  // namespace ftrun
