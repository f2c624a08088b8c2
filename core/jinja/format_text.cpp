// The conversions of % are mapped to format specifications; fields of format() may name attributes and items.
#include "core/jinja/format_text.h"

#include <algorithm>
#include <cmath>

#include "core/jinja/attributes.h"
#include "core/jinja/comparison.h"
#include "core/jinja/python_text.h"
#include "core/jinja/rendering.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// One "%..." of a format.
struct Conversion {
  std::optional<std::string> key;
  std::string flags, width, precision;
  char type = '\0';
};

Conversion conversion_at(std::string_view format, size_t& at) {
  Conversion conversion;
  const auto take_while = [&](std::string_view allowed) {
    const size_t begin = at;
    while (at < format.size() && allowed.find(format[at]) != allowed.npos) ++at;
    return std::string(format.substr(begin, at - begin));
  };
  if (at < format.size() && format[at] == '(') {
    const size_t end = format.find(')', at);
    if (end == format.npos) throw value_error("incomplete format key");
    conversion.key = std::string(format.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  conversion.flags = take_while("#0- +");
  conversion.width = take_while("0123456789");
  if (at < format.size() && format[at] == '.') {
    ++at;
    conversion.precision = "." + take_while("0123456789");
    if (conversion.precision == ".") conversion.precision = ".0";
  }
  take_while("hlL");
  if (at == format.size()) throw value_error("incomplete format");
  conversion.type = format[at++];
  if (conversion.type == '*') throw unsupported("'*' in a format");
  return conversion;
}

std::string spec_of(const Conversion& conversion, bool is_number) {
  const auto has = [&](char flag) { return conversion.flags.find(flag) != std::string::npos; };
  std::string spec = has('-') ? "<" : is_number ? "" : ">";
  if (is_number && has('+')) spec += '+';
  if (is_number && has(' ') && !has('+')) spec += ' ';
  if (has('#')) throw unsupported("'#' in a format");
  if (is_number && has('0') && !has('-')) spec += '0';
  return spec + conversion.width;
}

std::string converted_number(const Conversion& conversion, const Value& value, Budget& budget) {
  const bool is_whole = std::string_view("diu").find(conversion.type) != std::string_view::npos;
  const std::string spec = spec_of(conversion, true);
  if (!is_whole && std::string_view("xXo").find(conversion.type) == std::string_view::npos) {
    if (!value.is_number()) throw type_error("must be real number, not {}", type_name(value));
    return format_value(Value::real(value.as_real()), spec + conversion.precision + conversion.type, budget);
  }
  if (!conversion.precision.empty()) throw unsupported("the precision of an integer's format");
  if (is_whole && value.is<double>()) {
    const double whole = std::trunc(value.as<double>());
    if (!(std::abs(whole) < 9e18)) throw unsupported("an integer beyond 64 bits");
    return format_value(Value::integer(static_cast<int64_t>(whole)), spec + "d", budget);
  }
  if (!value.as_integer())
    throw type_error("%{} format: {} is required, not {}", conversion.type, is_whole ? "a real number" : "an integer",
                     type_name(value));
  return format_value(Value::integer(*value.as_integer()), spec + (is_whole ? 'd' : conversion.type), budget);
}

std::string converted(const Conversion& conversion, const Value& value, Budget& budget) {
  if (conversion.type == 's' || conversion.type == 'r') {
    const std::string text = conversion.type == 's' ? printed(value) : represented(value);
    return format_value(Value::text(text), spec_of(conversion, false) + conversion.precision, budget);
  }
  if (std::string_view("diuxXoeEfFgG").find(conversion.type) != std::string_view::npos)
    return converted_number(conversion, value, budget);
  if (conversion.type == 'c' || conversion.type == 'a') throw unsupported("the format '%{}'", conversion.type);
  throw value_error("unsupported format character '{}' (0x{:x})", conversion.type, int{conversion.type});
}

// The values of a % in turn.
class PercentValues {
 public:
  explicit PercentValues(const Value& values) : values_(values) {}

  const Value& get(const Conversion& conversion) {
    if (conversion.key) return named(*conversion.key);
    const List* items = values_.is<TupleValue>() ? values_.items() : nullptr;
    if (items == nullptr ? used_ > 0 : used_ >= items->size())
      throw type_error("not enough arguments for format string");
    return items == nullptr ? (++used_, values_) : (*items)[used_++];
  }
  void require_all_used() const {
    const bool subscriptable =
        values_.is<ListValue>() || values_.is_dict() || values_.is_undefined() || values_.is<Range>();
    const size_t count = values_.is<TupleValue>() ? values_.items()->size() : subscriptable ? 0 : 1;
    if (used_ < count) throw type_error("not all arguments converted during string formatting");
  }

 private:
  const Value& named(const std::string& key) const {
    if (!values_.is_dict()) throw type_error("format requires a mapping");
    if (const Value* found = values_.dict_value().find(key)) return *found;
    throw Failure("KeyError", python_quoted(key));
  }

  const Value& values_;
  size_t used_ = 0;
};

// Walks the fields of a format() text.
class BraceFormat {
 public:
  BraceFormat(std::string_view format, const Arguments& arguments, Rendering& rendering)
      : format_(format), arguments_(arguments), rendering_(rendering) {}

  std::string run() {
    std::string text;
    while (at_ < format_.size()) {
      const char c = format_[at_++];
      if (c != '{' && c != '}') {
        text += c;
      } else if (at_ < format_.size() && format_[at_] == c) {
        text += c;
        ++at_;
      } else if (c == '}') {
        throw value_error("Single '}}' encountered in format string");
      } else {
        text += field();
      }
      check_text_size(text.size());
    }
    rendering_.budget.text(text.size());
    return text;
  }

 private:
  std::string field() {
    if (at_ == format_.size()) throw value_error("Single '{{' encountered in format string");
    const size_t end = format_.find('}', at_);
    if (end == format_.npos) throw value_error("expected '}}' before end of string");
    std::string_view inside = format_.substr(at_, end - at_);
    if (inside.find('{') != inside.npos) throw unsupported("a field inside a field of format()");
    at_ = end + 1;
    const size_t colon = inside.find(':');
    const std::string_view spec = colon == inside.npos ? "" : inside.substr(colon + 1);
    inside = inside.substr(0, colon);
    const size_t mark = inside.find('!');
    const std::string_view conversion = mark == inside.npos ? "" : inside.substr(mark + 1);
    Value value = named(inside.substr(0, mark));
    if (conversion == "r") {
      value = Value::text(represented(value));
    } else if (conversion == "s") {
      value = Value::text(printed(value));
    } else if (mark != inside.npos) {
      throw unsupported("the conversion '!{}' of format()", conversion);
    }
    return format_value(value, spec, rendering_.budget);
  }

  Value named(std::string_view path) {
    const size_t first_end = std::min(path.find_first_of(".["), path.size());
    Value value = argument(path.substr(0, first_end));
    for (size_t at = first_end; at < path.size();) {
      const bool is_item = path[at] == '[';
      const size_t end = is_item ? path.find(']', at) : std::min(path.find_first_of(".[", at + 1), path.size());
      if (end == path.npos) throw value_error("Missing ']' in format string");
      const std::string name(path.substr(at + 1, end - at - 1));
      if (name.empty()) throw value_error("Empty attribute in format string");
      value = is_item
                  ? item_of(value,
                            is_digits(name) && name.size() < 18 ? Value::integer(std::stoll(name)) : Value::text(name),
                            rendering_)
                  : attribute_of(value, name, rendering_);
      at = is_item ? end + 1 : end;
    }
    return value;
  }

  Value argument(std::string_view name) {
    if (name.empty() || is_digits(name)) {
      const bool is_automatic = name.empty();
      if (numbering_ && *numbering_ != is_automatic)
        throw value_error("cannot switch from manual field specification to automatic field numbering");
      numbering_ = is_automatic;
      const size_t index = is_automatic ? next_++ : name.size() > 6 ? SIZE_MAX : std::stoull(std::string(name));
      if (index < arguments_.positional.size()) return arguments_.positional[index];
      throw Failure("IndexError", fmt::format("Replacement index {} out of range for positional args tuple", index));
    }
    for (const auto& [keyword, value] : arguments_.keywords)
      if (keyword == name) return value;
    throw Failure("KeyError", python_quoted(name));
  }

  std::string_view format_;
  const Arguments& arguments_;
  Rendering& rendering_;
  size_t at_ = 0;
  size_t next_ = 0;
  std::optional<bool> numbering_;
};

}  // namespace

std::string percent_format(std::string_view format, const Value& values, Budget& budget) {
  PercentValues given(values);
  std::string text;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      text += format[at++];
      continue;
    }
    const Conversion conversion = conversion_at(format, ++at);
    text += conversion.type == '%' ? "%" : converted(conversion, given.get(conversion), budget);
    check_text_size(text.size());
  }
  given.require_all_used();
  budget.text(text.size());
  return text;
}

std::string brace_format(std::string_view format, const Arguments& arguments, Rendering& rendering) {
  return BraceFormat(format, arguments, rendering).run();
}

}  // namespace ftrun::jinja
