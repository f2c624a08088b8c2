/* A reward in plain C: 1 when the completion contains the word given as `keyword`, otherwise 0. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "ftrun/kinds/reward.h"
#include "ftrun/plugin.h"

/* The option's text lives as long as the instance, so that it need not be copied. */
struct keyword_reward {
  ftrun_str keyword;
};

static ftrun_status create(const ftrun_host* host, const ftrun_options* options, void** reward) {
  const ftrun_str key = FTRUN_STR("keyword");
  struct keyword_reward* self = malloc(sizeof(*self));
  ftrun_status status;
  *reward = NULL;
  if (self == NULL) {
    const ftrun_str message = FTRUN_STR("out of memory");
    return host->fail(host, FTRUN_RESOURCE_EXHAUSTED, message);
  }
  status = host->option->get_string(options, key, &self->keyword);
  if (status != FTRUN_OK) {
    free(self);
    return status;
  }
  *reward = self;
  return FTRUN_OK;
}

static void destroy(void* reward) { free(reward); }

static ftrun_status score(void* reward, ftrun_context* ctx, const ftrun_reward_sample* samples, uint64_t sample_stride,
                          int32_t n, double* scores) {
  const struct keyword_reward* self = reward;
  (void)ctx;
  for (int32_t i = 0; i < n; ++i) {
    const ftrun_reward_sample* sample =
        (const ftrun_reward_sample*)(const void*)((const char*)samples + (uint64_t)i * sample_stride);
    const ftrun_str text = sample->completion;
    scores[i] = memmem(text.data, text.size, self->keyword.data, self->keyword.size) != NULL ? 1.0 : 0.0;
  }
  return FTRUN_OK;
}

static const ftrun_option options[] = {{{sizeof(ftrun_option), FTRUN_OPTION_TAG},
                                        FTRUN_STR("keyword"),
                                        FTRUN_STR(""),
                                        FTRUN_OPTION_STRING,
                                        0,
                                        FTRUN_STR("because"),
                                        0,
                                        0,
                                        FTRUN_STR(""),
                                        FTRUN_STR("what a completion has to contain")}};
static const ftrun_option_table option_table = {
    {sizeof(ftrun_option_table), FTRUN_OPTION_TABLE_TAG}, 1, sizeof(ftrun_option), options};
static const ftrun_reward table = {{sizeof(ftrun_reward), FTRUN_REWARD_TAG}, create, destroy, NULL, score};
static const ftrun_plugin plugin = {{sizeof(ftrun_plugin), FTRUN_PLUGIN_TAG},
                                    FTRUN_ABI_TARGET_MINOR,
                                    0,
                                    FTRUN_STR(FTRUN_KIND_REWARD),
                                    FTRUN_STR("keyword"),
                                    FTRUN_STR("1.0.0"),
                                    FTRUN_STR("looks for a word"),
                                    &option_table,
                                    &table,
                                    NULL};

FTRUN_DEFINE_NOTE(note, FTRUN_KIND_REWARD, "keyword", "1.0.0", 0u);

FTRUN_EXPORT ftrun_status ftrun_plugin_query_v1(uint32_t index, const ftrun_plugin** out) {
  *out = index == 0 ? &plugin : NULL;
  return index == 0 ? FTRUN_OK : FTRUN_OUT_OF_RANGE;
}
