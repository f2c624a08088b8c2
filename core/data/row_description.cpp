// Runs of equal mask are shown line by line, so that a shifted mask is visible at a glance.
#include "core/data/row_description.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/data/row_reader.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace {

std::vector<int32_t> loss_mask(const EncodedRow& row) {
  std::vector<int32_t> mask;
  for (const int32_t label : row.labels) mask.push_back(label == kIgnoredLabel ? 0 : 1);
  return mask;
}

/// One line of visible ASCII escapes for what would break the layout.
std::string one_line(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\x{:02x}", static_cast<int>(c));
    } else {
      result += c;
    }
  }
  return result;
}

std::string origin_text(const EncodedDataset& dataset, const EncodedRow& row) {
  std::vector<std::string> places;
  for (const DocumentRecord& document : row.documents) {
    const bool same_row = !places.empty() && dataset.kind() == RowKind::kPairwise;
    if (same_row) continue;
    places.push_back(row_place(dataset.files()[static_cast<size_t>(document.file)], document.line, document.element));
  }
  return fmt::to_string(fmt::join(places, ", "));
}

/// What a document is within its row; "" where there is nothing to say.
std::string part_text(const EncodedDataset& dataset, const EncodedRow& row, size_t document) {
  const double annotation = row.documents[document].annotation;
  if (dataset.kind() == RowKind::kLabelled) return annotation != 0 ? "desirable" : "undesirable";
  if (dataset.kind() != RowKind::kPairwise) return {};
  if (document == 1) return "rejected";
  return annotation != 0 ? fmt::format("chosen, margin {}", annotation) : "chosen";
}

/// Positions as ranges: "0-41, 0-17".
std::string position_text(const EncodedRow& row, RowLayout layout) {
  std::vector<std::string> ranges;
  for (const int32_t length : row.position_lengths(layout)) ranges.push_back(fmt::format("0-{}", length - 1));
  return fmt::to_string(fmt::join(ranges, ", "));
}

std::string mask_runs(const EncodedDataset& dataset, const EncodedRow& row, const Tokenizer& tokenizer) {
  const std::vector<int32_t> mask = loss_mask(row);
  std::string text;
  size_t begin = 0;
  for (size_t document = 0; document < row.documents.size(); ++document) {
    const size_t document_end = begin + static_cast<size_t>(row.documents[document].length);
    if (const std::string part = part_text(dataset, row, document); !part.empty()) text += fmt::format("  {}:\n", part);
    while (begin < document_end) {
      size_t end = begin;
      while (end < document_end && mask[end] == mask[begin]) ++end;
      text += fmt::format("  {} [{},{}) {}\n", mask[begin] != 0 ? "trained" : "masked ", begin, end,
                          one_line(tokenizer.decode(row.ids.subspan(begin, end - begin), false)));
      begin = end;
    }
  }
  return text;
}

}  // namespace

std::vector<int32_t> position_ids(const EncodedRow& row, RowLayout layout) {
  std::vector<int32_t> positions;
  for (const int32_t length : row.position_lengths(layout)) {
    for (int32_t i = 0; i < length; ++i) positions.push_back(i);
  }
  return positions;
}

std::string describe_row_text(const EncodedDataset& dataset, int64_t index, const Tokenizer& tokenizer) {
  const EncodedRow row = dataset.row(index);
  std::string text = fmt::format("row {} from {}: {} tokens, {} to learn from\n", index, origin_text(dataset, row),
                                 row.ids.size(), count_targets(row.labels));
  text += mask_runs(dataset, row, tokenizer);
  text += fmt::format("  ids       {}\n", fmt::join(row.ids, " "));
  text += fmt::format("  loss mask {}\n", fmt::join(loss_mask(row), ""));
  text += fmt::format("  positions {}\n", position_text(row, dataset.layout()));
  return text;
}

nlohmann::json describe_row_json(const EncodedDataset& dataset, int64_t index, const Tokenizer& tokenizer) {
  const EncodedRow row = dataset.row(index);
  nlohmann::json documents = nlohmann::json::array();
  for (size_t i = 0; i < row.documents.size(); ++i) {
    const DocumentRecord& document = row.documents[i];
    documents.push_back({{"file", dataset.files()[static_cast<size_t>(document.file)]},
                         {"line", document.line},
                         {"length", document.length}});
    if (document.element > 0) documents.back()["row"] = document.element;
    if (const std::string part = part_text(dataset, row, i); !part.empty()) documents.back()["part"] = part;
  }
  return {{"row", index},
          {"kind", row_kind_name(dataset.kind())},
          {"documents", std::move(documents)},
          {"text", tokenizer.decode(row.ids, false)},
          {"ids", std::vector<int32_t>(row.ids.begin(), row.ids.end())},
          {"labels", std::vector<int32_t>(row.labels.begin(), row.labels.end())},
          {"loss_mask", loss_mask(row)},
          {"positions", position_ids(row, dataset.layout())},
          {"segments", row.segment_lengths(dataset.layout())}};
}

std::string describe_rows(const EncodedDataset& dataset, int64_t count, const Tokenizer& tokenizer) {
  std::string text;
  for (int64_t i = 0; i < std::min(count, dataset.size()); ++i)
    text.append(i > 0 ? "\n" : "").append(describe_row_text(dataset, i, tokenizer));
  return text;
}

nlohmann::json describe_rows_json(const EncodedDataset& dataset, int64_t count, const Tokenizer& tokenizer) {
  nlohmann::json rows = nlohmann::json::array();
  for (int64_t i = 0; i < std::min(count, dataset.size()); ++i)
    rows.push_back(describe_row_json(dataset, i, tokenizer));
  return rows;
}

}  // namespace ftrun
