// The folder that training starts from: a tokenizer trained on the demo's own text and a small model's description.
#include <nlohmann/json.hpp>

#include "configs/demo/generator/demo_files.h"
#include "core/data/tokenizer/bpe_trainer.h"

namespace ftrun::demo {
namespace {

constexpr int kVocabularySize = 768;
constexpr int kMaxPositions = 256;
constexpr int kPadId = 0, kEndId = 2;  // places in kSpecialTokens
const std::vector<std::string> kSpecialTokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

/// What the chatml template makes of a row, without its special tokens.
std::vector<std::string> tokenizer_corpus(const std::vector<Row>& rows) {
  std::vector<std::string> corpus;
  for (const Row& row : rows) {
    const Question& q = row.question;
    corpus.push_back("user\n" + q.instruction + (q.input.empty() ? "" : "\n") + q.input);
    corpus.push_back("assistant\n" + q.output);
  }
  return corpus;
}

nlohmann::ordered_json model_config() {
  return {{"architectures", {"Qwen3ForCausalLM"}},
          {"model_type", "qwen3"},
          {"vocab_size", kVocabularySize},
          {"hidden_size", 128},
          {"intermediate_size", 384},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 32},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-6},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"max_position_embeddings", kMaxPositions},
          {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}}},
          {"tie_word_embeddings", true},
          {"initializer_range", 0.12},
          {"use_cache", true},
          {"bos_token_id", nullptr},
          {"eos_token_id", kEndId},
          {"pad_token_id", kPadId},
          {"dtype", "float32"}};
}

nlohmann::ordered_json tokenizer_config() {
  const std::string chat_template =
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' "
      "}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  return {{"tokenizer_class", "PreTrainedTokenizerFast"},
          {"eos_token", kSpecialTokens[kEndId]},
          {"pad_token", kSpecialTokens[kPadId]},
          {"additional_special_tokens", {kSpecialTokens[1]}},
          {"add_bos_token", false},
          {"add_prefix_space", false},
          {"clean_up_tokenization_spaces", false},
          {"model_max_length", kMaxPositions},
          {"chat_template", chat_template}};
}

}  // namespace

std::map<std::string, std::string> make_model_files(const Split& split) {
  const nlohmann::ordered_json generation = {
      {"do_sample", false}, {"eos_token_id", kEndId}, {"pad_token_id", kPadId}, {"max_new_tokens", 16}};
  std::string tokenizer = train_byte_level_bpe(tokenizer_corpus(split.train), kVocabularySize, kSpecialTokens);
  if (tokenizer.empty() || tokenizer.back() != '\n') tokenizer += '\n';
  return {{"model/config.json", model_config().dump(2) + "\n"},
          {"model/tokenizer.json", tokenizer},
          {"model/tokenizer_config.json", tokenizer_config().dump(2) + "\n"},
          {"model/generation_config.json", generation.dump(2) + "\n"}};
}

}  // namespace ftrun::demo
