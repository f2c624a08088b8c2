// Python's quoting rules for texts and its choice between decimal and exponent for floats.
#include "core/jinja/python_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/jinja/budget.h"
#include "core/jinja/loop.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

std::string escaped(char32_t point) {
  if (point == U'\n') return "\\n";
  if (point == U'\r') return "\\r";
  if (point == U'\t') return "\\t";
  if (is_printable(point)) return to_utf8(point);
  if (point < 0x100) return fmt::format("\\x{:02x}", static_cast<uint32_t>(point));
  if (point < 0x10000) return fmt::format("\\u{:04x}", static_cast<uint32_t>(point));
  return fmt::format("\\U{:08x}", static_cast<uint32_t>(point));
}

std::string represented_inside(const Value& value, int depth);

void append(std::string& text, const std::string& more) {
  check_text_size(text.size() + more.size());
  text += more;
}

std::string joined(const List& items, int depth) {
  std::string text;
  for (const Value& item : items) append(text, (text.empty() ? "" : ", ") + represented_inside(item, depth));
  return text;
}

std::string dict_text(const Dict& dict, int depth) {
  std::string text;
  for (const auto& [key, value] : dict.entries)
    append(text, (text.empty() ? "" : ", ") + represented_inside(key, depth) + ": " + represented_inside(value, depth));
  return "{" + text + "}";
}

std::string view_text(const DictView& view, int depth) {
  std::string text;
  for (const auto& [key, value] : view.dict->entries) {
    if (!text.empty()) text += ", ";
    if (view.kind == DictView::Kind::kItems) {
      append(text, "(" + represented_inside(key, depth) + ", " + represented_inside(value, depth) + ")");
    } else {
      append(text, represented_inside(view.kind == DictView::Kind::kKeys ? key : value, depth));
    }
  }
  return type_name(Value(Value::Payload(view))) + "([" + text + "])";
}

struct Representation {
  int depth;  // of what it stands in: a namespace may hold itself

  std::string operator()(std::monostate) const { return "None"; }
  std::string operator()(bool truth) const { return truth ? "True" : "False"; }
  std::string operator()(int64_t number) const { return std::to_string(number); }
  std::string operator()(double number) const { return float_text(number); }
  std::string operator()(const Text& text) const {
    return text.is_markup ? "Markup(" + python_quoted(*text.utf8) + ")" : python_quoted(*text.utf8);
  }
  std::string operator()(const ListValue& list) const { return "[" + joined(*list.items, depth + 1) + "]"; }
  std::string operator()(const TupleValue& tuple) const {
    return "(" + joined(*tuple.items, depth + 1) + (tuple.items->size() == 1 ? ",)" : ")");
  }
  std::string operator()(const std::shared_ptr<const Dict>& dict) const { return dict_text(*dict, depth + 1); }
  std::string operator()(const DictView& view) const { return view_text(view, depth + 1); }
  std::string operator()(const Range& range) const {
    if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
    return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
  }
  std::string operator()(const std::shared_ptr<Iterator>& iterator) const {
    throw unsupported("printing a {} (use the list or join filter)", iterator->type_name);
  }
  std::string operator()(Namespace* names) const {
    return "<Namespace " + dict_text(names->attributes, depth + 1) + ">";
  }
  std::string operator()(const std::shared_ptr<Loop>& loop) const {
    return fmt::format("<LoopContext {}/{}>", loop->index0() + 1, loop->length());
  }
  std::string operator()(const std::shared_ptr<const Callable>& callable) const {
    if (callable->printed.empty()) throw unsupported("printing the function '{}'", callable->name);
    return callable->printed;
  }
  std::string operator()(const std::shared_ptr<const Undefined>&) const { return "Undefined"; }
};

std::string represented_inside(const Value& value, int depth) {
  if (depth > 2 * kMaxValueDepth) throw exhausted("prints values inside each other");
  return std::visit(Representation{depth}, value.payload());
}

// Digits and decimal exponent of the shortest text: value = 0.DIGITS x 10^exponent.
std::pair<std::string, int> shortest(double magnitude) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), magnitude, std::chars_format::scientific).ptr;
  const std::string text(buffer, end);
  const size_t mark = text.find('e');
  std::string digits = text.substr(0, mark);
  std::erase(digits, '.');
  return {digits, std::atoi(text.c_str() + mark + 1) + 1};
}

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  const std::string sign = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return sign + "inf";
  auto [digits, point] = shortest(std::abs(value));
  if (point > 16 || point < -3) {
    const int exponent = point - 1;
    const std::string fraction = digits.size() > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02d}", sign, digits[0], fraction, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (point <= 0) return sign + "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  const auto whole = static_cast<size_t>(point);
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string python_quoted(std::string_view utf8) {
  const bool double_quotes = utf8.find('\'') != utf8.npos && utf8.find('"') == utf8.npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string text(1, quote);
  for (const char32_t point : code_points(utf8)) {
    if (point == static_cast<char32_t>(quote) || point == U'\\') {
      text += '\\';
      text += static_cast<char>(point);
    } else {
      text += escaped(point);
    }
  }
  return text + quote;
}

std::string represented(const Value& value) { return represented_inside(value, 0); }

std::string printed(const Value& value) {
  if (value.is_text()) return value.utf8();
  if (value.is_undefined()) return {};
  return represented(value);
}

}  // namespace ftrun::jinja
