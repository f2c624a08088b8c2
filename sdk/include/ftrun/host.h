/* The host table: what a plugin may ask of the process that loaded it. */
#ifndef FTRUN_HOST_H_
#define FTRUN_HOST_H_

#include "ftrun/abi.h"
#include "ftrun/option.h"
#include "ftrun/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ftrun_log_level;
#define FTRUN_LOG_DEBUG ((ftrun_log_level)0)
#define FTRUN_LOG_INFO ((ftrun_log_level)1)
#define FTRUN_LOG_WARNING ((ftrun_log_level)2)
#define FTRUN_LOG_ERROR ((ftrun_log_level)3)

/** One task of parallel_for. Must not wait, call collectives or throw. [any-thread] */
typedef void (*ftrun_task)(void *argument, int64_t index);

struct ftrun_context_api;
struct ftrun_data_api;
struct ftrun_generate_api;
struct ftrun_shard_api;
struct ftrun_collectives_api;
struct ftrun_host;

#define FTRUN_HOST_TAG FTRUN_TAG('H', 'O', 'S', 'T')
/** Lives as long as the process. Each plugin instance gets its own, so that failures and memory are attributed. */
typedef struct ftrun_host {
  ftrun_head head;
  uint32_t abi_minor; /**< the minor this host offers */
  uint32_t reserved;  /**< 0 */
  const void *self;   /**< the host's; pass the table back unchanged */

  /** Writes one line to the log. [any-thread], since 1.0 */
  void (*log)(const struct ftrun_host *host, ftrun_log_level level, ftrun_str message);
  /** Records `message` as the detail of a failure on this thread and returns `code`:
   * `return host->fail(host, FTRUN_INVALID_ARGUMENT, text);`. [any-thread], since 1.0 */
  ftrun_status (*fail)(const struct ftrun_host *host, ftrun_status code, ftrun_str message);
  /** Runs task(argument, i) for every i in [0, count) on the host's threads and returns when all are done. The split over
   * threads is not specified, so results must not depend on it. May be nested. [any-thread], since 1.0 */
  void (*parallel_for)(const struct ftrun_host *host, int64_t count, ftrun_task task, void *argument);
  /** Threads that parallel_for uses at most for the calling rank, >= 1. [any-thread], since 1.0 */
  int32_t (*thread_count)(const struct ftrun_host *host);
  /** Index in [0, thread_count) of the calling thread inside a task, 0 outside: for per-thread scratch, never for
   * results. [any-thread], since 1.0 */
  int32_t (*thread_index)(const struct ftrun_host *host);
  /** Records a named number for the log of the current step or evaluation. [rank-thread], since 1.0 */
  ftrun_status (*metric)(ftrun_context *ctx, ftrun_str name, double value);
  /** 1 once the run was asked to stop. [any-thread], since 1.0 */
  int32_t (*cancelled)(const struct ftrun_host *host);
  /** An optional surface by id ("ftrun.<name>/1"), or NULL. [any-thread], since 1.0 */
  const void *(*get_extension)(const struct ftrun_host *host, ftrun_str id);

  const ftrun_option_api *option;
  const ftrun_tensor_api *tensor;
  const struct ftrun_context_api *context;         /**< context.h: model calls by parameter id, head calls */
  const struct ftrun_data_api *data;               /**< data.h: rows, windows, tokenizer */
  const struct ftrun_generate_api *generate;       /**< generate.h */
  const struct ftrun_shard_api *shard;             /**< shard.h: what strategies build on */
  const struct ftrun_collectives_api *collectives; /**< collectives.h */
} ftrun_host;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_HOST_H_ */
