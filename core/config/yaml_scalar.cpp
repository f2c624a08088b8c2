// Quotes: line breaks are folded, escapes resolved. Blocks: indentation taken off, folded or not, chomped.
#include "core/config/yaml_scalar.h"

#include <algorithm>
#include <cstdint>

#include "core/base/utf8_text.h"

namespace ftrun {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Bytes of the line break at `at`, 0 when there is none.
size_t break_size(std::string_view yaml, size_t at) {
  if (at >= yaml.size()) return 0;
  if (yaml[at] == '\n') return 1;
  if (yaml[at] != '\r') return 0;
  return at + 1 < yaml.size() && yaml[at + 1] == '\n' ? 2 : 1;
}

/// Takes the blank lines at `at` and what the line behind them is indented with; returns how many there were.
size_t take_blank_lines(std::string_view yaml, size_t& at) {
  size_t lines = 0;
  while (true) {
    while (at < yaml.size() && is_blank(yaml[at])) ++at;
    const size_t size = break_size(yaml, at);
    if (size == 0) return lines;
    at += size;
    ++lines;
  }
}

std::optional<uint32_t> hex_number(std::string_view digits) {
  uint32_t number = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return {};
    number = number * 16 + static_cast<uint32_t>(digit);
  }
  return number;
}

/// Appends what the escape at `at` (behind its backslash) means and goes behind it. False: it means nothing.
bool take_escape(std::string_view yaml, size_t& at, std::string& text) {
  const char kind = at < yaml.size() ? yaml[at] : '\0';
  const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  if (digits > 0) {
    if (at + 1 + digits > yaml.size()) return false;
    const auto code = hex_number(yaml.substr(at + 1, digits));
    if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF)) return false;
    append_code_point(*code, text);
    at += 1 + digits;
    return true;
  }
  constexpr std::string_view kNames = "0abt\tnvfre \"/\\N_LP";
  constexpr uint32_t kCodes[] = {0, 7, 8, 9, 9, 10, 11, 12, 13, 0x1B, ' ', '"', '/', '\\', 0x85, 0xA0, 0x2028, 0x2029};
  static_assert(std::size(kCodes) == kNames.size());
  const size_t name = kNames.find(kind);
  if (name == std::string_view::npos || at >= yaml.size()) return false;
  append_code_point(kCodes[name], text);
  ++at;
  return true;
}

/// A quoted scalar: blanks around a line break are dropped, a single break is a blank, of more the first is.
std::optional<YamlScalar> read_quoted(std::string_view yaml, size_t begin) {
  const char quote = yaml[begin];
  YamlScalar result;
  std::string& text = result.text;
  size_t kept = 0;  // of the text: blanks that escapes wrote stay before a line break
  for (size_t at = begin + 1; at < yaml.size();) {
    const char c = yaml[at];
    if (c == quote) {
      const bool is_doubled = quote == '\'' && at + 1 < yaml.size() && yaml[at + 1] == quote;
      if (!is_doubled) {
        result.end = at + 1;
        return result;
      }
      text.push_back(quote);
      at += 2;
      kept = text.size();
    } else if (c == '\\' && quote == '"') {
      ++at;
      if (const size_t size = break_size(yaml, at); size > 0) {
        at += size;
        text.append(take_blank_lines(yaml, at), '\n');
      } else if (!take_escape(yaml, at, text)) {
        return {};
      }
      kept = text.size();
    } else if (break_size(yaml, at) > 0) {
      const size_t last = text.find_last_not_of(" \t");
      text.resize(std::max(kept, last == std::string::npos ? 0 : last + 1));
      const size_t lines = take_blank_lines(yaml, at);
      text.append(lines == 1 ? std::string(1, ' ') : std::string(lines - 1, '\n'));
      kept = text.size();
    } else {
      text.push_back(c);
      ++at;
    }
  }
  return {};
}

/// What stands behind `|` or `>`.
struct BlockHeader {
  bool is_folded = false;
  char chomping = 0;       ///< '-', '+' or 0: one line break is kept
  size_t indentation = 0;  ///< stated, 0: that of the first line with text
  size_t content = 0;      ///< offset of the first line
};

BlockHeader read_block_header(std::string_view yaml, size_t begin) {
  BlockHeader header;
  header.is_folded = yaml[begin] == '>';
  size_t at = begin + 1;
  for (; at < yaml.size(); ++at) {
    if (yaml[at] == '-' || yaml[at] == '+') {
      header.chomping = yaml[at];
    } else if (yaml[at] >= '1' && yaml[at] <= '9') {
      header.indentation = static_cast<size_t>(yaml[at] - '0');
    } else {
      break;
    }
  }
  while (at < yaml.size() && break_size(yaml, at) == 0) ++at;  // a comment
  header.content = at + break_size(yaml, at);
  return header;
}

/// Lines of a block, from the left.
class BlockLines {
 public:
  BlockLines(std::string_view yaml, size_t begin) : yaml_(yaml), at_(begin) {}

  size_t end() const { return at_; }
  /// The indentation of the first line with text, at least `least`.
  size_t indentation(size_t least) const {
    size_t found = 0;
    for (size_t at = at_; at < yaml_.size();) {
      size_t spaces = 0;
      while (at < yaml_.size() && yaml_[at] == ' ') ++at, ++spaces;
      found = std::max(found, spaces);
      const size_t size = break_size(yaml_, at);
      if (size == 0) break;
      at += size;
    }
    return std::max(least, found);
  }
  /// Takes lines with nothing but up to `indentation` spaces; true when the next line has at least as many and text.
  bool next(size_t indentation, size_t& blank_lines) {
    blank_lines = 0;
    while (true) {
      size_t at = at_;
      while (at < yaml_.size() && at - at_ < indentation && yaml_[at] == ' ') ++at;
      const size_t size = break_size(yaml_, at);
      if (size == 0) {
        if (at - at_ < indentation || at >= yaml_.size() || ends_document(at)) return false;
        at_ = at;
        return true;
      }
      at_ = at + size;
      ++blank_lines;
    }
  }
  /// The rest of the line at hand; `has_break` tells whether the file goes on behind it.
  std::string_view take(bool& has_break) {
    const size_t begin = at_;
    while (at_ < yaml_.size() && break_size(yaml_, at_) == 0) ++at_;
    const std::string_view line = yaml_.substr(begin, at_ - begin);
    has_break = break_size(yaml_, at_) > 0;
    at_ += break_size(yaml_, at_);
    return line;
  }

 private:
  /// "---" or "..." at the beginning of a line, which only a block without indentation can meet.
  bool ends_document(size_t at) const {
    const bool begins_line = at == 0 || yaml_[at - 1] == '\n' || yaml_[at - 1] == '\r';
    const std::string_view mark = yaml_.substr(at, 3);
    return begins_line && (mark == "---" || mark == "...") &&
           (at + 3 >= yaml_.size() || is_blank(yaml_[at + 3]) || break_size(yaml_, at + 3) > 0);
  }

  std::string_view yaml_;
  size_t at_;
};

YamlScalar read_block(std::string_view yaml, size_t begin, int parent_indent) {
  const BlockHeader header = read_block_header(yaml, begin);
  BlockLines lines(yaml, header.content);
  const auto least = static_cast<size_t>(std::max(parent_indent + 1, 1));
  const size_t indentation = header.indentation > 0 ? least + header.indentation - 1 : lines.indentation(least);
  YamlScalar result;
  size_t blank_lines = 0;
  bool has_break = false;
  bool had_text = false;  // the line before begins with text, so that folding may join it
  for (bool first = true; lines.next(indentation, blank_lines); first = false) {
    const std::string_view line = lines.take(has_break);
    const bool has_text = !is_blank(line.front());
    if (!first && !(header.is_folded && had_text && has_text)) {
      result.text.push_back('\n');
    } else if (!first && blank_lines == 0) {
      result.text.push_back(' ');
    }
    result.text.append(blank_lines, '\n').append(line);
    had_text = has_text;
  }
  result.end = lines.end();
  if (has_break && header.chomping != '-') result.text.push_back('\n');
  if (header.chomping == '+') result.text.append(blank_lines, '\n');
  return result;
}

}  // namespace

std::optional<YamlScalar> read_yaml_scalar(std::string_view yaml, size_t begin, int parent_indent) {
  const char first = begin < yaml.size() ? yaml[begin] : '\0';
  if (first == '"' || first == '\'') return read_quoted(yaml, begin);
  if (first == '|' || first == '>') return read_block(yaml, begin, parent_indent);
  return {};
}

}  // namespace ftrun
