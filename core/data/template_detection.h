// The template of a model folder whose configuration names none: the shipped one that writes chats as the folder's
// chat_template does, else (and for training where that has generation marks) that chat_template itself. Leaves out:
// writing by it (jinja_encoder.h).
#pragma once

#include <memory>
#include <string>

#include "core/data/dataset.h"

namespace ftrun {

/// The name of the template on the search path whose Jinja text is the tokenizer's chat_template, or else of the first
/// one (by name) that renders a few conversations exactly as that does, with thoughts, tools and calls among them, or
/// has no form for those that it has none for. "" where none does: the chat_template itself. "empty" where the
/// tokenizer has none. `spec` without template_name. Throws INVALID_ARGUMENT naming the file of a chat_template that
/// cannot be read.
std::string template_of_tokenizer(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer);

/// The same for training: "" also where the chat_template has {% generation %} marks, which say what is learnt.
std::string training_template_of(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer);

/// Throws INVALID_ARGUMENT naming the file, the reason and the known templates when not even a question with its answer
/// can be learnt by the tokenizer's own chat_template; logs a warning when it writes no token that ends an answer.
void require_learnable_template(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer);

}  // namespace ftrun
