// Layout and streamed writing of one safetensors file.
#include "core/io/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/io/disk_space.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;

void check_names(std::span<const TensorSpec> tensors) {
  std::set<std::string_view> names;
  for (const TensorSpec& tensor : tensors) {
    if (tensor.name == "__metadata__") throw invalid_argument("a tensor cannot be named '__metadata__'");
    if (!names.insert(tensor.name).second) throw invalid_argument("tensor '{}' is declared twice", tensor.name);
  }
}

std::string dump(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    throw invalid_argument("a tensor name or metadata value is not UTF-8");
  }
}

std::vector<size_t> library_order(std::span<const TensorSpec> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (tensors[a].dtype != tensors[b].dtype) return tensors[a].dtype > tensors[b].dtype;
    return tensors[a].name < tensors[b].name;
  });
  return order;
}

}  // namespace

SafetensorsMetadata model_file_metadata() { return {{"format", "pt"}}; }

uint64_t tensor_bytes(const TensorSpec& tensor) {
  const std::optional<uint64_t> count = element_count(tensor.shape);
  uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, dtype_size_bytes(tensor.dtype), &bytes) || bytes > uint64_t{INT64_MAX}) {
    throw invalid_argument("tensor '{}': shape {}: expected non-negative sizes whose bytes fit 63 bits", tensor.name,
                           shape_text(tensor.shape));
  }
  return bytes;
}

SafetensorsLayout layout_safetensors(std::span<const TensorSpec> tensors, const SafetensorsMetadata& metadata) {
  check_names(tensors);
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  SafetensorsLayout layout;
  layout.offsets.resize(tensors.size());
  // ordered_json looks every key up linearly on insertion, quadratic for a large model: join the members as text
  // instead.
  std::string text = dump(header);
  text.pop_back();
  uint64_t end = 0;
  for (const size_t i : library_order(tensors)) {
    const TensorSpec& tensor = tensors[i];
    const uint64_t begin = end;
    if (__builtin_add_overflow(begin, tensor_bytes(tensor), &end) || end > uint64_t{INT64_MAX}) {
      throw invalid_argument("the tensors together do not fit 63 bits of bytes, at '{}'", tensor.name);
    }
    layout.offsets[i] = begin;
    const Json value = {{"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", dump(Json(tensor.name)), dump(value));
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw invalid_argument("{} tensors make a header of {} bytes, the format allows {}", tensors.size(), text.size(),
                           kMaxHeaderBytes);
  }
  const uint64_t length = text.size();
  layout.header.assign(reinterpret_cast<const char*>(&length), sizeof(length));
  layout.header += text;
  for (uint64_t& offset : layout.offsets) offset += layout.header.size();
  layout.file_bytes = layout.header.size() + end;
  return layout;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                                     const SafetensorsMetadata& metadata)
    : tensors_(std::move(tensors)),
      layout_(layout_safetensors(tensors_, metadata)),
      written_bytes_(tensors_.size(), 0),
      path_(path),
      file_((require_disk_space(path.has_parent_path() ? path.parent_path() : ".", layout_.file_bytes,
                                path.filename().string()),
             path)) {
  for (size_t i = 0; i < tensors_.size(); ++i) index_of_name_.emplace(tensors_[i].name, i);
  file_.write(layout_.header);
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  const auto found = index_of_name_.find(std::string(name));
  if (found == index_of_name_.end()) {
    std::vector<std::string> names;
    for (const TensorSpec& tensor : tensors_) names.push_back(tensor.name);
    throw invalid_argument("{}: tensor '{}' was not declared{}", path_.string(), name, did_you_mean(name, names));
  }
  const size_t i = found->second;
  const uint64_t declared = tensor_bytes(tensors_[i]);
  if (bytes.size() > declared - written_bytes_[i]) {
    throw invalid_argument("{}: tensor '{}': {} bytes after {} of {}: more than its {} {} holds", path_.string(), name,
                           bytes.size(), written_bytes_[i], declared, dtype_name(tensors_[i].dtype),
                           shape_text(tensors_[i].shape));
  }
  file_.write_at(layout_.offsets[i] + written_bytes_[i], bytes);
  written_bytes_[i] += bytes.size();
}

void SafetensorsWriter::require_complete() const {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const uint64_t declared = tensor_bytes(tensors_[i]);
    if (written_bytes_[i] == declared) continue;
    throw failed_precondition("{}: tensor '{}' is not complete: {} of {} bytes were written", path_.string(),
                              tensors_[i].name, written_bytes_[i], declared);
  }
}

void SafetensorsWriter::finish() {
  require_complete();
  file_.commit();
}

}  // namespace ftrun
