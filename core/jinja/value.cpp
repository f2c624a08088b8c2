// Making values, and what every value has: a type, a truth.
#include "core/jinja/value.h"

#include <algorithm>
#include <limits>

#include "core/jinja/budget.h"
#include "core/jinja/comparison.h"
#include "core/jinja/loop.h"
#include "core/jinja/python_text.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

void require_hashable(const Value& key) {
  if (key.is<TupleValue>()) {
    for (const Value& item : *key.items()) require_hashable(item);
  } else if (key.is<ListValue>() || key.is_dict()) {
    throw type_error("unhashable type: '{}'", type_name(key));
  }
}

}  // namespace

const Value* Dict::find(const Value& key) const {
  for (const auto& [known, value] : entries)
    if (equals(known, key)) return &value;
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [known, value] : entries)
    if (known.is_text() && known.utf8() == key) return &value;
  return nullptr;
}

void Dict::set(const Value& key, Value value) {
  require_hashable(key);
  if (const Value* found = find(key)) {
    *const_cast<Value*>(found) = std::move(value);
  } else {
    entries.emplace_back(key, std::move(value));
  }
}

int64_t Range::size() const {
  const bool empty = step > 0 ? start >= stop : start <= stop;
  if (empty) return 0;
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                     : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  return static_cast<int64_t>((distance - 1) / stride + 1);
}

Value Value::text(std::string utf8, bool is_markup) {
  return Payload(Text{std::make_shared<const std::string>(std::move(utf8)), is_markup});
}

Value Value::containing(Payload payload, int inner_depth) {
  if (inner_depth >= kMaxValueDepth) throw exhausted("puts too many values inside each other");
  Value value(std::move(payload));
  value.depth_ = inner_depth + 1;
  return value;
}

Value Value::list(List items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth_);
  return containing(ListValue{std::make_shared<const List>(std::move(items))}, depth);
}

Value Value::tuple(List items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth_);
  return containing(TupleValue{std::make_shared<const List>(std::move(items))}, depth);
}

Value Value::dict(Dict dict) {
  int depth = 0;
  for (const auto& [key, value] : dict.entries) depth = std::max({depth, key.depth_, value.depth_});
  return containing(std::make_shared<const Dict>(std::move(dict)), depth);
}

Value Value::view(DictView::Kind kind, const Value& dict) {
  return containing(DictView{kind, dict.as<std::shared_ptr<const Dict>>()}, dict.depth_);
}

Value Value::loop(std::shared_ptr<Loop> loop, const Value& iterable) {
  return containing(std::move(loop), iterable.depth_);
}

Value Value::iterator(std::string type_name, const Value& source, std::function<std::optional<Value>()> next) {
  return containing(std::make_shared<Iterator>(Iterator{std::move(type_name), std::move(next)}), source.depth_);
}

Value Value::method(std::string name, const Value& self, std::function<Value(Rendering&, const Arguments&)> call) {
  return containing(std::make_shared<const Callable>(Callable{std::move(name), {}, std::move(call)}), self.depth_);
}

Value Value::undefined(std::string message, bool is_unsafe) {
  return Payload(std::make_shared<const Undefined>(Undefined{std::move(message), is_unsafe}));
}

Value Value::function(std::string name, std::function<Value(Rendering&, const Arguments&)> call, std::string printed) {
  return Payload(std::make_shared<const Callable>(Callable{std::move(name), std::move(printed), std::move(call)}));
}

Value Value::from_json(const nlohmann::ordered_json& json, int depth) {
  if (depth >= kMaxValueDepth) throw value_error("a value given to the template is nested too deep");
  if (json.is_boolean()) return boolean(json.get<bool>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
    throw unsupported("the integer {} (beyond 64 bits)", json.get<uint64_t>());
  if (json.is_number_integer()) return integer(json.get<int64_t>());
  if (json.is_number()) return real(json.get<double>());
  if (json.is_string()) {
    const auto& text_in = json.get_ref<const std::string&>();
    if (!is_utf8(text_in)) throw value_error("a text given to the template is not UTF-8");
    return text(text_in);
  }
  if (json.is_array()) {
    List items;
    for (const auto& item : json) items.push_back(from_json(item, depth + 1));
    return list(std::move(items));
  }
  if (json.is_object()) {
    Dict result;
    for (const auto& item : json.items())
      result.entries.emplace_back(text(item.key()), from_json(item.value(), depth + 1));
    return dict(std::move(result));
  }
  if (json.is_null()) return {};
  throw value_error("a value given to the template is not JSON");
}

const List* Value::items() const {
  if (is<ListValue>()) return as<ListValue>().items.get();
  if (is<TupleValue>()) return as<TupleValue>().items.get();
  return nullptr;
}

std::optional<int64_t> Value::as_integer() const {
  if (is<int64_t>()) return as<int64_t>();
  if (is<bool>()) return as<bool>() ? 1 : 0;
  return std::nullopt;
}

std::string type_name(const Value& value) {
  struct Names {
    std::string operator()(std::monostate) const { return "NoneType"; }
    std::string operator()(bool) const { return "bool"; }
    std::string operator()(int64_t) const { return "int"; }
    std::string operator()(double) const { return "float"; }
    std::string operator()(const Text& text) const { return text.is_markup ? "Markup" : "str"; }
    std::string operator()(const ListValue&) const { return "list"; }
    std::string operator()(const TupleValue&) const { return "tuple"; }
    std::string operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
    std::string operator()(const DictView& view) const {
      if (view.kind == DictView::Kind::kItems) return "dict_items";
      return view.kind == DictView::Kind::kKeys ? "dict_keys" : "dict_values";
    }
    std::string operator()(const Range&) const { return "range"; }
    std::string operator()(const std::shared_ptr<Iterator>& iterator) const { return iterator->type_name; }
    std::string operator()(Namespace*) const { return "TemplateNamespace"; }
    std::string operator()(const std::shared_ptr<Loop>&) const { return "LoopContext"; }
    std::string operator()(const std::shared_ptr<const Callable>& callable) const {
      return callable->printed.empty() ? "function" : "Macro";
    }
    std::string operator()(const std::shared_ptr<const Undefined>&) const { return "Undefined"; }
  };
  return std::visit(Names(), value.payload());
}

std::string object_name(const Value& value) {
  if (value.is_none()) return "None";
  const std::string name = type_name(value);
  if (value.is<Namespace*>()) return "transformers.utils.chat_template_utils." + name + " object";
  if (value.is_markup()) return "markupsafe." + name + " object";
  if (name == "LoopContext" || name == "Macro" || name == "Undefined") return "jinja2.runtime." + name + " object";
  return name + " object";
}

void require_plain_attribute(const std::string& name) {
  if (!name.starts_with('_')) return;
  throw Failure("SecurityError",
                fmt::format("Chat templates cannot store underscore-prefixed attributes on a namespace, but got {}. "
                            "Please rename the attribute.",
                            python_quoted(name)));
}

bool is_true(const Value& value) {
  struct Truth {
    bool operator()(std::monostate) const { return false; }
    bool operator()(bool truth) const { return truth; }
    bool operator()(int64_t number) const { return number != 0; }
    bool operator()(double number) const { return number != 0; }
    bool operator()(const Text& text) const { return !text.utf8->empty(); }
    bool operator()(const ListValue& list) const { return !list.items->empty(); }
    bool operator()(const TupleValue& tuple) const { return !tuple.items->empty(); }
    bool operator()(const std::shared_ptr<const Dict>& dict) const { return !dict->entries.empty(); }
    bool operator()(const DictView& view) const { return !view.dict->entries.empty(); }
    bool operator()(const Range& range) const { return range.size() != 0; }
    bool operator()(const std::shared_ptr<Iterator>&) const { return true; }
    bool operator()(Namespace*) const { return true; }
    bool operator()(const std::shared_ptr<Loop>&) const { return true; }
    bool operator()(const std::shared_ptr<const Callable>&) const { return true; }
    bool operator()(const std::shared_ptr<const Undefined>&) const { return false; }
  };
  return std::visit(Truth(), value.payload());
}

}  // namespace ftrun::jinja
