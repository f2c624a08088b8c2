// Numbers are compared as doubles, everything else exactly.
#include "tests/cases/comparison.h"

#include <cmath>
#include <sstream>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kShown = 1500;  // bytes of a document in a message

std::string shown(const json& value) {
  if (value.is_discarded()) return "nothing";
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kShown) text = text.substr(0, kShown) + "...";
  return text;
}

std::string shown(const std::string& text) { return text.substr(0, kShown) + (text.size() > kShown ? "..." : ""); }

/// Keys and indices; a key with '/' in it cannot be named.
std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream stream(path);
  for (std::string part; std::getline(stream, part, '/');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

json absent() { return json(json::value_t::discarded); }

json value_under(const json& document, const std::vector<std::string>& parts, size_t at) {
  if (at == parts.size()) return document;
  if (parts[at] == "*") {
    json all = json::array();
    for (const json& element : document) {
      json value = value_under(element, parts, at + 1);
      if (!value.is_discarded()) all.push_back(std::move(value));
    }
    return all;
  }
  if (document.is_object() && document.contains(parts[at])) return value_under(document[parts[at]], parts, at + 1);
  if (document.is_array() && parts[at].find_first_not_of("0123456789") == std::string::npos) {
    const size_t index = std::stoul(parts[at]);
    if (index < document.size()) return value_under(document[index], parts, at + 1);
  }
  return absent();
}

bool equal(const json& expected, const json& actual, double within) {
  if (expected.is_number() && actual.is_number()) {
    const double a = expected.get<double>(), b = actual.get<double>();
    return a == b || std::abs(a - b) <= within;
  }
  if (expected.type() != actual.type() || expected.size() != actual.size()) return false;
  if (expected.is_array()) {
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!equal(expected[i], actual[i], within)) return false;
    }
    return true;
  }
  if (expected.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      if (!actual.contains(key) || !equal(value, actual[key], within)) return false;
    }
    return true;
  }
  return expected == actual;
}

/// A .json file, or a .jsonl file as an array. Throws where it is not.
json document_of(const fs::path& file) {
  if (file.extension() != ".jsonl") return json::parse(bytes_of(file));
  json rows = json::array();
  std::istringstream stream(bytes_of(file));
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) rows.push_back(json::parse(line));
  }
  return rows;
}

std::string value_difference(const ExpectedValue& expected, const json& document, const fs::path& folder) {
  const json actual = value_at(document, expected.path);
  const std::string where = expected.path + ": ";
  if (expected.absent) return actual.is_discarded() ? "" : where + "should not be there, is " + shown(actual);
  if (expected.size && (actual.is_discarded() || actual.size() != *expected.size))
    return where + "should have " + std::to_string(*expected.size) + " elements, is " + shown(actual);
  if (expected.contains || expected.lacks) {
    if (!actual.is_string()) return where + "should be a text, is " + shown(actual);
    const auto& text = actual.get_ref<const std::string&>();
    if (expected.contains && text.find(*expected.contains) == std::string::npos)
      return where + "should contain\n    " + *expected.contains + "\n  is\n    " + shown(text);
    if (expected.lacks && text.find(*expected.lacks) != std::string::npos)
      return where + "should not contain\n    " + *expected.lacks + "\n  is\n    " + shown(text);
    return "";
  }
  if (expected.size) return "";
  json wanted = expected.equals;
  if (!expected.other_path.empty())
    wanted = value_at(expected.other_file.empty() ? document : document_of(folder / expected.other_file),
                      expected.other_path);
  if (wanted.is_discarded()) return where + "what it should be the same as is not there";
  if (!actual.is_discarded() && equal(wanted, actual, expected.within.value_or(0))) return "";
  return where + "should be\n    " + shown(wanted) +
         (expected.within ? "\n  within " + std::to_string(*expected.within) : "") + "\n  is\n    " + shown(actual);
}

}  // namespace

json value_at(const json& document, const std::string& path) { return value_under(document, parts_of(path), 0); }

std::vector<std::string> text_differences(const ExpectedText& expected, const std::string& actual) {
  std::vector<std::string> differences;
  if (expected.equals && actual != *expected.equals)
    differences.push_back("should be\n    " + *expected.equals + "\n  is\n    " + shown(actual));
  for (const std::string& text : expected.contains) {
    if (actual.find(text) == std::string::npos) differences.push_back("lacks: " + text);
  }
  for (const std::string& text : expected.lacks) {
    if (actual.find(text) != std::string::npos) differences.push_back("has, and should not: " + text);
  }
  return differences;
}

std::vector<std::string> value_differences(const std::vector<ExpectedValue>& expected, const json& document,
                                           const fs::path& folder) {
  std::vector<std::string> differences;
  for (const ExpectedValue& value : expected) {
    std::string difference = value_difference(value, document, folder);
    if (!difference.empty()) differences.push_back(std::move(difference));
  }
  return differences;
}

std::vector<std::string> file_differences(const ExpectedFile& expected, const fs::path& folder) {
  const fs::path file = folder / expected.path;
  const bool exists = fs::exists(fs::symlink_status(file));
  std::vector<std::string> differences;
  if (exists != expected.exists.value_or(true)) {
    differences.push_back(exists ? "should not be there" : "is not there");
  } else if (exists && !expected.exists) {
    differences = text_differences(expected.text, bytes_of(file));
    if (!expected.same_bytes_as.empty() && bytes_of(file) != bytes_of(folder / expected.same_bytes_as))
      differences.push_back("has other bytes than " + expected.same_bytes_as);
    if (!expected.values.empty()) {
      const std::vector<std::string> more = value_differences(expected.values, document_of(file), folder);
      differences.insert(differences.end(), more.begin(), more.end());
    }
  }
  for (std::string& difference : differences) difference = expected.path + ": " + difference;
  return differences;
}

}  // namespace ftrun::test
