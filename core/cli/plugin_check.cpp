// The checks, in order: file, notes, loading, query function, descriptors.
#include "core/cli/plugin_check.h"

#include <fmt/format.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/plugin/loader.h"
#include "core/plugin/plugin_safety.h"

namespace ftrun {
namespace {

constexpr double kQueryLimit_ms = 100;

struct Check {
  std::string name;
  std::string problem;  // empty: passed
};

class Checker {
 public:
  explicit Checker(std::filesystem::path file) : file_(std::move(file)) {}

  const std::vector<Check>& run() {
    const bool is_static_ok =
        check("the file and its folder are safe to load from", [&] { require_safe_plugin_file(file_); }) &
        check("it has a well-formed note", [&] { notes_ = read_plugin_notes(file_); });
    if (!is_static_ok) return checks_;
    const bool is_loadable = check("ABI, sanitizer and CPU features fit this host", [&] {
      for (const PluginNote& note : notes_) require_loadable(note, file_);
    });
    if (!is_loadable) return checks_;
    check("it loads, and descriptors, tables and options are well-formed",
          [&] { plugins_ = load_plugin_library(file_); });
    if (plugins_.empty()) return checks_;
    check("the query function is quick, repeatable and ends", [&] { check_query(); });
    check("every function its kind needs is there", [&] { check_slots(); });
    check("it answers NULL for extensions it cannot know", [&] { check_extensions(); });
    return checks_;
  }

  const std::vector<std::unique_ptr<Plugin>>& plugins() const noexcept { return plugins_; }

 private:
  bool check(std::string name, const std::function<void()>& body) {
    Check& entry = checks_.emplace_back();
    entry.name = std::move(name);
    try {
      body();
    } catch (const Error& error) {
      entry.problem = error.what();
    }
    return entry.problem.empty();
  }

  void check_query() const {
    const boost::dll::shared_library library(file_,
                                             boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    const auto& query = library.get<ftrun_status(uint32_t, const ftrun_plugin**)>("ftrun_plugin_query_v1");
    const auto count = static_cast<uint32_t>(plugins_.size());
    for (uint32_t index = 0; index < count; ++index) {
      const ftrun_plugin* first = nullptr;
      const ftrun_plugin* second = nullptr;
      const auto start = std::chrono::steady_clock::now();
      query(index, &first);
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      query(index, &second);
      if (first != second) throw invalid_argument("query({}) gives another descriptor each time", index);
      if (elapsed.count() > kQueryLimit_ms) {
        throw invalid_argument("query({}) took {:.0f} ms, allowed are {:.0f}", index, elapsed.count(), kQueryLimit_ms);
      }
    }
    for (const uint32_t index : {count, UINT32_MAX}) {
      const ftrun_plugin* out = nullptr;
      const ftrun_status status = query(index, &out);
      if (status != FTRUN_OUT_OF_RANGE || out != nullptr) {
        throw invalid_argument("query({}) returned {}, expected out_of_range and NULL", index, status_name(status));
      }
    }
  }

  void check_slots() const {
    static const std::vector<std::string> kOptional = {"evaluate", "save_state", "load_state", "declare"};
    for (const auto& plugin : plugins_) {
      for (const std::string& slot : plugin->absent_slots()) {
        const bool may_be_absent =
            std::find(kOptional.begin(), kOptional.end(), slot) != kOptional.end() &&
            (plugin->kind() == FTRUN_KIND_REWARD || (plugin->kind() == FTRUN_KIND_PARADIGM && slot != "declare"));
        if (!may_be_absent) throw invalid_argument("{}: '{}' is NULL", plugin->label(), slot);
      }
    }
  }

  void check_extensions() const {
    for (const auto& plugin : plugins_) {
      for (const char* id : {"org.example.no_such_extension/1", "ftrun.import_config/1garbage", ""}) {
        if (plugin->extension(id) != nullptr) throw invalid_argument("{}: answers extension '{}'", plugin->label(), id);
      }
    }
  }

  std::filesystem::path file_;
  std::vector<Check> checks_;
  std::vector<PluginNote> notes_;
  std::vector<std::unique_ptr<Plugin>> plugins_;
};

}  // namespace

int check_plugin_file(const std::filesystem::path& file, bool as_json) {
  std::error_code code;
  const std::filesystem::path absolute = std::filesystem::canonical(file, code);
  if (code) throw not_found("{}: {}", file.string(), code.message());
  Checker checker(absolute);
  const std::vector<Check>& checks = checker.run();
  bool passed = true;
  nlohmann::json lines = nlohmann::json::array();
  for (const Check& check : checks) {
    passed = passed && check.problem.empty();
    lines.push_back({{"check", check.name}, {"passed", check.problem.empty()}, {"problem", check.problem}});
    if (as_json) continue;
    fmt::print("{}  {}\n", check.problem.empty() ? "pass" : "FAIL", check.name);
    if (!check.problem.empty()) fmt::print("      {}\n", check.problem);
  }
  if (as_json)
    fmt::print("{}\n", nlohmann::json{{"file", absolute.string()}, {"passed", passed}, {"checks", lines}}.dump());
  return passed ? 0 : 2;
}

}  // namespace ftrun
