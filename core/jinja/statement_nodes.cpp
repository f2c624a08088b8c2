// How each kind of statement writes its output. The order of scopes and assignments is jinja2's compiler's.
#include "core/jinja/statement_nodes.h"

#include "core/jinja/expression_nodes.h"
#include "core/jinja/loop.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"

namespace ftrun::jinja {
namespace {

void write(std::string_view text, Rendering& rendering, std::string& output) {
  output += text;
  rendering.budget.text(text.size());
  check_text_size(output.size());
}

}  // namespace

Flow Data::execute(Rendering& rendering, Frame&, std::string& output) const {
  write(text_, rendering, output);
  return Flow::kNext;
}

Flow Print::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  write(printed(expression_->evaluate(rendering, frame)), rendering, output);
  return Flow::kNext;
}

// An elif is an if inside the branches of the first: jinja2's symbols see all of them as one branch.
void If::declare_elif(size_t index, Symbols& symbols) const {
  declare_loads(branches_[index].condition.get(), symbols);
  Symbols body = symbols;
  branches_[index].body.declare(body);
  symbols.merge_branches({body, symbols, symbols});
}

void If::declare(Symbols& symbols) const {
  declare_loads(branches_[0].condition.get(), symbols);
  Symbols body = symbols, elifs = symbols, otherwise = symbols;
  branches_[0].body.declare(body);
  for (size_t i = 1; i < branches_.size(); ++i) declare_elif(i, elifs);
  otherwise_.declare(otherwise);
  symbols.merge_branches({body, elifs, otherwise});
}

void If::bind(const Symbols& symbols) {
  for (Branch& branch : branches_) branch.body.bind(symbols);
  otherwise_.bind(symbols);
}

void If::visit_names(const NameVisitor& visit) const {
  for (const Branch& branch : branches_) {
    branch.condition->visit_names(visit);
    branch.body.visit_names(visit);
  }
  otherwise_.visit_names(visit);
}

Flow If::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  for (const Branch& branch : branches_)
    if (is_true(branch.condition->evaluate(rendering, frame))) return branch.body.run(rendering, frame, output);
  return otherwise_.run(rendering, frame, output);
}

void For::bind(const Symbols& symbols) {
  Symbols body(&symbols), otherwise(&symbols), test(&symbols);
  body.declare_parameter("loop");
  parts_.target.store_as_parameter(body);
  parts_.body.declare(body);
  parts_.otherwise.declare(otherwise);
  if (parts_.test != nullptr) {
    parts_.target.store_as_parameter(test);
    declare_loads(parts_.test.get(), test);
  }
  body_layout_ = body.layout();
  else_layout_ = otherwise.layout();
  test_layout_ = test.layout();
  parts_.body.bind(body);
  parts_.otherwise.bind(otherwise);
}

void For::visit_names(const NameVisitor& visit) const {
  parts_.target.visit_names(visit);
  parts_.iterable->visit_names(visit);
  parts_.body.visit_names(visit);
  parts_.otherwise.visit_names(visit);
  if (parts_.test != nullptr) parts_.test->visit_names(visit);
}

Value For::tested(const Value& iterable, Rendering& rendering, Frame& test_frame) const {
  if (parts_.test == nullptr) return iterable;
  return Value::iterator("generator", iterable,
                         [this, next = iterate(iterable, rendering.budget), is_entered = false, &rendering,
                          &test_frame]() mutable -> std::optional<Value> {
                           if (!is_entered) test_frame.enter(rendering);
                           is_entered = true;
                           while (auto item = next()) {
                             parts_.target.assign(*item, rendering, test_frame);
                             if (is_true(parts_.test->evaluate(rendering, test_frame)))
                               return parts_.target.read(test_frame);
                           }
                           return std::nullopt;
                         });
}

// As in Jinja, `else` runs unless a turn of the loop came to its end (not by break or continue).
Flow For::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  FrameScope test_scope(rendering, test_layout_, &frame);
  FrameScope scope(rendering, body_layout_, &frame);
  const Value iterable = tested(parts_.iterable->evaluate(rendering, frame), rendering, test_scope.frame());
  const auto loop = std::make_shared<Loop>(iterable, iterate(iterable, rendering.budget));
  const Value loop_value = Value::loop(loop, iterable);
  bool came_to_end = false;
  while (const auto item = loop->advance()) {
    parts_.target.assign(*item, rendering, scope.frame());
    scope.frame().set("loop", loop_value);
    scope.frame().enter(rendering);
    const Flow flow = parts_.body.run(rendering, scope.frame(), output);
    came_to_end = came_to_end || flow == Flow::kNext;
    if (flow == Flow::kBreak) break;
  }
  scope.frame().leave();
  if (loop.use_count() > 2) ++rendering.frames_kept;  // stored in a namespace: it may still walk on
  return came_to_end ? Flow::kNext : run_else(rendering, frame, output);
}

Flow For::run_else(Rendering& rendering, Frame& frame, std::string& output) const {
  if (parts_.otherwise.statements.empty()) return Flow::kNext;
  FrameScope scope(rendering, else_layout_, &frame);
  scope.frame().enter(rendering);
  return parts_.otherwise.run(rendering, scope.frame(), output);
}

void Set::declare(Symbols& symbols) const {
  declare_loads(value_.get(), symbols);
  target_.store(symbols);
}

void Set::visit_names(const NameVisitor& visit) const {
  target_.visit_names(visit);
  value_->visit_names(visit);
}

Flow Set::execute(Rendering& rendering, Frame& frame, std::string&) const {
  target_.require_namespaces(frame);
  target_.assign(value_->evaluate(rendering, frame), rendering, frame);
  return Flow::kNext;
}

void TextBlock::declare(Symbols& symbols) const {
  if (target_) {
    target_->store(symbols);
  } else {
    declare_loads(filter_.get(), symbols);
  }
}

void TextBlock::bind(const Symbols& symbols) {
  Symbols inner(&symbols);
  inner.declare_parameter(BlockText::kName);
  body_.declare(inner);
  declare_loads(filter_.get(), inner);
  layout_ = inner.layout();
  body_.bind(inner);
}

void TextBlock::visit_names(const NameVisitor& visit) const {
  if (target_) target_->visit_names(visit);
  body_.visit_names(visit);
  if (filter_ != nullptr) filter_->visit_names(visit);
}

Flow TextBlock::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  FrameScope scope(rendering, layout_, &frame);
  scope.frame().enter(rendering);
  std::string text;
  body_.run(rendering, scope.frame(), text);
  Value value = Value::text(std::move(text));
  if (filter_ != nullptr) {
    scope.frame().set(BlockText::kName, value);
    value = filter_->evaluate(rendering, scope.frame());
  }
  if (!target_) {
    write(printed(value), rendering, output);
  } else {
    target_->require_namespaces(frame);
    target_->assign(value, rendering, frame);
  }
  return Flow::kNext;
}

void With::declare(Symbols& symbols) const {
  for (const auto& [target, value] : assignments_) declare_loads(value.get(), symbols);
}

void With::bind(const Symbols& symbols) {
  Symbols inner(&symbols);
  for (const auto& [target, value] : assignments_) target.store_as_parameter(inner);
  body_.declare(inner);
  layout_ = inner.layout();
  body_.bind(inner);
}

void With::visit_names(const NameVisitor& visit) const {
  for (const auto& [target, value] : assignments_) target.visit_names(visit);
  for (const auto& [target, value] : assignments_) value->visit_names(visit);
  body_.visit_names(visit);
}

Flow With::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  FrameScope scope(rendering, layout_, &frame);
  scope.frame().enter(rendering);
  for (const auto& [target, value] : assignments_)
    target.assign(value->evaluate(rendering, frame), rendering, scope.frame());
  return body_.run(rendering, scope.frame(), output);
}

void Generation::bind(const Symbols& symbols) {
  Symbols inner(&symbols);
  body_.declare(inner);
  layout_ = inner.layout();
  body_.bind(inner);
}

// As transformers' AssistantTracker: the place is counted in what the template has written so far, also inside a macro.
Flow Generation::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  FrameScope scope(rendering, layout_, &frame);
  scope.frame().enter(rendering);
  std::string text;
  body_.run(rendering, scope.frame(), text);
  const size_t begin = rendering.whole_output->size();
  rendering.generated.push_back({begin, begin + text.size()});
  output += text;
  check_text_size(output.size());
  return Flow::kNext;
}

}  // namespace ftrun::jinja
