// Names of the kinds.
#include "core/data/row_kind.h"

#include <array>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

struct NamedKind {
  std::string_view name;
  std::string_view text;
};

constexpr std::array kKinds = {NamedKind{"supervised", "single answers"}, NamedKind{"pairwise", "pairs of answers"},
                               NamedKind{"labelled", "answers with labels"}, NamedKind{"plain", "plain text"},
                               NamedKind{"prompt", "prompts"}};
constexpr size_t kLearntKinds = kKinds.size() - 1;

}  // namespace

std::string_view row_kind_name(RowKind kind) noexcept { return kKinds[static_cast<size_t>(kind)].name; }

std::string_view row_kind_text(RowKind kind) noexcept { return kKinds[static_cast<size_t>(kind)].text; }

std::string row_kind_use(RowKind kind) {
  return fmt::format("{} {}", kind == RowKind::kPrompt ? "this command answers" : "this stage learns from",
                     row_kind_text(kind));
}

RowKind parse_row_kind(std::string_view name) {
  std::vector<std::string> known;
  for (size_t i = 0; i < kLearntKinds; ++i) {
    if (kKinds[i].name == name) return static_cast<RowKind>(i);
    known.emplace_back(kKinds[i].name);
  }
  throw invalid_argument("data format '{}' is not known{}; formats: {}", name, did_you_mean(name, known),
                         fmt::to_string(fmt::join(known, ", ")));
}

int64_t documents_of_kind(RowKind kind) noexcept { return kind == RowKind::kPairwise ? 2 : 1; }

}  // namespace ftrun
