// Lines "key = value", compared one by one.
#include "core/train/input_agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/io/model_weights.h"

namespace ftrun {
namespace {

constexpr std::array kMayDiffer = {"threads", "plugin_path", "cache_dir", "overwrite_cache", "template_dir"};

std::string hash_of_file(const std::filesystem::path& file) {
  return fmt::format("{:016x}", content_hash(MappedFile(file).bytes()));
}

/// What only processes can differ in: the program, its plugins and the files that paths lead to on each machine.
std::string files_text(const Run& run) {
  const RunSetup& setup = run.setup();
  std::string text = fmt::format("content of the program = {}\n", hash_of_file("/proc/self/exe"));
  for (const ChosenPlugin* chosen : {&setup.plugins->paradigm, &setup.plugins->strategy, &setup.plugins->device,
                                     &setup.plugins->collectives, &setup.plugins->network}) {
    if (chosen->plugin == nullptr) continue;
    text += fmt::format("content of {} plugin '{}' = {}\n", chosen->plugin->kind(), chosen->plugin->id(),
                        hash_of_file(chosen->plugin->file()));
  }
  const TrainingArguments& a = run.arguments();
  text += fmt::format("content of the model's config.json = {}\n", hash_of_file(setup.model.file));
  text += fmt::format("content of tokenizer.json = {}\n", hash_of_file(a.tokenizer_name_or_path / "tokenizer.json"));
  if (!a.train_from_scratch) {
    text +=
        fmt::format("content of the model's weights = {:016x}\n", ModelWeights(a.model_name_or_path).content_hash());
  }
  std::vector<std::shared_ptr<const PeftAdapter>> adapters = run.adapters().merged;
  if (run.adapters().continued) adapters.push_back(run.adapters().continued);
  for (const auto& adapter : adapters) {
    text += fmt::format("content of the adapter '{}' = {:016x}\n", adapter->folder().string(), adapter->content_hash());
  }
  return text;
}

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
  if (run.setup().launched_world > 0) text += files_text(run);
  const ftrun_data* data = run.opened_data();
  if (data == nullptr) return text;
  return text +
         fmt::format("fingerprint of the training data = {:016x}\nfingerprint of the evaluation data = {:016x}\n",
                     data_fingerprint(*data), evaluation_fingerprint(*data));
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
