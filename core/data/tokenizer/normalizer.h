// Unicode normalization as Hugging Face `tokenizers` does it (Unicode 9 data), on utf8proc.
// Leaves out: every other kind of normalizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

/// Forms applied one after the other; none means text is left as it is. Immutable; [any-thread].
class Normalizer {
 public:
  Normalizer() = default;
  explicit Normalizer(std::vector<NormalizationForm> forms) : forms_(std::move(forms)) {}

  bool empty() const { return forms_.empty(); }

  /// Normalizes well-formed `text`. Returns `text` itself when nothing changes, else a view of `storage`.
  /// Code points that the Unicode version of `tokenizers` does not know are left alone and separate their neighbours.
  std::string_view normalize(std::string_view text, std::string& storage) const;

  /// Size of the piece that starts well-formed `text` (not empty) and that normalizes alone as it does inside the text.
  size_t first_piece(std::string_view text) const;

 private:
  std::vector<NormalizationForm> forms_;
};

/// Whether NFC leaves code point `value` alone wherever it stands, and text may be cut before it. Sound, not complete.
bool is_nfc_inert(uint32_t value);

}  // namespace ftrun
