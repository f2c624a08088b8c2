// The values a template computes with: Python's, as far as chat templates need them.
// Leaves out: what can be done with them (operators.h, comparison.h, sequence.h, attributes.h, python_text.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/jinja/failure.h"

namespace ftrun::jinja {

class Value;
class Loop;
struct Arguments;
struct Rendering;
using List = std::vector<Value>;

/// A missing variable, attribute or item: prints as nothing, is false and empty; anything else is `failure`.
struct Undefined {
  std::string message;
  bool is_unsafe = false;  ///< the sandbox hides it: SecurityError instead of UndefinedError
  Failure failure() const { return {is_unsafe ? "SecurityError" : "UndefinedError", message}; }
};

/// UTF-8. Markup is what the `safe` filter gives: what is added to it is escaped for HTML.
struct Text {
  std::shared_ptr<const std::string> utf8;
  bool is_markup = false;
};

struct ListValue {
  std::shared_ptr<const List> items;
};
struct TupleValue {
  std::shared_ptr<const List> items;
};

/// Keys in the order they were first set.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  /// Throws TypeError for a key that cannot be one (list, dict).
  void set(const Value& key, Value value);
};

struct DictView {
  enum class Kind : uint8_t { kKeys, kValues, kItems };
  Kind kind;
  std::shared_ptr<const Dict> dict;
};

struct Range {
  int64_t start = 0, stop = 0, step = 1;
  int64_t size() const;
  int64_t at(int64_t index) const { return start + index * step; }
};

/// What can be walked through once (Python's generators and iterators).
struct Iterator {
  std::string type_name;
  std::function<std::optional<Value>()> next;
};

/// namespace(): the only thing a template can change. Owned by the rendering, so that it may hold itself.
struct Namespace {
  Dict attributes;
};

/// A macro, a method of a value or a global function.
struct Callable {
  std::string name;
  std::string printed;  ///< repr; "" where Python prints an address
  std::function<Value(Rendering&, const Arguments&)> call;
};

class Value {
 public:
  using Payload =
      std::variant<std::monostate, bool, int64_t, double, Text, ListValue, TupleValue, std::shared_ptr<const Dict>,
                   DictView, Range, std::shared_ptr<Iterator>, Namespace*, std::shared_ptr<Loop>,
                   std::shared_ptr<const Callable>, std::shared_ptr<const Undefined>>;

  Value() = default;                                        ///< None
  Value(Payload payload) : payload_(std::move(payload)) {}  // NOLINT(google-explicit-constructor)

  static Value boolean(bool value) { return Payload(value); }
  static Value integer(int64_t value) { return Payload(value); }
  static Value real(double value) { return Payload(value); }
  static Value text(std::string utf8, bool is_markup = false);
  static Value list(List items);
  static Value tuple(List items);
  static Value dict(Dict dict);
  static Value view(DictView::Kind kind, const Value& dict);
  static Value loop(std::shared_ptr<Loop> loop, const Value& iterable);
  /// `source` is what it takes its items from.
  static Value iterator(std::string type_name, const Value& source, std::function<std::optional<Value>()> next);
  static Value undefined(std::string message, bool is_unsafe = false);
  static Value function(std::string name, std::function<Value(Rendering&, const Arguments&)> call,
                        std::string printed = {});
  /// A function that keeps `self`.
  static Value method(std::string name, const Value& self, std::function<Value(Rendering&, const Arguments&)> call);
  /// Throws INVALID_ARGUMENT for text that is not UTF-8 and integers beyond 64 bits.
  static Value from_json(const nlohmann::ordered_json& json, int depth = 0);

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(payload_);
  }
  template <typename T>
  const T& as() const {
    return std::get<T>(payload_);
  }
  bool is_none() const { return is<std::monostate>(); }
  bool is_text() const { return is<Text>(); }
  bool is_undefined() const { return is<std::shared_ptr<const Undefined>>(); }
  const Undefined& undefined_value() const { return *as<std::shared_ptr<const Undefined>>(); }
  bool is_dict() const { return is<std::shared_ptr<const Dict>>(); }
  const Dict& dict_value() const { return *as<std::shared_ptr<const Dict>>(); }
  const std::string& utf8() const { return *as<Text>().utf8; }
  bool is_markup() const { return is_text() && as<Text>().is_markup; }
  /// Of a list or tuple, else nullptr.
  const List* items() const;
  /// Python's int, of which bool is a kind.
  std::optional<int64_t> as_integer() const;
  /// int, bool or float.
  bool is_number() const { return is<double>() || as_integer().has_value(); }
  double as_real() const { return is<double>() ? as<double>() : static_cast<double>(*as_integer()); }

  const Payload& payload() const { return payload_; }

 private:
  /// Throws RESOURCE_EXHAUSTED when values nest too deep: they are destroyed, compared and printed recursively.
  static Value containing(Payload payload, int inner_depth);

  Payload payload_;
  int depth_ = 0;  // of what it holds and owns
};

/// Positional and keyword arguments of a call.
struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

/// Name of the Python type: "str", "NoneType", "generator", ...
std::string type_name(const Value& value);
/// How Jinja names an object in messages: "dict object", "None".
std::string object_name(const Value& value);
/// Throws SecurityError for a namespace attribute that begins with "_", as transformers does.
void require_plain_attribute(const std::string& name);
/// bool(value) as Python has it.
bool is_true(const Value& value);

}  // namespace ftrun::jinja
