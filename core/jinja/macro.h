// Macros and call blocks.
#pragma once

#include <string>
#include <vector>

#include "core/jinja/expression_nodes.h"
#include "core/jinja/statement.h"

namespace ftrun::jinja {

/// Parameters and body of a macro or of a call block's `caller`.
class MacroBody {
 public:
  struct Parameters {
    std::vector<std::string> names;
    std::vector<ExpressionPtr> defaults;  ///< of the last ones
  };
  /// Throws TemplateAssertionError for a parameter `caller` without a default.
  MacroBody(int line, Parameters parameters, Body body);

  void bind(const Symbols& symbols);
  void visit_names(const NameVisitor& visit) const;
  /// The function, seeing `frame`; it must not be called after the rendering. `name` is what it is printed as.
  Value function(Rendering& rendering, Frame& frame, const std::string& name) const;

 private:
  struct Given;
  Given given_by(const Arguments& arguments, const std::string& name) const;
  Value invoke(Rendering& rendering, Frame& outer, const Arguments& arguments, const std::string& name) const;
  void set_defaults(Rendering& rendering, Frame& frame) const;
  bool has_parameter(std::string_view name) const;

  Parameters parameters_;
  Body body_;
  ScopeLayout layout_;
  // Whether the body reads these without setting them first.
  bool reads_caller_ = false, reads_kwargs_ = false, reads_varargs_ = false;
};

/// macro name(parameters).
class Macro final : public Statement {
 public:
  Macro(int line, std::string name, MacroBody body) : Statement(line), name_(std::move(name)), body_(std::move(body)) {}
  void declare(Symbols& symbols) const override { symbols.store(name_); }
  void bind(const Symbols& symbols) override { body_.bind(symbols); }
  void visit_names(const NameVisitor& visit) const override { body_.visit_names(visit); }
  const std::string& name() const { return name_; }

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  std::string name_;
  MacroBody body_;
};

/// call(parameters) macro(arguments): calls the macro with the body as its `caller`.
class CallBlock final : public Statement {
 public:
  CallBlock(int line, std::unique_ptr<const Call> call, MacroBody body)
      : Statement(line), call_(std::move(call)), body_(std::move(body)) {}
  void declare(Symbols& symbols) const override { declare_loads(call_.get(), symbols); }
  void bind(const Symbols& symbols) override { body_.bind(symbols); }
  void visit_names(const NameVisitor& visit) const override;

 private:
  Flow execute(Rendering& rendering, Frame& frame, std::string& output) const override;
  std::unique_ptr<const Call> call_;
  MacroBody body_;
};

}  // namespace ftrun::jinja
