/* Option tables: the configuration keys a plugin owns. The host validates, converts, suggests near names and remembers
 * where each value came from; `ftrun plugins info NAME` prints the table. */
#ifndef FTRUN_OPTION_H_
#define FTRUN_OPTION_H_

#include "ftrun/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ftrun_option_type;
#define FTRUN_OPTION_BOOL ((ftrun_option_type)0)
#define FTRUN_OPTION_INT ((ftrun_option_type)1)
#define FTRUN_OPTION_FLOAT ((ftrun_option_type)2)
#define FTRUN_OPTION_STRING ((ftrun_option_type)3)
/** A list of strings: a YAML list or one comma-separated string. */
#define FTRUN_OPTION_STRING_LIST ((ftrun_option_type)4)
/** A file or folder, relative to the working directory; the host expands a leading ~ and ${NAME} in it. */
#define FTRUN_OPTION_PATH ((ftrun_option_type)5)
/** Bytes: an integer, or with a suffix KiB MiB GiB KB MB GB. Read as an integer. */
#define FTRUN_OPTION_BYTES ((ftrun_option_type)6)

typedef uint32_t ftrun_option_flags;
/** The key stands at the top level of the YAML (otherwise inside the map that selects the plugin). */
#define FTRUN_OPTION_FLAT ((ftrun_option_flags)1)
/** There is no default: unset unless given. */
#define FTRUN_OPTION_UNSET ((ftrun_option_flags)2)
/** Replaces default and range of the host's key of this name; the type must be the host's. */
#define FTRUN_OPTION_OF_HOST ((ftrun_option_flags)4)
/** min and max are checked (INT, FLOAT, BYTES). */
#define FTRUN_OPTION_RANGE ((ftrun_option_flags)8)
/** min itself is excluded, with FTRUN_OPTION_RANGE. */
#define FTRUN_OPTION_ABOVE_MIN ((ftrun_option_flags)16)
/** max itself is excluded, with FTRUN_OPTION_RANGE. */
#define FTRUN_OPTION_BELOW_MAX ((ftrun_option_flags)32)
#define FTRUN_OPTION_MAY_BE_PATH ((ftrun_option_flags)64) /**< of a STRING or STRING_LIST: one line is read as a PATH */
#define FTRUN_OPTION_TAG FTRUN_TAG('O', 'P', 'T', 'N')
/** One key. All strings are static. */
typedef struct ftrun_option {
  ftrun_head head;
  ftrun_str key;           /**< [a-z][a-z0-9_]* */
  ftrun_str aliases;       /**< comma-separated further spellings, or empty */
  ftrun_option_type type;
  ftrun_option_flags flags;
  ftrun_str default_value; /**< as it would be written in YAML; ignored with FTRUN_OPTION_UNSET */
  double min;
  double max;
  ftrun_str choices;       /**< comma-separated legal values of a STRING, or empty */
  ftrun_str doc;           /**< one line for --help: what it does, unit */
} ftrun_option;

#define FTRUN_OPTION_TABLE_TAG FTRUN_TAG('O', 'T', 'A', 'B')
typedef struct ftrun_option_table {
  ftrun_head head;
  uint64_t n_options;
  uint64_t option_stride; /**< bytes from one entry to the next */
  const ftrun_option *options;
} ftrun_option_table;

/** The resolved values of one plugin's keys (and, read-only, the host's). Valid for the plugin's lifetime. */
typedef struct ftrun_options ftrun_options;

#define FTRUN_OPTION_API_TAG FTRUN_TAG('O', 'A', 'P', 'I')
/** Typed getters. [any-thread], since 1.0. NOT_FOUND for a key outside the plugin's own table and the host's,
 * FAILED_PRECONDITION when the key has no value, INVALID_ARGUMENT for another type. Strings live as long as `options`. */
typedef struct ftrun_option_api {
  ftrun_head head;
  ftrun_status (*is_set)(const ftrun_options *options, ftrun_str key, int32_t *out);
  ftrun_status (*get_bool)(const ftrun_options *options, ftrun_str key, int32_t *out);
  ftrun_status (*get_int)(const ftrun_options *options, ftrun_str key, int64_t *out);
  ftrun_status (*get_float)(const ftrun_options *options, ftrun_str key, double *out);
  ftrun_status (*get_string)(const ftrun_options *options, ftrun_str key, ftrun_str *out);
  /** Element `index` of a list; OUT_OF_RANGE at the end. */
  ftrun_status (*get_list_item)(const ftrun_options *options, ftrun_str key, uint64_t index, ftrun_str *out);
  /** "FILE:LINE" or "--key" or "default": where the value came from, for error messages. */
  ftrun_status (*get_origin)(const ftrun_options *options, ftrun_str key, ftrun_str *out);
} ftrun_option_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_OPTION_H_ */
