// The shell's two most used expansions; what it would do with the others is refused, not guessed.
#include "core/base/path_text.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "core/base/printable_text.h"

namespace ftrun {
namespace {

bool is_name_begin(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_begin(c) || (c >= '0' && c <= '9'); }

bool is_name(std::string_view text) {
  return !text.empty() && is_name_begin(text.front()) && std::ranges::all_of(text, is_name_part);
}

/// Reads one path from the left.
class PathExpansion {
 public:
  PathExpansion(std::string_view written, std::string_view place) : written_(written), place_(place) {}

  std::string run() {
    std::string result;
    size_t at = 0;
    if (written_.starts_with('~')) {
      if (written_.size() > 1 && written_[1] != '/') {
        throw refusal("a ~ before a name is not looked up: write the folder itself, or ./~ for a name that begins so");
      }
      result = variable("HOME");
      at = 1;
    }
    while (at < written_.size()) {
      const size_t sign = std::min(written_.find('$', at), written_.size());
      result.append(written_.substr(at, sign - at));
      at = sign < written_.size() ? after_sign(sign, result) : sign;
    }
    return result;
  }

 private:
  /// What stands behind the $ at `sign`; the offset behind that.
  size_t after_sign(size_t sign, std::string& result) const {
    const std::string_view rest = written_.substr(sign + 1);
    if (rest.starts_with('$')) {
      result.push_back('$');
      return sign + 2;
    }
    if (!rest.starts_with('{')) {
      if (!rest.empty() && is_name_begin(rest.front())) {
        const auto end = std::ranges::find_if_not(rest, is_name_part);
        throw refusal(fmt::format("write ${{{}}} for an environment variable, $$ for a $ that belongs to the name",
                                  std::string_view(rest.begin(), end)));
      }
      result.push_back('$');
      return sign + 1;
    }
    const size_t close = rest.find('}');
    const std::string_view name = close == std::string_view::npos ? "" : rest.substr(1, close - 1);
    if (!is_name(name)) throw refusal("expected ${NAME} with the name of an environment variable, $$ for a $ itself");
    result.append(variable(std::string(name)));
    return sign + 2 + close;
  }

  std::string variable(const std::string& name) const {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) throw refusal(fmt::format("the environment variable {} is not set", name));
    if (*value == '\0') throw refusal(fmt::format("the environment variable {} is empty", name));
    return value;
  }

  Error refusal(std::string_view reason) const {
    return invalid_argument("{}: '{}': {}", place_, printable_text(written_), reason);
  }

  std::string_view written_;
  std::string_view place_;
};

}  // namespace

void require_plain_path(std::string_view text, std::string_view place) {
  const auto found = std::ranges::find_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (found == text.end()) return;
  throw invalid_argument("{}: '{}': the character 0x{:02X} is not part of a path", place, printable_text(text),
                         static_cast<unsigned>(static_cast<unsigned char>(*found)));
}

std::string unexpanded_path(std::string_view path) {
  std::string written = path.starts_with('~') ? "./" : "";
  for (const char c : path) written.append(c == '$' ? 2 : 1, c);
  return written;
}

std::string expand_path(std::string_view written, std::string_view place) {
  require_plain_path(written, place);
  std::string path = PathExpansion(written, place).run();
  require_plain_path(path, place);
  return path;
}

}  // namespace ftrun
