// One writer per file, fed by every rank in the order of declaration; what can fail comes before what cannot be taken
// back.
#include "core/train/model_saving.h"

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/io/adapters_beneath.h"
#include "core/io/convert.h"
#include "core/io/model_folder.h"
#include "core/io/model_weights.h"
#include "core/io/safetensors_writer.h"
#include "core/io/sharded_writer.h"
#include "core/model/adapter_weights.h"
#include "core/model/model_values.h"
#include "core/train/scalar_heads.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

ModelFolderFiles folder_files(const Run& run) {
  const SavedTemplate& saved = run.setup().saved_template;
  const ModelConfig& model = run.setup().model;
  ModelConfigChanges changes;
  changes.dtype = run.saved_dtype();
  changes.bos_token_id = saved.bos_id;
  changes.pad_token_id = saved.pad_id;
  // One end id is replaced and a list keeps its others, as transformers' trainer does it.
  const bool is_list = model.raw.contains("eos_token_id") && model.raw["eos_token_id"].is_array();
  if (saved.eos_id) {
    changes.eos_token_ids =
        is_list ? eos_ids_with(saved.eos_id, model.eos_token_ids) : std::vector{int64_t{*saved.eos_id}};
  }
  ModelFolderFiles files;
  // An adapter stands beside its base, which has these.
  files.with_config = !run.adapters().is_trained;
  files.tokenizer_source = run.arguments().tokenizer_name_or_path;
  files.config = with_changes(model, changes);
  files.generation = with_token_ids(run.setup().generation, saved.bos_id, saved.eos_id, saved.pad_id);
  files.chat_template = saved.chat_template;
  files.special_tokens = saved.special_tokens;
  return files;
}

// An adapter that began as a part of the base is saved as the difference to that beginning, a pair of twice the rank:
// scale (B A - B0 A0) = scale [B, -B0] [A; A0]. Source: PEFT lora/model.py, subtract_mutated_init.
PeftConfig saved_config(const Run& run) {
  PeftConfig config = run.adapters().config;
  if (!run.adapters().principal) return config;
  config.r *= 2;
  config.lora_alpha *= config.use_rslora ? std::sqrt(2.0) : 2.0;
  return config;
}

/// The tensors of one file and the names they have in it.
class FileTensors {
 public:
  /// `names_of` gives a parameter's names in the file; none: it is not in it.
  FileTensors(const NetworkModel& model, StoredDtype dtype,
              const std::function<std::vector<std::string>(int32_t id)>& names_of)
      : dtype_(dtype) {
    for (size_t id = 0; id < model.parameters().size(); ++id) {
      std::vector<std::string> names = names_of(static_cast<int32_t>(id));
      for (const std::string& name : names) specs_.push_back({name, dtype, model.parameters()[id].shape});
      if (!names.empty()) names_[model.parameters()[id].name] = std::move(names);
    }
  }
  const std::vector<TensorSpec>& specs() const noexcept { return specs_; }
  std::vector<TensorSpec>& specs() noexcept { return specs_; }
  StoredDtype dtype() const noexcept { return dtype_; }
  bool contains(const ModelParameter& parameter) const { return names_.contains(parameter.name); }
  const std::vector<std::string>& names(std::string_view parameter) const { return names_.find(parameter)->second; }

 private:
  StoredDtype dtype_;
  std::vector<TensorSpec> specs_;
  std::map<std::string, std::vector<std::string>, std::less<>> names_;
};

FileTensors model_tensors(const Run& run) {
  const NetworkModel& model = run.model();
  return {model, run.saved_dtype(), [&](int32_t id) {
            const ModelParameter& parameter = model.parameter(id);
            const bool is_wanted = parameter.origin == ParameterOrigin::kNetwork ? !model.is_unused_head(id)
                                                                                 : parameter.name == kScoreWeight;
            return is_wanted ? std::vector{parameter.name} : std::vector<std::string>();
          }};
}

// PEFT keeps a copy of a tied tensor under each of its names.
FileTensors plain_adapter_tensors(const Run& run) {
  const NetworkModel& model = run.model();
  return {model, trained_file_dtype(run), [&](int32_t id) {
            const ModelParameter& parameter = model.parameter(id);
            std::vector<std::string> names;
            const bool is_beside = parameter.origin == ParameterOrigin::kScalarHead && parameter.name != kScoreWeight;
            if (is_beside || !run.trained()[static_cast<size_t>(id)]) return names;
            names.push_back(peft_tensor_name(parameter.name));
            if (model.is_classifier()) return names;
            for (const ParameterTie& tie : parameter.ties) names.push_back(peft_tensor_name(tie.name));
            return names;
          }};
}

FileTensors adapter_tensors(const Run& run) {
  FileTensors tensors = plain_adapter_tensors(run);
  if (!run.adapters().principal) return tensors;
  for (TensorSpec& spec : tensors.specs()) {
    if (spec.name.ends_with(".lora_A.weight")) spec.shape[0] *= 2;
    if (spec.name.ends_with(".lora_B.weight")) spec.shape[1] *= 2;
  }
  return tensors;
}

FileTensors head_tensors(const Run& run) {
  const NetworkModel& model = run.model();
  return {model, StoredDtype::kF32, [&](int32_t id) {
            const ModelParameter& parameter = model.parameter(id);
            const bool is_wanted = parameter.origin == ParameterOrigin::kScalarHead && parameter.name != kScoreWeight;
            return is_wanted ? std::vector{parameter.name} : std::vector<std::string>();
          }};
}

// Values of every parameter of the file, from whichever rank holds them; `write` is called on the main rank.
void write_values(Run& run, const FileTensors& tensors,
                  const std::function<void(const std::string& name, std::span<const std::byte> bytes)>& write) {
  const auto is_wanted = [&](const ModelParameter& parameter) { return tensors.contains(parameter); };
  for_each_value_chunk(run.rank(), run.trained_role(), tensors.dtype(), is_wanted,
                       [&](std::string_view parameter, std::span<const std::byte> bytes) {
                         for (const std::string& name : tensors.names(parameter)) write(name, bytes);
                       });
}

void write_one_file(Run& run, const FileTensors& tensors, const fs::path& path) {
  std::unique_ptr<SafetensorsWriter> writer;
  if (run.is_main()) writer = std::make_unique<SafetensorsWriter>(path, tensors.specs());
  write_values(run, tensors,
               [&](const std::string& name, std::span<const std::byte> bytes) { writer->write(name, bytes); });
  if (writer) writer->finish();
}

// Completes factors that began as PrincipalPairs on their way to the file.
class WidenedFactors {
 public:
  WidenedFactors(Run& run, SafetensorsWriter& writer, StoredDtype dtype)
      : run_(run), writer_(writer), dtype_(dtype), base_(run.weights_without_principal()) {}

  /// The next bytes of a parameter, in the file under `name`.
  void write(std::string_view parameter, const std::string& name, std::span<const std::byte> bytes) {
    const NetworkModel& model = run_.model();
    for (const LinearAdapter& adapter : model.adapters()) {
      const bool is_a = model.parameter(adapter.a).name == parameter;
      if (!is_a && model.parameter(adapter.b).name != parameter) continue;
      pending_.insert(pending_.end(), bytes.begin(), bytes.end());
      const int64_t elements = model.parameter(is_a ? adapter.a : adapter.b).elements;
      if (pending_.size() < static_cast<size_t>(elements) * dtype_size_bytes(dtype_)) return;
      const PrincipalPair& began = run_.adapters().principal->of(*run_.context(), *base_, adapter);
      writer_.write(name, is_a ? below(began.a_RI) : beside(began.b_OR, model.parameter(adapter.b).shape[1]));
      pending_.clear();
      return;
    }
    writer_.write(name, bytes);
  }

 private:
  std::vector<std::byte> stored(std::span<const float> values) const {
    std::vector<std::byte> bytes(values.size() * dtype_size_bytes(dtype_));
    convert_elements(StoredDtype::kF32, std::as_bytes(values), dtype_, bytes);
    return bytes;
  }
  /// [A; A0]
  std::vector<std::byte> below(std::span<const float> began) const {
    std::vector<std::byte> all = pending_;
    const std::vector<std::byte> rows = stored(began);
    all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }
  /// [B, -B0]
  std::vector<std::byte> beside(std::vector<float> began, int64_t rank) const {
    for (float& value : began) value = -value;
    const std::vector<std::byte> right = stored(began);
    const auto row = static_cast<ptrdiff_t>(static_cast<size_t>(rank) * dtype_size_bytes(dtype_));
    std::vector<std::byte> all;
    for (ptrdiff_t at = 0; at < static_cast<ptrdiff_t>(pending_.size()); at += row) {
      all.insert(all.end(), pending_.begin() + at, pending_.begin() + at + row);
      all.insert(all.end(), right.begin() + at, right.begin() + at + row);
    }
    return all;
  }

  Run& run_;
  SafetensorsWriter& writer_;
  StoredDtype dtype_;
  std::unique_ptr<WeightSource> base_;
  std::vector<std::byte> pending_;  // of the factor that is being written
};

void write_widened_adapter(Run& run, const fs::path& path) {
  const FileTensors tensors = plain_adapter_tensors(run);
  std::unique_ptr<SafetensorsWriter> writer;
  std::unique_ptr<WidenedFactors> factors;
  if (run.is_main()) {
    writer = std::make_unique<SafetensorsWriter>(path, adapter_tensors(run).specs());
    factors = std::make_unique<WidenedFactors>(run, *writer, tensors.dtype());
  }
  const auto is_wanted = [&](const ModelParameter& parameter) { return tensors.contains(parameter); };
  for_each_value_chunk(run.rank(), run.trained_role(), tensors.dtype(), is_wanted,
                       [&](std::string_view parameter, std::span<const std::byte> bytes) {
                         for (const std::string& name : tensors.names(parameter))
                           factors->write(parameter, name, bytes);
                       });
  if (writer) writer->finish();
}

// Of an earlier run in the same folder: they must not stand beside this one's files.
void remove_former_model(const fs::path& folder) {
  remove_model_weights(folder);
  for (const char* name : {kAdapterConfigFile, kAdapterWeightsFile, kAdaptersBeneathFile, kValueHeadFile})
    fs::remove(folder / name);
}

void save_adapter(Run& run, const fs::path& folder) {
  if (run.is_main()) {
    const ModelFolderFiles files = folder_files(run);
    model_files_bytes(files);
    fs::create_directories(folder);
    remove_former_model(folder);
    fs::remove(folder / "config.json");
    save_model_files(folder, files);
    write_file_atomically(folder / kAdapterConfigFile, saved_config(run).to_json_text());
    write_adapters_beneath(folder, run.adapters().merged);
  }
  if (run.adapters().principal) return write_widened_adapter(run, folder / kAdapterWeightsFile);
  write_one_file(run, adapter_tensors(run), folder / kAdapterWeightsFile);
}

void save_whole_model(Run& run, const fs::path& folder) {
  const FileTensors tensors = model_tensors(run);
  std::unique_ptr<ShardedModelWriter> writer;
  if (run.is_main()) {
    const ModelFolderFiles files = folder_files(run);
    model_files_bytes(files);
    fs::create_directories(folder);
    writer = std::make_unique<ShardedModelWriter>(folder, tensors.specs());
    remove_former_model(folder);
    save_model_files(folder, files);
  }
  write_values(run, tensors,
               [&](const std::string& name, std::span<const std::byte> bytes) { writer->write(name, bytes); });
  if (writer) writer->finish();
}

}  // namespace

StoredDtype trained_file_dtype(const Run& run) {
  if (!run.adapters().is_trained) return run.saved_dtype();
  return run.arguments().save_dtype == "auto" ? StoredDtype::kF32 : run.saved_dtype();
}

StoredDtype dtype_of_saved(const Run& run, const fs::path& folder) {
  if (!run.adapters().is_trained) return ModelWeights(folder).main_dtype();
  return PeftAdapter(folder).pairs().front().a->dtype;
}

void save_model(Run& run, const fs::path& folder) {
  if (run.adapters().is_trained) {
    save_adapter(run, folder);
  } else {
    save_whole_model(run, folder);
  }
  const FileTensors head = head_tensors(run);
  if (!head.specs().empty()) write_one_file(run, head, folder / kValueHeadFile);
}

uint64_t saved_model_bytes(const Run& run) {
  uint64_t bytes = model_files_bytes(folder_files(run));
  const FileTensors head = head_tensors(run);
  if (!head.specs().empty()) bytes += layout_safetensors(head.specs(), model_file_metadata()).file_bytes;
  if (!run.adapters().is_trained) return bytes + sharded_model_bytes(model_tensors(run).specs());
  bytes += layout_safetensors(adapter_tensors(run).specs(), model_file_metadata()).file_bytes;
  return bytes + saved_config(run).to_json_text().size();
}

std::unique_ptr<WeightSource> weights_of_saved(const Run& run, const fs::path& folder) {
  std::unique_ptr<WeightSource> weights;
  if (run.adapters().is_trained) {
    auto adapter = std::make_shared<PeftAdapter>(folder);
    require_adapter_fits(*adapter, run.model());
    if (run.adapters().principal) {
      weights = std::make_unique<ConvertedPissaWeights>(run.initial_weights(), std::move(adapter), run.model());
    } else {
      weights = std::make_unique<AdapterFileWeights>(run.initial_weights(), std::move(adapter));
    }
  } else {
    weights = std::make_unique<FileWeights>(std::make_shared<ModelWeights>(folder), run.model());
  }
  if (run.model().scalar_heads().empty()) return weights;
  return std::make_unique<ScalarHeadWeights>(std::move(weights), run.model(), std::vector{folder}, run.arguments().seed,
                                             true);
}

}  // namespace ftrun
