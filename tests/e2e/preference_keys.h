// Keys of small runs of pt, dpo and kto on the demo's data. Leaves out: what is asserted.
#pragma once

#include <map>
#include <string>

namespace ftrun::test {

using Keys = std::map<std::string, std::string>;

/// `keys` with `more` in their place.
inline Keys joined(Keys keys, const Keys& more) {
  for (const auto& [key, value] : more) keys[key] = value;
  return keys;
}

/// dpo on pairs, with references computed once and an evaluation each epoch.
inline Keys pair_keys(const Keys& more = {}) {
  return joined({{"stage", "dpo"},
                 {"dataset", "demo_pairs_train"},
                 {"eval_dataset", "demo_pairs_eval"},
                 {"eval_strategy", "epoch"},
                 {"precompute_ref_log_probs", "true"},
                 {"max_samples", "64"}},
                more);
}

/// kto on labelled rows, otherwise as pair_keys.
inline Keys label_keys(const Keys& more = {}) {
  return joined(
      pair_keys({{"stage", "kto"}, {"dataset", "demo_labelled_train"}, {"eval_dataset", "demo_labelled_eval"}}), more);
}

/// pt on plain text.
inline Keys text_keys(const Keys& more = {}) {
  return joined({{"stage", "pt"},
                 {"dataset", "demo_text_train"},
                 {"eval_dataset", "demo_text_eval"},
                 {"eval_strategy", "epoch"},
                 {"template", ""},
                 {"cutoff_len", "64"},
                 {"max_samples", "200"}},
                more);
}

}  // namespace ftrun::test
