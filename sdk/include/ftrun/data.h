/* Data as paradigms see it: encoded rows, the windows of an update, prompts for generation, and the tokenizer.
 * Leaves out: file formats, templates, packing and caching, which the host does from the configuration. */
#ifndef FTRUN_DATA_H_
#define FTRUN_DATA_H_

#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ftrun_split;
#define FTRUN_SPLIT_TRAIN ((ftrun_split)0)
#define FTRUN_SPLIT_EVAL ((ftrun_split)1)

typedef uint32_t ftrun_data_flags;
/** Prompts are targets too. */
#define FTRUN_DATA_TRAIN_ON_PROMPT ((ftrun_data_flags)1)
/** Only the last turn's response is a target. */
#define FTRUN_DATA_MASK_HISTORY ((ftrun_data_flags)2)
/** Several documents per row up to cutoff_len; attention crosses them. */
#define FTRUN_DATA_PACKING ((ftrun_data_flags)4)
/** With packing: each document its own attention segment. */
#define FTRUN_DATA_NEAT_PACKING ((ftrun_data_flags)8)
/** Plain text: every text begins with the tokenizer's BOS, or with NO_BOS none does; with neither flag the tokenizer's
 * add_bos_token decides. */
#define FTRUN_DATA_ADD_BOS ((ftrun_data_flags)16)
#define FTRUN_DATA_NO_BOS ((ftrun_data_flags)32)

#define FTRUN_DATA_SPEC_TAG FTRUN_TAG('D', 'S', 'P', 'C')
/** What a paradigm wants of the configured data set. */
typedef struct ftrun_data_spec {
  ftrun_head head;
  /** "supervised"; "pairwise": a row is a chosen and a rejected answer to one prompt; "labelled": a row is an answer
   * and whether it is a good one; "plain": text, every token a target, with PACKING laid end to end and cut into rows
   * of cutoff_len tokens. */
  ftrun_str format;
  ftrun_data_flags flags;
  uint32_t reserved;
} ftrun_data_spec;

#define FTRUN_DATA_INFO_TAG FTRUN_TAG('D', 'I', 'N', 'F')
/** Counts of one split. An update covers world x accumulation x per-device-batch rows; the last of an epoch may be
 * short. */
typedef struct ftrun_data_info {
  ftrun_head head;
  int64_t n_rows;
  int64_t n_tokens;
  int64_t n_targets; /**< supervised positions after the shift */
  int64_t longest_row_tokens;
  int64_t updates_per_epoch;
} ftrun_data_info;

#define FTRUN_ROW_TAG FTRUN_TAG('R', 'O', 'W', '1')
/** An encoded row. Pointers stay valid while the data is open. A pairwise row has two documents of one prompt, the
 * chosen one first; only their answers are targets, as in a labelled row's single document. */
typedef struct ftrun_row {
  ftrun_head head;
  int64_t length;
  const int32_t* input_ids;        /**< [length] */
  const int32_t* labels;           /**< [length], not shifted; -100: not a target */
  const int32_t* document_lengths; /**< [n_documents], summing to length */
  int64_t n_documents;
  int32_t block_diagonal; /**< 1: documents are separate attention segments */
  int32_t continuous;     /**< 1: positions run through the row; 0: they restart at each document */
  int64_t source_line;    /**< of the (first) document in its file, 1-based */
  double margin;          /**< pairwise: the row's margin, 0 where it gives none */
  int32_t desirable;      /**< labelled: 1 for a good answer */
  int32_t reserved;
} ftrun_row;

#define FTRUN_PROMPT_TAG FTRUN_TAG('P', 'R', 'M', 'T')
/** An evaluation prompt ending where the assistant's answer begins, and the expected answer. Valid while the data is
 * open. */
typedef struct ftrun_prompt {
  ftrun_head head;
  int64_t length;
  const int32_t* input_ids;
  ftrun_str label;
} ftrun_prompt;

/** The data of one paradigm on one rank. */
typedef struct ftrun_data ftrun_data;

#define FTRUN_DATA_API_TAG FTRUN_TAG('D', 'A', 'T', 'A')
/** All [rank-thread], since 1.0. */
typedef struct ftrun_data_api {
  ftrun_head head;
  /** Reads, encodes (or finds in the cache) and orders the configured data. User errors are INVALID_ARGUMENT or
   * NOT_FOUND with file and line. Freed by the host when the run ends. */
  ftrun_status (*open)(ftrun_context* ctx, const ftrun_data_spec* spec, ftrun_data** out);
  /** n_rows is 0 when the split is not configured. */
  ftrun_status (*info)(ftrun_data* data, ftrun_split split, ftrun_data_info* out);
  /** Row indices of this rank's micro-batch of an update: count <= capacity indices, -1 for filler. Order law:
   * DESIGN.md section 3. Evaluation uses epoch 0, unshuffled. */
  ftrun_status (*micro_batch)(ftrun_data* data, ftrun_split split, int64_t epoch, int64_t update, int32_t micro_batch,
                              int64_t* rows, int32_t capacity, int32_t* count);
  /** Micro-batches per update (accumulation; fewer only where a short window leaves whole micro-batches without items
   * on all ranks). */
  ftrun_status (*micro_batches)(ftrun_data* data, ftrun_split split, int64_t epoch, int64_t update, int32_t* count);
  ftrun_status (*row)(ftrun_data* data, ftrun_split split, int64_t index, ftrun_row* out);
  /** Prompts of the evaluation split in file order; OUT_OF_RANGE at the end. */
  ftrun_status (*prompt)(ftrun_data* data, int64_t index, ftrun_prompt* out);
  /** Token ids of text, at most `capacity`; *count is the full number. */
  ftrun_status (*encode)(ftrun_context* ctx, ftrun_str text, int32_t add_special_tokens, int32_t* ids,
                         uint64_t capacity, uint64_t* count);
  /** Text of ids; *text is valid until the next decode on this rank. */
  ftrun_status (*decode)(ftrun_context* ctx, const int32_t* ids, uint64_t count, int32_t skip_special_tokens,
                         ftrun_str* text);
  /** A number that changes when a token or label of the split's rows or their order in the file changes; 0 without
   * rows. */
  ftrun_status (*fingerprint)(ftrun_data* data, ftrun_split split, uint64_t* out);
  /** Folder of the tokenised data, where a paradigm may keep what it computes from the rows, under a name that begins
   * with the paradigm's. Empty when there is none; it may not exist yet. *folder is valid while the data is open. */
  ftrun_status (*cache_folder)(ftrun_data* data, ftrun_str* folder);
} ftrun_data_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_DATA_H_ */
