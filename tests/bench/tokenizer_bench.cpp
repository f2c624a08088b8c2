// Text to ids on one thread.
// Leaves out: other tokenizers to compare with, which are not C++.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/data/tokenizer/tokenizer.h"
#include "tests/bench/families.h"

namespace ftrun::bench {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void encode(benchmark::State& state, const fs::path& tokenizer_folder, const fs::path& file) {
  const auto tokenizer = Tokenizer::load(tokenizer_folder);
  std::istringstream lines(text_of(file));
  std::vector<std::string> rows;
  int64_t bytes = 0, tokens = 0;
  for (std::string line; std::getline(lines, line);) {
    bytes += static_cast<int64_t>(line.size());
    rows.push_back(std::move(line));
  }
  std::vector<int32_t> ids;
  for (auto _ : state) {
    for (const std::string& row : rows) {
      ids.clear();
      tokenizer->encode_append(row, false, ids);
      tokens += static_cast<int64_t>(ids.size());
    }
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}

void add(const char* name, const fs::path& tokenizer_folder, const fs::path& file) {
  if (!fs::exists(tokenizer_folder) || !fs::exists(file)) return;
  benchmark::RegisterBenchmark(name, [=](benchmark::State& state) { encode(state, tokenizer_folder, file); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

void register_tokenizer(Machine&) {
  const fs::path shared = FTRUN_SHARED_DIR;
  add("tokenizer/demo", source_path("configs/demo/model"), source_path("configs/demo/train.jsonl"));
  add("tokenizer/qwen2.5_on_c4", shared / "tokenizers/qwen2.5", shared / "data/c4_demo.jsonl");
}

}  // namespace ftrun::bench
