// Differences only, so that a folder that already says all of it is copied byte for byte.
#include "core/data/saved_template.h"

#include <algorithm>

#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/template_encoder.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace {

std::string jinja_literal(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') literal += '\\';
    literal += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return literal + "'";
}

// The caller of apply_chat_template may give another value.
std::string jinja_default(std::string_view name, std::string_view value) {
  return fmt::format("{{%- if {0} is not defined %}}{{% set {0} = {1} %}}{{% endif %}}\n", name, value);
}

// Jinja drops one line break at the end of a text.
std::string_view without_last_break(std::string_view text) {
  return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
}

bool is_known_to_write_as_trained(const TemplateEncoder& encoder) {
  const std::vector<uint64_t>& equal = encoder.chat_template().equal_jinja;
  return std::ranges::find(equal, kept_template_hash(encoder.tokenizer().config())) != equal.end();
}

// What another text than the trained one has to be given by whoever asks.
std::vector<std::string_view> settings_beside(const TemplateEncoder& encoder) {
  const ChatTemplate& trained = encoder.chat_template();
  std::vector<std::string_view> names;
  if (encoder.default_system() != trained.default_system) names.push_back("default_system");
  if (!trained.reasoning) return names;
  if (!encoder.thinking().enable_thinking.value_or(false)) names.push_back("enable_thinking");
  if (encoder.thinking().preserve_thinking) names.push_back("preserve_thinking");
  return names;
}

std::string eos_text(const TokenizerConfig& config) { return config.eos ? config.eos->text : std::string(); }

SavedTemplate with_end_token(const TokenizerConfig& config, const std::string& eos_token,
                             std::optional<int32_t> eos_id) {
  SavedTemplate saved;
  saved.eos_id = eos_id;
  saved.special_tokens = config.contested_tokens;
  if (config.bos) saved.bos_id = config.bos->id;
  if (eos_token != eos_text(config)) saved.special_tokens["eos_token"] = eos_token;
  if (config.pad) {
    saved.pad_id = config.pad->id;
  } else if (!eos_token.empty()) {
    saved.special_tokens["pad_token"] = eos_token;
    saved.pad_id = saved.eos_id;
  }
  return saved;
}

void warn_of_kept_template(const TemplateEncoder& encoder, std::string_view trained_jinja) {
  const TokenizerConfig& config = encoder.tokenizer().config();
  if (without_last_break(config.chat_template) == without_last_break(trained_jinja)) return;
  const std::string& file = config.chat_template_file;
  const std::vector<std::string_view> beside = settings_beside(encoder);
  if (!is_known_to_write_as_trained(encoder)) {
    log_warning(
        "{}: this chat_template is kept, and template '{}', which is trained with, may write chats differently: train "
        "with the template that belongs to this tokenizer, or remove its chat_template to have the trained one saved",
        file, encoder.chat_template().name);
  } else if (!beside.empty()) {
    log_warning("{}: this chat_template is kept, and it does not say {}: give the same to whoever asks the model", file,
                fmt::join(beside, ", "));
  }
}

}  // namespace

std::string jinja_of(const TemplateEncoder& encoder) {
  const ChatTemplate& chat_template = encoder.chat_template();
  if (chat_template.jinja.empty()) return {};
  std::string text;
  if (!encoder.default_system().empty())
    text += fmt::format("{{%- set system_message = {} %}}\n", jinja_literal(encoder.default_system()));
  if (chat_template.reasoning && !encoder.thinking().enable_thinking.value_or(false))
    text += jinja_default("enable_thinking", encoder.thinking().enable_thinking ? "false" : "none");
  if (chat_template.reasoning && encoder.thinking().preserve_thinking)
    text += jinja_default("preserve_thinking", "true");
  return text + chat_template.jinja;
}

SavedTemplate saved_template(const TemplateEncoder& encoder) {
  const TokenizerConfig& config = encoder.tokenizer().config();
  const ChatTemplate& trained = encoder.chat_template();
  SavedTemplate saved =
      with_end_token(config, trained.replace_eos ? trained.stop_words.front() : eos_text(config), encoder.eos_id());
  const std::string jinja = jinja_of(encoder);
  const bool wanted = config.named_chat_templates.empty() || encoder.chat_template().replace_jinja_template;
  if (wanted && !jinja.empty()) {
    if (jinja != config.chat_template) saved.chat_template = jinja;
  } else if (!config.chat_template.empty()) {
    warn_of_kept_template(encoder, jinja);
  }
  return saved;
}

bool has_own_default(const TokenizerConfig& config, std::string_view variable) {
  return config.chat_template.find(fmt::format("if {} is not defined", variable)) != std::string::npos;
}

uint64_t kept_template_hash(const TokenizerConfig& config) {
  return content_hash(without_last_break(config.chat_template));
}

SavedTemplate unchanged_template(const TokenizerConfig& config) {
  return with_end_token(config, eos_text(config), config.eos ? config.eos->id : std::nullopt);
}

}  // namespace ftrun
