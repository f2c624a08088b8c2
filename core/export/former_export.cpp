// By names: what export writes is what a model folder has.
#include "core/export/former_export.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/model_folder.h"
#include "core/train/scalar_heads.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

bool is_exported(const fs::directory_entry& entry) {
  if (!entry.is_regular_file()) return false;
  const std::string name = entry.path().filename().string();
  const auto tokenizer = tokenizer_file_names();
  return std::ranges::find(tokenizer, name) != tokenizer.end() || name == "config.json" ||
         name == "generation_config.json" || name == "Modelfile" || name == kExportResultsFile ||
         name == kValueHeadFile || name == "model.safetensors" || name == "model.safetensors.index.json" ||
         (name.starts_with("model-") && name.ends_with(".safetensors"));
}

}  // namespace

void require_former_export(const ResolvedConfig& config, const fs::path& folder) {
  std::vector<std::string> foreign;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!is_exported(entry)) foreign.push_back(entry.path().filename().string());
  }
  if (foreign.empty() && fs::is_regular_file(folder / kExportResultsFile)) return;
  std::ranges::sort(foreign);
  const std::string reason = foreign.empty()
                                 ? fmt::format("has no {}, which every export writes", kExportResultsFile)
                                 : fmt::format("holds '{}', which is no file of an exported model", foreign.front());
  throw invalid_argument(
      "{}: export_dir: '{}' {}: overwrite_output_dir replaces the whole folder, and only one that a former export "
      "made: choose another",
      config.origin("export_dir"), folder.string(), reason);
}

}  // namespace ftrun
