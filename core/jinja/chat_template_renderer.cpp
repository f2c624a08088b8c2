// Variables of apply_chat_template, and failures turned into messages with the template's name and line.
#include "core/jinja/chat_template_renderer.h"

#include "core/base/code_points.h"
#include "core/base/error.h"
#include "core/jinja/globals.h"
#include "core/jinja/rendering.h"
#include "core/jinja/statement_parser.h"
#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

Error error_of(const jinja::Failure& failure, const std::string& name) {
  const std::string place = failure.line > 0 ? fmt::format("{}: line {} of the template", name, failure.line) : name;
  return {failure.code, fmt::format("{}: {}", place, failure.what())};
}

template <typename Action>
auto with_errors_of(const std::string& name, Action action) {
  try {
    return action();
  } catch (const jinja::Failure& failure) {
    throw error_of(failure, name);
  }
}

// transformers' _alias_reasoning_fields: reasoning_content gets the reasoning under any of its names.
Json with_reasoning_names(const Json& message) {
  if (!message.is_object()) return message;
  for (const char* field : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(field);
    if (found == message.end() || found->is_null()) continue;
    Json result = Json::object();
    result["thinking"] = *found;
    for (const auto& item : message.items()) result[item.key()] = item.value();
    result["reasoning_content"] = *found;
    return result;
  }
  return message;
}

}  // namespace

struct ChatTemplateRenderer::State {
  std::string name;
  jinja::Template parsed;
};

ChatTemplateRenderer::ChatTemplateRenderer(std::string_view template_text, std::string_view name) {
  auto state = std::make_unique<State>();
  state->name = name;
  if (const std::string_view encoding = sdk::other_encoding_of(template_text); !encoding.empty())
    throw invalid_argument("{}: the template is {}: save it as UTF-8", name, encoding);
  if (!is_utf8(template_text)) throw invalid_argument("{}: the template is not UTF-8", name);
  state->parsed = with_errors_of(state->name, [&] { return jinja::parse_template(template_text); });
  state_ = std::move(state);
}

ChatTemplateRenderer::~ChatTemplateRenderer() = default;
ChatTemplateRenderer::ChatTemplateRenderer(ChatTemplateRenderer&&) noexcept = default;
ChatTemplateRenderer& ChatTemplateRenderer::operator=(ChatTemplateRenderer&&) noexcept = default;

RenderedChat ChatTemplateRenderer::render_marked_chat(const ChatTemplateInput& input) const {
  Json variables = Json::object();
  for (const Json* given : {&input.special_tokens, &input.extra})
    for (const auto& item : given->items()) variables[item.key()] = item.value();
  Json messages = Json::array();
  for (const Json& message : input.messages) {
    if (!message.is_object())
      throw invalid_argument("{}: a message of a chat is an object, not {}", state_->name, message.dump());
    messages.push_back(with_reasoning_names(message));
  }
  variables["messages"] = std::move(messages);
  variables["tools"] = input.tools;
  variables["documents"] = input.documents;
  variables["add_generation_prompt"] = input.add_generation_prompt;
  return render_marked(variables, input.now);
}

std::string ChatTemplateRenderer::render(const Json& variables, const std::optional<std::tm>& now) const {
  return render_marked(variables, now).text;
}

bool ChatTemplateRenderer::has_generation_marks() const { return state_->parsed.has_generation_marks; }

RenderedChat ChatTemplateRenderer::render_marked(const Json& variables, const std::optional<std::tm>& now) const {
  return with_errors_of(state_->name, [&] {
    jinja::Rendering rendering;
    rendering.variables = jinja::global_functions();
    for (const auto& item : variables.items())
      rendering.variables.insert_or_assign(item.key(), jinja::Value::from_json(item.value()));
    rendering.now = now;
    jinja::FrameScope root(rendering, state_->parsed.layout, nullptr);
    root.frame().enter(rendering);
    RenderedChat chat;
    rendering.whole_output = &chat.text;
    state_->parsed.body.run(rendering, root.frame(), chat.text);
    for (const jinja::MarkedRange& range : rendering.generated) chat.generated.push_back({range.begin, range.end});
    return chat;
  });
}

}  // namespace ftrun
