// Chat templates that none of ours equals: ids and masks are transformers' and TRL's
// (tests/golden/foreign_templates.py).
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/files.h"
#include "core/data/jinja_encoder.h"
#include "core/data/row_format.h"
#include "core/data/supervised_encoder.h"
#include "core/data/template_detection.h"
#include "tests/data/data_test_support.h"
#include "tests/data/golden_time.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;
using Ranges = std::vector<std::pair<size_t, size_t>>;

const Json& golden() {
  static const Json json = Json::parse(read_file(golden_folder() / "foreign_templates.json"));
  return json;
}

std::string text_of(const std::string& name) { return golden().at("templates").at(name).get<std::string>(); }

AlignedRow aligned(const Json& row) {
  const RowFormat& format = find_row_format("openai");
  return format.bind({{"messages", "messages"}, {"tools", "tools"}}, format.default_tags, RowKind::kSupervised)
      ->convert(row);
}

std::vector<int32_t> ids_of(const std::string& text) {
  std::vector<int32_t> ids;
  std::istringstream stream(text);
  for (int32_t id = 0; stream >> id;) ids.push_back(id);
  return ids;
}

/// Ids of all turns, and the tokens that they say are to be learnt.
std::pair<std::vector<int32_t>, Ranges> joined(const std::vector<EncodedTurn>& turns) {
  std::vector<int32_t> ids;
  Ranges learnt;
  for (const EncodedTurn& turn : turns) {
    ids.insert(ids.end(), turn.prompt_ids.begin(), turn.prompt_ids.end());
    for (size_t t = 0; t < turn.response_ids.size(); ++t) {
      ids.push_back(turn.response_ids[t]);
      if (!turn.learnt.empty() && !turn.learnt[t]) continue;
      if (learnt.empty() || learnt.back().second + 1 != ids.size()) learnt.emplace_back(ids.size() - 1, ids.size() - 1);
      learnt.back().second = ids.size();
    }
  }
  return {ids, learnt};
}

class ForeignTemplate : public DataTest {
 protected:
  std::shared_ptr<const Tokenizer> tokenizer_with(const std::string& chat_template, const std::string& folder) {
    const std::string name = folder + std::to_string(std::hash<std::string>()(chat_template));
    if (!std::filesystem::exists(folder_ / name)) {
      Json config = Json::parse(read_file(golden_folder() / folder / "tokenizer_config.json"));
      config["chat_template"] = chat_template;
      write(name + "/tokenizer.json", read_file(golden_folder() / folder / "tokenizer.json"));
      write(name + "/tokenizer_config.json", config.dump());
    }
    return Tokenizer::load(folder_ / name);
  }

  const JinjaEncoder& encoder(const Json& the_case) {
    const auto key = std::pair{the_case.at("template").get<std::string>(), the_case.at("tokenizer").get<std::string>()};
    auto& encoder = encoders_[key];
    if (encoder == nullptr) {
      JinjaOptions options;
      options.now = golden_time(golden().at("now"));
      options.thinking.enable_thinking = std::nullopt;  // transformers was not given it
      encoder = std::make_unique<JinjaEncoder>(tokenizer_with(text_of(key.first), key.second), text_of(key.first),
                                               "tokenizer_config.json", options);
    }
    return *encoder;
  }

  static std::string refusal(const std::function<void()>& action) {
    try {
      action();
    } catch (const RowError& error) {
      return error.what();
    }
    return {};
  }

  std::map<std::pair<std::string, std::string>, std::unique_ptr<JinjaEncoder>> encoders_;
};

TEST_F(ForeignTemplate, PrefixesGiveTransformersMasksAndTrlsCompletions) {
  std::set<std::string> templates;
  size_t learnt_rows = 0, refused = 0, failed = 0;
  for (const Json& the_case : golden().at("cases")) {
    const std::string label = the_case.at("template").get<std::string>() + " " + the_case.at("row").get<std::string>() +
                              " " + the_case.at("tokenizer").get<std::string>();
    const JinjaEncoder& encoder = this->encoder(the_case);
    const AlignedRow row = aligned(golden().at("rows").at(the_case.at("row").get<std::string>()));
    const std::vector<Message> messages = whole_conversation(row);
    const auto turns = [&](LearntAnswers learnt) {
      return encoder.encode_turns(messages, row.system, row.tools, learnt);
    };
    const auto answers = [&] { return encoder.encode_answers(row.prompt, row.responses, row.system, row.tools); };
    if (the_case.contains("error")) {
      const std::string error = the_case.at("error").get<std::string>();
      EXPECT_THAT(refusal([&] { turns(LearntAnswers::kAll); }), HasSubstr(error.substr(error.find(": ") + 2))) << label;
      ++failed;
      continue;
    }
    const std::vector<int32_t> ids = ids_of(the_case.at("ids").get<std::string>());
    EXPECT_EQ(encoder.encode_prompt(messages, row.system, row.tools).prompt_ids,
              ids_of(the_case.at("prompt_ids").get<std::string>()))
        << label;
    if (the_case.at("learnt").is_null()) {
      EXPECT_THAT(refusal([&] { turns(LearntAnswers::kAll); }),
                  AllOf(HasSubstr("tokenizer_config.json"),
                        HasSubstr(fmt::format("answer {} of", the_case.at("refused").get<int>() + 1))))
          << label;
      ++refused;
    } else {
      const auto [all_ids, learnt] = joined(turns(LearntAnswers::kAll));
      EXPECT_EQ(all_ids, ids) << label;
      EXPECT_EQ(learnt, the_case.at("learnt").get<Ranges>()) << label;
      templates.insert(the_case.at("template").get<std::string>());
      ++learnt_rows;
    }
    if (the_case.at("last").is_null()) {
      EXPECT_NE(refusal([&] { turns(LearntAnswers::kLast); }), "") << label;
      EXPECT_NE(refusal(answers), "") << label;
      continue;
    }
    const Ranges last = {the_case.at("last").get<Ranges>().back()};
    EXPECT_EQ(joined(turns(LearntAnswers::kLast)).first, ids) << label;
    EXPECT_EQ(joined(turns(LearntAnswers::kLast)).second.back().second, ids.size()) << label;
    EXPECT_EQ(joined(answers()), std::pair(ids, last)) << label;
  }
  EXPECT_EQ(templates.size(), 12u);
  EXPECT_GT(learnt_rows, 150u);
  EXPECT_GT(refused, 4u);
  EXPECT_GT(failed, 8u);
}

TEST_F(ForeignTemplate, MarksGiveTransformersMasks) {
  std::set<std::string> templates;
  for (const Json& the_case : golden().at("marked")) {
    const std::string label = the_case.at("template").get<std::string>() + " " + the_case.at("row").get<std::string>() +
                              " " + the_case.at("tokenizer").get<std::string>();
    const AlignedRow row = aligned(golden().at("rows").at(the_case.at("row").get<std::string>()));
    const JinjaEncoder& encoder = this->encoder(the_case);
    const auto turns = [&](LearntAnswers learnt) {
      return encoder.encode_turns(whole_conversation(row), row.system, row.tools, learnt);
    };
    EXPECT_THAT(encoder.description(), HasSubstr("masks from its generation marks"));
    if (the_case.contains("error")) {
      EXPECT_NE(refusal([&] { turns(LearntAnswers::kAll); }), "") << label;
      continue;
    }
    const auto [ids, learnt] = joined(turns(LearntAnswers::kAll));
    EXPECT_EQ(ids, ids_of(the_case.at("ids").get<std::string>())) << label;
    EXPECT_EQ(learnt, the_case.at("learnt").get<Ranges>()) << label;
    EXPECT_EQ(turns(LearntAnswers::kLast).size(), row.prompt.size() / 2 + 1) << label;
    templates.insert(the_case.at("template").get<std::string>());
  }
  EXPECT_EQ(templates.size(), 8u);
}

/// The tokens of the conversation that its trained turns have learnt.
std::set<size_t> trained_tokens(const std::vector<EncodedTurn>& turns) {
  std::set<size_t> tokens;
  size_t at = 0;
  for (const EncodedTurn& turn : turns) {
    at += turn.prompt_ids.size();
    for (size_t t = 0; t < turn.response_ids.size(); ++t, ++at) {
      if (turn.is_trained && (turn.learnt.empty() || turn.learnt[t])) tokens.insert(at);
    }
  }
  return tokens;
}

TEST_F(ForeignTemplate, EveryAnswerHasItsOwnMarks) {
  size_t compared = 0;
  for (const Json& the_case : golden().at("marked")) {
    if (the_case.contains("error")) continue;
    const AlignedRow row = aligned(golden().at("rows").at(the_case.at("row").get<std::string>()));
    const auto tokens_of = [&](const std::vector<Message>& messages) {
      return trained_tokens(encoder(the_case).encode_turns(messages, row.system, row.tools, LearntAnswers::kAll));
    };
    const std::vector<Message> all = whole_conversation(row);
    std::set<size_t> sum;
    size_t tokens = 0;
    for (size_t only = 0; only < all.size(); ++only) {
      if (!all[only].is_answer()) continue;
      std::vector<Message> messages = all;
      for (Message& message : messages) message.is_trained = !message.is_answer();
      messages[only].is_trained = true;
      const std::set<size_t> own = tokens_of(messages);
      const bool follows = sum.empty() || own.empty() || *own.begin() > *sum.rbegin();
      EXPECT_TRUE(follows) << the_case.at("template") << " " << the_case.at("row");
      sum.insert(own.begin(), own.end());
      tokens += own.size();
      ++compared;
    }
    EXPECT_EQ(sum, tokens_of(all)) << the_case.at("template") << " " << the_case.at("row");
    EXPECT_EQ(sum.size(), tokens);
  }
  EXPECT_GT(compared, 400u);
}

TEST_F(ForeignTemplate, MarksAreNotGivenUpForATemplateThatWritesTheSame) {
  std::map<std::string, std::string> shipped;  // what writes the same, by the name of the marked text
  for (const Json& the_case : golden().at("marked")) {
    const std::string name = the_case.at("template").get<std::string>();
    if (shipped.contains(name)) continue;
    const auto tokenizer = tokenizer_with(text_of(name), "template_tokenizer");
    DataSpec spec;
    spec.template_search_path = {std::filesystem::path(FTRUN_SOURCE_DIR) / "configs" / "templates"};
    shipped[name] = template_of_tokenizer(spec, tokenizer);
    EXPECT_EQ(training_template_of(spec, tokenizer), "") << name;
  }
  EXPECT_EQ(shipped["qwen2_5_training"], "qwen");
  EXPECT_EQ(shipped["llama3_training"], "llama3");
}

/// Prepared data of a folder whose tokenizer has the template, none being named.
class ForeignData : public ForeignTemplate {
 protected:
  DataSpec own(const std::string& rows, RowKind kind = RowKind::kSupervised) {
    write("d.jsonl", rows);
    DataSpec options = spec("d.jsonl");
    options.template_name.clear();
    options.kind = kind;
    return options;
  }
  PreparedData prepared(const DataSpec& options, const std::string& chat_template) {
    return prepare_data(options, tokenizer_with(chat_template, "foreign_tokenizer"), run_serially);
  }
  static std::string learnt(const PreparedData& data, int64_t index = 0) {
    const EncodedRow row = data.train->row(index);
    std::vector<int32_t> ids;
    for (size_t t = 0; t < row.ids.size(); ++t) {
      if (row.labels[t] != kIgnoredLabel) ids.push_back(row.ids[t]);
    }
    return data.encoder->tokenizer().decode(ids, false);
  }
};

constexpr const char* kTwoTurns =
    R"({"messages": [{"role": "user", "content": "q1"}, {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2"}]})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST_F(ForeignData, MasksFollowTheKeysAndTheRows) {
  const std::string zephyr = text_of("zephyr");
  DataSpec options = own(one_line(kTwoTurns));
  EXPECT_EQ(learnt(prepared(options, zephyr)), "a1</s>\na2</s>\n");
  EXPECT_EQ(prepared(options, zephyr).encoder->description(),
            "chat_template of '" + tokenizer_with(zephyr, "foreign_tokenizer")->config().chat_template_file +
                "', masks from rendered prefixes");
  options.mask_history = true;
  EXPECT_EQ(learnt(prepared(options, zephyr)), "a2</s>\n");
  options.mask_history = false;
  options.train_on_prompt = true;
  EXPECT_EQ(learnt(prepared(options, zephyr)),
            "<|user|>\nq1</s>\n<|assistant|>\na1</s>\n<|user|>\nq2</s>\n<|assistant|>\na2</s>\n");
  options = own(one_line(R"({"messages": [{"role": "user", "content": "q1"},
      {"role": "assistant", "content": "a1", "weight": 0}, {"role": "user", "content": "q2"},
      {"role": "assistant", "content": "a2", "weight": 1}]})"));
  EXPECT_EQ(learnt(prepared(options, zephyr)), "a2</s>\n");
  const PreparedData marked = prepared(options, text_of("gemma_training"));
  EXPECT_EQ(learnt(marked), "a2<end_of_turn>\n");
  EXPECT_THAT(marked.ledger.to_text(), HasSubstr("1 rows: answers are not learnt"));
}

TEST_F(ForeignData, MarksAtTheEndOfAConversationBelongToItsLastAnswer) {
  const auto row = [](bool first, bool last) {
    return one_line(Json({{"messages",
                           {{{"role", "user"}, {"content", "a"}},
                            {{"role", "assistant"}, {"content", "one"}, {"train", first}},
                            {{"role", "user"}, {"content", "b"}},
                            {{"role", "assistant"}, {"content", "two"}, {"train", last}}}}})
                        .dump());
  };
  const std::string phi3 = text_of("phi3_training");
  EXPECT_EQ(learnt(prepared(own(row(true, false)), phi3)), "one<|end|>\n");
  EXPECT_EQ(learnt(prepared(own(row(false, true)), phi3)), "two<|end|>\n</s>");
  DataSpec options = own(row(true, true));
  options.mask_history = true;
  EXPECT_EQ(learnt(prepared(options, phi3)), "two<|end|>\n</s>");
}

TEST_F(ForeignData, AnswersThatGoOnOtherwiseThanTheyAreAskedForAreWarnedOf) {
  const std::string thinking = R"({"messages": [{"role": "user", "content": "q"},
      {"role": "assistant", "content": "a", "reasoning_content": "a long thought"}]})";
  const DataSpec options = own(one_line(kTwoTurns) + "\n" + one_line(thinking) + "\n");
  const PreparedData data = prepared(options, text_of("deepseek_r1_distill"));
  EXPECT_EQ(data.ledger.rendering.begins_otherwise, 2);
  EXPECT_EQ(data.ledger.rendering.thoughts_without_form, 1);
  EXPECT_THAT(data.ledger.warnings(),
              ::testing::ElementsAre(HasSubstr("1 rows have thoughts, and the template has no form"),
                                     HasSubstr("2 rows have answers that do not go on as")));
  EXPECT_EQ(prepared(options, text_of("zephyr")).ledger.rendering.begins_otherwise, 0);
}

TEST_F(ForeignData, ThoughtsWithoutAFormAreSoInEveryTurn) {
  const std::string row = R"({"messages": [{"role": "user", "content": "Please say Hm."},
      {"role": "assistant", "content": "b", "reasoning_content": "Hm."}, {"role": "user", "content": "c"},
      {"role": "assistant", "content": "d"}]})";
  DataSpec options = own(one_line(row));
  options.enable_thinking = false;
  const RenderingCounts counts = prepared(options, text_of("smollm2")).ledger.rendering;
  EXPECT_EQ(counts.thoughts_without_form, 1);
  EXPECT_EQ(counts.history_thoughts_left_out + counts.thoughts_left_out, 0);
  const std::string reads =
      "{% for m in messages %}<{{ m.role }}>{% if enable_thinking and m.reasoning_content and loop.last %}"
      "{{ m.reasoning_content }}|{% endif %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% "
      "endif %}";
  options.mask_history = true;  // an earlier answer cannot be told where its thought goes
  options.enable_thinking = true;
  EXPECT_EQ(prepared(options, reads).ledger.rendering.history_thoughts_left_out, 1);
  options.enable_thinking = false;
  EXPECT_EQ(prepared(options, reads).ledger.rendering.thoughts_left_out, 1);
}

TEST_F(ForeignData, ACutoffCutsTurnsAsInOtherTemplates) {
  DataSpec options = own(one_line(kTwoTurns));
  options.cutoff_len = 14;
  const PreparedData data = prepared(options, text_of("zephyr"));
  EXPECT_LE(data.train->row(0).ids.size(), 14u);
  EXPECT_EQ(data.ledger.truncated.count, 1);
  EXPECT_THAT(learnt(data), HasSubstr("a1</s>"));
}

TEST_F(ForeignData, DefaultSystemAndThinkingReachTheTemplate) {
  DataSpec options = own(R"({"instruction": "q", "output": "a"})");
  options.default_system = "Be kind.";
  options.enable_thinking = false;
  options.preserve_thinking = true;
  const PreparedData data = prepared(
      options,
      "{{ enable_thinking }}{{ preserve_thinking }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}");
  EXPECT_EQ(data.encoder->tokenizer().decode(data.train->row(0).ids, false),
            "FalseTrue<system>Be kind.</s><user>q</s><assistant>a</s>");
  EXPECT_EQ(learnt(data), "a</s>");
}

TEST_F(ForeignData, PairsShareTheirPromptAndLabelsHaveOne) {
  const std::string pair = R"({"prompt": [{"role": "user", "content": "q"}],
      "chosen": [{"role": "assistant", "content": "good"}], "rejected": [{"role": "assistant", "content": "gone"}]})";
  const PreparedData pairs = prepared(own(one_line(pair), RowKind::kPairwise), text_of("phi3"));
  const auto ids = pairs.train->row(0);
  EXPECT_EQ(pairs.encoder->tokenizer().decode(ids.ids, false),
            "<|user|>\nq<|end|>\n<|assistant|>\ngood<|end|>\n</s><|user|>\nq<|end|>\n<|assistant|>\ngone<|end|>\n</s>");
  EXPECT_EQ(learnt(pairs), "good<|end|>\n</s>gone<|end|>\n</s>");
  const std::string label = R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
      "label": true})";
  EXPECT_EQ(learnt(prepared(own(one_line(label), RowKind::kLabelled), text_of("granite_3_1"))), "a<|end_of_text|>\n");
}

TEST_F(ForeignData, RowsThatDoNotNestAreBadByName) {
  const std::string system = R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"},
      {"role": "assistant", "content": "a"}]})";
  DataSpec options = own(one_line(kTwoTurns) + "\n" + one_line(system) + "\n");
  options.max_bad_rows = 1;
  const PreparedData data = prepared(options, text_of("mistral_v0_3"));
  EXPECT_EQ(data.ledger.rows_kept, 1);
  ASSERT_EQ(data.ledger.bad.count, 1);
  EXPECT_THAT(data.ledger.bad.marks[0].reason,
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("answer 1 of 1"), HasSubstr("s\\n\\nq")));
  // What is asked is itself written otherwise once it is answered.
  const std::string closes =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if add_generation_prompt %}</s>{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}";
  EXPECT_THAT([&] { prepared(own(one_line(kTwoTurns)), closes); },
              ::testing::ThrowsMessage<Error>(HasSubstr("cannot be told from its prompt")));
  // Thoughts that only the last answer keeps: how an earlier one is learnt cannot be told, the last one can.
  options = own(one_line(kTwoTurns));
  const std::string drops =
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}<think></think>{% endif %}"
      "{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
  options.max_bad_rows = 0;
  EXPECT_THAT([&] { prepared(options, drops); },
              ::testing::ThrowsMessage<Error>(AllOf(HasSubstr("answer 1 of 2"), HasSubstr("mask_history"))));
  options.mask_history = true;
  EXPECT_EQ(learnt(prepared(options, drops)), "<think></think>a2</s>");
}

TEST_F(ForeignData, WhatTheTemplateLeavesOutIsCounted) {
  const std::string calls = R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "",
      "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {}}}]},
      {"role": "tool", "content": "7"}, {"role": "assistant", "content": "seven"}]})";
  const PreparedData data = prepared(own(one_line(calls) + "\n" + one_line(kTwoTurns)), text_of("zephyr"));
  EXPECT_EQ(data.ledger.rendering.text_left_out, 1);
  EXPECT_THAT(data.ledger.warnings(), ElementsAre(HasSubstr("1 rows have text or tool calls")));
}

TEST_F(ForeignData, TheFolderKeepsItsTemplateByteForByte) {
  for (const char* name : {"zephyr", "phi3", "granite_3_1"}) {
    const auto tokenizer = tokenizer_with(text_of(name), "foreign_tokenizer");
    const JinjaEncoder encoder(tokenizer, text_of(name), "f", {});
    const SavedTemplate saved = encoder.saved_template();
    EXPECT_EQ(saved.chat_template, std::nullopt) << name;
    EXPECT_TRUE(saved.special_tokens.empty()) << name;
    EXPECT_EQ(saved.eos_id, tokenizer->eos_id());
    EXPECT_EQ(saved.pad_id, tokenizer->pad_id());
  }
}

TEST_F(ForeignData, PromptsOfAnsweredRowsAreTheTemplates) {
  const PreparedData data = prepared(own(one_line(kTwoTurns)), text_of("deepseek_r1_distill"));
  const std::vector<Message> asked = {{MessageRole::kUser, "q"}};
  EXPECT_EQ(data.encoder->tokenizer().decode(data.encoder->ask(asked, std::nullopt, ""), false),
            "<s><\uff5cUser\uff5c>q<\uff5cAssistant\uff5c><think>\n");
}

}  // namespace
}  // namespace ftrun::testing
