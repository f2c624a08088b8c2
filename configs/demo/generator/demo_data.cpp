// ftrun_demo_data OUT_DIR [SEED]: writes the demo's data set and its untrained model folder.
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

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

struct Arguments {
  std::filesystem::path folder;
  uint64_t seed = ftrun::demo::kCommittedSeed;
  bool help = false;
};

Arguments parse_arguments(std::span<char* const> words) {
  Arguments arguments;
  std::vector<std::string_view> positional;
  for (const std::string_view word : words) {
    if (word == "--help" || word == "-h") {
      arguments.help = true;
    } else if (word.starts_with('-')) {
      throw ftrun::invalid_argument("unknown option '{}': expected OUT_DIR [SEED] or --help", word);
    } else {
      positional.push_back(word);
    }
  }
  if (arguments.help) return arguments;
  if (positional.empty() || positional.size() > 2) throw ftrun::invalid_argument("expected OUT_DIR [SEED]");
  arguments.folder = positional[0];
  if (positional.size() == 2) arguments.seed = parse_seed(positional[1]);
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Arguments arguments = parse_arguments({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
    if (arguments.help) {
      std::puts(
          "usage: ftrun_demo_data OUT_DIR [SEED]\n"
          "Writes the demo's data set and its untrained model folder into OUT_DIR. Without SEED, or with the one that\n"
          "configs/demo was made with, the files are those of configs/demo.");
      return 0;
    }
    const ftrun::demo::Split split = ftrun::demo::make_rows(arguments.seed);
    write_all(arguments.folder, ftrun::demo::make_data_files(split));
    write_all(arguments.folder, ftrun::demo::make_model_files(split));
    std::printf("%s: %zu training rows, %zu evaluation rows\n", arguments.folder.c_str(), split.train.size(),
                split.eval.size());
    return 0;
  } catch (const ftrun::Error& error) {
    std::fprintf(stderr, "ftrun_demo_data: %s\n", error.what());
    return ftrun::exit_code_of(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ftrun_demo_data: %s\n", error.what());
    return 1;
  }
}
