// Two Jinja texts are held to be one template when they agree on conversations without system text, with one and with
// an empty one, of one and of two turns, closed and open, with thoughts, tools, calls and what was answered to them.
#include "core/data/template_detection.h"

#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/data/chat_messages.h"
#include "core/data/jinja_encoder.h"
#include "core/data/saved_template.h"
#include "core/data/template_encoder.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/jinja/chat_template_renderer.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

struct Probe {
  Json messages;
  bool add_generation_prompt;
  Json tools = nullptr;
  std::string_view named = {};  ///< stands in the text of a template that has a form for what is probed
};

Json message(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

Json thinking(const char* content, const char* thought) {
  return {{"role", "assistant"}, {"content", content}, {"reasoning_content", thought}};
}

std::vector<Probe> plain_probes() {
  const Json asked = message("user", "First question"), answered = message("assistant", "First answer");
  const Json again = message("user", "Second question");
  return {
      {Json::array({asked}), true},
      {Json::array({message("system", "Some rules"), asked}), true},
      {Json::array({message("system", ""), asked}), true},
      {Json::array({asked, answered}), false},
      {Json::array({asked, answered, again}), true},
      {Json::array({asked, thinking("First answer", "First thought")}), false},
      {Json::array({asked, thinking("First answer", "First thought"), again, answered}), false},
      {Json::array({asked, message("assistant", "<think>\nFirst thought\n</think>\n\nFirst answer"), again}), true}};
}

std::vector<Probe> tool_probes() {
  const Json tools = Json::array(
      {{{"type", "function"}, {"function", {{"name", "described"}, {"description", ""}, {"parameters", {}}}}}});
  const Json asked = message("user", "First question");
  Json calling = message("assistant", "");
  calling["tool_calls"] =
      Json::array({{{"type", "function"}, {"function", {{"name", "called"}, {"arguments", {{"x", 1}}}}}}});
  return {{Json::array({asked}), true, tools, "described"},
          {Json::array({asked, calling}), false, tools, "called"},
          {Json::array({asked, calling, message("tool", "First result"), message("assistant", "Told")}), false, tools,
           "called"}};
}

const std::vector<Probe>& probes() {
  static const std::vector<Probe> all = [] {
    std::vector<Probe> result = plain_probes();
    for (Probe& probe : tool_probes()) result.push_back(std::move(probe));
    return result;
  }();
  return all;
}

/// What the template makes of the probes; "" for a probe that it refuses or has no form for.
std::vector<std::string> rendered_probes(const ChatTemplateRenderer& renderer, const Json& tokens) {
  std::vector<std::string> texts;
  for (const Probe& probe : probes()) {
    ChatTemplateInput input;
    input.messages = probe.messages;
    input.tools = probe.tools;
    input.add_generation_prompt = probe.add_generation_prompt;
    input.special_tokens = tokens;
    try {
      texts.push_back(renderer.render_chat(input));
      if (texts.back().find(probe.named) == std::string::npos) texts.back().clear();
    } catch (const Error&) {
      texts.emplace_back();
    }
  }
  return texts;
}

/// The Jinja text of a template with this tokenizer; "" when the two do not go together.
std::string jinja_with(DataSpec spec, const std::string& name, const std::shared_ptr<const Tokenizer>& tokenizer) {
  spec.template_name = name;
  spec.default_system.reset();
  spec.enable_thinking = true;
  spec.preserve_thinking = false;
  try {
    return jinja_of(*make_template_encoder(spec, tokenizer));
  } catch (const Error&) {
    return {};
  }
}

ChatTemplateRenderer own_renderer(const TokenizerConfig& config) {
  try {
    return ChatTemplateRenderer(config.chat_template, config.chat_template_file);
  } catch (const Error& error) {
    throw invalid_argument("template: it is not set, and the chat_template cannot be read: {}: name a template",
                           error.what());
  }
}

}  // namespace

std::string template_of_tokenizer(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer) {
  const TokenizerConfig& config = tokenizer->config();
  if (config.chat_template.empty()) return "empty";
  const Json tokens = chat_special_tokens(config);
  const std::vector<std::string> wanted = rendered_probes(own_renderer(config), tokens);
  const std::vector<std::string> names = chat_template_names(spec.template_search_path);
  for (const std::string& name : names) {
    if (jinja_with(spec, name, tokenizer) == config.chat_template) return name;
  }
  for (const std::string& name : names) {
    const std::string jinja = jinja_with(spec, name, tokenizer);
    if (!jinja.empty() && rendered_probes(ChatTemplateRenderer(jinja, name), tokens) == wanted) return name;
  }
  return {};
}

std::string training_template_of(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer) {
  const TokenizerConfig& config = tokenizer->config();
  if (!config.chat_template.empty() && own_renderer(config).has_generation_marks()) return {};
  return template_of_tokenizer(spec, tokenizer);
}

void require_learnable_template(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer) {
  const TokenizerConfig& config = tokenizer->config();
  try {
    JinjaEncoder(tokenizer, config.chat_template, config.chat_template_file,
                 {spec.default_system.value_or(""), {spec.enable_thinking, spec.preserve_thinking}, {}})
        .require_learnable();
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("template: it is not set, no template here writes chats as the chat_template of '{}' does, "
                            "and it cannot be learnt by itself: {}: name one ({}); 'empty' writes texts without marks "
                            "between them",
                            config.chat_template_file, error.what(),
                            fmt::join(chat_template_names(spec.template_search_path), ", ")));
  }
}

}  // namespace ftrun
