// Lines "key = value", compared one by one.
#include "core/train/input_agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace ftrun {
namespace {

constexpr std::array kMayDiffer = {"threads", "plugin_path", "cache_dir", "overwrite_cache", "template_dir"};

std::string inputs_text(const Run& run) {
  const ResolvedConfig& config = run.setup().config();
  std::string text = fmt::format("version of ftrun = {}\n", FTRUN_VERSION);
  const auto add = [&](const std::string& prefix, const OptionValues& values) {
    for (const auto& [key, value] : values.entries()) {
      if (std::ranges::find(kMayDiffer, key) != kMayDiffer.end()) continue;
      text += fmt::format("{}{} = {}\n", prefix, key, value_text(value));
    }
  };
  add("", config.host());
  for (size_t i = 0; i < config.plugin_count(); ++i) add(config.plugin(i).kind + ".", config.plugin(i).values);
  const uint64_t data = run.opened_data() == nullptr ? 0 : data_fingerprint(*run.opened_data());
  return text + fmt::format("fingerprint of the encoded data = {:016x}\n", data);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Error difference(const std::string& of_main, const std::string& of_other, size_t rank) {
  const std::vector<std::string> main = lines_of(of_main);
  const std::vector<std::string> other = lines_of(of_other);
  for (size_t i = 0; i < std::max(main.size(), other.size()); ++i) {
    const std::string a = i < main.size() ? main[i] : "(nothing)";
    const std::string b = i < other.size() ? other[i] : "(nothing)";
    if (a != b) {
      return invalid_argument(
          "the ranks were started differently: rank 0 has '{}', rank {} has '{}': give all the same", a, rank, b);
    }
  }
  return internal_error("rank {} was started differently", rank);
}

}  // namespace

void require_same_inputs(Run& run) {
  if (run.world() == 1) return;
  const std::vector<std::string> all = run.communicator().all_gather_text(inputs_text(run));
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] != all.front()) throw difference(all.front(), all[rank], rank);
  }
}

}  // namespace ftrun
