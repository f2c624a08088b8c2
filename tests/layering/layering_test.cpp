// The dependency rules of the tree: who may include whom, and which names core may not know.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FTRUN_SOURCE_DIR;

struct Line {
  std::string file;  // relative to the root
  int number;
  std::string text;  // without comments
  std::string place() const { return file + ":" + std::to_string(number); }
};

bool is_source(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".h", ".hpp", ".c", ".cpp"};
  return kExtensions.contains(path.extension().string());
}

// Comments blanked out; string literals stay, since a name in one is a name.
std::string without_comments(const std::string& text) {
  std::string result;
  enum { kCode, kLine, kBlock, kString, kCharacter } state = kCode;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (state == kCode && c == '/' && next == '/') state = kLine;
    if (state == kCode && c == '/' && next == '*') state = kBlock;
    if (state == kLine && c == '\n') state = kCode;
    const bool in_comment = state == kLine || state == kBlock;
    result += in_comment && c != '\n' ? ' ' : c;
    if (state == kBlock && c == '*' && next == '/') {
      result += ' ';
      ++i;
      state = kCode;
    } else if (state == kString || state == kCharacter) {
      if (c == '\\') {
        result += next;
        ++i;
      } else if (c == (state == kString ? '"' : '\'')) {
        state = kCode;
      }
    } else if (state == kCode && c == '"') {
      state = kString;
    } else if (state == kCode && c == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1])))) {
      state = kCharacter;
    }
  }
  return result;
}

std::vector<Line> lines_below(const std::string& folder) {
  std::vector<Line> lines;
  if (!fs::exists(kRoot / folder)) return lines;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string code = without_comments(text);
    size_t begin = 0;
    for (int number = 1; begin <= code.size(); ++number) {
      const size_t end = std::min(code.find('\n', begin), code.size());
      lines.push_back({fs::relative(entry.path(), kRoot).string(), number, code.substr(begin, end - begin)});
      begin = end + 1;
    }
  }
  return lines;
}

// The file named by an #include, with its brackets: "core/base/error.h" or <vector>; "" for other lines.
std::string included(const Line& line) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"][^>"]+[>"]))");
  std::smatch match;
  return std::regex_search(line.text, match, kInclude) ? match[1].str() : std::string();
}

TEST(Layering, TheScannerSeesCodeAndNotComments) {
  EXPECT_EQ(without_comments("a // b\nc /* d\ne */ f"), "a     \nc     \n     f");
  EXPECT_EQ(without_comments("\"// x\" '\"' // y"), "\"// x\" '\"'     ");
  EXPECT_EQ(without_comments("1'000 // x"), "1'000     ");
  EXPECT_EQ(included({"f", 1, "#include \"core/x.h\""}), "\"core/x.h\"");
  EXPECT_GT(lines_below("core").size(), 1000u);
}

TEST(Layering, TheSdkIncludesItselfAndStandardHeadersOnly) {
  const std::regex allowed(R"("ftrun/.*"|<[a-z0-9_]+(\.h)?>)");
  for (const Line& line : lines_below("sdk/include")) {
    const std::string include = included(line);
    EXPECT_TRUE(include.empty() || std::regex_match(include, allowed)) << line.place() << " includes " << include;
  }
}

TEST(Layering, TheCHeadersAreC) {
  const std::regex allowed(R"("ftrun/.*\.h"|<(stddef|stdint)\.h>)");
  for (const Line& line : lines_below("sdk/include")) {
    if (!line.file.ends_with(".h")) continue;
    const std::string include = included(line);
    EXPECT_TRUE(include.empty() || std::regex_match(include, allowed)) << line.place() << " includes " << include;
  }
}

TEST(Layering, PluginsIncludeNeitherCoreNorEachOther) {
  const std::vector<Line> lines = lines_below("plugins");
  // A folder whose sources define a plugin is one; the others are families' shared code.
  std::set<std::string> plugin_folders;
  for (const Line& line : lines) {
    if (line.text.find("FTRUN_PLUGIN") != std::string::npos ||
        line.text.find("ftrun_plugin_query_v1") != std::string::npos) {
      plugin_folders.insert(fs::path(line.file).parent_path().string());
    }
  }
  for (const Line& line : lines) {
    const std::string include = included(line);
    if (include.empty()) continue;
    EXPECT_EQ(include.find("core/"), std::string::npos) << line.place() << " includes " << include;
    const std::string own = fs::path(line.file).parent_path().string();
    const fs::path target = (kRoot / own / include.substr(1, include.size() - 2)).lexically_normal();
    const std::string from_root = fs::path(include.substr(1, include.size() - 2)).parent_path().string();
    const std::string relative = fs::relative(target.parent_path(), kRoot).string();
    for (const std::string& folder : {from_root, relative}) {
      EXPECT_TRUE(folder == own || !plugin_folders.contains(folder))
          << line.place() << " includes another plugin: " << include;
    }
  }
}

TEST(Layering, CoreIncludesNoPluginAndNamesNone) {
  const std::regex forbidden(R"(\b(llama|qwen[23]?|sft|dpo|grpo|ppo|zero[123]|fsdp|ascend)\b)", std::regex::icase);
  for (const Line& line : lines_below("core")) {
    EXPECT_EQ(included(line).find("plugins/"), std::string::npos) << line.place();
    std::smatch match;
    EXPECT_FALSE(std::regex_search(line.text, match, forbidden))
        << line.place() << " names '" << match.str() << "': " << line.text;
  }
}

TEST(Layering, CoreFoldersIncludeOnlyWhatLiesBelowThem) {
  // Folders not listed may include anything but train, the commands' folders and cli.
  const std::map<std::string, std::set<std::string>> allowed = {
      {"base", {"base"}},
      {"parallel", {"base", "parallel"}},
      {"config", {"base", "config"}},
      {"plugin", {"base", "parallel", "config", "plugin"}},
      {"jinja", {"base", "jinja"}},
      {"metrics", {"base", "metrics"}},
      {"io", {"base", "parallel", "config", "io"}},
      {"data", {"base", "parallel", "config", "jinja", "io", "data"}}};
  for (const Line& line : lines_below("core")) {
    const std::string include = included(line);
    if (!include.starts_with("\"core/")) continue;
    const std::string folder = line.file.substr(5, line.file.find('/', 5) - 5);
    const std::string target = include.substr(6, include.find('/', 6) - 6);
    if (const auto rule = allowed.find(folder); rule != allowed.end()) {
      EXPECT_TRUE(rule->second.contains(target)) << line.place() << " includes " << include;
    }
    EXPECT_TRUE(target != "cli" || folder == "cli") << line.place() << " includes " << include;
    const std::set<std::string> runs = {"train", "export", "inference", "bench", "cli"};
    EXPECT_TRUE(target != "train" || runs.contains(folder)) << line.place() << " includes " << include;
    for (const char* command : {"export", "inference", "bench"}) {
      EXPECT_TRUE(target != command || folder == command || folder == "cli") << line.place() << " includes " << include;
    }
  }
}

TEST(Layering, NothingPrintsOrExitsBelowTheCommandLine) {
  const std::regex forbidden(R"(\b(std::cout|std::cerr|printf|puts|std::exit|std::abort|exit|abort|_exit)\s*(\(|<<))");
  const std::regex harmless(R"((->|\.)\s*(abort|exit)\s*\(|snprintf|void \(\*abort\)|ftrun_\w+)");
  for (const std::string folder : {"plugins", "core/base", "core/config", "core/plugin", "core/jinja", "core/io",
                                   "core/tensor", "core/ops", "core/autograd"}) {
    for (const Line& line : lines_below(folder)) {
      if (std::regex_search(line.text, harmless)) continue;
      EXPECT_FALSE(std::regex_search(line.text, forbidden)) << line.place() << ": " << line.text;
    }
  }
}

}  // namespace
