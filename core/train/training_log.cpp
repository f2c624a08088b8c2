// Formatting as in transformers' trainer and LLaMA-Factory's callback.
#include "core/train/training_log.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

std::string format_number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.1f}", value);
  if (std::abs(value) < 1e-3) return fmt::format("{:.4g}", value);
  std::string text = fmt::format("{:.4f}", value);
  while (text.back() == '0') text.pop_back();
  return text.back() == '.' ? text + "0" : text;
}

std::string format_value(const Json& value) {
  if (value.is_number_float()) return format_number(value.get<double>());
  if (value.is_string()) return fmt::format("'{}'", value.get<std::string>());
  return value.dump();
}

// 1234567 as "1,234,567", whatever the locale.
std::string grouped(int64_t value) {
  const std::string digits = std::to_string(value);
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') result += ',';
    result += digits[i];
  }
  return result;
}

std::string kept_lines(const std::filesystem::path& path, int64_t first_step, int64_t known) {
  std::string kept;
  if (first_step <= 0 || !std::filesystem::exists(path)) return kept;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    const int64_t step = json.value("current_steps", int64_t{0});
    if (step < first_step || (step == first_step && known-- > 0)) kept += line + "\n";
  }
  return kept;
}

}  // namespace

std::string format_log_line(const Json& entry) {
  std::string text;
  for (const auto& [key, value] : entry.items()) {
    text += fmt::format("{}'{}': {}", text.empty() ? "{" : ", ", key, format_value(value));
  }
  return text.empty() ? "{}" : text + "}";
}

std::string format_banner(const Banner& banner) {
  return fmt::format(
      "***** Running training *****\n"
      "  Num examples = {}\n  Num Epochs = {:g}\n  Instantaneous batch size per device = {}\n"
      "  Total train batch size (w. parallel, distributed & accumulation) = {}\n"
      "  Gradient Accumulation steps = {}\n  Total optimization steps = {}\n  Number of trainable parameters = {}",
      grouped(banner.num_examples), banner.num_train_epochs, banner.per_device_batch, banner.global_batch,
      banner.accumulation, grouped(banner.total_steps), grouped(banner.trainable_parameters));
}

TrainerLogFile::TrainerLogFile(const std::filesystem::path& output_dir, int64_t first_step, int64_t known)
    : path_(output_dir / "trainer_log.jsonl") {
  const std::string kept = kept_lines(path_, first_step, known);
  if (kept.empty()) {
    std::filesystem::remove(path_);
  } else {
    write_file_atomically(path_, kept);
  }
}

void TrainerLogFile::append(const Json& line) {
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  file << line.dump() << '\n';
  file.flush();
  if (!file) throw io_error("cannot append to '{}'", path_.string());
}

}  // namespace ftrun
