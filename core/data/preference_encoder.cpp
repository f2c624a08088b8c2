// The last turn is what is learnt; everything before it is prompt.
#include "core/data/preference_encoder.h"

#include <algorithm>

#include "core/data/encoded_dataset.h"
#include "core/data/supervised_encoder.h"

namespace ftrun {
namespace {

std::vector<EncodedTurn> encode_answers(const ConversationEncoder& encoder, const AlignedRow& row,
                                        RenderingNotes& notes) {
  for (const Message& response : row.responses) {
    if (!response.is_trained)
      throw RowError("has an answer that is marked as not to be learnt, and it is what is compared");
  }
  std::vector<EncodedTurn> turns = encoder.encode_answers(row.prompt, row.responses, row.system, row.tools, &notes);
  notes.answers_not_learnt = false;  // of the prompt, which is not learnt anyway
  for (EncodedTurn& turn : turns) {
    if (encoder.ends_once()) turn.response_ids.push_back(encoder.eos_id().value_or(0));
  }
  return turns;
}

EncodedExample cut_to(const std::vector<int32_t>& prompt_ids, const std::vector<int32_t>& response_ids,
                      int64_t prompt_length, int64_t response_length) {
  const auto prompt = std::min(static_cast<int64_t>(prompt_ids.size()), prompt_length);
  const auto response = std::min(static_cast<int64_t>(response_ids.size()), response_length);
  EncodedExample example;
  example.ids.assign(prompt_ids.begin(), prompt_ids.begin() + prompt);
  example.labels.assign(static_cast<size_t>(prompt), kIgnoredLabel);
  example.ids.insert(example.ids.end(), response_ids.begin(), response_ids.begin() + response);
  example.labels.insert(example.labels.end(), response_ids.begin(), response_ids.begin() + response);
  example.lost_prompt_tail = prompt < static_cast<int64_t>(prompt_ids.size());
  example.lost_eos = response < static_cast<int64_t>(response_ids.size());
  example.truncated = example.lost_prompt_tail || example.lost_eos;
  return example;
}

EncodedItem too_long() {
  EncodedItem item;
  item.prompt_exceeds_cutoff = true;
  return item;
}

}  // namespace

EncodedItem encode_pair(const ConversationEncoder& encoder, int32_t cutoff_len, const AlignedRow& row) {
  RenderingNotes notes;
  const std::vector<EncodedTurn> answers = encode_answers(encoder, row, notes);
  const EncodedTurn& chosen = answers[0];
  const EncodedTurn& rejected = answers[1];
  if (chosen.response_ids == rejected.response_ids) throw RowError("chosen and rejected are the same answer");
  const auto prompt_length = static_cast<int64_t>(chosen.prompt_ids.size());
  if (prompt_length > cutoff_len) return too_long();
  const auto longer = static_cast<int64_t>(std::max(chosen.response_ids.size(), rejected.response_ids.size()));
  const auto [prompt, response] = turn_lengths(prompt_length, longer, cutoff_len);
  EncodedItem item;
  for (const auto* answer : {&chosen.response_ids, &rejected.response_ids}) {
    item.documents.push_back(cut_to(chosen.prompt_ids, *answer, prompt, response));
    item.documents.back().notes = notes;
  }
  if (item.documents[0].ids == item.documents[1].ids)
    throw RowError("chosen and rejected are the same once they are cut to cutoff_len");
  item.annotation = row.margin;
  return item;
}

EncodedItem encode_labelled(const ConversationEncoder& encoder, int32_t cutoff_len, const AlignedRow& row) {
  RenderingNotes notes;
  const EncodedTurn turn = std::move(encode_answers(encoder, row, notes).front());
  const auto prompt_length = static_cast<int64_t>(turn.prompt_ids.size());
  if (prompt_length > cutoff_len) return too_long();
  const auto [prompt, response] =
      turn_lengths(prompt_length, static_cast<int64_t>(turn.response_ids.size()), cutoff_len);
  EncodedItem item;
  item.documents.push_back(cut_to(turn.prompt_ids, turn.response_ids, prompt, response));
  item.documents.back().notes = notes;
  item.annotation = row.desirable ? 1 : 0;
  return item;
}

}  // namespace ftrun
