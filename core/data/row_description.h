// An encoded row written out for people and machines: what the model will see.
// Leaves out: choosing and printing rows.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/data/encoded_dataset.h"

namespace ftrun {

class Tokenizer;

/// Position id of each token of the row.
std::vector<int32_t> position_ids(const EncodedRow& row, RowLayout layout);

/// Several lines: origin, totals, then the text in runs, each run marked `trained` or `masked`, then ids and positions.
/// The documents of a pair or of a labelled row are headed by what they are: chosen, rejected, desirable, undesirable.
std::string describe_row_text(const EncodedDataset& dataset, int64_t index, const Tokenizer& tokenizer);
/// {row, kind, documents: [{file, line, length, part}], text, ids, loss_mask, labels, positions, segments}.
nlohmann::json describe_row_json(const EncodedDataset& dataset, int64_t index, const Tokenizer& tokenizer);

/// describe_row_text of the first `count` rows (fewer if there are fewer), separated by empty lines.
std::string describe_rows(const EncodedDataset& dataset, int64_t count, const Tokenizer& tokenizer);
nlohmann::json describe_rows_json(const EncodedDataset& dataset, int64_t count, const Tokenizer& tokenizer);

}  // namespace ftrun
