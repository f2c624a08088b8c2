// Small JSON files, written whole.
#include "core/train/results.h"

#include "core/base/files.h"
#include "core/base/json_text.h"

namespace ftrun {

void write_results(const std::filesystem::path& output_dir, const std::string& name, const nlohmann::json& values) {
  write_file_atomically(output_dir / (name + "_results.json"), values.dump(4) + "\n");
  const std::filesystem::path all_path = output_dir / "all_results.json";
  nlohmann::json all = std::filesystem::exists(all_path) ? read_json_file(all_path) : nlohmann::json::object();
  const std::string prefix = name + "_";  // numbers of a former run that this one does not have
  for (auto entry = all.begin(); entry != all.end();)
    entry = entry.key().starts_with(prefix) ? all.erase(entry) : ++entry;
  all.update(values);
  write_file_atomically(all_path, all.dump(4) + "\n");
}

}  // namespace ftrun
