/* Kind `reward`: scores completions for the paradigms that optimise one. */
#ifndef FTRUN_KINDS_REWARD_H_
#define FTRUN_KINDS_REWARD_H_

#include "ftrun/host.h"
#include "ftrun/kinds/paradigm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FTRUN_REWARD_SAMPLE_TAG FTRUN_TAG('R', 'S', 'M', 'P')
/** One completion to score; borrowed for the call. */
typedef struct ftrun_reward_sample {
  ftrun_head head;
  ftrun_str prompt;
  ftrun_str completion;
  ftrun_str row_json; /**< the data row with its further columns ("solution"), a JSON object */
  const int32_t *completion_ids;
  int64_t n_completion_ids;
  int32_t stopped; /**< 1: the completion ended by itself */
  int32_t reserved;
} ftrun_reward_sample;

#define FTRUN_REWARD_TAG FTRUN_TAG('R', 'E', 'W', '1')
/** The table. One instance per rank. Since 1.0. */
typedef struct ftrun_reward {
  ftrun_head head;
  /** [control-thread] */
  ftrun_status (*create)(const ftrun_host *host, const ftrun_options *options, void **reward);
  /** [control-thread] */
  void (*destroy)(void *reward);
  /** Models it needs, if any. May be NULL. [control-thread] */
  ftrun_status (*declare)(void *reward, const ftrun_declaration *declaration);
  /** scores[n]; NaN means "does not apply to this sample". samples are sample_stride bytes apart. [rank-thread] */
  ftrun_status (*score)(void *reward, ftrun_context *ctx, const ftrun_reward_sample *samples, uint64_t sample_stride,
                        int32_t n, double *scores);
} ftrun_reward;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_REWARD_H_ */
