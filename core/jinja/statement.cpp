// What all statements share, and assignment.
#include "core/jinja/statement.h"

#include "core/jinja/sequence.h"

namespace ftrun::jinja {

Flow Statement::run(Rendering& rendering, Frame& frame, std::string& output) const {
  return with_line(line_, [&] {
    const Budget::Depth depth(rendering.budget);
    rendering.budget.steps(1);
    return execute(rendering, frame, output);
  });
}

void Body::declare(Symbols& symbols) const {
  for (const auto& statement : statements) statement->declare(symbols);
}

void Body::bind(const Symbols& symbols) {
  for (const auto& statement : statements) statement->bind(symbols);
}

void Body::visit_names(const NameVisitor& visit) const {
  for (const auto& statement : statements) statement->visit_names(visit);
}

Flow Body::run(Rendering& rendering, Frame& frame, std::string& output) const {
  for (const auto& statement : statements)
    if (const Flow flow = statement->run(rendering, frame, output); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

void declare_loads(const Expression* expression, Symbols& symbols) {
  if (expression == nullptr) return;
  expression->visit_names([&](const std::string& name, bool) { symbols.load(name); });
}

void Target::store(Symbols& symbols) const {
  if (kind == Kind::kName) symbols.store(name);
  if (kind == Kind::kNamespace) symbols.load(name);
  for (const Target& part : parts) part.store(symbols);
}

void Target::store_as_parameter(Symbols& symbols) const {
  if (kind == Kind::kName) symbols.declare_parameter(name);
  for (const Target& part : parts) part.store_as_parameter(symbols);
}

void Target::visit_names(const NameVisitor& visit) const {
  if (kind == Kind::kName) visit(name, false);
  for (const Target& part : parts) part.visit_names(visit);
}

void Target::require_namespaces(const Frame& frame) const {
  for (const Target& part : parts) part.require_namespaces(frame);
  if (kind != Kind::kNamespace) return;
  const auto& value = frame.get(name);
  if (!value || !value->is<Namespace*>())
    throw Failure("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
}

void Target::assign(const Value& value, Rendering& rendering, Frame& frame) const {
  if (kind == Kind::kName) {
    frame.set(name, value);
  } else if (kind == Kind::kNamespace) {
    require_plain_attribute(attribute);
    frame.get(name)->as<Namespace*>()->attributes.set(Value::text(attribute), value);
  } else {
    const List items = unpack(value, parts.size(), rendering.budget);
    for (size_t i = 0; i < parts.size(); ++i) parts[i].assign(items[i], rendering, frame);
  }
}

Value Target::read(const Frame& frame) const {
  if (kind == Kind::kName) return frame.get(name).value_or(Value());
  List items;
  for (const Target& part : parts) items.push_back(part.read(frame));
  return Value::tuple(std::move(items));
}

}  // namespace ftrun::jinja
