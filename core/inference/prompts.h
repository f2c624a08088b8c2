// How a conversation becomes the ids that a model continues.
// Leaves out: which way is taken (inference_setup.h) and where messages come from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/data/chat_template.h"
#include "core/data/template_encoder.h"

namespace ftrun {

/// Immutable; every method may be called from any thread.
class PromptWriter {
 public:
  virtual ~PromptWriter() = default;
  /// The ids up to and including what precedes the answer. `messages` alternates, beginning and ending with what the
  /// model is told (user or observation). Throws RowError for what cannot be written; Error when the template fails.
  virtual std::vector<int32_t> write(const std::vector<Message>& messages, const std::string& system,
                                     const std::string& tools) const = 0;
  /// Ids that end an answer beyond the tokenizer's and the model's.
  virtual std::vector<int32_t> stop_ids() const = 0;
  /// "template 'qwen'", for people.
  virtual std::string name() const = 0;
};

/// A template of the `template:` key.
class TemplatePrompts final : public PromptWriter {
 public:
  explicit TemplatePrompts(std::shared_ptr<const TemplateEncoder> encoder) : encoder_(std::move(encoder)) {}
  std::vector<int32_t> write(const std::vector<Message>& messages, const std::string& system,
                             const std::string& tools) const override;
  std::vector<int32_t> stop_ids() const override { return encoder_->stop_ids(); }
  std::string name() const override;

 private:
  std::shared_ptr<const TemplateEncoder> encoder_;
};

}  // namespace ftrun
