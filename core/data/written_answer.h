// The text that a template makes of an assistant message: thought, text, tool calls.
// Leaves out: what surrounds it and tokens (template_encoder.h).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "core/data/chat_template.h"
#include "core/data/conversation.h"
#include "core/data/rendering_notes.h"

namespace ftrun {

struct ThinkingOptions {
  /// Reasoning templates only. true: an empty thought is part of the response (trained); false: thoughts are removed
  /// and the empty one belongs to the prompt; nullopt: thoughts stay, an empty one belongs to the prompt.
  std::optional<bool> enable_thinking = true;
  /// Thoughts of earlier turns stay as the row writes them, and every answer without one gets an empty one, as
  /// LLaMA-Factory's encode_multiturn does.
  bool preserve_thinking = false;
};

struct WrittenAnswer {
  bool has_empty_thought = false;  ///< thought_open + thought_close stand before the text
  std::string text;
};

/// messages[index], an answer, as `chat_template` writes it in this conversation. A reasoning template writes thoughts
/// as the published Qwen3 template does: of what follows the last question where there are any, of the last message an
/// empty one where there is none, of earlier ones never; unless preserve_thinking. Sets what applies in `notes`. Throws
/// RowError for calls that the template cannot write. [any-thread]
WrittenAnswer write_answer(const ChatTemplate& chat_template, const ThinkingOptions& thinking,
                           std::span<const Message> messages, size_t index, RenderingNotes& notes);

}  // namespace ftrun
