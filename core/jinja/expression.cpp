// How each kind of expression computes its value.
#include "core/jinja/expression.h"

#include "core/jinja/attributes.h"
#include "core/jinja/comparison.h"
#include "core/jinja/expression_nodes.h"
#include "core/jinja/operators.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"

namespace ftrun::jinja {

Value Expression::evaluate(Rendering& rendering, Frame& frame) const {
  return with_line(line_, [&] {
    const Budget::Depth depth(rendering.budget);
    rendering.budget.steps(1);
    return compute(rendering, frame);
  });
}

Arguments ArgumentList::evaluate(Rendering& rendering, Frame& frame) const {
  Arguments arguments;
  for (const auto& argument : positional) arguments.positional.push_back(argument->evaluate(rendering, frame));
  for (const auto& [name, value] : keywords) arguments.keywords.emplace_back(name, value->evaluate(rendering, frame));
  if (all_positional != nullptr) {
    const List more = list_of(all_positional->evaluate(rendering, frame), rendering.budget);
    arguments.positional.insert(arguments.positional.end(), more.begin(), more.end());
  }
  if (all_keywords != nullptr) {
    const Value more = all_keywords->evaluate(rendering, frame);
    if (!more.is_dict()) throw type_error("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [name, value] : more.dict_value().entries) {
      if (!name.is_text()) throw type_error("keywords must be strings");
      arguments.keywords.emplace_back(name.utf8(), value);
    }
  }
  return arguments;
}

void ArgumentList::visit_names(const NameVisitor& visit) const {
  for (const auto& argument : positional) argument->visit_names(visit);
  for (const auto& [name, value] : keywords) value->visit_names(visit);
  if (all_positional != nullptr) all_positional->visit_names(visit);
  if (all_keywords != nullptr) all_keywords->visit_names(visit);
}

Value Name::compute(Rendering&, Frame& frame) const {
  const auto& value = frame.get(name_);
  return value ? *value : Value::undefined("'" + name_ + "' is undefined");
}

Value Sequence::compute(Rendering& rendering, Frame& frame) const {
  List items;
  for (const auto& item : items_) items.push_back(item->evaluate(rendering, frame));
  return is_tuple_ ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

void Sequence::visit_names(const NameVisitor& visit) const {
  for (const auto& item : items_) item->visit_names(visit);
}

Value Mapping::compute(Rendering& rendering, Frame& frame) const {
  Dict dict;
  for (const auto& [key, value] : entries_) {
    const Value its_key = key->evaluate(rendering, frame);
    dict.set(its_key, value->evaluate(rendering, frame));
  }
  return Value::dict(std::move(dict));
}

void Mapping::visit_names(const NameVisitor& visit) const {
  for (const auto& [key, value] : entries_) {
    key->visit_names(visit);
    value->visit_names(visit);
  }
}

Value Unary::compute(Rendering& rendering, Frame& frame) const {
  const Value operand = operand_->evaluate(rendering, frame);
  return sign_ == kNot ? Value::boolean(!is_true(operand)) : unary(sign_, operand);
}

Value Binary::compute(Rendering& rendering, Frame& frame) const {
  Value left = left_->evaluate(rendering, frame);
  if (sign_ == "and") return is_true(left) ? right_->evaluate(rendering, frame) : left;
  if (sign_ == "or") return is_true(left) ? left : right_->evaluate(rendering, frame);
  return binary(left, sign_, right_->evaluate(rendering, frame), rendering.budget);
}

void Binary::visit_names(const NameVisitor& visit) const {
  left_->visit_names(visit);
  right_->visit_names(visit);
}

Value Comparison::compute(Rendering& rendering, Frame& frame) const {
  Value left = first_->evaluate(rendering, frame);
  for (const auto& [sign, operand] : operands_) {
    Value right = operand->evaluate(rendering, frame);
    bool holds = false;
    if (sign == "in" || sign == "not in") {
      holds = contains(right, left, rendering.budget) == (sign == "in");
    } else if (sign == "==" || sign == "!=") {
      holds = equals(left, right) == (sign == "==");
    } else {
      holds = compares(left, sign, right);
    }
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

void Comparison::visit_names(const NameVisitor& visit) const {
  first_->visit_names(visit);
  for (const auto& [sign, operand] : operands_) operand->visit_names(visit);
}

Value Concatenation::compute(Rendering& rendering, Frame& frame) const {
  std::string text;
  for (const auto& part : parts_) {
    text += printed(part->evaluate(rendering, frame));
    check_text_size(text.size());
  }
  rendering.budget.text(text.size());
  return Value::text(std::move(text));
}

void Concatenation::visit_names(const NameVisitor& visit) const {
  for (const auto& part : parts_) part->visit_names(visit);
}

Value Conditional::compute(Rendering& rendering, Frame& frame) const {
  if (is_true(condition_->evaluate(rendering, frame))) return then_->evaluate(rendering, frame);
  if (otherwise_ != nullptr) return otherwise_->evaluate(rendering, frame);
  return Value::undefined(
      fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.", line()));
}

void Conditional::visit_names(const NameVisitor& visit) const {
  condition_->visit_names(visit);
  then_->visit_names(visit);
  if (otherwise_ != nullptr) otherwise_->visit_names(visit);
}

Value Attribute::compute(Rendering& rendering, Frame& frame) const {
  return attribute_of(object_->evaluate(rendering, frame), name_, rendering);
}

Value Item::compute(Rendering& rendering, Frame& frame) const {
  const Value object = object_->evaluate(rendering, frame);
  return item_of(object, key_->evaluate(rendering, frame), rendering);
}

void Item::visit_names(const NameVisitor& visit) const {
  object_->visit_names(visit);
  key_->visit_names(visit);
}

Value Slice::compute(Rendering& rendering, Frame& frame) const {
  const auto part = [&](const ExpressionPtr& bound) { return bound ? bound->evaluate(rendering, frame) : Value(); };
  const Value object = object_->evaluate(rendering, frame);
  const Value start = part(start_), stop = part(stop_), step = part(step_);
  return slice_of(object, start, stop, step, rendering.budget);
}

void Slice::visit_names(const NameVisitor& visit) const {
  object_->visit_names(visit);
  for (const ExpressionPtr* part : {&start_, &stop_, &step_})
    if (*part != nullptr) (*part)->visit_names(visit);
}

Value Call::compute(Rendering& rendering, Frame& frame) const {
  const Value callee = callee_->evaluate(rendering, frame);
  return call(callee, arguments_.evaluate(rendering, frame), rendering);
}

Value Call::call_with_caller(Rendering& rendering, Frame& frame, const Value& caller) const {
  return with_line(line(), [&] {
    const Value callee = callee_->evaluate(rendering, frame);
    Arguments arguments = arguments_.evaluate(rendering, frame);
    arguments.keywords.emplace_back("caller", caller);
    return call(callee, arguments, rendering);
  });
}

void Call::visit_names(const NameVisitor& visit) const {
  callee_->visit_names(visit);
  arguments_.visit_names(visit);
}

Value Filtered::compute(Rendering& rendering, Frame& frame) const {
  const Value input = input_->evaluate(rendering, frame);
  return filter_(input, arguments_.evaluate(rendering, frame), rendering);
}

void Filtered::visit_names(const NameVisitor& visit) const {
  input_->visit_names(visit);
  arguments_.visit_names(visit);
}

Value BlockText::compute(Rendering&, Frame& frame) const { return frame.get(kName).value(); }

Value Tested::compute(Rendering& rendering, Frame& frame) const {
  const Value value = value_->evaluate(rendering, frame);
  return Value::boolean(test_(value, arguments_.evaluate(rendering, frame), rendering));
}

void Tested::visit_names(const NameVisitor& visit) const {
  value_->visit_names(visit);
  arguments_.visit_names(visit);
}

}  // namespace ftrun::jinja
