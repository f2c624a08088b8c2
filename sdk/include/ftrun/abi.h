/* ABI version, struct head, feature test and export macros. Rules: DESIGN.md section 4.
 *
 * Every table and every argument struct that may grow starts with ftrun_head. The writer sets struct_size to the bytes
 * it filled; the reader uses min(writer, own) and treats the rest as absent. Reserved fields and unknown flag bits must
 * be zero and are checked. 64-bit little-endian Linux only in 1.x.
 *
 * Thread tags used in this SDK:
 *   [control-thread]  one per process; creates and destroys plugins, never concurrent with itself
 *   [rank-thread]     the thread of one rank; calls for one instance are serialised
 *   [any-thread]      callable from every thread, also from inside parallel_for tasks */
#ifndef FTRUN_ABI_H_
#define FTRUN_ABI_H_

#include <stddef.h>
#include <stdint.h>

#include "ftrun/status.h"

#define FTRUN_ABI_MAJOR 1
/** Newest minor these headers describe. */
#define FTRUN_ABI_MINOR 0
/** Minor a plugin is written for: members that came later are invisible. Define it before including any header. */
#ifndef FTRUN_ABI_TARGET_MINOR
#define FTRUN_ABI_TARGET_MINOR FTRUN_ABI_MINOR
#endif
#if FTRUN_ABI_TARGET_MINOR > FTRUN_ABI_MINOR
#error "FTRUN_ABI_TARGET_MINOR is newer than these headers"
#endif

#if defined(__cplusplus)
#define FTRUN_STATIC_ASSERT(condition, text) static_assert(condition, text)
#define FTRUN_EXTERN_C extern "C"
#else
#define FTRUN_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#define FTRUN_EXTERN_C
#endif
FTRUN_STATIC_ASSERT(sizeof(void *) == 8, "ftrun ABI 1.x is for 64-bit Linux");
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ftrun ABI 1.x is little-endian"
#endif

#define FTRUN_EXPORT FTRUN_EXTERN_C __attribute__((visibility("default")))

/** First member of every growing struct. */
typedef struct ftrun_head {
  uint32_t struct_size; /**< bytes the writer filled, this head included; a multiple of 8 */
  uint32_t tag;         /**< FTRUN_TAG of the struct's type */
} ftrun_head;

/** Four characters as a number; the type tag in ftrun_head. */
#define FTRUN_TAG(a, b, c, d) \
  ((uint32_t)(a) | ((uint32_t)(b) << 8) | ((uint32_t)(c) << 16) | ((uint32_t)(d) << 24))

/** True when `pointer` (to struct `type` with member `head`) was written by a side that knows `member` and set it. */
#define FTRUN_HAS(pointer, type, member)                                                                    \
  ((pointer)->head.struct_size >= offsetof(type, member) + sizeof(((type *)0)->member) && (pointer)->member)

/** Smallest and largest struct_size a reader accepts. */
#define FTRUN_STRUCT_SIZE_MAX ((uint32_t)65536)

/** Borrowed UTF-8, valid for the call unless a comment says longer; not zero-terminated. data may be NULL when size is 0. */
typedef struct ftrun_str {
  const char *data;
  uint64_t size;
} ftrun_str;

/** ftrun_str of a string literal, usable in static initialisers. */
#define FTRUN_STR(literal) \
  { (literal), sizeof(literal) - 1 }

#endif /* FTRUN_ABI_H_ */
