// Written aside, checked, renamed.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/replaced_tokenizer.h"
#include "core/export/commands.h"
#include "core/export/former_export.h"
#include "core/export/merge_check.h"
#include "core/export/merged_model.h"
#include "core/export/ollama_modelfile.h"
#include "core/io/disk_space.h"
#include "core/io/model_folder.h"
#include "core/train/scalar_heads.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

const std::string& export_dir_origin(const ExportSetup& setup) { return setup.run.config().origin("export_dir"); }

/// A folder beside the final one; removed again unless committed.
class FolderAside {
 public:
  /// Throws INVALID_ARGUMENT where it cannot be made.
  explicit FolderAside(const ExportSetup& setup) : target_(fs::absolute(setup.export_dir).lexically_normal()) {
    if (!target_.has_filename()) target_ = target_.parent_path();
    folder_ = target_.parent_path() / ("." + target_.filename().string() + ".writing");
    std::error_code failure;
    fs::create_directories(target_.parent_path(), failure);
    if (!failure) fs::remove_all(folder_, failure);
    if (!failure) fs::create_directory(folder_, failure);
    if (!failure) return;
    throw invalid_argument("{}: export_dir: '{}' cannot be made: {}", export_dir_origin(setup),
                           setup.export_dir.string(), failure.message());
  }
  FolderAside(const FolderAside&) = delete;
  FolderAside& operator=(const FolderAside&) = delete;
  ~FolderAside() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(folder_, ignored);
  }
  const fs::path& path() const noexcept { return folder_; }
  void commit() {
    sync_folder(folder_);
    const fs::path former = folder_.string() + ".former";
    fs::remove_all(former);
    if (fs::exists(target_)) fs::rename(target_, former);
    fs::rename(folder_, target_);
    committed_ = true;
    sync_folder(target_.parent_path());
    fs::remove_all(former);
  }

 private:
  fs::path target_;
  fs::path folder_;
  bool committed_ = false;
};

ModelFolderFiles folder_files(const ExportSetup& setup) {
  const SavedTemplate& saved = setup.run.saved_template;
  ModelConfigChanges changes;
  changes.dtype = setup.dtype;
  changes.tie_word_embeddings = setup.changed_tie;
  if (setup.encoder) {
    changes.bos_token_id = saved.bos_id;
    changes.pad_token_id = saved.pad_id;
    if (saved.eos_id) changes.eos_token_ids = eos_ids_with(saved.eos_id, setup.run.model.eos_token_ids);
  }
  ModelFolderFiles files;
  files.tokenizer_source = setup.run.arguments.tokenizer_name_or_path;
  files.config = with_changes(setup.run.model, changes);
  files.generation = setup.encoder ? with_token_ids(setup.run.generation, saved.bos_id, saved.eos_id, saved.pad_id)
                                   : setup.run.generation;
  files.chat_template = saved.chat_template;
  files.special_tokens = saved.special_tokens;
  return files;
}

/// A reward model's head goes along; the last adapter's wins over the base's.
void copy_value_head(const ExportSetup& setup, const fs::path& folder) {
  std::vector<fs::path> sources;
  for (const auto& adapter : setup.adapters.merged) sources.insert(sources.begin(), adapter->folder());
  sources.push_back(setup.run.arguments.model_name_or_path);
  for (const fs::path& source : sources) {
    if (!fs::is_regular_file(source / kValueHeadFile)) continue;
    write_file_atomically(folder / kValueHeadFile, read_file(source / kValueHeadFile));
    return;
  }
}

void require_disk(const ExportSetup& setup, const fs::path& folder) {
  const uint64_t needed = merged_model_bytes(setup) + model_files_bytes(folder_files(setup));
  const uint64_t available = available_disk_bytes(folder);
  if (needed <= available) return;
  throw resource_exhausted("{}: export_dir: not enough disk: the model needs {}, '{}' has {} available: choose another",
                           export_dir_origin(setup), bytes_text(needed), setup.export_dir.string(),
                           bytes_text(available));
}

void require_near(const ExportSetup& setup, const LogitsDistance& distance) {
  const std::string measured = fmt::format(
      "root mean square of the differences {:.2g} of that of the logits (allowed {:.2g}), largest difference {:.2g} of "
      "the largest logit {:.3g} (allowed {:.2g})",
      distance.relative_rms(), setup.tolerance, distance.relative(), distance.largest_logit, setup.tolerance);
  log_info("{} of the exported model against base and adapters on {} positions: {}{}",
           setup.model->is_classifier() ? "scores" : "logits", distance.positions, measured,
           setup.model->is_classifier() ? std::string()
                                        : fmt::format("; most likely token the same on {}", distance.same_first));
  if (distance.not_finite > 0) {
    throw Error(
        FTRUN_DATA_LOSS,
        fmt::format("{} logits of the sample texts are infinite or no number (base and adapters, or the exported "
                    "model): nothing was written",
                    distance.not_finite));
  }
  if (distance.is_within(setup.tolerance)) return;
  throw Error(FTRUN_DATA_LOSS,
              fmt::format("the exported model answers differently: {}: nothing was written; a wider save_dtype comes "
                          "nearer, export_tolerance allows more",
                          measured));
}

nlohmann::ordered_json results_of(const ExportSetup& setup, const LogitsDistance& distance) {
  std::vector<std::string> adapters;
  for (const auto& adapter : setup.adapters.merged) adapters.push_back(adapter->folder().string());
  return {{"export_dir", setup.export_dir.string()},
          {"model_name_or_path", setup.run.arguments.model_name_or_path.string()},
          {"merged_adapters", adapters},
          {"dtype", std::string(dtype_name(setup.dtype))},
          {"logits_checked", distance.positions},
          {"largest_difference", distance.largest_difference},
          {"relative_difference", distance.relative()},
          {"relative_rms", distance.relative_rms()},
          {"tolerance", setup.tolerance}};
}

}  // namespace

int export_command(const CommandContext& context) {
  const ExportSetup setup = prepare_export(context);
  FolderAside folder(setup);
  require_disk(setup, folder.path());
  const SampleLogits before = logits_before(setup);
  write_merged(setup, folder.path());
  save_model_files(folder.path(), folder_files(setup));
  copy_value_head(setup, folder.path());
  if (!setup.model->is_classifier()) {
    write_file_atomically(folder.path() / "Modelfile",
                          ollama_modelfile(setup.encoder.get(), setup.run.model.max_position_embeddings));
  }
  const LogitsDistance distance = distance_of(before, logits_after(setup, folder.path()));
  require_near(setup, distance);
  const nlohmann::ordered_json results = results_of(setup, distance);
  write_file_atomically(folder.path() / kExportResultsFile, results.dump(4) + "\n");
  folder.commit();
  log_info("exported '{}'", setup.export_dir.string());
  warn_of_replaced_tokenizer(*setup.run.tokenizer, setup.export_dir);
  if (context.json) fmt::print("{}\n", results.dump());
  return 0;
}

}  // namespace ftrun
