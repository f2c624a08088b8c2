// The Modelfile that Ollama makes a model from.
// Leaves out: templates themselves (core/data/chat_template.h).
#pragma once

#include <string>

#include "core/data/template_encoder.h"

namespace ftrun {

/// FROM, TEMPLATE (Go template of system, user and assistant turns; tools are left out), SYSTEM, stop tokens and
/// num_ctx (4,096, or the model's positions where they are fewer). `encoder` NULL: no TEMPLATE. Source: LLaMA-Factory
/// 0.9.5 data/template.py, get_ollama_modelfile.
std::string ollama_modelfile(const TemplateEncoder* encoder, int64_t max_positions);

}  // namespace ftrun
