/* Generation: batched decoding with a KV cache, used by paradigms for evaluation and rollouts. */
#ifndef FTRUN_GENERATE_H_
#define FTRUN_GENERATE_H_

#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FTRUN_GENERATE_ARGS_TAG FTRUN_TAG('G', 'E', 'N', 'A')
/** A batch of prompts. Greedy when do_sample is 0. Sampling draws are keyed by (seed, update, prompt_keys[i],
 * position), never by rank or batch. */
typedef struct ftrun_generate_args {
  ftrun_head head;
  int32_t role;
  int32_t n_prompts;
  const int32_t* const* prompts; /**< [n_prompts] token ids */
  const int64_t* prompt_lengths; /**< [n_prompts], each >= 1 */
  const uint64_t* prompt_keys;   /**< [n_prompts], or NULL for 0, 1, 2, .. */
  int64_t max_new_tokens;        /**< and no more than the model has positions left behind the prompt */
  int32_t do_sample;
  int32_t top_k; /**< 0: off */
  double temperature;
  double top_p;              /**< 1: off */
  double repetition_penalty; /**< 1: off */
  uint64_t seed;
  uint64_t update;
  const int32_t* stop_ids; /**< [n_stop_ids]: a sequence ends with the first of them (kept in its output) */
  int32_t n_stop_ids;
  int32_t reserved;
} ftrun_generate_args;

#define FTRUN_GENERATION_TAG FTRUN_TAG('G', 'E', 'N', 'R')
/** What was generated for one prompt. Valid until the generation is released. */
typedef struct ftrun_generation_row {
  ftrun_head head;
  int64_t length;
  const int32_t* ids;    /**< new tokens only */
  const float* logprobs; /**< of each new token under the sampling distribution's temperature-1 softmax */
  int32_t stopped;       /**< 1: ended by a stop id; 0: by max_new_tokens or the last position */
  int32_t reserved;
} ftrun_generation_row;

typedef struct ftrun_generation ftrun_generation;

#define FTRUN_GENERATE_API_TAG FTRUN_TAG('G', 'E', 'N', '1')
/** All [rank-thread], since 1.0. Every rank calls generate equally often. */
typedef struct ftrun_generate_api {
  ftrun_head head;
  ftrun_status (*generate)(ftrun_context* ctx, const ftrun_generate_args* args, ftrun_generation** out);
  ftrun_status (*row)(const ftrun_generation* generation, int32_t index, ftrun_generation_row* out);
  void (*release)(ftrun_generation* generation);
  /** Ids that end an answer: the tokenizer's and the generation_config's end tokens and the template's. */
  ftrun_status (*stop_ids)(ftrun_context* ctx, int32_t* ids, int32_t capacity, int32_t* count);
} ftrun_generate_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_GENERATE_H_ */
