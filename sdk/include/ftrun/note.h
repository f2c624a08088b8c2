/* The ELF note that describes a plugin without loading it. Section .note.ftrun, owner "ftrun", type 1, one per plugin.
 * The host reads it before dlopen, because constructors run inside dlopen. */
#ifndef FTRUN_NOTE_H_
#define FTRUN_NOTE_H_

#include "ftrun/abi.h"

#define FTRUN_NOTE_SECTION ".note.ftrun"
#define FTRUN_NOTE_OWNER "ftrun"
#define FTRUN_NOTE_TYPE 1u

typedef uint32_t ftrun_sanitizer;
#define FTRUN_SANITIZER_NONE ((ftrun_sanitizer)0)
#define FTRUN_SANITIZER_ADDRESS ((ftrun_sanitizer)1)
#define FTRUN_SANITIZER_THREAD ((ftrun_sanitizer)2)
#if defined(__SANITIZE_ADDRESS__)
#define FTRUN_SANITIZER_OF_THIS_BUILD FTRUN_SANITIZER_ADDRESS
#elif defined(__SANITIZE_THREAD__)
#define FTRUN_SANITIZER_OF_THIS_BUILD FTRUN_SANITIZER_THREAD
#else
#define FTRUN_SANITIZER_OF_THIS_BUILD FTRUN_SANITIZER_NONE
#endif

/** CPU features without which the plugin must not be loaded (what its constructors and unguarded code need). */
typedef uint32_t ftrun_cpu_features;
#define FTRUN_CPU_X86_64_V2 ((ftrun_cpu_features)1)
#define FTRUN_CPU_X86_64_V3 ((ftrun_cpu_features)2)
#define FTRUN_CPU_X86_64_V4 ((ftrun_cpu_features)4)

/** The note's descriptor; all text zero-padded and zero-terminated. Frozen within major 1. */
typedef struct ftrun_note {
  uint32_t abi_major;
  uint32_t target_minor;
  uint32_t min_host_minor;
  ftrun_sanitizer sanitizer;
  ftrun_cpu_features cpu_features;
  uint32_t reserved; /**< 0 */
  char kind[32];
  char id[64];
  char version[32];
} ftrun_note;
FTRUN_STATIC_ASSERT(sizeof(ftrun_note) == 152, "frozen layout");

/** A complete note as it lies in the section: ELF note header, owner, descriptor. 4-byte aligned throughout. */
typedef struct ftrun_note_record {
  uint32_t owner_size;      /**< 6: "ftrun" and its zero */
  uint32_t descriptor_size; /**< sizeof(ftrun_note) */
  uint32_t type;            /**< FTRUN_NOTE_TYPE */
  char owner[8];
  ftrun_note descriptor;
} ftrun_note_record;
FTRUN_STATIC_ASSERT(sizeof(ftrun_note_record) == 172, "no padding between the parts of an ELF note");

/** Features this plugin needs to be loaded at all; define before including to change. */
#ifndef FTRUN_PLUGIN_CPU_FEATURES
#define FTRUN_PLUGIN_CPU_FEATURES ((ftrun_cpu_features)0)
#endif

/** Defines the note of one plugin at file scope. All arguments are string literals but min_host. */
#define FTRUN_DEFINE_NOTE(name, kind_text, id_text, version_text, min_host)                                       \
  __attribute__((section(FTRUN_NOTE_SECTION), used, aligned(4))) static const ftrun_note_record name = {          \
      6u, (uint32_t)sizeof(ftrun_note), FTRUN_NOTE_TYPE, FTRUN_NOTE_OWNER,                                        \
      {FTRUN_ABI_MAJOR, FTRUN_ABI_TARGET_MINOR, (min_host), FTRUN_SANITIZER_OF_THIS_BUILD,                        \
       FTRUN_PLUGIN_CPU_FEATURES, 0u, kind_text, id_text, version_text}}

#endif /* FTRUN_NOTE_H_ */
