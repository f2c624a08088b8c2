// Unicode normalization as Hugging Face `tokenizers` does it, on utf8proc.
#include "core/data/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/data/tokenizer/unicode_tables.h"

namespace ftrun {
namespace {

int options_of(NormalizationForm form) {
  switch (form) {
    case NormalizationForm::kNfc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    case NormalizationForm::kNfd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    case NormalizationForm::kNfkc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    case NormalizationForm::kNfkd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  }
  return 0;
}

void append_mapped(std::string_view text, NormalizationForm form, std::string& out) {
  if (text.empty()) return;
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(options_of(form)));
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size < 0) throw internal_error("utf8proc: {}", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size));
  std::free(mapped);
}

bool is_barrier(uint32_t value) {
  if (value < 0x7FD) return false;
  const auto ranges = normalization_barriers();
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), value,
                                      [](uint32_t v, const CodePointRange& range) { return v < range.first; });
  return after != ranges.begin() && value <= (after - 1)->last;
}

void append_between_barriers(std::string_view text, NormalizationForm form, std::string& out) {
  size_t start = 0;
  for (size_t k = 0; k < text.size();) {
    const CodePoint point = code_point_at(text, k);
    if (is_barrier(point.value)) {
      append_mapped(text.substr(start, k - start), form, out);
      out.append(text.substr(k, point.size_bytes));
      start = k + point.size_bytes;
    }
    k += point.size_bytes;
  }
  append_mapped(text.substr(start), form, out);
}

size_t ascii_prefix(std::string_view text) {
  size_t k = 0;
  while (k < text.size() && static_cast<unsigned char>(text[k]) < 0x80) ++k;
  return k;
}

/// Only the stretches around code points that NFC may touch go through utf8proc; each starts at the inert code point
/// before them, which is a boundary of normalization.
bool append_nfc(std::string_view text, std::string& out) {
  size_t done = 0;
  size_t last_start = 0;
  bool any = false;
  for (size_t k = 0; k < text.size();) {
    const CodePoint point = code_point_at(text, k);
    if (is_nfc_inert(point.value)) {
      last_start = k;
      k += point.size_bytes;
      continue;
    }
    size_t end = k + point.size_bytes;
    while (end < text.size()) {
      const CodePoint next = code_point_at(text, end);
      if (is_nfc_inert(next.value)) break;
      end += next.size_bytes;
    }
    last_start = std::max(last_start, done);
    out.append(text.substr(done, last_start - done));
    append_between_barriers(text.substr(last_start, end - last_start), NormalizationForm::kNfc, out);
    done = last_start = k = end;
    any = true;
  }
  if (any) out.append(text.substr(done));
  return any;
}

}  // namespace

bool is_nfc_inert(uint32_t value) {
  if (value < 0x300) return true;
  if (value < 0x3000) {
    return (value >= 0x391 && value <= 0x482) || (value >= 0x48A && value <= 0x52F) ||
           (value >= 0x5D0 && value <= 0x5EA) || (value >= 0x620 && value <= 0x64A) ||
           (value >= 0x904 && value <= 0x939) || (value >= 0xE01 && value <= 0xE37) ||
           (value >= 0x1E00 && value <= 0x1EFF && value != 0x1E9B) || (value >= 0x2010 && value <= 0x205F) ||
           (value >= 0x2190 && value <= 0x2328) || (value >= 0x2460 && value <= 0x2AD0);
  }
  return (value <= 0x3029) || (value >= 0x3030 && value <= 0x3098) || (value >= 0x309B && value <= 0x9FFF) ||
         (value >= 0xAC00 && value <= 0xD7A3) || (value >= 0xFF00 && value <= 0xFFEF) ||
         (value >= 0x1F300 && value <= 0x1FAFF) || (value >= 0x20000 && value <= 0x2F7FF);
}

size_t Normalizer::first_piece(std::string_view text) const {
  const bool only_nfc =
      std::all_of(forms_.begin(), forms_.end(), [](NormalizationForm form) { return form == NormalizationForm::kNfc; });
  size_t end = code_point_at(text, 0).size_bytes;
  while (end < text.size()) {
    const CodePoint next = code_point_at(text, end);
    if (next.value < 0x80 || (only_nfc && is_nfc_inert(next.value))) break;
    end += next.size_bytes;
  }
  return end;
}

std::string_view Normalizer::normalize(std::string_view text, std::string& storage) const {
  if (forms_.empty() || ascii_prefix(text) == text.size()) return text;
  std::string current;
  bool changed = false;
  for (const NormalizationForm form : forms_) {
    const std::string_view input = changed ? std::string_view(storage) : text;
    current.clear();
    if (form == NormalizationForm::kNfc) {
      if (!append_nfc(input, current)) continue;
    } else {
      append_between_barriers(input, form, current);
    }
    storage.swap(current);
    changed = true;
  }
  return changed ? std::string_view(storage) : text;
}

}  // namespace ftrun
