// jieba's regular expressions (re_han_default, re_skip_default; finalseg's re_skip), written out.
#include "core/metrics/word_segmentation.h"

#include "core/base/code_points.h"

namespace ftrun {
namespace {

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_alphanumeric(char32_t c) { return is_digit(c) || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z'); }
bool is_joining(char32_t c) { return std::u32string_view(U"+#&._%-").find(c) != std::u32string_view::npos; }

// [a-zA-Z0-9]+(\.[0-9]+)?%?
size_t alphanumeric_size(std::u32string_view text) {
  size_t size = 0;
  while (size < text.size() && is_alphanumeric(text[size])) ++size;
  if (size == 0) return 0;
  size_t fraction = size;
  if (fraction < text.size() && text[fraction] == U'.') {
    ++fraction;
    while (fraction < text.size() && is_digit(text[fraction])) ++fraction;
    if (fraction > size + 1) size = fraction;
  }
  return size < text.size() && text[size] == U'%' ? size + 1 : size;
}

size_t word_size(std::u32string_view text) {
  if (const size_t size = alphanumeric_size(text); size > 0) return size;
  size_t joining = 0;
  while (joining < text.size() && is_joining(text[joining])) ++joining;
  if (joining > 0) return joining;
  return text.starts_with(U"\r\n") ? 2 : 1;
}

}  // namespace

std::vector<std::string> segment_words(std::string_view utf8) {
  const std::u32string points = code_points(utf8);
  std::vector<std::string> words;
  for (std::u32string_view rest = points; !rest.empty();) {
    const size_t size = word_size(rest);
    words.push_back(to_utf8(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  return words;
}

}  // namespace ftrun
