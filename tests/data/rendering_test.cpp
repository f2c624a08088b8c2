// One template, one rendering: every form of a row by slots, by the template file's own Jinja and by the published
// templates through transformers (tests/golden/rendering.py), ids and masks. Each cell stands in rendering_table.txt.
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/data/chat_messages.h"
#include "core/data/row_format.h"
#include "core/data/saved_template.h"
#include "core/data/supervised_encoder.h"
#include "core/jinja/chat_template_renderer.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using Json = nlohmann::ordered_json;

/// Ordered: keys of tools and calls are written in the row's order.
const Json& goldens() {
  static const Json json = Json::parse(read_file(golden_folder() / "rendering.json"));
  return json;
}

struct Case {
  std::string variant, form, template_name;
  Json options, own, published;

  explicit Case(const Json& text) {
    const Json json = Json::parse(text.get<std::string>());
    template_name = json.at("template").get<std::string>();
    form = json.at("form").get<std::string>();
    options = json.at("options");
    variant = template_name + (options.empty() ? "" : " " + options.dump());
    own = json.at("own");
    if (json.contains("published")) published = json["published"];
  }
};

std::string golden_text(const Json& index) { return goldens().at("texts").at(index.get<size_t>()).get<std::string>(); }

DataSpec spec_of(const Case& one) {
  DataSpec spec;
  spec.template_name = one.template_name;
  spec.template_search_path = template_folders();
  spec.mask_history = one.options.value("mask_history", false);
  spec.preserve_thinking = one.options.value("preserve_thinking", false);
  if (one.options.contains("enable_thinking"))
    spec.enable_thinking = one.options["enable_thinking"].is_null()
                               ? std::nullopt
                               : std::optional(one.options["enable_thinking"].get<bool>());
  return spec;
}

/// The row as a file's reader and format hand it on.
AlignedRow row_of(const std::string& form) {
  const Json& row = goldens().at("rows").at(form);
  for (const RowFormat& format : row_formats()) {
    const auto found = format.detect(row, RowKind::kSupervised);
    if (found) return format.bind(found->first, found->second, RowKind::kSupervised)->convert(row);
  }
  throw std::runtime_error(form);
}

std::string mask_runs(const EncodedExample& example) {
  std::string text;
  for (size_t i = 0; i < example.labels.size();) {
    const auto trained = [&](size_t at) { return example.labels[at] != kIgnoredLabel; };
    size_t end = i;
    while (end < example.labels.size() && trained(end) == trained(i)) ++end;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", trained(i) ? 't' : 'm', end - i);
    i = end;
  }
  return text;
}

std::string rendered(const TemplateEncoder& encoder, std::span<const Message> messages, const AlignedRow& row,
                     bool asks) {
  ChatTemplateInput input;
  input.messages = chat_messages(messages, row.system);
  input.tools = chat_tools(row.tools);
  input.add_generation_prompt = asks;
  input.special_tokens = chat_special_tokens(encoder.tokenizer().config());
  if (encoder.chat_template().replace_eos) input.special_tokens["eos_token"] = encoder.chat_template().stop_words[0];
  return ChatTemplateRenderer(jinja_of(encoder), encoder.chat_template().name).render_chat(input);
}

/// The ids of a prompt whose answer is not known, as predict and chat write it.
std::vector<int32_t> prompt_ids(const TemplateEncoder& encoder, const AlignedRow& row) {
  std::vector<Message> messages = row.prompt;
  messages.push_back({MessageRole::kAssistant, ""});
  return encoder.encode_prompt(messages, row.system, row.tools).prompt_ids;
}

/// How slots and published template agree: '=' text, ids and masks; 'd' another text, which the ledger counts; '.'
/// there is no published template.
char compare_with_published(const Case& one, const EncodedExample& example) {
  if (one.published.is_null()) return '.';
  const std::string text = golden_tokenizer()->decode(example.ids, false);
  const std::string published = golden_text(one.published.at("text"));
  if (text != published) {
    const RenderingNotes& notes = example.notes;
    EXPECT_TRUE(notes.thoughts_preserved || notes.thoughts_left_out) << "not in the ledger:\n"
                                                                     << text << "\npublished:\n"
                                                                     << published;
    return 'd';
  }
  EXPECT_EQ(example.ids, golden_tokenizer()->encode(published));
  EXPECT_EQ(mask_runs(example), one.published.at("mask").get<std::string>());
  return '=';
}

using Table = std::map<std::string, std::map<std::string, char>>;

/// The variants by number, then a line per form with a cell per variant.
std::string written(const Table& table, const std::vector<std::string>& variants) {
  std::string text;
  for (size_t i = 0; i < variants.size(); ++i) text += fmt::format("{:>2} {}\n", i + 1, variants[i]);
  for (const auto& [form, cells] : table) {
    std::string line = fmt::format("{:<32}", form);
    for (const std::string& variant : variants)
      line += fmt::format(" {}", cells.contains(variant) ? cells.at(variant) : ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

/// rendering_table.txt without the comment at its head.
std::string expected_table() {
  std::istringstream file(read_file(std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/data/rendering_table.txt"));
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) text += line + "\n";
  }
  return text;
}

TEST(Rendering, SlotsJinjaAndPublishedTemplatesAgree) {
  Table table;
  std::vector<std::string> variants;
  for (const Json& text : goldens().at("cases")) {
    const Case one(text);
    SCOPED_TRACE(one.variant + " " + one.form);
    const DataSpec spec = spec_of(one);
    const auto encoder = make_template_encoder(spec, golden_tokenizer());
    const AlignedRow row = row_of(one.form);
    const std::vector<Message> whole = whole_conversation(row);
    const EncodedExample example = encode_supervised(*encoder, {4096, false, spec.mask_history}, row);

    EXPECT_EQ(golden_tokenizer()->decode(example.ids, false), golden_text(one.own.at("text"))) << "slots";
    EXPECT_EQ(rendered(*encoder, whole, row, false), golden_text(one.own.at("text"))) << "own Jinja";
    const std::vector<int32_t> prompt = prompt_ids(*encoder, row);
    EXPECT_EQ(golden_tokenizer()->decode(prompt, false), golden_text(one.own.at("prompt"))) << "slots";
    EXPECT_EQ(rendered(*encoder, row.prompt, row, true), golden_text(one.own.at("prompt"))) << "own Jinja";
    const char agreement = compare_with_published(one, example);
    const bool is_mixed = one.options.contains("enable_thinking") && one.options["enable_thinking"].is_null();
    if (agreement == '=' && !is_mixed) {
      EXPECT_EQ(prompt, golden_tokenizer()->encode(golden_text(one.published.at("prompt"))));
    }
    if (std::ranges::find(variants, one.variant) == variants.end()) variants.push_back(one.variant);
    table[one.form][one.variant] = agreement;
  }
  if (std::getenv("FTRUN_RENDERING_TABLE") != nullptr) fmt::print("{}", written(table, variants));
  EXPECT_EQ(written(table, variants), expected_table());
}

}  // namespace
}  // namespace ftrun::testing
