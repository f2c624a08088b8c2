// Network `llama`: Llama 1 to 3.x and every model that is saved as LlamaForCausalLM.
#include "decoder/decoder.h"

namespace {

ftrun::decoder::DecoderConfig read_llama(const ftrun::decoder::ConfigReader& config) {
  auto result = ftrun::decoder::read_decoder_config(config, {});
  result.qkv_bias = result.output_bias = config.boolean_or("attention_bias", false);
  result.mlp_bias = config.boolean_or("mlp_bias", false);
  return result;
}

constexpr ftrun_network kTable = ftrun::sdk::NetworkThunks<ftrun::decoder::DecoderNetwork<read_llama>>::table(
    FTRUN_STR("LlamaForCausalLM,LlamaForSequenceClassification"));

}  // namespace

FTRUN_PLUGIN(FTRUN_KIND_NETWORK, "llama", "1.0.0", "Llama decoder: grouped-query attention, rotary embedding, SwiGLU",
             nullptr, &kTable);
