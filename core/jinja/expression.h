// Expressions of a template, each able to compute itself.
// Leaves out: the single kinds (expression_nodes.h), how they are read (expression_parser.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/jinja/rendering.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// Called with every name of a part of a template, in the order of the text; `is_load` where it is read, not set.
using NameVisitor = std::function<void(const std::string& name, bool is_load)>;

/// Immutable once parsed; may be evaluated by several threads at a time, each with a Rendering of its own.
class Expression {
 public:
  explicit Expression(int line) : line_(line) {}
  virtual ~Expression() = default;
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  /// Throws Failure with the line of the innermost expression that failed.
  Value evaluate(Rendering& rendering, Frame& frame) const;
  virtual void visit_names(const NameVisitor& visit) const = 0;

  int line() const { return line_; }

 protected:
  virtual Value compute(Rendering& rendering, Frame& frame) const = 0;

 private:
  int line_;
};

using ExpressionPtr = std::unique_ptr<const Expression>;

/// Runs `action`, giving a Failure without a line this one.
template <typename Action>
decltype(auto) with_line(int line, Action action) {
  try {
    return action();
  } catch (Failure& failure) {
    if (failure.line == 0) failure.line = line;
    throw;
  }
}

/// What stands in the parentheses of a call.
struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr all_positional;  ///< *expression, or null
  ExpressionPtr all_keywords;    ///< **expression, or null

  Arguments evaluate(Rendering& rendering, Frame& frame) const;
  void visit_names(const NameVisitor& visit) const;
};

}  // namespace ftrun::jinja
