// Which table a value's methods are in, and what of Python's types is known but not here.
#include "core/jinja/methods.h"

#include <set>

namespace ftrun::jinja {
namespace {

using Names = std::set<std::string_view>;

const MethodTable* table_of(const Value& self) {
  if (self.is_text()) return &text_methods();
  if (self.is_dict()) return &dict_methods();
  if (self.is<Range>()) return &range_methods();
  return self.items() != nullptr ? &list_methods() : nullptr;
}

const Names& unsupported_names(const Value& self) {
  static const Names kText = {"encode", "format_map", "maketrans", "translate", "unescape", "striptags", "escape"};
  static const Names kDict = {"fromkeys"};
  static const Names kNumber = {"real",      "imag",     "numerator",  "denominator", "bit_length", "bit_count",
                                "conjugate", "to_bytes", "from_bytes", "hex",         "fromhex",    "as_integer_ratio",
                                "is_integer"};
  static const Names kView = {"mapping", "isdisjoint"};
  static const Names kRange = {"start", "stop", "step"};
  static const Names kIterator = {"send", "throw", "close", "gi_running", "gi_frame", "gi_code", "gi_yieldfrom"};
  static const Names kFunction = {"name", "arguments", "catch_kwargs", "catch_varargs", "caller", "explicit_caller"};
  static const Names kNone;
  if (self.is_text()) return kText;
  if (self.is_dict()) return kDict;
  if (self.is_number()) return kNumber;
  if (self.is<DictView>()) return kView;
  if (self.is<Range>()) return kRange;
  if (self.is<std::shared_ptr<Iterator>>()) return kIterator;
  return self.is<std::shared_ptr<const Callable>>() ? kFunction : kNone;
}

}  // namespace

Method find_method(const Value& self, std::string_view name) {
  const MethodTable* table = table_of(self);
  if (table == nullptr) return nullptr;
  auto found = table->find(name);
  if (found != table->end()) return found->second;
  if (!self.is_text()) return nullptr;
  found = text_predicates().find(name);
  return found == text_predicates().end() ? nullptr : found->second;
}

bool is_unsupported_attribute(const Value& self, std::string_view name) {
  return unsupported_names(self).contains(name);
}

bool is_changing_method(const Value& self, std::string_view name) {
  static const Names kList = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
  static const Names kDict = {"clear", "pop", "popitem", "setdefault", "update"};
  return (self.is<ListValue>() && kList.contains(name)) || (self.is_dict() && kDict.contains(name));
}

}  // namespace ftrun::jinja
