// Text, then the token that ends it.
#include "core/data/plain_encoder.h"

#include "core/base/error.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {

PlainOptions plain_options(const ConversationEncoder& encoder, std::optional<bool> add_bos, const std::string& place) {
  const Tokenizer& tokenizer = encoder.tokenizer();
  const std::string named = encoder.document_end();
  const std::optional<int32_t> end = named.empty() ? tokenizer.eos_id() : tokenizer.token_to_id(named);
  if (!end && named.empty())
    throw invalid_argument(
        "tokenizer_config.json: eos_token: plain text needs an end-of-sequence token between texts, "
        "and the tokenizer has none");
  if (!end) throw invalid_argument("{} ends texts with '{}', which the tokenizer does not have", encoder.name(), named);
  PlainOptions options;
  options.end_id = *end;
  if (add_bos.value_or(tokenizer.add_bos_token())) {
    options.begin_id = tokenizer.bos_id();
    if (!options.begin_id)
      throw invalid_argument("{}: the tokenizer has no beginning-of-sequence token (bos_token)", place);
  }
  return options;
}

EncodedItem encode_plain(const Tokenizer& tokenizer, const PlainOptions& options, const AlignedRow& row) {
  EncodedExample example;
  if (options.begin_id) example.ids.push_back(*options.begin_id);
  tokenizer.encode_append(row.prompt.front().content, false, example.ids);
  example.ids.push_back(options.end_id);
  if (options.cutoff_len && example.ids.size() > static_cast<size_t>(*options.cutoff_len)) {
    example.ids.resize(static_cast<size_t>(*options.cutoff_len));
    example.truncated = example.lost_eos = true;
  }
  example.labels = example.ids;
  EncodedItem item;
  item.documents.push_back(std::move(example));
  return item;
}

}  // namespace ftrun
