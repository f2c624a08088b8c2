/* Kind `collectives`: a byte transport between ranks. Only the host calls it; reductions are the host's (collectives.h). */
#ifndef FTRUN_KINDS_COLLECTIVES_H_
#define FTRUN_KINDS_COLLECTIVES_H_

#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FTRUN_TRANSPORT_OPEN_TAG FTRUN_TAG('T', 'O', 'P', 'N')
typedef struct ftrun_transport_open_args {
  ftrun_head head;
  const ftrun_host *host;
  const ftrun_options *options;
  int32_t rank;          /**< of the calling rank where the host starts the ranks, otherwise -1: the transport knows */
  int32_t world;         /**< likewise */
  const void *rendezvous; /**< the same pointer on all in-process ranks, NULL where the transport finds its peers itself */
  int64_t timeout_ms;
} ftrun_transport_open_args;

#define FTRUN_TRANSFER_TAG FTRUN_TAG('X', 'F', 'E', 'R')
/** One leg of an exchange; bytes 0 with data NULL is a leg that does nothing. */
typedef struct ftrun_transfer {
  ftrun_head head;
  int32_t peer; /**< world rank */
  int32_t reserved;
  void *data;   /**< host-reachable memory */
  uint64_t bytes;
} ftrun_transfer;

#define FTRUN_COLLECTIVES_TAG FTRUN_TAG('C', 'O', 'L', '1')
/** The table. [rank-thread] (the rank's communication thread), abort is [any-thread]. Since 1.0. */
typedef struct ftrun_collectives {
  ftrun_head head;
  /** World size this process takes part in without the host starting ranks (an mpirun world), or 0. [control-thread] */
  ftrun_status (*probe)(const ftrun_host *host, int32_t *world);
  ftrun_status (*open)(const ftrun_transport_open_args *args, void **transport);
  void (*close)(void *transport);
  ftrun_status (*rank)(void *transport, int32_t *rank, int32_t *world);
  /** Sends and receives at once; returns when all have completed. Sizes agree on both sides. DEADLINE_EXCEEDED names the peers
   * that did not answer; ABORTED after abort on any rank, with that rank's message. */
  ftrun_status (*exchange)(void *transport, const ftrun_transfer *sends, int32_t n_sends, const ftrun_transfer *receives,
                           int32_t n_receives);
  /** out[world * bytes]: every rank's bytes in rank order. */
  ftrun_status (*all_gather_bytes)(void *transport, const void *data, uint64_t bytes, void *out);
  ftrun_status (*barrier)(void *transport);
  /** Ends all pending and future calls of every rank with ABORTED and this message. */
  void (*abort)(void *transport, ftrun_str message);
} ftrun_collectives;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_COLLECTIVES_H_ */
