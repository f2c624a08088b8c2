// Every test of Jinja 3.1.
#include "core/jinja/tests_table.h"

#include <map>

#include "core/jinja/arguments.h"
#include "core/jinja/comparison.h"
#include "core/jinja/filters.h"
#include "core/jinja/operators.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

using Table = std::map<std::string_view, Test>;

const Value& other(const Arguments& arguments) { return positional_only("test", arguments, 1, 1)[0]; }

bool remainder_is(const Value& value, const Value& divisor, int64_t wanted, Rendering& rendering) {
  return equals(binary(value, "%", divisor, rendering.budget), Value::integer(wanted));
}

template <typename Property>
bool all_cased(const Value& value, Property wanted) {
  bool any = false;
  for (const char32_t point : code_points(printed(value))) {
    if (is_cased(point) && !wanted(point)) return false;
    any = any || wanted(point);
  }
  return any;
}

bool is_integer(const Value& value) { return value.is<int64_t>(); }

// What has a length and can be indexed.
bool is_sequence(const Value& value) {
  return value.is_text() || value.items() != nullptr || value.is_dict() || value.is<Range>() || value.is_undefined();
}

bool is_callable(const Value& value) {
  return value.is<std::shared_ptr<const Callable>>() || value.is_undefined() || value.is<std::shared_ptr<Loop>>();
}

template <auto property>
bool plain(const Value& value, const Arguments& arguments, Rendering&) {
  positional_only("test", arguments, 0, 0);
  return property(value);
}

// `value SIGN other`.
bool is_equal(const Value& a, const Arguments& arguments, Rendering&) { return equals(a, other(arguments)); }
bool is_not_equal(const Value& a, const Arguments& arguments, Rendering&) { return !equals(a, other(arguments)); }
bool is_greater(const Value& a, const Arguments& arguments, Rendering&) { return compares(a, ">", other(arguments)); }
bool is_at_least(const Value& a, const Arguments& arguments, Rendering&) { return compares(a, ">=", other(arguments)); }
bool is_less(const Value& a, const Arguments& arguments, Rendering&) { return compares(a, "<", other(arguments)); }
bool is_at_most(const Value& a, const Arguments& arguments, Rendering&) { return compares(a, "<=", other(arguments)); }

Table make_table() {
  Table table = {
      {"odd", [](const Value& value, const Arguments&,
                 Rendering& rendering) { return remainder_is(value, Value::integer(2), 1, rendering); }},
      {"even", [](const Value& value, const Arguments&,
                  Rendering& rendering) { return remainder_is(value, Value::integer(2), 0, rendering); }},
      {"divisibleby", [](const Value& value, const Arguments& arguments,
                         Rendering& rendering) { return remainder_is(value, other(arguments), 0, rendering); }},
      {"in", [](const Value& value, const Arguments& arguments,
                Rendering& rendering) { return contains(other(arguments), value, rendering.budget); }},
      {"sameas",
       [](const Value& value, const Arguments& arguments, Rendering&) { return is_same(value, other(arguments)); }},
      {"test", [](const Value& value, const Arguments&,
                  Rendering&) { return value.is_text() && find_test(value.utf8()) != nullptr; }},
      {"filter",
       [](const Value& value, const Arguments&, Rendering&) {
         return value.is_text() && (find_filter(value.utf8()) != nullptr || is_unsupported_filter(value.utf8()));
       }},
      {"defined", plain<[](const Value& value) { return !value.is_undefined(); }>},
      {"undefined", plain<[](const Value& value) { return value.is_undefined(); }>},
      {"none", plain<[](const Value& value) { return value.is_none(); }>},
      {"boolean", plain<[](const Value& value) { return value.is<bool>(); }>},
      {"true", plain<[](const Value& value) { return value.is<bool>() && value.as<bool>(); }>},
      {"false", plain<[](const Value& value) { return value.is<bool>() && !value.as<bool>(); }>},
      {"integer", plain<is_integer>},
      {"float", plain<[](const Value& value) { return value.is<double>(); }>},
      {"number", plain<[](const Value& value) { return value.is_number(); }>},
      {"string", plain<[](const Value& value) { return value.is_text(); }>},
      {"mapping", plain<[](const Value& value) { return value.is_dict(); }>},
      {"sequence", plain<is_sequence>},
      {"iterable", plain<is_iterable>},
      {"callable", plain<is_callable>},
      {"escaped", plain<[](const Value& value) { return value.is_markup(); }>},
      {"lower", plain<[](const Value& value) { return all_cased(value, is_lower); }>},
      {"upper", plain<[](const Value& value) { return all_cased(value, is_upper); }>},
  };
  for (const char* name : {"==", "eq", "equalto"}) table[name] = is_equal;
  for (const char* name : {"!=", "ne"}) table[name] = is_not_equal;
  for (const char* name : {">", "gt", "greaterthan"}) table[name] = is_greater;
  for (const char* name : {">=", "ge"}) table[name] = is_at_least;
  for (const char* name : {"<", "lt", "lessthan"}) table[name] = is_less;
  for (const char* name : {"<=", "le"}) table[name] = is_at_most;
  return table;
}

const Table& all_tests() {
  static const Table table = make_table();
  return table;
}

}  // namespace

Test find_test(std::string_view name) {
  const auto found = all_tests().find(name);
  return found == all_tests().end() ? nullptr : found->second;
}

std::vector<std::string> test_names() {
  std::vector<std::string> names;
  for (const auto& [name, test] : all_tests()) names.emplace_back(name);
  return names;
}

}  // namespace ftrun::jinja
