// The syntax is checked first, so that the library only ever reads texts that it cannot refuse or cut short.
#include "core/base/json_text.h"

#include "core/base/error.h"
#include "core/base/files.h"

namespace ftrun {

void require_json(std::string_view text, const std::filesystem::path& file, JsonKeys keys, size_t first_line) {
  if (const auto fault = sdk::find_json_fault(text, keys)) {
    throw invalid_argument("{}:{}", file.string(), fault->message(text, first_line));
  }
}

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file, JsonKeys keys, size_t first_line) {
  require_json(text, file, keys, first_line);
  return nlohmann::json::parse(text);
}

std::optional<nlohmann::ordered_json> json_in_text(std::string_view text) {
  if (sdk::find_json_fault(text, JsonKeys::kMayRepeat)) return {};
  return nlohmann::ordered_json::parse(text);
}

nlohmann::json read_json_file(const std::filesystem::path& path) { return parse_json(read_file(path), path); }

}  // namespace ftrun
