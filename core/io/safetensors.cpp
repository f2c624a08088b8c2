// Header parsing and validation of a mapped safetensors file.
#include "core/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;
using Path = std::filesystem::path;

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // The safetensors library's own bound.
constexpr size_t kPrefixBytes = 8;
constexpr const char* kMetadataKey = "__metadata__";

struct Placed {
  TensorEntry entry;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// The parser allocates per nesting level; a header needs three, so a hostile one is stopped before it is parsed.
void refuse_deep_nesting(std::string_view text, const Path& path) {
  constexpr int kMaxDepth = 8;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > kMaxDepth)
      throw invalid_argument("{}: malformed header: nested deeper than {}", path.string(), kMaxDepth);
  }
}

std::string_view header_text(const MappedFile& file) {
  const std::string_view all = file.text();
  const std::string path = file.path().string();
  if (all.size() < kPrefixBytes) {
    throw invalid_argument("{}: not a safetensors file: {} bytes, expected at least the 8 of the header length", path,
                           all.size());
  }
  uint64_t length = 0;
  std::memcpy(&length, all.data(), kPrefixBytes);
  if (length > kMaxHeaderBytes) {
    throw invalid_argument("{}: not a safetensors file: header length {} bytes, expected at most {}", path, length,
                           kMaxHeaderBytes);
  }
  if (length > all.size() - kPrefixBytes) {
    throw invalid_argument("{}: truncated: header of {} bytes, but the file ends after {} of them", path, length,
                           all.size() - kPrefixBytes);
  }
  const std::string_view text = all.substr(kPrefixBytes, length);
  if (text.empty() || text.front() != '{') {
    throw invalid_argument("{}: not a safetensors file: the header does not start with '{{'", path);
  }
  return text;
}

std::map<std::string, std::string> read_metadata(const Json& json, const Path& path) {
  if (!json.is_object()) throw invalid_argument("{}: {}: expected an object of strings", path.string(), kMetadataKey);
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      throw invalid_argument("{}: {}: key '{}': expected a string, got {}", path.string(), kMetadataKey, key,
                             value.dump());
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

const Json& member(const Json& object, const char* key, const Path& path, const std::string& tensor) {
  const auto found = object.find(key);
  if (found == object.end()) {
    throw invalid_argument("{}: tensor '{}': '{}' is missing from the header", path.string(), tensor, key);
  }
  return *found;
}

StoredDtype read_dtype(const Json& json, const Path& path, const std::string& tensor) {
  const std::optional<StoredDtype> dtype =
      json.is_string() ? parse_dtype_name(json.get_ref<const std::string&>()) : std::nullopt;
  if (dtype) return *dtype;
  throw invalid_argument("{}: tensor '{}': dtype {}: expected one of {}", path.string(), tensor, json.dump(),
                         fmt::join(known_dtype_names(), ", "));
}

std::vector<int64_t> read_shape(const Json& json, const Path& path, const std::string& tensor) {
  std::vector<int64_t> shape;
  bool fits = json.is_array();
  for (size_t i = 0; fits && i < json.size(); ++i) {
    const Json& size = json[i];
    fits = size.is_number_unsigned() && size.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
    if (fits) shape.push_back(size.get<int64_t>());
  }
  if (!fits || !element_count(shape)) {
    throw invalid_argument(
        "{}: tensor '{}': shape {}: expected a list of non-negative sizes whose product fits 63 bits", path.string(),
        tensor, json.dump());
  }
  return shape;
}

std::pair<uint64_t, uint64_t> read_offsets(const Json& json, const Path& path, const std::string& tensor) {
  if (!json.is_array() || json.size() != 2 || !json[0].is_number_unsigned() || !json[1].is_number_unsigned() ||
      json[0].get<uint64_t>() > json[1].get<uint64_t>()) {
    throw invalid_argument("{}: tensor '{}': data_offsets {}: expected [begin, end] with 0 <= begin <= end",
                           path.string(), tensor, json.dump());
  }
  return {json[0].get<uint64_t>(), json[1].get<uint64_t>()};
}

Placed read_tensor(const std::string& name, const Json& json, const MappedFile& file, std::span<const std::byte> data) {
  const Path& path = file.path();
  if (!json.is_object()) {
    throw invalid_argument("{}: tensor '{}': expected an object with dtype, shape, data_offsets", path.string(), name);
  }
  Placed placed;
  TensorEntry& entry = placed.entry;
  entry.name = name;
  entry.file = path;
  entry.dtype = read_dtype(member(json, "dtype", path, name), path, name);
  entry.shape = read_shape(member(json, "shape", path, name), path, name);
  std::tie(placed.begin, placed.end) = read_offsets(member(json, "data_offsets", path, name), path, name);
  if (placed.end > data.size()) {
    throw invalid_argument("{}: truncated: tensor '{}' ends at byte {} of the data, but only {} bytes are there",
                           path.string(), name, placed.end, data.size());
  }
  uint64_t expected_bytes = 0;
  if (__builtin_mul_overflow(*element_count(entry.shape), dtype_size_bytes(entry.dtype), &expected_bytes) ||
      expected_bytes != placed.end - placed.begin) {
    throw invalid_argument("{}: tensor '{}': {} {} needs {} bytes, but data_offsets [{}, {}] hold {}", path.string(),
                           name, dtype_name(entry.dtype), shape_text(entry.shape), expected_bytes, placed.begin,
                           placed.end, placed.end - placed.begin);
  }
  entry.bytes = data.subspan(placed.begin, expected_bytes);
  return placed;
}

// The format allows neither overlaps nor holes, and nothing after the last tensor.
void check_contiguous(const std::vector<Placed>& tensors, const Path& path, uint64_t data_bytes) {
  uint64_t end = 0;
  const std::string* previous = nullptr;
  for (const Placed& tensor : tensors) {
    if (tensor.begin < end) {
      throw invalid_argument("{}: tensors '{}' and '{}' overlap: the second begins at byte {}, the first ends at {}",
                             path.string(), *previous, tensor.entry.name, tensor.begin, end);
    }
    if (tensor.begin > end) {
      throw invalid_argument("{}: hole of {} bytes before tensor '{}' (bytes {} to {}): the format allows none",
                             path.string(), tensor.begin - end, tensor.entry.name, end, tensor.begin);
    }
    end = tensor.end;
    previous = &tensor.entry.name;
  }
  if (end != data_bytes) {
    throw invalid_argument("{}: {} bytes after the last tensor, which ends at byte {} of the data: expected none",
                           path.string(), data_bytes - end, end);
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const std::string_view text = header_text(file_);
  refuse_deep_nesting(text, path);
  const Json header = parse_json(text, path);
  const std::span<const std::byte> data = file_.bytes().subspan(kPrefixBytes + text.size());
  std::vector<Placed> placed;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadataKey) {
      metadata_ = read_metadata(value, path);
    } else {
      placed.push_back(read_tensor(name, value, file_, data));
    }
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.begin, a.end, a.entry.name) < std::tie(b.begin, b.end, b.entry.name);
  });
  check_contiguous(placed, path, data.size());
  data_bytes_ = data.size();
  tensors_.reserve(placed.size());
  for (Placed& each : placed) {
    index_of_name_.emplace(each.entry.name, tensors_.size());
    tensors_.push_back(std::move(each.entry));
  }
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = index_of_name_.find(std::string(name));
  return found == index_of_name_.end() ? nullptr : &tensors_[found->second];
}

const TensorEntry& SafetensorsFile::require(std::string_view name) const {
  if (const TensorEntry* entry = find(name)) return *entry;
  std::vector<std::string> names;
  for (const TensorEntry& entry : tensors_) names.push_back(entry.name);
  throw invalid_argument("{}: no tensor '{}'{}", path().string(), name, did_you_mean(name, names));
}

}  // namespace ftrun
