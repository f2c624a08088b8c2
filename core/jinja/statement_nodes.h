// The kinds of statements, but for macros (macro.h).
#pragma once

#include <utility>
#include <vector>

#include "core/jinja/statement.h"

namespace ftrun::jinja {

/// Text of the template.
class Data final : public Statement {
 public:
  Data(int line, std::string text) : Statement(line), text_(std::move(text)) {}
  void declare(Symbols&) const override {}
  void visit_names(const NameVisitor&) const override {}

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  std::string text_;
};

/// {{ expression }}.
class Print final : public Statement {
 public:
  Print(int line, ExpressionPtr expression) : Statement(line), expression_(std::move(expression)) {}
  void declare(Symbols& symbols) const override { declare_loads(expression_.get(), symbols); }
  void visit_names(const NameVisitor& visit) const override { expression_->visit_names(visit); }

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  ExpressionPtr expression_;
};

/// if, elif ..., else. Opens no scope.
class If final : public Statement {
 public:
  struct Branch {
    ExpressionPtr condition;
    Body body;
  };
  If(int line, std::vector<Branch> branches, Body otherwise)
      : Statement(line), branches_(std::move(branches)), otherwise_(std::move(otherwise)) {}
  void declare(Symbols& symbols) const override;
  void bind(const Symbols& symbols) override;
  void visit_names(const NameVisitor& visit) const override;

 private:
  void declare_elif(size_t index, Symbols& symbols) const;
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  std::vector<Branch> branches_;
  Body otherwise_;
};

/// for target in iterable if test ... else ...
class For final : public Statement {
 public:
  struct Parts {
    Target target;
    ExpressionPtr iterable;
    ExpressionPtr test;  ///< may be null
    Body body, otherwise;
  };
  For(int line, Parts parts) : Statement(line), parts_(std::move(parts)) {}
  void declare(Symbols& symbols) const override { declare_loads(parts_.iterable.get(), symbols); }
  void bind(const Symbols& symbols) override;
  void visit_names(const NameVisitor& visit) const override;

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  /// The iterable, or a generator of its items that pass the test.
  Value tested(const Value& iterable, Rendering& rendering, Frame& test_frame) const;
  Flow run_else(Rendering& rendering, Frame& frame, std::string& output) const;
  Parts parts_;
  ScopeLayout body_layout_, else_layout_, test_layout_;
};

/// set target = expression.
class Set final : public Statement {
 public:
  Set(int line, Target target, ExpressionPtr value)
      : Statement(line), target_(std::move(target)), value_(std::move(value)) {}
  void declare(Symbols& symbols) const override;
  void visit_names(const NameVisitor& visit) const override;

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  Target target_;
  ExpressionPtr value_;
};

/// {% set target | filter %}...{% endset %}, and {% filter ... %} without a target: the body's text, filtered.
class TextBlock final : public Statement {
 public:
  TextBlock(int line, std::optional<Target> target, ExpressionPtr filter, Body body)
      : Statement(line), target_(std::move(target)), filter_(std::move(filter)), body_(std::move(body)) {}
  void declare(Symbols& symbols) const override;
  void bind(const Symbols& symbols) override;
  void visit_names(const NameVisitor& visit) const override;

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  std::optional<Target> target_;
  ExpressionPtr filter_;  // reads BlockText; null: the text as it is
  Body body_;
  ScopeLayout layout_;
};

/// with a = 1, b = 2.
class With final : public Statement {
 public:
  using Assignments = std::vector<std::pair<Target, ExpressionPtr>>;
  With(int line, Assignments assignments, Body body)
      : Statement(line), assignments_(std::move(assignments)), body_(std::move(body)) {}
  void declare(Symbols& symbols) const override;
  void bind(const Symbols& symbols) override;
  void visit_names(const NameVisitor& visit) const override;

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  Assignments assignments_;
  Body body_;
  ScopeLayout layout_;
};

/// {% generation %}: marks what the model generates (Rendering::generated); its text is written as it is.
class Generation final : public Statement {
 public:
  Generation(int line, Body body) : Statement(line), body_(std::move(body)) {}
  void declare(Symbols&) const override {}
  void bind(const Symbols& symbols) override;
  void visit_names(const NameVisitor& visit) const override { body_.visit_names(visit); }

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  Body body_;
  ScopeLayout layout_;
};

/// break, continue.
class LoopControl final : public Statement {
 public:
  LoopControl(int line, Flow flow) : Statement(line), flow_(flow) {}
  void declare(Symbols&) const override {}
  void visit_names(const NameVisitor&) const override {}

 private:
  Flow execute(Rendering&, Frame&, std::string&) const override { return flow_; }
  Flow flow_;
};

}  // namespace ftrun::jinja
