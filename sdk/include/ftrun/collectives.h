/* Collectives of the host for strategies: built over a byte transport (kinds/collectives.h) and the device's sum_ranks op, so
 * that every transport gives the same bits. Reductions SUM: the left fold over ranks 0..N-1 in f32, rounded once. */
#ifndef FTRUN_COLLECTIVES_H_
#define FTRUN_COLLECTIVES_H_

#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Ranks that communicate; made from the world. */
typedef struct ftrun_group ftrun_group;
/** A queued collective; wait makes the rank's stream wait for it. */
typedef struct ftrun_work ftrun_work;

#define FTRUN_COLLECTIVES_API_TAG FTRUN_TAG('C', 'O', 'L', 'A')
/** All [rank-thread], since 1.0; every rank of the group calls in the same order. group NULL is the world. Tensors are flat
 * and contiguous. A slice may be this rank's part of data and must not overlap it otherwise; in and out do not overlap. A
 * returned *work must be waited for exactly once; work NULL makes the call synchronous with the rank's stream. root,
 * destination and source are positions in the group. send and receive end together, so two ranks that both send to each
 * other first wait forever: they use all_to_all. A rank that fails aborts the communicator: peers get ABORTED. */
typedef struct ftrun_collectives_api {
  ftrun_head head;
  ftrun_status (*group)(ftrun_context *ctx, const int32_t *ranks, int32_t n_ranks, ftrun_group **out);
  /** data[n] = sum over ranks, on every rank. */
  ftrun_status (*all_reduce)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *data, ftrun_work **work);
  /** slice[n / N] = this rank's part of the sum of data[n]. */
  ftrun_status (*reduce_scatter)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *data, ftrun_tensor *slice,
                                 ftrun_work **work);
  /** data[n] = all slices[n / N] in rank order. */
  ftrun_status (*all_gather)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *slice, ftrun_tensor *data,
                             ftrun_work **work);
  ftrun_status (*broadcast)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *data, int32_t root, ftrun_work **work);
  /** out[n] in N equal parts: part i of rank j becomes part j of rank i. */
  ftrun_status (*all_to_all)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *in, ftrun_tensor *out,
                             ftrun_work **work);
  ftrun_status (*send)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *data, int32_t destination, ftrun_work **work);
  ftrun_status (*receive)(ftrun_context *ctx, ftrun_group *group, ftrun_tensor *data, int32_t source, ftrun_work **work);
  ftrun_status (*wait)(ftrun_context *ctx, ftrun_work *work);
  ftrun_status (*barrier)(ftrun_context *ctx, ftrun_group *group);
  /** values[n] = sum over ranks of host numbers, folded in rank order. */
  ftrun_status (*sum_host)(ftrun_context *ctx, ftrun_group *group, double *values, int32_t n);
} ftrun_collectives_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_COLLECTIVES_H_ */
