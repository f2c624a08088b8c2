// Renders the Jinja chat templates of Hugging Face models as transformers' apply_chat_template does.
// Leaves out: tokenisation; where the template and the special tokens come from (tokenizer_config.json).
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// What apply_chat_template is given. Everything is JSON as it would be in Python; null stands for None.
struct ChatTemplateInput {
  nlohmann::ordered_json messages;   ///< array of objects with "role", "content", "tool_calls", ...
  nlohmann::ordered_json tools;      ///< array of JSON schemas, or null
  nlohmann::ordered_json documents;  ///< array of objects, or null
  bool add_generation_prompt = false;
  nlohmann::ordered_json special_tokens;  ///< object {"bos_token": "<s>", ...}, or null; absent ones stay undefined
  nlohmann::ordered_json
      extra;  ///< object of further variables (enable_thinking, date_string, ...), or null; wins over special tokens
  std::optional<std::tm> now;  ///< the time strftime_now shows; absent: the local time
};

/// The text of a chat and what of it {% generation %} blocks have written.
struct RenderedChat {
  struct Range {
    size_t begin = 0;  ///< bytes of `text`
    size_t end = 0;    ///< beyond the last one
  };
  std::string text;
  std::vector<Range> generated;  ///< in the order of the blocks' ends; transformers' generation_indices
};

/// A parsed template. Immutable; may be used by several threads.
///
/// Renders byte for byte what transformers 5.23 (jinja2 3.1.6, ImmutableSandboxedEnvironment, trim_blocks,
/// lstrip_blocks, loopcontrols, the generation tag, raise_exception, strftime_now and its own tojson) renders, for:
/// every expression; for, if, set (blocks too), macro, call, filter, with, print, raw, generation, break, continue; all
/// tests; all filters but attr, batch, escape, filesizeformat, groupby, pprint, random, slice, striptags, truncate,
/// urlencode, urlize, wordcount, wordwrap, xmlattr; the non-changing methods of str (but encode, format_map,
/// translate), dict, list and tuple; Python's printing of values. Inheritance, includes, imports, recursive loops,
/// autoescape, cycler, joiner and lipsum are refused when parsing; integers beyond 64 bits, printing of functions and
/// generators, and what a method or format can do in Python but not here, when it comes to it. Templates that do not
/// end are refused (core/jinja/budget.h has the limits). Reference: jinja.palletsprojects.com/en/stable/templates;
/// transformers/utils/chat_template_utils.py.
class ChatTemplateRenderer {
 public:
  /// `name` opens every message: "tokenizer_config.json" or the like. Throws INVALID_ARGUMENT "NAME: line N of the
  /// template: ..." for syntax errors and what is not supported.
  explicit ChatTemplateRenderer(std::string_view template_text, std::string_view name = "chat_template");
  ~ChatTemplateRenderer();
  ChatTemplateRenderer(ChatTemplateRenderer&&) noexcept;
  ChatTemplateRenderer& operator=(ChatTemplateRenderer&&) noexcept;

  /// The text of a chat. As transformers, copies a message's reasoning between its names (reasoning_content, thinking,
  /// reasoning). Throws INVALID_ARGUMENT "NAME: line N of the template: ..." with the message of raise_exception or of
  /// the Python error; UNIMPLEMENTED for what is not supported; RESOURCE_EXHAUSTED for a template that does not end.
  /// [any-thread]
  std::string render_chat(const ChatTemplateInput& input) const { return render_marked_chat(input).text; }

  /// As render_chat, with the places of its {% generation %} blocks. [any-thread]
  RenderedChat render_marked_chat(const ChatTemplateInput& input) const;

  /// Whether a {% generation %} block stands anywhere in the template. [any-thread]
  bool has_generation_marks() const;

  /// The template with these variables (an object) and nothing else but the global functions. [any-thread]
  std::string render(const nlohmann::ordered_json& variables, const std::optional<std::tm>& now = std::nullopt) const;

 private:
  struct State;
  RenderedChat render_marked(const nlohmann::ordered_json& variables, const std::optional<std::tm>& now) const;
  std::unique_ptr<const State> state_;
};

}  // namespace ftrun
