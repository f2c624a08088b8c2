// Typed access to parsed JSON with errors that name file and key path.
#include "core/data/tokenizer/json_view.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {

std::string join_key_path(const std::string& path, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!plain) return fmt::format("{}[\"{}\"]", path, key);
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

void JsonView::fail(std::string_view message) const {
  if (path_.empty()) throw invalid_argument("{}: {}", file_, message);
  throw invalid_argument("{}: {}: {}", file_, path_, message);
}

void JsonView::expect_object() const {
  if (!value_->is_object()) fail(fmt::format("expected an object, got {}", value_->type_name()));
}

void JsonView::expect_keys(std::initializer_list<std::string_view> known) const {
  expect_object();
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [key, value] : value_->items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    JsonView(value, file_, join_key_path(path_, key)).fail("unknown key");
  }
}

JsonView JsonView::at(std::string_view key) const {
  expect_object();
  const auto member = value_->find(key);
  if (member == value_->end()) fail(fmt::format("lacks key \"{}\"", key));
  return {*member, file_, join_key_path(path_, key)};
}

std::optional<JsonView> JsonView::find(std::string_view key) const {
  expect_object();
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonView(*member, file_, join_key_path(path_, key));
}

std::vector<JsonView> JsonView::elements() const {
  if (!value_->is_array()) fail(fmt::format("expected an array, got {}", value_->type_name()));
  std::vector<JsonView> out;
  for (const auto& element : *value_) out.emplace_back(element, file_, fmt::format("{}[{}]", path_, out.size()));
  return out;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  expect_object();
  std::vector<std::pair<std::string, JsonView>> out;
  for (const auto& [key, value] : value_->items()) {
    out.emplace_back(key, JsonView(value, file_, join_key_path(path_, key)));
  }
  return out;
}

std::string JsonView::text() const {
  if (!value_->is_string()) fail(fmt::format("expected a string, got {}", value_->type_name()));
  return value_->get<std::string>();
}

bool JsonView::flag() const {
  if (!value_->is_boolean()) fail(fmt::format("expected true or false, got {}", value_->type_name()));
  return value_->get<bool>();
}

bool JsonView::flag_or(std::string_view key, bool missing) const {
  const auto member = find(key);
  return member ? member->flag() : missing;
}

int32_t JsonView::token_id() const {
  const bool fits = value_->is_number_unsigned() && value_->get<uint64_t>() <= static_cast<uint64_t>(kMaxTokenId);
  if (!fits) fail(fmt::format("expected a token id (0..{}), got {}", kMaxTokenId, value_->dump()));
  return value_->get<int32_t>();
}

}  // namespace ftrun
