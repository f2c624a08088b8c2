// Network `qwen3`: dense Qwen 3. Llama with RMS norms on query and key heads and a head_dim of its own.
#include "decoder/decoder.h"

namespace {

ftrun::decoder::DecoderConfig read_qwen3(const ftrun::decoder::ConfigReader& config) {
  auto result = ftrun::decoder::read_decoder_config(
      config, {.n_kv_heads = 32, .head_dim = 128, .max_position_embeddings = 32768});
  result.qkv_bias = result.output_bias = config.boolean_or("attention_bias", false);
  result.qk_norm = true;
  return result;
}

constexpr ftrun_network kTable = ftrun::sdk::NetworkThunks<ftrun::decoder::DecoderNetwork<read_qwen3>>::table(
    FTRUN_STR("Qwen3ForCausalLM,Qwen3ForSequenceClassification"));

}  // namespace

FTRUN_PLUGIN(FTRUN_KIND_NETWORK, "qwen3", "1.0.0", "Qwen 3 decoder: as llama, with norms on query and key heads",
             nullptr, &kTable);
