// What a template did with a row that its text alone does not show; the ledger counts it.
#pragma once

namespace ftrun {

struct RenderingNotes {
  bool history_thoughts_left_out = false;  ///< of earlier turns, as the published template leaves them out
  bool thoughts_preserved = false;         ///< preserve_thinking writes what the published template does not
  bool thoughts_left_out = false;          ///< of the answer: enable_thinking is false
  bool thoughts_without_form = false;      ///< of the answer: the template writes none
  bool empty_thought_trained = false;      ///< an answer without a thought is learnt with an empty one
  bool text_left_out = false;              ///< text of a message or a tool call that the template does not write
  bool begins_otherwise = false;           ///< an answer does not go on as the generation prompt begins it
  bool answers_not_learnt = false;         ///< the row says so of some, by loss, weight or train
};

}  // namespace ftrun
