// Network `qwen2`: Qwen 2 and 2.5. Llama with biases on query, key and value.
#include "decoder/decoder.h"

namespace {

ftrun::decoder::DecoderConfig read_qwen2(const ftrun::decoder::ConfigReader& config) {
  auto result = ftrun::decoder::read_decoder_config(config, {.n_kv_heads = 32, .max_position_embeddings = 32768});
  result.qkv_bias = true;
  return result;
}

constexpr ftrun_network kTable = ftrun::sdk::NetworkThunks<ftrun::decoder::DecoderNetwork<read_qwen2>>::table(
    FTRUN_STR("Qwen2ForCausalLM,Qwen2ForSequenceClassification"));

}  // namespace

FTRUN_PLUGIN(FTRUN_KIND_NETWORK, "qwen2", "1.0.0", "Qwen 2 and 2.5 decoder: as llama, with biases on q, k and v",
             nullptr, &kTable);
