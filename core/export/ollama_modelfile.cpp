// Slots as Go template actions.
#include "core/export/ollama_modelfile.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace {

constexpr int64_t kContext = 4096;

std::string slot_text(const Slot& slot, const Tokenizer& tokenizer, const std::string& placeholder) {
  constexpr std::string_view kContent = "{{content}}";
  std::string text;
  for (const SlotPiece& piece : slot) {
    if (piece.kind == SlotPiece::Kind::kBos) text += tokenizer.bos_token();
    if (piece.kind == SlotPiece::Kind::kEos) text += tokenizer.eos_token();
    if (piece.kind != SlotPiece::Kind::kText && piece.kind != SlotPiece::Kind::kToken) continue;
    std::string part = piece.text;
    if (const size_t at = part.find(kContent); at != std::string::npos) {
      part.replace(at, kContent.size(), "{{ " + placeholder + " }}");
    }
    text += part;
  }
  return text;
}

std::string template_text(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  return slot_text(chat.prefix, tokenizer, "") + "{{ if .System }}" + slot_text(chat.system, tokenizer, ".System") +
         "{{ end }}{{ range .Messages }}{{ if eq .Role \"user\" }}" + slot_text(chat.user, tokenizer, ".Content") +
         "{{ else if eq .Role \"assistant\" }}" + slot_text(chat.assistant, tokenizer, ".Content") +
         "{{ end }}{{ end }}";
}

}  // namespace

std::string ollama_modelfile(const TemplateEncoder* encoder, int64_t max_positions) {
  std::string text = "# Made by ftrun export\n\nFROM .\n\n";
  if (encoder != nullptr) {
    text += "TEMPLATE \"\"\"" + template_text(encoder->chat_template(), encoder->tokenizer()) + "\"\"\"\n\n";
    if (!encoder->default_system().empty()) text += "SYSTEM \"\"\"" + encoder->default_system() + "\"\"\"\n\n";
    for (const int32_t id : encoder->stop_ids()) {
      text += fmt::format("PARAMETER stop \"{}\"\n", encoder->tokenizer().id_to_token(id));
    }
  }
  return text + fmt::format("PARAMETER num_ctx {}\n", max_positions > 0 ? std::min(kContext, max_positions) : kContext);
}

}  // namespace ftrun
