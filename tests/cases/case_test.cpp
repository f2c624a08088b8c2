// Every folder of tests/cases with an expect.yaml is a test: its inputs in a fresh folder, models/ and adapters/ beside
// them, its runs one after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/cases/case_file.h"
#include "tests/cases/comparison.h"
#include "tests/cases/model_folders.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;

const fs::path& cases_folder() {
  static const fs::path folder = FTRUN_SOURCE_DIR "/tests/cases";
  return folder;
}

/// Made once per test program.
const fs::path& model_folders() {
  static const TestFolder folder;
  static const bool written = (write_model_folders(folder.path()), true);
  (void)written;
  return folder.path();
}

void prepare(const Preparation& step, const fs::path& folder) {
  const fs::path path = folder / step.path;
  switch (step.kind) {
    case Preparation::Kind::kWrite:
      write_text(path, step.text);
      return;
    case Preparation::Kind::kCopy:
      fs::remove_all(path);
      fs::create_directories(path.parent_path());
      fs::copy(folder / step.source, path, fs::copy_options::recursive);
      return;
    case Preparation::Kind::kRemove:
      if (fs::remove_all(path) == 0) throw std::runtime_error(step.path + ": nothing to remove");
      return;
    case Preparation::Kind::kReplace: {
      std::string text = bytes_of(path);
      const size_t at = text.find(step.source);
      if (at == std::string::npos) throw std::runtime_error(step.path + ": does not contain " + step.source);
      write_text(path, text.replace(at, step.source.size(), step.text));
      return;
    }
  }
}

void append(std::vector<std::string>& all, const std::string& where, const std::vector<std::string>& more) {
  for (const std::string& difference : more) all.push_back(where + difference);
}

/// JSON's writer is strict about it.
bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::vector<std::string> differences_of(const CaseRun& run, const ProgramResult& result, const fs::path& folder) {
  std::vector<std::string> all;
  if (result.exit_code != run.exit_code)
    all.push_back("exit code " + std::to_string(result.exit_code) + ", not " + std::to_string(run.exit_code));
  if (!is_utf8(result.out) || !is_utf8(result.err)) all.push_back("what it wrote is not UTF-8");
  append(all, "stdout: ", text_differences(run.out, result.out));
  append(all, "stderr: ", text_differences(run.err, result.err));
  try {
    if (!run.values.empty())
      append(all, "stdout", value_differences(run.values, nlohmann::json::parse(result.out), folder));
    for (const ExpectedFile& file : run.files) append(all, "", file_differences(file, folder));
  } catch (const nlohmann::json::exception& error) {
    all.push_back(std::string("no JSON: ") + error.what());
  }
  return all;
}

std::string report(const CaseRun& run, const ProgramResult& result, const std::vector<std::string>& differences) {
  std::string text = "run '" + run.name + "': ftrun";
  for (const std::string& word : run.arguments) text += " " + word;
  for (const std::string& difference : differences) text += "\n  " + difference;
  return text + "\n  it wrote to stdout\n" + result.out.substr(0, 3000) + "\n  and to stderr\n" +
         result.err.substr(0, 3000);
}

void run_case(const std::string& name) {
  const CaseFile file = read_case(cases_folder() / name);
  const TestFolder folder;
  fs::copy(cases_folder() / name, folder / name, fs::copy_options::recursive);
  for (const char* made : {"models", "adapters"}) fs::create_directory_symlink(model_folders() / made, folder / made);
  for (const CaseRun& run : file.runs) {
    for (const Preparation& step : run.before) prepare(step, folder.path());
    std::map<std::string, std::string> environment = {{"HOME", folder / "home"}};
    for (const auto& [key, value] : run.environment)
      environment[key] = key == "HOME" ? (folder / value).string() : value;
    const ProgramResult result = run_ftrun_in(folder.path(), run.arguments, environment, run.input, run.cpu_seconds);
    const std::vector<std::string> differences = differences_of(run, result, folder.path());
    if (!run.pending.empty()) {
      std::printf("pending (%s): %s/%s %s\n", run.pending.c_str(), name.c_str(), run.name.c_str(),
                  differences.empty() ? "holds now: remove the mark" : differences.front().substr(0, 160).c_str());
    } else if (!differences.empty()) {
      ADD_FAILURE() << report(run, result, differences);
    }
  }
}

std::vector<std::string> case_names(bool quick) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(cases_folder())) {
    const std::string name = entry.path().filename();
    // A file that cannot be read is a test that says so.
    const auto is_quick = [&] {
      try {
        return read_case(entry.path()).quick;
      } catch (const std::exception&) {
        return true;
      }
    };
    if (fs::exists(entry.path() / "expect.yaml") && is_quick() == quick) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class QuickCase : public testing::TestWithParam<std::string> {};
class FullCase : public testing::TestWithParam<std::string> {};

TEST_P(QuickCase, IsRight) { run_case(GetParam()); }
TEST_P(FullCase, IsRight) { run_case(GetParam()); }

std::string name_of(const testing::TestParamInfo<std::string>& info) { return info.param; }
INSTANTIATE_TEST_SUITE_P(Cases, QuickCase, testing::ValuesIn(case_names(true)), name_of);
INSTANTIATE_TEST_SUITE_P(Cases, FullCase, testing::ValuesIn(case_names(false)), name_of);

}  // namespace
}  // namespace ftrun::test
