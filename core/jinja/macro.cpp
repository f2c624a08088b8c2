// Counterpart of jinja2.runtime.Macro and of the compiler's macro_body.
#include "core/jinja/macro.h"

#include <algorithm>
#include <set>

#include "core/jinja/python_text.h"

namespace ftrun::jinja {
namespace {

// Which of `names` the body reads before (in the order of the text) it sets them.
std::set<std::string> read_unset(const Body& body, std::set<std::string> names) {
  std::set<std::string> found;
  body.visit_names([&](const std::string& name, bool is_load) {
    if (!names.contains(name)) return;
    if (is_load) {
      found.insert(name);
    } else {
      names.erase(name);
    }
  });
  return found;
}

}  // namespace

// What a call gives to the macro's frame.
struct MacroBody::Given {
  std::vector<std::pair<std::string, Value>> values;
};

MacroBody::MacroBody(int line, Parameters parameters, Body body)
    : parameters_(std::move(parameters)), body_(std::move(body)) {
  const std::set<std::string> read = read_unset(body_, {"caller", "kwargs", "varargs"});
  reads_caller_ = read.contains("caller");
  reads_kwargs_ = read.contains("kwargs") && !has_parameter("kwargs");
  reads_varargs_ = read.contains("varargs") && !has_parameter("varargs");
  const auto caller = std::ranges::find(parameters_.names, "caller");
  const auto first_default = parameters_.names.end() - static_cast<int64_t>(parameters_.defaults.size());
  if (reads_caller_ && caller < first_default) {
    throw syntax_error(line,
                       "When defining macros or call blocks the special \"caller\" argument must be omitted or be "
                       "given a default.");
  }
}

bool MacroBody::has_parameter(std::string_view name) const {
  return std::ranges::find(parameters_.names, name) != parameters_.names.end();
}

void MacroBody::bind(const Symbols& symbols) {
  Symbols inner(&symbols);
  for (const std::string& name : parameters_.names) inner.declare_parameter(name);
  if (reads_caller_ && !has_parameter("caller")) inner.declare_parameter("caller");
  if (reads_kwargs_) inner.declare_parameter("kwargs");
  if (reads_varargs_) inner.declare_parameter("varargs");
  for (const auto& value : parameters_.defaults) declare_loads(value.get(), inner);
  body_.declare(inner);
  layout_ = inner.layout();
  body_.bind(inner);
}

void MacroBody::visit_names(const NameVisitor& visit) const {
  for (const std::string& name : parameters_.names) visit(name, false);
  for (const auto& value : parameters_.defaults) value->visit_names(visit);
  body_.visit_names(visit);
}

Value MacroBody::function(Rendering& rendering, Frame& frame, const std::string& name) const {
  ++rendering.frames_kept;
  const std::string printed = name.empty() ? "<Macro None>" : "<Macro " + python_quoted(name) + ">";
  return Value::function(
      name,
      [this, &frame, name](Rendering& current, const Arguments& arguments) {
        return invoke(current, frame, arguments, name);
      },
      printed);
}

MacroBody::Given MacroBody::given_by(const Arguments& arguments, const std::string& name) const {
  const size_t count = parameters_.names.size();
  auto keywords = arguments.keywords;
  const auto take = [&](std::string_view wanted) -> std::optional<Value> {
    const auto found = std::ranges::find_if(keywords, [&](const auto& keyword) { return keyword.first == wanted; });
    if (found == keywords.end()) return std::nullopt;
    Value value = std::move(found->second);
    keywords.erase(found);
    return value;
  };
  Given given;
  const size_t taken = std::min(count, arguments.positional.size());
  for (size_t i = 0; i < taken; ++i) given.values.emplace_back(parameters_.names[i], arguments.positional[i]);
  for (size_t i = taken; i < count; ++i)
    if (auto value = take(parameters_.names[i])) given.values.emplace_back(parameters_.names[i], std::move(*value));
  if (reads_caller_ && !has_parameter("caller"))
    given.values.emplace_back("caller", take("caller").value_or(Value::undefined("No caller defined")));
  if (reads_kwargs_) {
    Dict rest;
    for (auto& [keyword, value] : keywords) rest.set(Value::text(keyword), std::move(value));
    given.values.emplace_back("kwargs", Value::dict(std::move(rest)));
  } else if (!keywords.empty()) {
    if (take("caller")) {
      throw type_error(
          "macro {} was invoked with two values for the special caller argument. This is most likely a bug.",
          name.empty() ? "None" : python_quoted(name));
    }
    throw type_error("macro {} takes no keyword argument {}", name.empty() ? "None" : python_quoted(name),
                     python_quoted(keywords[0].first));
  }
  if (reads_varargs_) {
    given.values.emplace_back("varargs", Value::tuple({arguments.positional.begin() + static_cast<int64_t>(taken),
                                                       arguments.positional.end()}));
  } else if (arguments.positional.size() > count) {
    throw type_error("macro {} takes not more than {} argument(s)", name.empty() ? "None" : python_quoted(name), count);
  }
  return given;
}

void MacroBody::set_defaults(Rendering& rendering, Frame& frame) const {
  const size_t count = parameters_.names.size();
  const size_t without = count - parameters_.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = parameters_.names[i];
    if (frame.get(name)) continue;
    frame.set(name, i < without ? Value::undefined("parameter " + python_quoted(name) + " was not provided")
                                : parameters_.defaults[i - without]->evaluate(rendering, frame));
  }
}

Value MacroBody::invoke(Rendering& rendering, Frame& outer, const Arguments& arguments, const std::string& name) const {
  const Given given = given_by(arguments, name);
  FrameScope scope(rendering, layout_, &outer);
  for (const auto& [parameter, value] : given.values) scope.frame().set(parameter, value);
  scope.frame().enter(rendering);
  set_defaults(rendering, scope.frame());
  std::string output;
  body_.run(rendering, scope.frame(), output);
  return Value::text(std::move(output));
}

Flow Macro::execute(Rendering& rendering, Frame& frame, std::string&) const {
  frame.set(name_, body_.function(rendering, frame, name_));
  return Flow::kNext;
}

void CallBlock::visit_names(const NameVisitor& visit) const {
  call_->visit_names(visit);
  body_.visit_names(visit);
}

Flow CallBlock::execute(Rendering& rendering, Frame& frame, std::string& output) const {
  const Value caller = body_.function(rendering, frame, "");
  const Value result = call_->call_with_caller(rendering, frame, caller);
  output += printed(result);
  check_text_size(output.size());
  return Flow::kNext;
}

}  // namespace ftrun::jinja
