// As transformers 5's chat_template_utils sets them up, over jinja2's sandbox.
#include "core/jinja/globals.h"

#include <array>
#include <ctime>

#include "core/jinja/arguments.h"
#include "core/jinja/python_text.h"
#include "core/jinja/rendering.h"
#include "core/jinja/sequence.h"

namespace ftrun::jinja {
namespace {

constexpr int64_t kMaxRange = 100000;  // of jinja2's sandbox

Value range(Rendering&, const Arguments& arguments) {
  const Bound bound("range", Arguments{positional_only("range", arguments, 1, 3), {}}, {"start", "stop", "step"});
  Range result;
  result.start = bound.has(1) ? bound.integer(0, 0) : 0;
  result.stop = bound.has(1) ? bound.integer(1, 0) : bound.integer(0, 0);
  result.step = bound.integer(2, 1);
  if (result.step == 0) throw value_error("range() arg 3 must not be zero");
  const int64_t size = result.size();
  if (size < 0 || size > kMaxRange)
    throw Failure("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  return Value::Payload(result);
}

// dict(mapping or pairs, **keywords).
Dict dict_from(const Arguments& arguments, Rendering& rendering) {
  if (arguments.positional.size() > 1)
    throw type_error("dict expected at most 1 argument, got {}", arguments.positional.size());
  Dict result;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.is_dict()) {
      result = source.dict_value();
    } else {
      size_t number = 0;
      const Cursor next = iterate(source, rendering.budget);
      while (const auto item = next()) {
        if (!is_iterable(*item))
          throw type_error("cannot convert dictionary update sequence element #{} to a sequence", number);
        const List pair = list_of(*item, rendering.budget);
        if (pair.size() != 2)
          throw value_error("dictionary update sequence element #{} has length {}; 2 is required", number, pair.size());
        result.set(pair[0], pair[1]);
        ++number;
      }
    }
  }
  for (const auto& [name, value] : arguments.keywords) result.set(Value::text(name), value);
  return result;
}

Value dict(Rendering& rendering, const Arguments& arguments) { return Value::dict(dict_from(arguments, rendering)); }

Value new_namespace(Rendering& rendering, const Arguments& arguments) {
  Dict attributes = dict_from(arguments, rendering);
  for (const auto& [name, value] : attributes.entries)
    if (name.is_text()) require_plain_attribute(name.utf8());
  rendering.budget.steps(1);
  return Value::Payload(&rendering.namespaces.emplace_back(Namespace{std::move(attributes)}));
}

Value raise_exception(Rendering&, const Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  throw Failure("TemplateError", printed(bound[0]));
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm broken_down{};
  localtime_r(&now, &broken_down);
  return broken_down;
}

Value strftime_now(Rendering& rendering, const Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  const std::string format = bound.text(0, "");
  if (format.empty()) return Value::text("");
  const std::tm now = rendering.now ? *rendering.now : local_time();
  std::array<char, 4096> buffer;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &now);
#pragma GCC diagnostic pop
  return Value::text(std::string(buffer.data(), size));
}

}  // namespace

const std::map<std::string, Value, std::less<>>& global_functions() {
  static const std::map<std::string, Value, std::less<>> table = {
      {"range", Value::function("range", range)},
      {"dict", Value::function("dict", dict)},
      {"namespace", Value::function("namespace", new_namespace)},
      {"raise_exception", Value::function("raise_exception", raise_exception)},
      {"strftime_now", Value::function("strftime_now", strftime_now)},
  };
  return table;
}

bool is_unsupported_global(std::string_view name) {
  return name == "lipsum" || name == "cycler" || name == "joiner" || name == "self" || name == "super";
}

}  // namespace ftrun::jinja
