// Walks over the messages of a row; the first find is enough.
#include "core/data/row_remarks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json_text.h"
#include "core/base/printable_text.h"
#include "core/base/utf8_text.h"
#include "core/data/unread_columns.h"

namespace ftrun {
namespace {

constexpr size_t kShownBytes = 60;

/// The object of a call is what its tool gets, and a template may write the text of one as it stands.
bool is_object(const nlohmann::ordered_json& arguments) {
  if (!arguments.is_string()) return arguments.is_object();
  const auto value = json_in_text(arguments.get_ref<const std::string&>());
  return value && value->is_object();
}

std::string shown(const nlohmann::ordered_json& arguments) {
  const std::string text = arguments.is_string() ? arguments.get<std::string>() : arguments.dump();
  const std::string_view begin = std::string_view(text).substr(0, kShownBytes);
  return printable_text(begin.substr(0, well_formed_prefix(begin))) + (begin.size() < text.size() ? "..." : "");
}

std::string call_without_object(const Message& message) {
  for (const ToolCall& call : message.calls) {
    if (!is_object(call.arguments)) return fmt::format("'{}': {}", printable_text(call.name), shown(call.arguments));
  }
  return {};
}

/// Answers that are there to be avoided come last.
size_t good_answers(const AlignedRow& row, RowKind kind) {
  if (kind == RowKind::kLabelled && !row.desirable) return 0;
  return std::min<size_t>(row.responses.size(), 1);
}

}  // namespace

std::string call_without_object(const AlignedRow& row, RowKind kind) {
  for (const Message& message : row.prompt) {
    if (std::string found = call_without_object(message); !found.empty()) return found;
  }
  return good_answers(row, kind) == 0 ? std::string() : call_without_object(row.responses.front());
}

std::string medium_in_text(const AlignedRow& row, RowKind kind) {
  if (kind == RowKind::kPlain) return {};
  std::string_view found = media_placeholder_in(row.system ? std::string_view(*row.system) : std::string_view());
  for (const auto* messages : {&row.prompt, &row.responses}) {
    for (const Message& message : *messages) {
      if (found.empty()) found = media_placeholder_in(message.content);
    }
  }
  return found.empty() ? std::string() : fmt::format("'{}'", found);
}

}  // namespace ftrun
