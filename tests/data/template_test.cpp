// Ids and loss masks of every template against LLaMA-Factory's own (tests/golden/templates.py), and template files.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/json_text.h"
#include "core/data/encoded_dataset.h"
#include "core/data/packing.h"
#include "core/data/supervised_encoder.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const Json& goldens() {
  static const Json json = read_json_file(golden_folder() / "template_goldens.json");
  return json;
}

AlignedRow row_from(const Json& conversation) {
  AlignedRow row;
  for (const Json& message : conversation.at("messages"))
    row.prompt.push_back(golden_message(message[0].get<std::string>(), message[1].get<std::string>()));
  row.responses.push_back(row.prompt.back());
  row.prompt.pop_back();
  if (conversation.contains("system")) row.system = conversation["system"].get<std::string>();
  row.tools = conversation.value("tools", "");
  return row;
}

template <typename Ids>
std::string joined(const Ids& ids) {
  std::string text;
  for (const auto id : ids) text += fmt::format("{}{}", text.empty() ? "" : " ", id);
  return text;
}

std::string label_runs(const EncodedExample& example) {
  std::string text;
  for (size_t i = 0; i < example.ids.size();) {
    const auto kind = [&](size_t at) {
      if (example.labels[at] == kIgnoredLabel) return 'm';
      return example.labels[at] == example.ids[at] ? 't' : 'e';
    };
    size_t end = i;
    while (end < example.ids.size() && kind(end) == kind(i)) ++end;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", kind(i), end - i);
    i = end;
  }
  return text;
}

DataSpec spec_from(const Json& item) {
  const Json& options = item.at("options");
  DataSpec spec;
  spec.template_name = item.at("template").get<std::string>();
  spec.template_search_path = template_folders();
  spec.cutoff_len = options.value("cutoff_len", 2048);
  spec.train_on_prompt = options.value("train_on_prompt", false);
  spec.mask_history = options.value("mask_history", false);
  spec.preserve_thinking = options.value("preserve_thinking", false);
  if (options.contains("enable_thinking"))
    spec.enable_thinking =
        options["enable_thinking"].is_null() ? std::nullopt : std::optional(options["enable_thinking"].get<bool>());
  if (options.contains("default_system")) spec.default_system = options["default_system"].get<std::string>();
  return spec;
}

TEST(TemplateGolden, IdsAndMasksEqualTheOracle) {
  size_t compared = 0;
  for (const Json& item : goldens().at("cases")) {
    SCOPED_TRACE(item.at("template").get<std::string>() + " " + item.at("conversation").get<std::string>() + " " +
                 item.at("options").dump());
    const DataSpec spec = spec_from(item);
    const auto encoder = make_template_encoder(spec, golden_tokenizer());
    const AlignedRow row = row_from(goldens().at("conversations").at(item.at("conversation").get<std::string>()));
    const EncodedExample example =
        encode_supervised(*encoder, {spec.cutoff_len, spec.train_on_prompt, spec.mask_history}, row);
    EXPECT_EQ(joined(example.ids), item.at("ids").get<std::string>());
    EXPECT_EQ(label_runs(example), item.at("labels").get<std::string>());
    ++compared;
  }
  EXPECT_GT(compared, 300u);
}

TEST(TemplateGolden, GenerationPromptsAndStopIdsEqualTheOracle) {
  size_t compared = 0;
  for (const Json& item : goldens().at("cases")) {
    if (!item.contains("prompt_ids")) continue;
    SCOPED_TRACE(item.at("template").get<std::string>() + " " + item.at("conversation").get<std::string>());
    const auto encoder = make_template_encoder(spec_from(item), golden_tokenizer());
    const AlignedRow row = row_from(goldens().at("conversations").at(item.at("conversation").get<std::string>()));
    const EncodedPrompt prompt = encoder->encode_prompt(whole_conversation(row), row.system, row.tools);
    EXPECT_EQ(joined(prompt.prompt_ids), item.at("prompt_ids").get<std::string>());
    EXPECT_EQ(encoder->stop_ids(), item.at("stop_ids").get<std::vector<int32_t>>());
    ++compared;
  }
  EXPECT_GT(compared, 40u);
}

TEST(TemplateGolden, BudgetRuleEqualsTheOracle) {
  for (const Json& item : goldens().at("budgets")) {
    const auto [prompt, response] =
        turn_lengths(item[0].get<int64_t>(), item[1].get<int64_t>(), item[2].get<int64_t>());
    EXPECT_EQ(prompt, item[3].get<int64_t>()) << item.dump();
    EXPECT_EQ(response, item[4].get<int64_t>()) << item.dump();
  }
}

TEST(TemplateGolden, PackingEqualsTheOracle) {
  for (const Json& item : goldens().at("packs")) {
    const auto lengths = item.at("lengths").get<std::vector<int32_t>>();
    std::vector<std::vector<int32_t>> rows;
    for (const auto& row : pack_documents(lengths, item.at("capacity").get<int64_t>())) {
      rows.emplace_back();
      for (const int64_t index : row) rows.back().push_back(lengths[static_cast<size_t>(index)]);
    }
    EXPECT_EQ(rows, item.at("rows").get<std::vector<std::vector<int32_t>>>());
  }
}

TEST(TemplateEncoding, FlagsSayWhatTheCutTook) {
  DataSpec spec;
  spec.template_name = "chatml";
  spec.template_search_path = template_folders();
  const auto encoder = make_template_encoder(spec, golden_tokenizer());
  const AlignedRow row = row_from(goldens().at("conversations").at("turns"));
  const EncodedExample whole = encode_supervised(*encoder, {2048, false, false}, row);
  EXPECT_FALSE(whole.truncated || whole.lost_eos || whole.lost_prompt_tail || whole.lost_turns);
  const auto length = static_cast<int32_t>(whole.ids.size());
  const EncodedExample exact = encode_supervised(*encoder, {length, false, false}, row);
  EXPECT_EQ(exact.ids, whole.ids);
  EXPECT_FALSE(exact.truncated);
  const EncodedExample cut = encode_supervised(*encoder, {length / 3, false, false}, row);
  EXPECT_TRUE(cut.truncated);
  EXPECT_TRUE(cut.lost_turns);
  EXPECT_LE(cut.ids.size(), static_cast<size_t>(length / 3));
}

TEST(TemplateEncoding, RefusesToolsAndCallsWithoutAToolFormat) {
  DataSpec spec;
  spec.template_name = "chatml";
  spec.template_search_path = template_folders();
  const auto encoder = make_template_encoder(spec, golden_tokenizer());
  const AlignedRow row = row_from(goldens().at("conversations").at("calls"));
  EXPECT_THROW(encode_supervised(*encoder, {}, row), RowError);
  AlignedRow without_tools = row;
  without_tools.tools.clear();
  EXPECT_THROW(encode_supervised(*encoder, {}, without_tools), RowError);
}

class TemplateFile : public DataTest {
 protected:
  std::string load_failure(const std::string& text) {
    const auto file = write("t.yaml", text);
    try {
      ChatTemplate::load(file);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
};

TEST_F(TemplateFile, ErrorsNameLineKeyAndNearestName) {
  EXPECT_THAT(load_failure("user: '{{content}}'\nasistant: x\n"),
              AllOf(HasSubstr("t.yaml:2"), HasSubstr("'asistant'"), HasSubstr("did you mean 'assistant'")));
  EXPECT_THAT(load_failure("user: no content\n"), AllOf(HasSubstr("t.yaml:1: user"), HasSubstr("{{content}}")));
  EXPECT_THAT(load_failure("prefix: '{{content}}'\n"), HasSubstr("no meaning"));
  EXPECT_THAT(load_failure("user: ['{{content}}', {special: sep}]\n"), HasSubstr("special: bos"));
  EXPECT_THAT(load_failure("replace_eos: maybe\n"), HasSubstr("true or false"));
  EXPECT_THAT(load_failure("replace_eos: true\n"), HasSubstr("stop_words"));
  EXPECT_THAT(load_failure("stop_words: x\n"), HasSubstr("list of strings"));
  EXPECT_THAT(load_failure("user: '{{content}}'\nuser: '{{content}}'\n"), HasSubstr("twice"));
  EXPECT_THAT(load_failure("tool_format: {system: '{{tools}}', tool: '{{tool}}'}\n"), HasSubstr("call"));
  EXPECT_THAT(load_failure("user: [\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(load_failure("- a\n"), HasSubstr("map"));
}

TEST_F(TemplateFile, UnknownNamesAreAnsweredWithTheNearest) {
  DataSpec spec;
  spec.template_search_path = template_folders();
  for (const auto& [name, nearest] : {std::pair{"chatlm", "chatml"}, std::pair{"qwen-3", "qwen3"}}) {
    spec.template_name = name;
    try {
      make_template_encoder(spec, golden_tokenizer());
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), HasSubstr(fmt::format("did you mean '{}'", nearest)));
    }
  }
  for (const char* name : {"", "../templates/chatml", ".chatml"}) {
    spec.template_name = name;
    EXPECT_THROW(make_template_encoder(spec, golden_tokenizer()), Error) << name;
  }
}

TEST_F(TemplateFile, TokensThatTheTokenizerLacksAreNamed) {
  write("templates/odd.yaml", "stop_words: ['<|nope|>']\nreplace_eos: true\n");
  DataSpec spec;
  spec.template_name = "odd";
  spec.template_search_path = {folder_ / "templates"};
  try {
    make_template_encoder(spec, golden_tokenizer());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'odd'"), HasSubstr("<|nope|>")));
  }
}

TEST_F(TemplateFile, EveryShippedTemplateLoads) {
  const std::vector<std::filesystem::path> ours = {template_folders().front()};
  EXPECT_THAT(chat_template_names(ours),
              ::testing::ElementsAre("chatml", "default", "empty", "llama3", "qwen", "qwen3", "qwen3_nothink"));
  for (const std::string& name : chat_template_names(ours)) EXPECT_NO_THROW(find_chat_template(name, ours)) << name;
}

}  // namespace
}  // namespace ftrun::testing
