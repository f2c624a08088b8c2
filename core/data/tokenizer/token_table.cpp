// Token texts and ids: hash lookup by text, direct lookup by id.
#include "core/data/tokenizer/token_table.h"

#include <algorithm>
#include <bit>

#include "core/base/files.h"

namespace ftrun {

void TokenTable::reserve(size_t tokens) {
  entries_.reserve(tokens);
  by_id_.reserve(tokens);
  const size_t slots = std::bit_ceil(std::max<size_t>(64, tokens * 2));
  if (slots > slots_.size()) rehash(slots);
}

std::string_view TokenTable::store(std::string_view text) {
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < text.size()) {
    blocks_.emplace_back().reserve(std::max(kBlockBytes, text.size()));
  }
  std::string& block = blocks_.back();
  const size_t begin = block.size();
  block.append(text);
  return std::string_view(block).substr(begin);
}

void TokenTable::rehash(size_t slots) {
  slots_.assign(slots, 0);
  for (size_t k = 0; k < entries_.size(); ++k) {
    size_t slot = entries_[k].hash & (slots - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = static_cast<uint32_t>(k + 1);
  }
}

bool TokenTable::add(std::string_view text, int32_t id) {
  if ((entries_.size() + 1) * 2 > slots_.size()) rehash(std::max<size_t>(64, slots_.size() * 2));
  const uint64_t hash = content_hash(text);
  size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.text == text) return false;
  }
  entries_.push_back({store(text), hash, id});
  slots_[slot] = static_cast<uint32_t>(entries_.size());
  if (static_cast<size_t>(id) >= by_id_.size()) by_id_.resize(static_cast<size_t>(id) + 1);
  by_id_[static_cast<size_t>(id)] = entries_.back().text;
  return true;
}

std::optional<int32_t> TokenTable::find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const uint64_t hash = content_hash(text);
  for (size_t slot = hash & (slots_.size() - 1); slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.text == text) return entry.id;
  }
  return std::nullopt;
}

const std::string_view* TokenTable::text_of(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= by_id_.size()) return nullptr;
  const std::string_view& text = by_id_[static_cast<size_t>(id)];
  return text.data() == nullptr ? nullptr : &text;
}

}  // namespace ftrun
