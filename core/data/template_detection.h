// The template of a model folder whose configuration names none: the shipped one that writes chats as the folder's
// chat_template does. Leaves out: making a template from Jinja text.
#pragma once

#include <memory>
#include <string>

#include "core/data/dataset.h"

namespace ftrun {

/// The name of the template on the search path whose Jinja text is the tokenizer's chat_template, or else of the first
/// one (by name) that renders a few conversations exactly as that does, one with tools among them unless that writes
/// none. "empty" where the tokenizer has no chat_template. Throws INVALID_ARGUMENT naming the file of the chat_template
/// and the known templates when none does. `spec` without template_name.
std::string template_of_tokenizer(const DataSpec& spec, const std::shared_ptr<const Tokenizer>& tokenizer);

}  // namespace ftrun
