// The optimizer's state goes into one safetensors file, named STATE.PARAMETER; exact weights too where the model file
// is narrower.
#include "core/train/checkpointing.h"

#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/io/checkpoint.h"
#include "core/io/convert.h"
#include "core/io/model_folder.h"
#include "core/io/sharded_writer.h"
#include "core/io/state_file.h"
#include "core/model/model_values.h"
#include "core/model/weight_source.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kOptimizerFileVersion = 1;
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "trainer_state.json";
constexpr const char* kMasterState = "master";

std::string array_name(std::string_view state, const std::string& parameter) {
  return std::string(state) + "." + parameter;
}

// Does the model file hold the trained values exactly?
bool saved_exactly(const Run& run) {
  const StoredDtype saved = run.saved_dtype();
  if (saved == StoredDtype::kF32 || saved == StoredDtype::kF64) return true;
  const Precision precision = run.precision();
  return saved == StoredDtype::kBF16 && precision.compute == FTRUN_BF16 && !precision.master_weights;
}

std::vector<TensorSpec> optimizer_tensors(Run& run) {
  std::vector<TensorSpec> tensors;
  for (const OptimizerPiece& piece : run.rank().optimizer_pieces()) {
    const ModelParameter& parameter = run.model().parameter(piece.parameter);
    tensors.push_back({array_name(piece.state, parameter.name), StoredDtype::kF32, {piece.end - piece.begin}});
  }
  if (saved_exactly(run)) return tensors;
  for (const ModelParameter& parameter : run.model().parameters()) {
    tensors.push_back({array_name(kMasterState, parameter.name), StoredDtype::kF32, {parameter.elements}});
  }
  return tensors;
}

void write_optimizer(Run& run, const fs::path& file) {
  StateWriter writer(file, "optimizer", kOptimizerFileVersion, optimizer_tensors(run));
  std::vector<float> values;
  for (const OptimizerPiece& piece : run.rank().optimizer_pieces()) {
    values.resize(static_cast<size_t>(piece.end - piece.begin));
    piece.read(*run.context(), values);
    writer.write(array_name(piece.state, run.model().parameter(piece.parameter).name),
                 std::as_bytes(std::span(values)));
  }
  if (!saved_exactly(run)) {
    int32_t id = 0;
    for (const ModelParameter& parameter : run.model().parameters()) {
      values.resize(static_cast<size_t>(parameter.elements));
      read_values(run.rank(), run.trained_role(), id++, 0, parameter.elements, StoredDtype::kF32,
                  std::as_writable_bytes(std::span(values)));
      writer.write(array_name(kMasterState, parameter.name), std::as_bytes(std::span(values)));
    }
  }
  writer.finish();
}

void read_optimizer(Run& run, const StateReader& reader) {
  for (const OptimizerPiece& piece : run.rank().optimizer_pieces()) {
    const std::string name = array_name(piece.state, run.model().parameter(piece.parameter).name);
    const auto bytes = reader.require({name, StoredDtype::kF32, {piece.end - piece.begin}});
    piece.write(*run.context(), {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)});
  }
}

void read_master_weights(Run& run, const StateReader& reader) {
  HostWeights source([&](const ModelParameter& parameter, int64_t begin, std::span<float> values) {
    const auto bytes =
        reader.require({array_name(kMasterState, parameter.name), StoredDtype::kF32, {parameter.elements}});
    const auto* first = reinterpret_cast<const float*>(bytes.data()) + begin;
    std::copy_n(first, values.size(), values.begin());
  });
  run.rank().load_values(run.trained_role(), source);
}

ModelFolderFiles folder_files(const Run& run) {
  ModelConfigChanges changes;
  changes.dtype = run.saved_dtype();
  ModelFolderFiles files;
  files.tokenizer_source = run.arguments().tokenizer_name_or_path;
  files.config = with_changes(run.setup().model, changes);
  files.generation = run.setup().generation;
  return files;
}

void check_same_run(Run& run, const TrainerState& state, const fs::path& file) {
  const TrainingArguments& a = run.arguments();
  const int64_t batch = global_batch(a);
  if (state.global_batch != batch) {
    const bool divides = state.global_batch % a.per_device_train_batch_size == 0;
    throw invalid_argument(
        "{}: the run was made with {} rows per update, this one has {} (per_device_train_batch_size {} x "
        "gradient_accumulation_steps {}): {}",
        file.string(), state.global_batch, batch, a.per_device_train_batch_size, a.gradient_accumulation_steps,
        divides ? fmt::format("set gradient_accumulation_steps: {}", state.global_batch / a.per_device_train_batch_size)
                : fmt::format("choose per_device_train_batch_size so that it divides {}", state.global_batch));
  }
  if (state.seed != a.seed)
    throw invalid_argument("{}: seed is {}, the run was made with {}", file.string(), a.seed, state.seed);
  if (run.opened_data() != nullptr && state.data_fingerprint != data_fingerprint(*run.opened_data())) {
    throw invalid_argument(
        "{}: the training data (or how it is encoded, or disable_shuffling) is not what this run was made "
        "with, so its position means nothing; restore it, or start again from the checkpoint's weights with "
        "model_name_or_path",
        file.string());
  }
}

}  // namespace

int64_t global_batch(const TrainingArguments& arguments) {
  return arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps;
}

void save_model_folder(Run& run, const fs::path& folder) {
  fs::create_directories(folder);
  save_model_files(folder, folder_files(run));
  ShardedModelWriter writer(folder, saved_tensors(run.model(), run.saved_dtype()));
  for_each_value_chunk(run.rank(), run.trained_role(), run.saved_dtype(),
                       [&](std::string_view name, std::span<const std::byte> bytes) { writer.write(name, bytes); });
  writer.finish();
}

SaveBytes save_bytes(Run& run) {
  SaveBytes bytes;
  bytes.model =
      sharded_model_bytes(saved_tensors(run.model(), run.saved_dtype())) + model_files_bytes(folder_files(run));
  bytes.checkpoint = bytes.model;
  if (run.arguments().save_only_model) return bytes;
  for (const TensorSpec& tensor : optimizer_tensors(run)) {
    bytes.checkpoint += *element_count(tensor.shape) * dtype_size_bytes(tensor.dtype);
  }
  return bytes;
}

fs::path save_checkpoint(Run& run, const TrainerState& state) {
  CheckpointWriter writer(run.arguments().output_dir, state.global_step, save_bytes(run).checkpoint);
  save_model_folder(run, writer.folder());
  if (!run.arguments().save_only_model) write_optimizer(run, writer.folder() / kOptimizerFile);
  write_file_atomically(writer.folder() / kStateFile, to_json_text(state));
  return writer.commit();
}

void load_weights(Run& run, const fs::path& folder) {
  FileWeights source(std::make_shared<ModelWeights>(folder), run.model());
  run.rank().load_values(run.trained_role(), source);
}

TrainerState restore_checkpoint(Run& run, const fs::path& checkpoint) {
  const fs::path file = checkpoint / kStateFile;
  TrainerState state = parse_trainer_state(read_file(file), file);
  check_same_run(run, state, file);
  const StateReader reader(checkpoint / kOptimizerFile, "optimizer", kOptimizerFileVersion);
  reader.require_exactly(optimizer_tensors(run));
  if (saved_exactly(run)) {
    load_weights(run, checkpoint);
  } else {
    read_master_weights(run, reader);
  }
  read_optimizer(run, reader);
  run.rank().set_steps(state.global_step);
  log_info("resuming from '{}' at step {}", checkpoint.string(), state.global_step);
  return state;
}

}  // namespace ftrun
