// A chat template: which text and special tokens surround each message. Data read from a YAML file, not code.
// Leaves out: tokenisation (template_encoder.h). The definitions' meaning is LLaMA-Factory's (data/template.py).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// One piece of a slot. Pieces are tokenised one by one and concatenated; text is tokenised together with the message
/// content put in for `{{content}}`.
struct SlotPiece {
  enum class Kind : uint8_t { kText, kBos, kEos, kToken };
  Kind kind = Kind::kText;
  std::string text;  ///< kText: text, `{{content}}` at most once; kToken: the token's own string
};
using Slot = std::vector<SlotPiece>;

/// How tool descriptions and tool calls are written as text. Absent: rows with tools or calls do not fit the template.
struct ToolFormat {
  std::string system;            ///< appended to the system text, without its leading line breaks where there is none;
                                 ///< `{{tools}}` is the concatenation of `tool`
  std::string tool;              ///< per tool; `{{tool}}` is its JSON
  std::string call;              ///< per call; `{{call}}` is {"name": ..., "arguments": ...}
  std::string call_separator;    ///< between calls, and between the text beside them and the first one
  bool quotes_arguments = true;  ///< arguments given as text are written as a JSON string; false: as they are
};

/// A template's file, parsed. Immutable once loaded.
struct ChatTemplate {
  std::string name;
  Slot prefix, system, user, assistant, observation, function;
  Slot observation_separator;  ///< between the answers of tools that were called together
  std::string default_system;
  std::vector<std::string> stop_words;  ///< with replace_eos, the first is the end-of-sequence token
  bool replace_eos = false;
  bool efficient_eos = false;  ///< EOS once at the very end; earlier turns learn it at the next turn's first position
  bool reasoning = false;      ///< responses without a thought get an empty one (LLaMA-Factory's ReasoningTemplate)
  std::string document_end;    ///< the token that ends plain texts where it is not the tokenizer's EOS; "" otherwise
  std::string thought_open = "<think>\n";
  std::string thought_close = "\n</think>\n\n";
  bool trims_content = false;  ///< white space around the text of a message is not written
  std::optional<ToolFormat> tool_format;
  std::string jinja;                  ///< the same layout for transformers, see saved_template.h; "" when there is none
  std::vector<uint64_t> equal_jinja;  ///< XXH3 of published Jinja texts that render as `jinja` does
  bool replace_jinja_template = false;  ///< `jinja` is saved even where the model folder has a chat template
  uint64_t fingerprint = 0;             ///< content hash of the file

  /// Reads one template file. Throws INVALID_ARGUMENT "FILE:LINE: ..." for unknown keys (with the nearest), wrong
  /// types, a content slot without `{{content}}`, replace_eos without stop_words, replace_jinja_template
  /// without jinja.
  static ChatTemplate load(const std::filesystem::path& file);
};

/// Finds NAME.yaml in the folders, first match wins, and loads it. Throws INVALID_ARGUMENT naming the known templates
/// and the nearest name; `place` ("FILE:LINE: KEY" of the setting) opens the message.
ChatTemplate find_chat_template(std::string_view name, std::span<const std::filesystem::path> search_path,
                                std::string_view place = "template");

/// Names of all templates in the folders, sorted, without duplicates.
std::vector<std::string> chat_template_names(std::span<const std::filesystem::path> search_path);

}  // namespace ftrun
