// Trains a byte-level BPE vocabulary; used by the demo's generator.
// Leaves out: other pre-tokenizers, normalizers, dropout, limits on alphabet or token length.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ftrun {

/// The content of a tokenizer.json with ByteLevel pre-tokenizer (no prefix space, GPT-2 regex) and ByteLevel decoder.
/// Ids: special tokens in order, the 256 byte symbols by code point, then one per merge. Every special token is an
/// added token. Training stops at `vocabulary_size` ids or when no pair occurs at least `min_frequency` times.
/// Deterministic; ties go to the pair with the smaller ids.
/// @param vocabulary_size  at least special_tokens.size() + 256
/// Throws INVALID_ARGUMENT for a vocabulary that is too small and for empty or repeated special tokens.
/// Source: huggingface/tokenizers BpeTrainer with initial_alphabet = ByteLevel.alphabet().
std::string train_byte_level_bpe(std::span<const std::string> corpus, int32_t vocabulary_size,
                                 std::span<const std::string> special_tokens, uint64_t min_frequency = 0);

}  // namespace ftrun
