// Statements of a template, each able to write its output.
// Leaves out: the single kinds (statement_nodes.h, macro.h), how they are read (statement_parser.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/jinja/expression.h"
#include "core/jinja/scope.h"

namespace ftrun::jinja {

/// What comes after a statement: the next one, or the end of the loop's turn or of the loop.
enum class Flow : uint8_t { kNext, kContinue, kBreak };

/// Immutable once parsed and bound; may run on several threads at a time, each with a Rendering of its own.
class Statement {
 public:
  explicit Statement(int line) : line_(line) {}
  virtual ~Statement() = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Names it reads and sets in the scope it stands in.
  virtual void declare(Symbols& symbols) const = 0;
  /// Once that scope is known: lays out the scopes inside.
  virtual void bind(const Symbols& symbols) { (void)symbols; }
  /// All names inside, also those of inner scopes.
  virtual void visit_names(const NameVisitor& visit) const = 0;

  /// Appends to `output`. Throws Failure with its line.
  Flow run(Rendering& rendering, Frame& frame, std::string& output) const;

  int line() const { return line_; }

 protected:
  virtual Flow execute(Rendering& rendering, Frame& frame, std::string& output) const = 0;

 private:
  int line_;
};

/// Statements in a row.
struct Body {
  std::vector<std::unique_ptr<Statement>> statements;

  void declare(Symbols& symbols) const;
  void bind(const Symbols& symbols);
  void visit_names(const NameVisitor& visit) const;
  Flow run(Rendering& rendering, Frame& frame, std::string& output) const;
};

/// Names an expression reads, as loads of the scope.
void declare_loads(const Expression* expression, Symbols& symbols);

/// What a value is assigned to: a name, an attribute of a namespace, or a tuple of such.
struct Target {
  enum class Kind : uint8_t { kName, kNamespace, kTuple };
  Kind kind = Kind::kName;
  std::string name;
  std::string attribute;      ///< kNamespace
  std::vector<Target> parts;  ///< kTuple

  void store(Symbols& symbols) const;
  void store_as_parameter(Symbols& symbols) const;
  void visit_names(const NameVisitor& visit) const;
  /// Throws TemplateRuntimeError unless what gets attributes are namespaces.
  void require_namespaces(const Frame& frame) const;
  void assign(const Value& value, Rendering& rendering, Frame& frame) const;
  /// The value of its names, as a tuple for kTuple.
  Value read(const Frame& frame) const;
};

}  // namespace ftrun::jinja
