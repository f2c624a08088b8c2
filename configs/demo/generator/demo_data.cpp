// ftrun_demo_data OUT_DIR [SEED]: writes the demo's data set and its untrained model folder.
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>

#include "configs/demo/generator/demo_files.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace {

void write_all(const std::filesystem::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, content] : files) {
    std::filesystem::create_directories((folder / name).parent_path());
    ftrun::write_file_atomically(folder / name, content);
  }
}

uint64_t parse_seed(std::string_view text) {
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw ftrun::invalid_argument("SEED '{}': expected a whole number from 0 to 2^64 - 1", text);
  }
  return seed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fputs("usage: ftrun_demo_data OUT_DIR [SEED]\n", stderr);
    return 2;
  }
  try {
    const uint64_t seed = argc == 3 ? parse_seed(argv[2]) : ftrun::demo::kCommittedSeed;
    const ftrun::demo::Split split = ftrun::demo::make_rows(seed);
    write_all(argv[1], ftrun::demo::make_data_files(split));
    write_all(argv[1], ftrun::demo::make_model_files(split));
    std::printf("%s: %zu training rows, %zu evaluation rows\n", argv[1], split.train.size(), split.eval.size());
    return 0;
  } catch (const ftrun::Error& error) {
    std::fprintf(stderr, "ftrun_demo_data: %s\n", error.what());
    return ftrun::exit_code_of(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ftrun_demo_data: %s\n", error.what());
    return 1;
  }
}
