// fork and exec with both outputs in files: no shell, no quoting.
#include "tests/e2e/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace ftrun::test {
namespace fs = std::filesystem;

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

fs::path write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TestFolder::TestFolder() {
  static std::atomic<int> counter = 0;
  path_ = fs::temp_directory_path() / ("ftrun_e2e_" + std::to_string(::getpid()) + "_" + std::to_string(counter++));
  fs::remove_all(path_);
  fs::create_directories(path_);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

constexpr const char* kProgram = FTRUN_BINARY_DIR "/bin/ftrun";

/// Where and within what a program runs; no limit: 0.
struct Surroundings {
  fs::path folder = FTRUN_SOURCE_DIR;
  int cpu_seconds = 0;
};

static pid_t start(std::vector<std::string> words, const std::map<std::string, std::string>& environment,
                   const fs::path& out, const fs::path& err, int input = -1, const Surroundings& surroundings = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int out_file = ::open(out.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  const int err_file = ::open(err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  ::dup2(out_file, STDOUT_FILENO);
  ::dup2(err_file, STDERR_FILENO);
  ::dup2(input >= 0 ? input : ::open("/dev/null", O_RDONLY), STDIN_FILENO);
  if (surroundings.cpu_seconds > 0) {
    const auto seconds = static_cast<rlim_t>(surroundings.cpu_seconds);
    const rlimit limit = {seconds, seconds};
    ::setrlimit(RLIMIT_CPU, &limit);
  }
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  if (::chdir(surroundings.folder.c_str()) == 0) ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

static ProgramResult finish(pid_t child, const fs::path& out, const fs::path& err) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), bytes_of(out), bytes_of(err)};
}

static std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

ProgramResult run_ftrun(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment) {
  const TestFolder folder;
  return finish(start(joined({kProgram}, arguments), environment, folder / "out", folder / "err"), folder / "out",
                folder / "err");
}

static ProgramResult run_with_input(const std::string& input, const std::vector<std::string>& arguments,
                                    const std::map<std::string, std::string>& environment,
                                    const Surroundings& surroundings) {
  const TestFolder folder;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t child =
      start(joined({kProgram}, arguments), environment, folder / "out", folder / "err", ends[0], surroundings);
  ::close(ends[0]);
  // Small enough for the pipe itself, so that it does not matter whether it is read.
  EXPECT_EQ(::write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
  ::close(ends[1]);
  return finish(child, folder / "out", folder / "err");
}

ProgramResult pipe_into_ftrun(const std::string& input, const std::vector<std::string>& arguments) {
  return run_with_input(input, arguments, {}, {});
}

ProgramResult run_ftrun_in(const fs::path& folder, const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment, const std::string& input,
                           int cpu_seconds) {
  return run_with_input(input, arguments, environment, {folder, cpu_seconds});
}

ProgramResult run_ftrun_on(int terminal, const std::vector<std::string>& arguments,
                           const std::function<void(pid_t, const fs::path& err)>& meanwhile) {
  const TestFolder folder;
  const pid_t child = start(joined({kProgram}, arguments), {}, folder / "out", folder / "err", terminal);
  meanwhile(child, folder / "err");
  return finish(child, folder / "out", folder / "err");
}

ProgramResult launch_ftrun(int ranks, const std::vector<std::string>& arguments) {
  const TestFolder folder;
  const std::vector<std::string> words =
      joined({"mpirun", "--oversubscribe", "-n", std::to_string(ranks), kProgram}, arguments);
  const std::map<std::string, std::string> as_root = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                                                      {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  return finish(start(words, as_root, folder / "out", folder / "err"), folder / "out", folder / "err");
}

ProgramResult run_ftrun_and(const std::vector<std::string>& arguments, const std::function<void(pid_t)>& meanwhile) {
  const TestFolder folder;
  const pid_t child = start(joined({kProgram}, arguments), {}, folder / "out", folder / "err");
  meanwhile(child);
  return finish(child, folder / "out", folder / "err");
}

std::string small_config(const fs::path& output_dir, const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> keys = {{"model_name_or_path", "configs/demo/model"},
                                             {"train_from_scratch", "true"},
                                             {"stage", "sft"},
                                             {"finetuning_type", "full"},
                                             {"dataset", "demo_train"},
                                             {"dataset_dir", "configs/demo"},
                                             {"template", "chatml"},
                                             {"cutoff_len", "128"},
                                             {"max_samples", "96"},
                                             {"per_device_train_batch_size", "4"},
                                             {"gradient_accumulation_steps", "2"},
                                             {"learning_rate", "1.0e-3"},
                                             {"num_train_epochs", "1"},
                                             {"lr_scheduler_type", "cosine"},
                                             {"warmup_steps", "2"},
                                             {"logging_steps", "1"},
                                             {"save_strategy", "\"no\""},
                                             {"seed", "7"},
                                             {"cache_dir", (output_dir.parent_path() / "cache").string()},
                                             {"output_dir", output_dir.string()}};
  for (const auto& [key, value] : changes) keys[key] = value;
  std::string text;
  for (const auto& [key, value] : keys) {
    if (!value.empty()) text += key + ": " + value + "\n";
  }
  return text;
}

ProgramResult run_small(const TestFolder& folder, const std::string& output_name,
                        const std::map<std::string, std::string>& changes,
                        const std::vector<std::string>& more_arguments) {
  const fs::path config = write_text(folder / (output_name + ".yaml"), small_config(folder / output_name, changes));
  std::vector<std::string> arguments = {"--config", config.string()};
  arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
  return run_ftrun(arguments);
}

}  // namespace ftrun::test
