// The budget rule and the masks. Heads are kept and tails cut, which is why the flags exist.
#include "core/data/supervised_encoder.h"

#include <algorithm>

#include "core/data/encoded_dataset.h"

namespace ftrun {

std::pair<int64_t, int64_t> turn_lengths(int64_t prompt, int64_t response, int64_t budget) {
  int64_t most_response = 0;
  if (response * 2 < budget) {
    most_response = budget;
  } else if (prompt * 2 < budget) {
    most_response = budget - prompt;
  } else {
    const double share = static_cast<double>(response) / static_cast<double>(prompt + response);
    most_response = static_cast<int64_t>(static_cast<double>(budget) * share);
  }
  const int64_t kept_response = std::min(most_response, response);
  return {std::min(std::max<int64_t>(budget - kept_response, 0), prompt), kept_response};
}

namespace {

/// Turns in the order in which they claim budget; appended, or with mask_history prepended.
class TurnAssembler {
 public:
  TurnAssembler(const ConversationEncoder& encoder, const SupervisedOptions& options)
      : options_(options),
        eos_id_(encoder.eos_id().value_or(0)),
        efficient_eos_(encoder.ends_once()),
        used_(efficient_eos_ ? 1 : 0) {}

  bool is_full() const { return used_ >= options_.cutoff_len; }

  void add(const EncodedTurn& turn, size_t rank) {
    const auto prompt_size = static_cast<int64_t>(turn.prompt_ids.size());
    const auto response_size = static_cast<int64_t>(turn.response_ids.size());
    const auto [prompt, response] = turn_lengths(prompt_size, response_size, options_.cutoff_len - used_);
    used_ += prompt + response;
    const bool trains_response = turn.is_trained && (!options_.mask_history || rank == 0);
    result_.truncated |= prompt < prompt_size || response < response_size;
    result_.lost_prompt_tail |= prompt < prompt_size;
    result_.lost_eos |= trains_response && response < learnt_size(turn) && !efficient_eos_;

    std::vector<int32_t> ids(turn.prompt_ids.begin(), turn.prompt_ids.begin() + prompt);
    std::vector<int32_t> labels = options_.train_on_prompt ? ids : std::vector<int32_t>(ids.size(), kIgnoredLabel);
    // The end of the previous response is learnt here: this position's target stands for the EOS that is not written.
    if (!options_.train_on_prompt && efficient_eos_ && rank != 0 && previous_trained_ && !labels.empty())
      labels.front() = eos_id_;
    previous_trained_ = turn.is_trained;
    ids.insert(ids.end(), turn.response_ids.begin(), turn.response_ids.begin() + response);
    for (size_t t = 0; t < static_cast<size_t>(response); ++t) {
      const bool is_learnt = trains_response && (turn.learnt.empty() || turn.learnt[t] || options_.train_on_prompt);
      labels.push_back(is_learnt ? turn.response_ids[t] : kIgnoredLabel);
    }
    const auto at = [&](std::vector<int32_t>& all) { return options_.mask_history ? all.begin() : all.end(); };
    result_.ids.insert(at(result_.ids), ids.begin(), ids.end());
    result_.labels.insert(at(result_.labels), labels.begin(), labels.end());
  }

  EncodedExample finish(bool lost_turns, bool last_is_trained) {
    result_.lost_turns = lost_turns;
    result_.truncated |= lost_turns;
    if (efficient_eos_) {
      result_.ids.push_back(eos_id_);
      result_.labels.push_back(last_is_trained ? eos_id_ : kIgnoredLabel);
    }
    return std::move(result_);
  }

 private:
  /// Up to the last id of the response that is learnt.
  static int64_t learnt_size(const EncodedTurn& turn) {
    if (turn.learnt.empty()) return static_cast<int64_t>(turn.response_ids.size());
    const auto last = std::find(turn.learnt.rbegin(), turn.learnt.rend(), true);
    return turn.learnt.rend() - last;
  }

  SupervisedOptions options_;
  int32_t eos_id_;
  bool efficient_eos_;
  int64_t used_;
  bool previous_trained_ = true;
  EncodedExample result_;
};

}  // namespace

EncodedExample encode_supervised(const ConversationEncoder& encoder, const SupervisedOptions& options,
                                 const AlignedRow& row) {
  RenderingNotes notes;
  const LearntAnswers learnt = options.mask_history ? LearntAnswers::kLast : LearntAnswers::kAll;
  std::vector<EncodedTurn> turns = encoder.encode_turns(whole_conversation(row), row.system, row.tools, learnt, &notes);
  const bool last_is_trained = turns.back().is_trained;
  const bool may_be_learnt =
      options.mask_history ? last_is_trained : std::ranges::any_of(turns, &EncodedTurn::is_trained);
  if (options.mask_history) std::reverse(turns.begin(), turns.end());
  TurnAssembler assembler(encoder, options);
  size_t rank = 0;
  for (; rank < turns.size() && !assembler.is_full(); ++rank) assembler.add(turns[rank], rank);
  EncodedExample example = assembler.finish(rank < turns.size(), last_is_trained);
  example.notes = notes;
  example.marked_unlearnt = !may_be_learnt;
  return example;
}

}  // namespace ftrun
