// What a case's expect.yaml says: runs of the program and what must come of each. README.md describes the form.
// Leaves out: running and comparing.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ftrun::test {

/// A value to be found under a path of a JSON document (`*` stands for every element that has the rest of the path).
struct ExpectedValue {
  std::string path;
  nlohmann::json equals;                       ///< compared where none of the following is given
  std::optional<double> within;                ///< numbers may differ by as much
  std::optional<std::string> contains, lacks;  ///< of a text
  std::optional<size_t> size;                  ///< of an array or object
  bool absent = false;                         ///< the path leads nowhere
  std::string other_file, other_path;          ///< `same_as`: the value found there instead of `equals`
};

struct ExpectedText {
  std::vector<std::string> contains, lacks;
  std::optional<std::string> equals;
};

struct ExpectedFile {
  std::string path;  ///< under the case's working folder
  std::optional<bool> exists;
  std::string same_bytes_as;  ///< another file; empty: not compared
  ExpectedText text;
  std::vector<ExpectedValue> values;  ///< of a .json, or of a .jsonl as an array of its rows
};

/// A change of files before a run.
struct Preparation {
  enum class Kind { kWrite, kCopy, kRemove, kReplace } kind = Kind::kWrite;
  std::string path;    ///< what is written, copied to, removed or changed
  std::string source;  ///< kCopy: what is copied
  std::string text;    ///< kWrite: its content; kReplace: what replaces `source`
};

struct CaseRun {
  std::string name;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::string input;    ///< standard input, ends afterwards
  std::string pending;  ///< who mends it; a pending run is reported and not compared
  int exit_code = 0;
  int cpu_seconds = 120;
  std::vector<Preparation> before;
  ExpectedText out, err;
  std::vector<ExpectedValue> values;  ///< of stdout as JSON
  std::vector<ExpectedFile> files;
};

struct CaseFile {
  std::string name;     ///< of its folder
  std::string summary;  ///< `about`
  bool quick = false;
  std::vector<CaseRun> runs;
};

/// Reads folder/expect.yaml. Throws std::runtime_error naming file, line and key for an unknown key, a missing one or a
/// value of another kind.
CaseFile read_case(const std::filesystem::path& folder);

}  // namespace ftrun::test
