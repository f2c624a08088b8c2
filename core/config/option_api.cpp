// Option getters of the C ABI.
#include "core/config/option_api.h"

#include <fmt/format.h>

#include "core/base/failure_detail.h"

namespace ftrun {
namespace {

std::string_view view(ftrun_str text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

ftrun_status fail(ftrun_status code, std::string_view key, std::string_view reason) {
  set_failure_detail(fmt::format("option '{}': {}", key, reason));
  return code;
}

// Runs body(value) for a key of the plugin's or the host's table; nothing may leave a C function as an exception.
template <typename Body>
ftrun_status with_value(const ftrun_options* options, ftrun_str key, Body&& body) noexcept {
  try {
    if (options == nullptr) return fail(FTRUN_INVALID_ARGUMENT, view(key), "no options object");
    const OptionValue* value = options->own != nullptr ? options->own->find(view(key)) : nullptr;
    if (value == nullptr && options->host != nullptr) value = options->host->find(view(key));
    if (value == nullptr) return fail(FTRUN_NOT_FOUND, view(key), "neither the plugin nor the host has this key");
    return body(*value);
  } catch (...) {
    return FTRUN_INTERNAL;
  }
}

template <typename Out, typename Read>
ftrun_status get(const ftrun_options* options, ftrun_str key, Out* out, std::initializer_list<ftrun_option_type> types,
                 Read&& read) noexcept {
  return with_value(options, key, [&](const OptionValue& value) {
    bool fits = false;
    for (const ftrun_option_type type : types) fits = fits || value.type == type;
    if (!fits) return fail(FTRUN_INVALID_ARGUMENT, view(key), "the key has another type");
    if (!value.is_set) return fail(FTRUN_FAILED_PRECONDITION, view(key), "the key has no value");
    *out = read(value);
    return FTRUN_OK;
  });
}

ftrun_str borrowed(const std::string& text) { return {text.data(), text.size()}; }

ftrun_status api_is_set(const ftrun_options* options, ftrun_str key, int32_t* out) noexcept {
  return with_value(options, key, [&](const OptionValue& value) {
    *out = value.is_set ? 1 : 0;
    return FTRUN_OK;
  });
}
ftrun_status api_get_bool(const ftrun_options* options, ftrun_str key, int32_t* out) noexcept {
  return get(options, key, out, {FTRUN_OPTION_BOOL}, [](const OptionValue& value) { return value.as_bool ? 1 : 0; });
}
ftrun_status api_get_int(const ftrun_options* options, ftrun_str key, int64_t* out) noexcept {
  return get(options, key, out, {FTRUN_OPTION_INT, FTRUN_OPTION_BYTES},
             [](const OptionValue& value) { return value.as_int; });
}
ftrun_status api_get_float(const ftrun_options* options, ftrun_str key, double* out) noexcept {
  return get(options, key, out, {FTRUN_OPTION_FLOAT}, [](const OptionValue& value) { return value.as_float; });
}
ftrun_status api_get_string(const ftrun_options* options, ftrun_str key, ftrun_str* out) noexcept {
  return get(options, key, out, {FTRUN_OPTION_STRING, FTRUN_OPTION_PATH},
             [](const OptionValue& value) { return borrowed(value.text); });
}
ftrun_status api_get_list_item(const ftrun_options* options, ftrun_str key, uint64_t index, ftrun_str* out) noexcept {
  return with_value(options, key, [&](const OptionValue& value) {
    if (value.type != FTRUN_OPTION_STRING_LIST) return fail(FTRUN_INVALID_ARGUMENT, view(key), "the key is no list");
    if (index >= value.items.size()) return fail(FTRUN_OUT_OF_RANGE, view(key), "past the end of the list");
    *out = borrowed(value.items[index]);
    return FTRUN_OK;
  });
}
ftrun_status api_get_origin(const ftrun_options* options, ftrun_str key, ftrun_str* out) noexcept {
  return with_value(options, key, [&](const OptionValue& value) {
    *out = borrowed(value.origin);
    return FTRUN_OK;
  });
}

}  // namespace

const ftrun_option_api* option_api() noexcept {
  static constexpr ftrun_option_api kApi = {{sizeof(ftrun_option_api), FTRUN_OPTION_API_TAG},
                                            api_is_set,
                                            api_get_bool,
                                            api_get_int,
                                            api_get_float,
                                            api_get_string,
                                            api_get_list_item,
                                            api_get_origin};
  return &kApi;
}

}  // namespace ftrun
