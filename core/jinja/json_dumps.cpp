// As CPython's encoder: keys that are numbers become texts, tuples become lists.
#include "core/jinja/json_dumps.h"

#include <algorithm>
#include <cmath>

#include "core/jinja/comparison.h"
#include "core/jinja/python_text.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

std::string unit(uint32_t code) { return fmt::format("\\u{:04x}", code); }

std::string escaped(char32_t point, bool ensure_ascii) {
  switch (point) {
    case U'"':
      return "\\\"";
    case U'\\':
      return "\\\\";
    case U'\n':
      return "\\n";
    case U'\r':
      return "\\r";
    case U'\t':
      return "\\t";
    case U'\f':
      return "\\f";
    case U'\b':
      return "\\b";
    default:
      break;
  }
  const auto code = static_cast<uint32_t>(point);
  if (code < 0x20) return unit(code);
  if (!ensure_ascii || (code >= 0x20 && code < 0x7F)) return to_utf8(point);
  if (code < 0x10000) return unit(code);
  return unit(0xD800 + ((code - 0x10000) >> 10)) + unit(0xDC00 + ((code - 0x10000) & 0x3FF));
}

class Encoder {
 public:
  Encoder(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value) {
    const Budget::Depth depth(budget_);
    budget_.steps(1);
    if (value.items() != nullptr) {
      write_list(*value.items());
    } else if (value.is_dict()) {
      write_dict(value.dict_value());
    } else {
      text_ += scalar(value);
    }
    check_text_size(text_.size());
  }

  std::string take() {
    budget_.text(text_.size());
    return std::move(text_);
  }

 private:
  std::string string(std::string_view utf8) const {
    std::string text = "\"";
    for (const char32_t point : code_points(utf8)) text += escaped(point, style_.ensure_ascii);
    return text + '"';
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return float_text(value);
  }

  std::string scalar(const Value& value) const {
    if (value.is_text()) return string(value.utf8());
    if (value.is_none()) return "null";
    if (value.is<bool>()) return value.as<bool>() ? "true" : "false";
    if (value.is<int64_t>()) return std::to_string(value.as<int64_t>());
    if (value.is<double>()) return number(value.as<double>());
    throw type_error("Object of type {} is not JSON serializable", type_name(value));
  }

  std::string key(const Value& value) const {
    if (value.is_text()) return string(value.utf8());
    if (value.is_none() || value.is_number()) return '"' + scalar(value) + '"';
    throw type_error("keys must be str, int, float, bool or None, not {}", type_name(value));
  }

  void break_line() {
    if (!style_.indent) return;
    check_text_size(text_.size() + 1 + level_ * style_.indent->size());
    text_ += '\n';
    for (size_t i = 0; i < level_; ++i) text_ += *style_.indent;
  }

  // `write_item(i)` for i < count, between brackets.
  template <typename WriteItem>
  void write_items(char open, char close, size_t count, WriteItem write_item) {
    text_ += open;
    ++level_;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text_ += style_.item_separator;
      break_line();
      write_item(i);
    }
    --level_;
    if (count > 0) break_line();
    text_ += close;
  }

  void write_list(const List& items) {
    write_items('[', ']', items.size(), [&](size_t i) { write(items[i]); });
  }

  void write_dict(const Dict& dict) {
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys)
      std::ranges::stable_sort(entries, [](auto* a, auto* b) { return compares(a->first, "<", b->first); });
    write_items('{', '}', entries.size(), [&](size_t i) {
      text_ += key(entries[i]->first) + style_.key_separator;
      write(entries[i]->second);
    });
  }

  const JsonStyle& style_;
  Budget& budget_;
  std::string text_;
  size_t level_ = 0;
};

}  // namespace

std::string json_dumps(const Value& value, const JsonStyle& style, Budget& budget) {
  Encoder encoder(style, budget);
  encoder.write(value);
  return encoder.take();
}

}  // namespace ftrun::jinja
