// What a trained model's tokenizer files say after training with a template: end token, pad token, chat template.
// Leaves out: the files themselves (core/io/model_folder.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ftrun {

class TemplateEncoder;
struct TokenizerConfig;

/// Only what differs from the folder that the tokenizer was loaded from, and the named tokens about which
/// tokenizer_config.json and special_tokens_map.json differ there, so that both say the same afterwards.
struct SavedTemplate {
  std::optional<std::string> chat_template;           ///< Jinja text
  std::map<std::string, std::string> special_tokens;  ///< "eos_token" -> "<|im_end|>" and the like
  std::optional<int32_t> bos_id, eos_id, pad_id;      ///< of the saved tokenizer, changed or not
};

/// The template's Jinja text with what the run set around it (default system text, thinking), so that transformers'
/// apply_chat_template renders what `encoder` encodes; "" when the template has none. [any-thread]
std::string jinja_of(const TemplateEncoder& encoder);

/// As LLaMA-Factory 0.9.5's fix_special_tokens and fix_jinja_template: with replace_eos the first stop word is the end
/// token; a tokenizer without pad token pads with the end token; the chat template is the template's where the folder
/// has none, or where the template says replace_jinja_template. Tokens are never added to the vocabulary: what the
/// tokenizer lacks, TemplateEncoder has refused. Logs a warning where the folder's chat template stays that is neither
/// the template's text nor known to render as it does (ChatTemplate::equal_jinja), and where it does not say what the
/// run set around it. [any-thread]
SavedTemplate saved_template(const TemplateEncoder& encoder);

/// Whether the folder's chat template sets that variable where its caller does not, as jinja_of does: a default of ours
/// would take the place of its own.
bool has_own_default(const TokenizerConfig& config, std::string_view variable);

/// Of the folder's chat template, as in ChatTemplate::equal_jinja.
uint64_t kept_template_hash(const TokenizerConfig& config);

/// After training with the tokenizer's own chat_template, which stays as it is, byte for byte: a tokenizer without pad
/// token pads with the end token.
SavedTemplate unchanged_template(const TokenizerConfig& config);

}  // namespace ftrun
