// Strict: every key is known to a table of setters, so that a mistyped expectation cannot pass unseen.
#include "tests/cases/case_file.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <sstream>
#include <stdexcept>

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const YAML::Node& node, const std::string& message) {
  throw std::runtime_error("expect.yaml:" + std::to_string(node.Mark().line + 1) + ": " + message);
}

std::string text_of(const YAML::Node& node) {
  if (!node.IsScalar()) fail(node, "a text is expected");
  return node.Scalar();
}

/// A text, or a list whose maps {repeat: TEXT, times: N} and texts are joined.
std::string long_text_of(const YAML::Node& node) {
  if (!node.IsSequence()) return text_of(node);
  std::string text;
  for (const YAML::Node& part : node) {
    if (part.IsScalar()) {
      text += part.Scalar();
      continue;
    }
    if (!part.IsMap() || !part["repeat"] || !part["times"])
      fail(part, "a text or {repeat: TEXT, times: N} is expected");
    for (int i = part["times"].as<int>(); i > 0; --i) text += part["repeat"].Scalar();
  }
  return text;
}

std::vector<std::string> texts_of(const YAML::Node& node) {
  std::vector<std::string> texts;
  if (node.IsScalar()) return {node.Scalar()};
  if (!node.IsSequence()) fail(node, "a text or a list of texts is expected");
  for (const YAML::Node& item : node) texts.push_back(text_of(item));
  return texts;
}

std::vector<std::string> words_of(const YAML::Node& node) {
  if (node.IsSequence()) return texts_of(node);
  std::istringstream stream(text_of(node));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::map<std::string, std::string> map_of(const YAML::Node& node) {
  if (!node.IsMap()) fail(node, "a map is expected");
  std::map<std::string, std::string> result;
  for (const auto& entry : node) result[text_of(entry.first)] = text_of(entry.second);
  return result;
}

/// Plain scalars are what JSON makes of them (numbers, true, false, null) or texts; quoted ones are texts.
nlohmann::json json_of(const YAML::Node& node) {
  nlohmann::json result;
  if (node.IsSequence()) {
    result = nlohmann::json::array();
    for (const YAML::Node& item : node) result.push_back(json_of(item));
  } else if (node.IsMap()) {
    result = nlohmann::json::object();
    for (const auto& entry : node) result[text_of(entry.first)] = json_of(entry.second);
  } else if (node.IsScalar()) {
    if (node.Tag() != "!") result = nlohmann::json::parse(node.Scalar(), nullptr, false);
    if (node.Tag() == "!" || result.is_discarded()) result = node.Scalar();
  }
  return result;
}

using Setters = std::map<std::string, std::function<void(const YAML::Node&)>>;

void read_map(const YAML::Node& node, const Setters& setters) {
  if (!node.IsMap()) fail(node, "a map is expected");
  for (const auto& entry : node) {
    const auto setter = setters.find(text_of(entry.first));
    if (setter == setters.end()) fail(entry.first, "'" + text_of(entry.first) + "' is not a key here");
    setter->second(entry.second);
  }
}

/// A map is a comparison only if all its keys are; otherwise it is the value itself.
bool is_comparison(const YAML::Node& node) {
  if (!node.IsMap() || node.size() == 0) return false;
  for (const auto& entry : node) {
    const std::string key = text_of(entry.first);
    if (key != "equals" && key != "within" && key != "contains" && key != "lacks" && key != "size" && key != "absent" &&
        key != "same_as")
      return false;
  }
  return true;
}

std::vector<ExpectedValue> values_of(const YAML::Node& node) {
  if (!node.IsMap()) fail(node, "a map of paths is expected");
  std::vector<ExpectedValue> values;
  for (const auto& entry : node) {
    ExpectedValue value;
    value.path = text_of(entry.first);
    if (!is_comparison(entry.second)) {
      value.equals = json_of(entry.second);
    } else {
      read_map(entry.second, {{"equals", [&](const YAML::Node& n) { value.equals = json_of(n); }},
                              {"within", [&](const YAML::Node& n) { value.within = n.as<double>(); }},
                              {"contains", [&](const YAML::Node& n) { value.contains = text_of(n); }},
                              {"lacks", [&](const YAML::Node& n) { value.lacks = text_of(n); }},
                              {"size", [&](const YAML::Node& n) { value.size = n.as<size_t>(); }},
                              {"absent", [&](const YAML::Node& n) { value.absent = n.as<bool>(); }},
                              {"same_as", [&](const YAML::Node& n) {
                                 read_map(n, {{"file", [&](const YAML::Node& f) { value.other_file = text_of(f); }},
                                              {"path", [&](const YAML::Node& p) { value.other_path = text_of(p); }}});
                                 if (value.other_path.empty()) value.other_path = value.path;
                               }}});
    }
    values.push_back(std::move(value));
  }
  return values;
}

ExpectedFile file_of(const std::string& path, const YAML::Node& node) {
  ExpectedFile file;
  file.path = path;
  if (node.IsScalar()) {
    const std::string word = node.Scalar();
    if (word != "exists" && word != "absent") fail(node, "'exists', 'absent' or a map is expected");
    file.exists = word == "exists";
    return file;
  }
  read_map(node, {{"contains", [&](const YAML::Node& n) { file.text.contains = texts_of(n); }},
                  {"lacks", [&](const YAML::Node& n) { file.text.lacks = texts_of(n); }},
                  {"equals", [&](const YAML::Node& n) { file.text.equals = text_of(n); }},
                  {"same_bytes_as", [&](const YAML::Node& n) { file.same_bytes_as = text_of(n); }},
                  {"json", [&](const YAML::Node& n) { file.values = values_of(n); }}});
  return file;
}

std::vector<Preparation> preparations_of(const YAML::Node& node) {
  if (!node.IsSequence()) fail(node, "a list is expected");
  std::vector<Preparation> result;
  for (const YAML::Node& item : node) {
    Preparation step;
    const auto path = [&](Preparation::Kind kind) {
      return [&step, kind](const YAML::Node& n) {
        step.kind = kind;
        step.path = text_of(n);
      };
    };
    read_map(item, {{"write", path(Preparation::Kind::kWrite)},
                    {"copy",
                     [&](const YAML::Node& n) {
                       step.kind = Preparation::Kind::kCopy;
                       step.source = text_of(n);
                     }},
                    {"to", [&](const YAML::Node& n) { step.path = text_of(n); }},
                    {"remove", path(Preparation::Kind::kRemove)},
                    {"replace_in", path(Preparation::Kind::kReplace)},
                    {"old", [&](const YAML::Node& n) { step.source = text_of(n); }},
                    {"text", [&](const YAML::Node& n) { step.text = long_text_of(n); }}});
    if (step.path.empty()) fail(item, "write, copy with to, remove or replace_in is expected");
    result.push_back(std::move(step));
  }
  return result;
}

CaseRun run_of(const YAML::Node& node) {
  CaseRun run;
  read_map(node, {{"name", [&](const YAML::Node& n) { run.name = text_of(n); }},
                  {"run", [&](const YAML::Node& n) { run.arguments = words_of(n); }},
                  {"environment", [&](const YAML::Node& n) { run.environment = map_of(n); }},
                  {"input", [&](const YAML::Node& n) { run.input = text_of(n); }},
                  {"pending", [&](const YAML::Node& n) { run.pending = text_of(n); }},
                  {"exit", [&](const YAML::Node& n) { run.exit_code = n.as<int>(); }},
                  {"cpu_seconds", [&](const YAML::Node& n) { run.cpu_seconds = n.as<int>(); }},
                  {"before", [&](const YAML::Node& n) { run.before = preparations_of(n); }},
                  {"stdout", [&](const YAML::Node& n) { run.out.contains = texts_of(n); }},
                  {"stdout_equals", [&](const YAML::Node& n) { run.out.equals = text_of(n); }},
                  {"stdout_lacks", [&](const YAML::Node& n) { run.out.lacks = texts_of(n); }},
                  {"stderr", [&](const YAML::Node& n) { run.err.contains = texts_of(n); }},
                  {"stderr_lacks", [&](const YAML::Node& n) { run.err.lacks = texts_of(n); }},
                  {"json", [&](const YAML::Node& n) { run.values = values_of(n); }},
                  {"files", [&](const YAML::Node& n) {
                     if (!n.IsMap()) fail(n, "a map of files is expected");
                     for (const auto& entry : n) run.files.push_back(file_of(text_of(entry.first), entry.second));
                   }}});
  if (run.arguments.empty()) fail(node, "'run' is missing");
  if (run.exit_code == 0 && run.out.contains.empty() && !run.out.equals && run.err.contains.empty() &&
      run.values.empty() && run.files.empty())
    fail(node, "nothing is expected of a run but its exit code");
  if (run.exit_code != 0 && run.err.contains.empty()) fail(node, "a refusal is expected without any word of it");
  return run;
}

}  // namespace

CaseFile read_case(const fs::path& folder) {
  const fs::path file = folder / "expect.yaml";
  CaseFile result;
  result.name = folder.filename();
  try {
    const YAML::Node root = YAML::LoadFile(file);
    read_map(root, {{"about", [&](const YAML::Node& n) { result.summary = text_of(n); }},
                    {"label",
                     [&](const YAML::Node& n) {
                       if (text_of(n) != "quick" && text_of(n) != "full") fail(n, "quick or full is expected");
                       result.quick = text_of(n) == "quick";
                     }},
                    {"runs", [&](const YAML::Node& n) {
                       if (!n.IsSequence()) fail(n, "a list is expected");
                       for (const YAML::Node& run : n) result.runs.push_back(run_of(run));
                     }}});
    if (result.summary.empty() || result.runs.empty()) fail(root, "'about' and 'runs' are expected");
  } catch (const std::exception& error) {
    throw std::runtime_error(folder.string() + "/" + error.what());
  }
  return result;
}

}  // namespace ftrun::test
