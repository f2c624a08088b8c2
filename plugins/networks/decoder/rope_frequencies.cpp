// Rotary frequencies: one function per rope type.
#include "decoder/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ftrun::decoder {
namespace {

/// base^(2i / head_dim), i in [0, head_dim / 2), in f32.
std::vector<float> wave_periods(double theta, int64_t head_dim) {
  std::vector<float> periods(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < periods.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    periods[i] = static_cast<float>(std::pow(static_cast<double>(static_cast<float>(theta)), exponent));
  }
  return periods;
}

std::vector<float> reciprocals(std::vector<float> values) {
  for (float& value : values) value = 1.0f / value;
  return values;
}

std::vector<float> linear_frequencies(const ConfigReader& rope, std::vector<float> inv_freq) {
  const auto factor = static_cast<float>(rope.positive_number("factor"));
  for (float& frequency : inv_freq) frequency /= factor;
  return inv_freq;
}

std::vector<float> llama3_frequencies(const ConfigReader& rope, std::vector<float> inv_freq, double original_context) {
  const auto factor = static_cast<float>(rope.positive_number("factor"));
  const double low = rope.positive_number("low_freq_factor");
  const double high = rope.positive_number("high_freq_factor");
  if (high <= low) rope.refuse("high_freq_factor", "a number above low_freq_factor");
  const auto longest = static_cast<float>(original_context / low);
  const auto shortest = static_cast<float>(original_context / high);
  for (float& frequency : inv_freq) {
    const float period = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (period > longest) {
      frequency /= factor;
    } else if (period >= shortest) {
      const float smooth =
          (static_cast<float>(original_context) / period - static_cast<float>(low)) / static_cast<float>(high - low);
      frequency = (1.0f - smooth) * frequency / factor + smooth * frequency;
    }
  }
  return inv_freq;
}

double yarn_mscale(double scale, double mscale) { return scale <= 1 ? 1.0 : 0.1 * mscale * std::log(scale) + 1.0; }

double yarn_attention_factor(const ConfigReader& rope, double factor) {
  if (rope.has("attention_factor")) return rope.positive_number("attention_factor");
  const auto number = [&](std::string_view key) {
    if (!rope.has(key)) return 0.0;
    if (!rope.raw().at(std::string(key)).is_number()) rope.refuse(key, "a number");
    return rope.raw().at(std::string(key)).get<double>();
  };
  const double mscale = number("mscale");
  const double mscale_all_dim = number("mscale_all_dim");
  if (mscale != 0 && mscale_all_dim != 0) return yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all_dim);
  return yarn_mscale(factor, 1.0);
}

/// The pair of dimensions between which interpolation fades in.
std::pair<double, double> yarn_correction_range(const ConfigReader& rope, double theta, int64_t head_dim,
                                                double original_context) {
  const auto dimension_of = [&](double rotations) {
    return static_cast<double>(head_dim) * std::log(original_context / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = dimension_of(rope.positive_number_or("beta_fast", 32.0));
  double high = dimension_of(rope.positive_number_or("beta_slow", 1.0));
  if (rope.boolean_or("truncate", true)) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  return {std::max(low, 0.0), std::min(high, static_cast<double>(head_dim - 1))};
}

RopeFrequencies yarn_frequencies(const ConfigReader& rope, double theta, int64_t head_dim, double original_context) {
  const double factor = rope.positive_number("factor");
  auto [low, high] = yarn_correction_range(rope, theta, head_dim, original_context);
  if (low == high) high += 0.001;
  RopeFrequencies result{wave_periods(theta, head_dim), yarn_attention_factor(rope, factor)};
  for (size_t i = 0; i < result.inv_freq.size(); ++i) {
    const float period = result.inv_freq[i];
    const float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float extrapolated_share = 1.0f - std::clamp(ramp, 0.0f, 1.0f);
    const float interpolated = 1.0f / (static_cast<float>(factor) * period);
    result.inv_freq[i] = interpolated * (1.0f - extrapolated_share) + 1.0f / period * extrapolated_share;
  }
  return result;
}

void refuse_partial_rotation(const ConfigReader& reader) {
  if (reader.positive_number_or("partial_rotary_factor", 1.0) != 1.0) {
    reader.refuse("partial_rotary_factor", "1 (all of head_dim rotates) or nothing");
  }
}

/// rope_scaling wins where both are given, as in transformers 5.
ConfigReader rope_object(const ConfigReader& config) {
  const ConfigReader scaling = config.object("rope_scaling");
  const ConfigReader rope = scaling.raw().empty() ? config.object("rope_parameters") : scaling;
  const bool by_layer_type = rope.has("full_attention") && !rope.has("rope_type") && !rope.has("type");
  return by_layer_type ? rope.object("full_attention") : rope;
}

double original_context_of(const ConfigReader& config, const ConfigReader& rope, int64_t max_positions) {
  const auto absent = static_cast<double>(max_positions);
  return config.has("original_max_position_embeddings")
             ? config.positive_number("original_max_position_embeddings")
             : rope.positive_number_or("original_max_position_embeddings", absent);
}

}  // namespace

RopeFrequencies read_rope_frequencies(const ConfigReader& config, int64_t head_dim, int64_t max_position_embeddings) {
  const ConfigReader rope = rope_object(config);
  refuse_partial_rotation(config);
  refuse_partial_rotation(rope);
  const double theta =
      rope.has("rope_theta") ? rope.positive_number("rope_theta") : config.positive_number_or("rope_theta", 10000.0);
  const std::string_view type_key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.text_or(type_key, "default");
  const double original_context = original_context_of(config, rope, max_position_embeddings);
  if (type == "default") return {reciprocals(wave_periods(theta, head_dim)), 1.0};
  if (type == "linear") return {linear_frequencies(rope, reciprocals(wave_periods(theta, head_dim))), 1.0};
  if (type == "llama3") {
    return {llama3_frequencies(rope, reciprocals(wave_periods(theta, head_dim)), original_context), 1.0};
  }
  if (type == "yarn") {
    return yarn_frequencies(rope, theta, head_dim, original_context);
  }
  rope.refuse(type_key, "default, linear, llama3 or yarn");
}

}  // namespace ftrun::decoder
