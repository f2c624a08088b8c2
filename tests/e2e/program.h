// Runs the built `ftrun` as a user does: arguments in, exit code and both outputs out; fresh folders; small
// configurations. Leaves out: what is asserted.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ftrun::test {

struct ProgramResult {
  int exit_code = 0;  ///< 128 + signal when killed
  std::string out;
  std::string err;
  std::string all() const { return out + err; }
};

/// Waits for the program. `environment` is added to this process's.
ProgramResult run_ftrun(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment = {});

/// With `input` as its standard input, a pipe that then ends.
ProgramResult pipe_into_ftrun(const std::string& input, const std::vector<std::string>& arguments);

/// In the working folder `folder` with `input` (at most a pipe's capacity) as its standard input; killed when it has
/// used `cpu_seconds` of processor time, so that a run that never ends is a failure and not a wait.
ProgramResult run_ftrun_in(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment, const std::string& input,
                           int cpu_seconds);

/// Starts it with `terminal` (a descriptor) as its standard input, calls `meanwhile` with its process id and the file
/// of its error output, then waits.
ProgramResult run_ftrun_on(int terminal, const std::vector<std::string>& arguments,
                           const std::function<void(pid_t, const std::filesystem::path& err)>& meanwhile);

/// The same under mpirun with `ranks` processes on this host.
ProgramResult launch_ftrun(int ranks, const std::vector<std::string>& arguments);

/// Starts it, calls `meanwhile` with its process id, then waits.
ProgramResult run_ftrun_and(const std::vector<std::string>& arguments, const std::function<void(pid_t)>& meanwhile);

/// A folder of its own for one test, removed at the end.
class TestFolder {
 public:
  TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder();
  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Writes text, returns the path.
std::filesystem::path write_text(const std::filesystem::path& path, const std::string& text);

/// A small complete training configuration (demo model and data, a dozen updates, no evaluation) with keys replaced or
/// added; an empty value removes a key. Returns YAML text.
std::string small_config(const std::filesystem::path& output_dir,
                         const std::map<std::string, std::string>& changes = {});

/// Writes small_config to folder/config.yaml and runs it.
ProgramResult run_small(const TestFolder& folder, const std::string& output_name,
                        const std::map<std::string, std::string>& changes = {},
                        const std::vector<std::string>& more_arguments = {});

/// Bytes of a file.
std::string bytes_of(const std::filesystem::path& file);

}  // namespace ftrun::test
