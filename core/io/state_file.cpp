// Kind and version checks over safetensors files.
#include "core/io/state_file.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

constexpr const char* kKindKey = "ftrun_kind";
constexpr const char* kVersionKey = "ftrun_version";

SafetensorsMetadata with_kind(std::string_view kind, int64_t version, SafetensorsMetadata values) {
  for (const char* key : {kKindKey, kVersionKey}) {
    if (values.contains(key)) throw invalid_argument("state value '{}' is reserved", key);
  }
  values.emplace(kKindKey, kind);
  values.emplace(kVersionKey, std::to_string(version));
  return values;
}

std::string spec_text(StoredDtype dtype, std::span<const int64_t> shape) {
  return fmt::format("{} {}", dtype_name(dtype), shape_text(shape));
}

}  // namespace

StateWriter::StateWriter(const std::filesystem::path& path, std::string_view kind, int64_t version,
                         std::vector<TensorSpec> tensors, const SafetensorsMetadata& values)
    : writer_(path, std::move(tensors), with_kind(kind, version, values)) {}

StateReader::StateReader(const std::filesystem::path& path, std::string_view kind, int64_t version) : file_(path) {
  const auto text = [&](const char* key) {
    const auto found = file_.metadata().find(key);
    return found == file_.metadata().end() ? std::string("(none)") : found->second;
  };
  if (text(kKindKey) != kind) {
    throw invalid_argument("{}: holds state of kind '{}', expected '{}'", path.string(), text(kKindKey), kind);
  }
  if (text(kVersionKey) != std::to_string(version)) {
    throw invalid_argument("{}: {} state of version {}, expected {}: it was written by another version of ftrun",
                           path.string(), kind, text(kVersionKey), version);
  }
}

std::span<const std::byte> StateReader::require(const TensorSpec& expected) const {
  const TensorEntry& entry = file_.require(expected.name);
  if (entry.dtype != expected.dtype || entry.shape != expected.shape) {
    throw invalid_argument("{}: array '{}' is {}, expected {}", file_.path().string(), expected.name,
                           spec_text(entry.dtype, entry.shape), spec_text(expected.dtype, expected.shape));
  }
  return entry.bytes;
}

void StateReader::require_exactly(std::span<const TensorSpec> expected) const {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : expected) {
    require(tensor);
    names.push_back(tensor.name);
  }
  if (expected.size() == file_.tensors().size()) return;
  std::sort(names.begin(), names.end());
  for (const TensorEntry& entry : file_.tensors()) {
    if (std::binary_search(names.begin(), names.end(), entry.name)) continue;
    throw invalid_argument("{}: array '{}' is left over: nothing in this run has that name{}", file_.path().string(),
                           entry.name, did_you_mean(entry.name, names));
  }
}

const std::string& StateReader::value(std::string_view key) const {
  const auto found = file_.metadata().find(std::string(key));
  if (found == file_.metadata().end()) throw invalid_argument("{}: no value '{}'", file_.path().string(), key);
  return found->second;
}

bool StateReader::has_value(std::string_view key) const { return file_.metadata().contains(std::string(key)); }

}  // namespace ftrun
