// The kinds of expressions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/jinja/expression.h"
#include "core/jinja/filters.h"
#include "core/jinja/tests_table.h"

namespace ftrun::jinja {

class Literal final : public Expression {
 public:
  Literal(int line, Value value) : Expression(line), value_(std::move(value)) {}
  void visit_names(const NameVisitor&) const override {}

 private:
  Value compute(Rendering&, Frame&) const override { return value_; }
  Value value_;
};

class Name final : public Expression {
 public:
  Name(int line, std::string name) : Expression(line), name_(std::move(name)) {}
  void visit_names(const NameVisitor& visit) const override { visit(name_, true); }
  const std::string& name() const { return name_; }

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  std::string name_;
};

/// [a, b] or (a, b).
class Sequence final : public Expression {
 public:
  Sequence(int line, std::vector<ExpressionPtr> items, bool is_tuple)
      : Expression(line), items_(std::move(items)), is_tuple_(is_tuple) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  std::vector<ExpressionPtr> items_;
  bool is_tuple_;
};

/// {key: value}.
class Mapping final : public Expression {
 public:
  using Entries = std::vector<std::pair<ExpressionPtr, ExpressionPtr>>;
  Mapping(int line, Entries entries) : Expression(line), entries_(std::move(entries)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  Entries entries_;
};

/// -a, +a or `not a`.
class Unary final : public Expression {
 public:
  Unary(int line, char sign, ExpressionPtr operand) : Expression(line), sign_(sign), operand_(std::move(operand)) {}
  void visit_names(const NameVisitor& visit) const override { operand_->visit_names(visit); }
  static constexpr char kNot = '!';

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  char sign_;
  ExpressionPtr operand_;
};

/// Arithmetic, `and`, `or`.
class Binary final : public Expression {
 public:
  Binary(int line, std::string sign, ExpressionPtr left, ExpressionPtr right)
      : Expression(line), sign_(std::move(sign)), left_(std::move(left)), right_(std::move(right)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  std::string sign_;
  ExpressionPtr left_, right_;
};

/// a < b <= c, `in`, `not in`.
class Comparison final : public Expression {
 public:
  using Operands = std::vector<std::pair<std::string, ExpressionPtr>>;
  Comparison(int line, ExpressionPtr first, Operands operands)
      : Expression(line), first_(std::move(first)), operands_(std::move(operands)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr first_;
  Operands operands_;
};

/// a ~ b.
class Concatenation final : public Expression {
 public:
  Concatenation(int line, std::vector<ExpressionPtr> parts) : Expression(line), parts_(std::move(parts)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  std::vector<ExpressionPtr> parts_;
};

/// a if condition else b.
class Conditional final : public Expression {
 public:
  Conditional(int line, ExpressionPtr condition, ExpressionPtr then, ExpressionPtr otherwise)
      : Expression(line), condition_(std::move(condition)), then_(std::move(then)), otherwise_(std::move(otherwise)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr condition_, then_, otherwise_;  // otherwise_ may be null
};

/// object.name.
class Attribute final : public Expression {
 public:
  Attribute(int line, ExpressionPtr object, std::string name)
      : Expression(line), object_(std::move(object)), name_(std::move(name)) {}
  void visit_names(const NameVisitor& visit) const override { object_->visit_names(visit); }
  const std::string& name() const { return name_; }

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr object_;
  std::string name_;
};

/// object[key].
class Item final : public Expression {
 public:
  Item(int line, ExpressionPtr object, ExpressionPtr key)
      : Expression(line), object_(std::move(object)), key_(std::move(key)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr object_, key_;
};

/// object[start:stop:step]; any of the three may be null.
class Slice final : public Expression {
 public:
  Slice(int line, ExpressionPtr object, ExpressionPtr start, ExpressionPtr stop, ExpressionPtr step)
      : Expression(line),
        object_(std::move(object)),
        start_(std::move(start)),
        stop_(std::move(stop)),
        step_(std::move(step)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr object_, start_, stop_, step_;
};

class Call final : public Expression {
 public:
  Call(int line, ExpressionPtr callee, ArgumentList arguments)
      : Expression(line), callee_(std::move(callee)), arguments_(std::move(arguments)) {}
  void visit_names(const NameVisitor& visit) const override;
  /// With `caller` as one more keyword argument, for call blocks.
  Value call_with_caller(Rendering& rendering, Frame& frame, const Value& caller) const;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr callee_;
  ArgumentList arguments_;
};

/// input | filter(arguments). Without an input it is the filter of a filter or set block.
class Filtered final : public Expression {
 public:
  Filtered(int line, ExpressionPtr input, Filter filter, ArgumentList arguments)
      : Expression(line), input_(std::move(input)), filter_(filter), arguments_(std::move(arguments)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr input_;
  Filter filter_;
  ArgumentList arguments_;
};

/// The text of a filter or set block, where its first filter takes its input from.
class BlockText final : public Expression {
 public:
  using Expression::Expression;
  void visit_names(const NameVisitor&) const override {}
  static constexpr const char* kName = " block";  ///< no name of a template; holds the text in the block's frame

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
};

/// value is test(arguments).
class Tested final : public Expression {
 public:
  Tested(int line, ExpressionPtr value, Test test, ArgumentList arguments)
      : Expression(line), value_(std::move(value)), test_(test), arguments_(std::move(arguments)) {}
  void visit_names(const NameVisitor& visit) const override;

 private:
  Value compute(Rendering& rendering, Frame& frame) const override;
  ExpressionPtr value_;
  Test test_;
  ArgumentList arguments_;
};

}  // namespace ftrun::jinja
