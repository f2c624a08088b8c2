// JSON: {"adapters": [{"path": ..., "content_hash": 16 hexadecimal digits}, ...]}.
#include "core/io/adapters_beneath.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/io/noted_folder.h"

namespace ftrun {
namespace fs = std::filesystem;

std::vector<AdapterBeneath> read_adapters_beneath(const fs::path& folder) {
  const fs::path file = folder / kAdaptersBeneathFile;
  std::vector<AdapterBeneath> adapters;
  if (!fs::is_regular_file(file)) return adapters;
  const nlohmann::json json = parse_json(read_file(file), file);
  try {
    for (const nlohmann::json& one : json.at("adapters")) {
      AdapterBeneath adapter;
      adapter.path = one.at("path");
      const std::string hash = one.at("content_hash");
      const auto [end, failure] = std::from_chars(hash.data(), hash.data() + hash.size(), adapter.content_hash, 16);
      if (failure != std::errc() || end != hash.data() + hash.size()) {
        throw invalid_argument("{}: content_hash: '{}': expected hexadecimal digits", file.string(), hash);
      }
      adapters.push_back(std::move(adapter));
    }
  } catch (const nlohmann::json::exception& error) {
    throw invalid_argument("{}: expected a list 'adapters' of objects with path and content_hash ({})", file.string(),
                           error.what());
  }
  return adapters;
}

void write_adapters_beneath(const fs::path& folder, std::span<const std::shared_ptr<const PeftAdapter>> adapters) {
  const fs::path file = folder / kAdaptersBeneathFile;
  if (adapters.empty()) {
    fs::remove(file);
    return;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& adapter : adapters) {
    list.push_back({{"path", path_to_note(adapter->folder().string())},
                    {"content_hash", fmt::format("{:016x}", adapter->content_hash())}});
  }
  write_file_atomically(file, nlohmann::json{{"adapters", std::move(list)}}.dump(2) + "\n");
}

}  // namespace ftrun
