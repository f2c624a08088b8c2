// Shapes from config.json, values from a hash: a sum of four uniform 16-bit numbers is close to normal and exact.
#include "tests/cases/model_folders.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/io/safetensors_writer.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using Shapes = std::map<std::string, std::vector<int64_t>>;

nlohmann::json read_json(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(file.string() + ": cannot be read");
  return nlohmann::json::parse(stream);
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> ends) {
  for (const std::string_view end : ends) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

/// Of a projection's weight, and its bias where the network has them.
void add_projection(Shapes& shapes, const std::string& name, int64_t rows, int64_t columns, bool bias) {
  shapes[name + ".weight"] = {rows, columns};
  if (bias) shapes[name + ".bias"] = {rows};
}

/// Parameters of a decoder with grouped-query attention and SwiGLU as its config.json has it, under HF names.
Shapes model_shapes(const nlohmann::json& config) {
  const int64_t hidden = config.at("hidden_size"), inner = config.at("intermediate_size");
  const int64_t heads = config.at("num_attention_heads"), key_heads = config.at("num_key_value_heads");
  const int64_t head_dim = config.value("head_dim", hidden / heads), vocabulary = config.at("vocab_size");
  const bool head_norms = config.at("model_type") == "qwen3", bias = config.at("model_type") == "qwen2";
  Shapes shapes = {{"model.embed_tokens.weight", {vocabulary, hidden}}, {"model.norm.weight", {hidden}}};
  if (!config.at("tie_word_embeddings").get<bool>()) shapes["lm_head.weight"] = {vocabulary, hidden};
  for (int64_t layer = 0; layer < config.at("num_hidden_layers").get<int64_t>(); ++layer) {
    const std::string block = "model.layers." + std::to_string(layer) + ".";
    add_projection(shapes, block + "self_attn.q_proj", heads * head_dim, hidden, bias);
    add_projection(shapes, block + "self_attn.k_proj", key_heads * head_dim, hidden, bias);
    add_projection(shapes, block + "self_attn.v_proj", key_heads * head_dim, hidden, bias);
    add_projection(shapes, block + "self_attn.o_proj", hidden, heads * head_dim, false);
    for (const char* norm : {"self_attn.q_norm.weight", "self_attn.k_norm.weight"}) {
      if (head_norms) shapes[block + norm] = {head_dim};
    }
    add_projection(shapes, block + "mlp.gate_proj", inner, hidden, false);
    add_projection(shapes, block + "mlp.up_proj", inner, hidden, false);
    add_projection(shapes, block + "mlp.down_proj", hidden, inner, false);
    for (const char* norm : {"input_layernorm.weight", "post_attention_layernorm.weight"})
      shapes[block + norm] = {hidden};
  }
  return shapes;
}

uint64_t mixed(uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

/// The tensor of the base that an adapter's file repeats, else the name itself.
std::string base_name(const std::string& name) {
  const std::string prefix = "base_model.model.", layer = ".base_layer.";
  const size_t at = name.find(layer);
  if (at == std::string::npos) return name;
  return name.substr(prefix.size(), at - prefix.size()) + "." + name.substr(at + layer.size());
}

std::vector<float> tensor_values(const std::string& name, int64_t elements) {
  uint64_t key = 0xCBF29CE484222325ULL;
  for (const char c : base_name(name)) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  const bool norm = ends_with_any(name, {"norm.weight"});
  const double mean = norm || ends_with_any(name, {"magnitude_vector"}) ? 1.0 : 0.0;
  std::vector<float> values(static_cast<size_t>(elements));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t bits = mixed(mixed(key) ^ i);
    const auto part = [&](int shift) { return static_cast<int64_t>((bits >> shift) & 0xFFFF); };
    const int64_t sum = part(0) + part(16) + part(32) + part(48) - 131070;
    values[i] = static_cast<float>(mean + static_cast<double>(sum) * (0.1 * 1.7320508075688772 / 65536));
  }
  return values;
}

void write_weights(const fs::path& file, const Shapes& shapes) {
  std::vector<TensorSpec> specs;
  for (const auto& [name, shape] : shapes) specs.push_back({name, StoredDtype::kF32, shape});
  SafetensorsWriter writer(file, specs);
  for (const auto& [name, shape] : shapes) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    const std::vector<float> values = tensor_values(name, elements);
    writer.write(name, std::as_bytes(std::span(values)));
  }
  writer.finish();
}

void write_model(const fs::path& source, const fs::path& destination) {
  fs::create_directories(destination);
  fs::copy(source.parent_path() / "tokenizer", destination);
  fs::copy(source, destination, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  write_weights(destination / "model.safetensors", model_shapes(read_json(source / "config.json")));
}

void write_adapter(const fs::path& source, const fs::path& destination) {
  fs::create_directories(destination.parent_path());
  fs::copy(source, destination);
  if (!fs::remove(destination / "tensors.json")) return;
  write_weights(destination / "adapter_model.safetensors", read_json(source / "tensors.json").get<Shapes>());
}

}  // namespace

void write_model_folders(const fs::path& destination) {
  const fs::path cases = FTRUN_SOURCE_DIR "/tests/cases";
  for (const auto& entry : fs::directory_iterator(cases / "models")) {
    const std::string name = entry.path().filename();
    if (name != "tokenizer") write_model(entry.path(), destination / "models" / name);
  }
  for (const auto& entry : fs::directory_iterator(cases / "adapters"))
    write_adapter(entry.path(), destination / "adapters" / entry.path().filename());
}

}  // namespace ftrun::test
