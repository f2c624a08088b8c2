// A pre-norm decoder as a network: declares Hugging Face's parameters and computes its units from context calls.
// Leaves out: reading config.json (decoder_config.h), and everything the host does around a unit.
#pragma once

#include <string>
#include <vector>

#include "decoder/decoder_config.h"
#include "ftrun/cpp/network.hpp"

namespace ftrun::decoder {

/// Serves any DecoderConfig; an architecture is a function that reads one. Holds no tensors.
class Decoder {
 public:
  explicit Decoder(DecoderConfig config) : config_(std::move(config)) {}

  /// Units: model.embed_tokens, model.layers.N, model.norm, lm_head. Once, before info and unit_forward.
  void declare(const sdk::NetworkBuilder& builder);
  ftrun_network_info info() const;
  /// in[T, D] (empty for the embedding) -> [T, D].
  sdk::Tensor unit_forward(const sdk::NetworkCalls& calls, int32_t unit, const sdk::Tensor& in) const;

 private:
  struct Layer {
    int32_t input_norm;
    int32_t post_attention_norm;
    int32_t q_norm;  ///< -1 without qk_norm
    int32_t k_norm;
    sdk::LinearIds q, k, v, o;
    sdk::LinearIds gate, up, down;
  };

  Layer declare_layer(const sdk::NetworkBuilder& builder, int32_t unit, const std::string& prefix) const;
  sdk::LinearIds declare_linear(const sdk::NetworkBuilder& builder, int32_t unit, const std::string& name, int64_t out,
                                int64_t in, bool bias) const;
  int32_t declare_norm(const sdk::NetworkBuilder& builder, int32_t unit, const std::string& name, int64_t size) const;
  sdk::Tensor attention(const sdk::NetworkCalls& calls, int32_t index, const sdk::Tensor& x) const;
  sdk::Tensor feed_forward(const sdk::NetworkCalls& calls, const Layer& layer, const sdk::Tensor& x) const;

  DecoderConfig config_;
  std::vector<Layer> layers_;
  int32_t embedding_ = -1;
  int32_t final_norm_ = -1;
  int32_t head_ = -1;
};

/// A Decoder made by an architecture's `DecoderConfig read(const ConfigReader&)`, as sdk::NetworkThunks wants it.
template <DecoderConfig (*read)(const ConfigReader&)>
class DecoderNetwork : public Decoder {
 public:
  explicit DecoderNetwork(const ftrun_network_create_args& args) : Decoder(read_from(args)) {}

 private:
  static DecoderConfig read_from(const ftrun_network_create_args& args) {
    const nlohmann::json config = parse_config(sdk::view(args.config_json), sdk::view(args.config_path));
    return read(ConfigReader(config, sdk::view(args.config_json), std::string(sdk::view(args.config_path))));
  }
};

}  // namespace ftrun::decoder
