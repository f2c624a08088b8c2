// C++ over the plugin descriptor: errors as exceptions that never cross the ABI, option tables, the query function.
// Leaves out: what is particular to a kind (network.hpp, paradigm.hpp, ...).
#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ftrun/host.h"
#include "ftrun/plugin.h"

namespace ftrun::sdk {
inline namespace v1 {

/// A failure inside a plugin: status code and message. Thrown and caught on the plugin's side only.
class Error : public std::runtime_error {
 public:
  Error(ftrun_status code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ftrun_status code() const noexcept { return code_; }

 private:
  ftrun_status code_;
};

/// A host call failed and has already recorded its detail: only the code travels on.
class HostFailure : public std::exception {
 public:
  explicit HostFailure(ftrun_status code) noexcept : code_(code) {}
  ftrun_status code() const noexcept { return code_; }
  const char* what() const noexcept override { return "a host call failed"; }

 private:
  ftrun_status code_;
};

inline ftrun_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(ftrun_str text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

/// Throws HostFailure unless `status` is OK. For results of host calls.
inline void check(ftrun_status status) {
  if (status != FTRUN_OK) throw HostFailure(status);
}

/// Runs `body` and turns whatever it throws into a status with the detail recorded at `host` (may be NULL).
/// Every thunk of a plugin's table goes through here, so nothing throws across the ABI.
template <typename Body>
ftrun_status guarded(const ftrun_host* host, Body&& body) noexcept {
  const auto fail = [host](ftrun_status code, std::string_view message) {
    return host != nullptr ? host->fail(host, code, str(message)) : code;
  };
  try {
    body();
    return FTRUN_OK;
  } catch (const HostFailure& failure) {
    return failure.code();
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(FTRUN_RESOURCE_EXHAUSTED, "out of host memory");
  } catch (const std::exception& error) {
    return fail(FTRUN_INTERNAL, error.what());
  } catch (...) {
    return fail(FTRUN_INTERNAL, "an exception that is not a std::exception");
  }
}

/// Zeroed struct with its head filled: auto info = make<ftrun_data_info>(FTRUN_DATA_INFO_TAG);
template <typename Struct>
Struct make(uint32_t tag) noexcept {
  Struct value;
  std::memset(static_cast<void*>(&value), 0, sizeof(Struct));
  value.head.struct_size = sizeof(Struct);
  value.head.tag = tag;
  return value;
}

/// Typed access to a plugin's resolved options.
class Options {
 public:
  Options(const ftrun_host* host, const ftrun_options* options) : host_(host), options_(options) {}

  bool is_set(std::string_view key) const {
    int32_t value = 0;
    check(host_->option->is_set(options_, str(key), &value));
    return value != 0;
  }
  bool get_bool(std::string_view key) const {
    int32_t value = 0;
    check(host_->option->get_bool(options_, str(key), &value));
    return value != 0;
  }
  int64_t get_int(std::string_view key) const {
    int64_t value = 0;
    check(host_->option->get_int(options_, str(key), &value));
    return value;
  }
  double get_float(std::string_view key) const {
    double value = 0;
    check(host_->option->get_float(options_, str(key), &value));
    return value;
  }
  std::string_view get_string(std::string_view key) const {
    ftrun_str value = {nullptr, 0};
    check(host_->option->get_string(options_, str(key), &value));
    return view(value);
  }
  /// "FILE:LINE" or "--key" or "default".
  std::string_view origin(std::string_view key) const {
    ftrun_str value = {nullptr, 0};
    check(host_->option->get_origin(options_, str(key), &value));
    return view(value);
  }

 private:
  const ftrun_host* host_;
  const ftrun_options* options_;
};

/// A literal as a static ftrun_str.
template <size_t N>
constexpr ftrun_str literal(const char (&text)[N]) noexcept {
  return {text, N - 1};
}

/// What an option accepts beyond its type.
struct Range {
  double min;
  double max;
  ftrun_option_flags open_ends = 0;  ///< FTRUN_OPTION_ABOVE_MIN | FTRUN_OPTION_BELOW_MAX
};

/// Entry of an option table. `default_value` "" with a non-string type means unset.
template <size_t K, size_t V, size_t D>
constexpr ftrun_option option(const char (&key)[K], ftrun_option_type type, const char (&default_value)[V],
                              const char (&doc)[D], ftrun_option_flags flags = 0) noexcept {
  return {{sizeof(ftrun_option), FTRUN_OPTION_TAG},
          literal(key),
          {nullptr, 0},
          type,
          V == 1 && type != FTRUN_OPTION_STRING ? flags | FTRUN_OPTION_UNSET : flags,
          literal(default_value),
          0,
          0,
          {nullptr, 0},
          literal(doc)};
}
constexpr ftrun_option with_range(ftrun_option base, Range range) noexcept {
  base.flags |= FTRUN_OPTION_RANGE | range.open_ends;
  base.min = range.min;
  base.max = range.max;
  return base;
}
template <size_t N>
constexpr ftrun_option with_choices(ftrun_option base, const char (&choices)[N]) noexcept {
  base.choices = literal(choices);
  return base;
}
template <size_t N>
constexpr ftrun_option with_aliases(ftrun_option base, const char (&aliases)[N]) noexcept {
  base.aliases = literal(aliases);
  return base;
}
template <size_t N>
constexpr ftrun_option_table option_table(const ftrun_option (&options)[N]) noexcept {
  return {{sizeof(ftrun_option_table), FTRUN_OPTION_TABLE_TAG}, N, sizeof(ftrun_option), options};
}

}  // namespace v1
}  // namespace ftrun::sdk

/// Defines a library's only plugin: its note, descriptor and the exported query function. At file scope, outside
/// namespaces. KIND, ID, VERSION, DOC are string literals; OPTIONS is a const ftrun_option_table* or nullptr; TABLE the
/// kind's table.
#define FTRUN_PLUGIN(KIND, ID, VERSION, DOC, OPTIONS, TABLE) \
  FTRUN_PLUGIN_WITH_EXTENSIONS(KIND, ID, VERSION, DOC, OPTIONS, TABLE, nullptr)

/// As FTRUN_PLUGIN, with a const void* (*)(ftrun_str id) that finds extensions, or nullptr.
#define FTRUN_PLUGIN_WITH_EXTENSIONS(KIND, ID, VERSION, DOC, OPTIONS, TABLE, EXTENSIONS)                           \
  FTRUN_DEFINE_NOTE(ftrun_plugin_note_record, KIND, ID, VERSION, 0u);                                              \
  extern "C" __attribute__((visibility("default"))) ftrun_status ftrun_plugin_query_v1(uint32_t index,             \
                                                                                       const ftrun_plugin** out) { \
    static const ftrun_plugin plugin = {{sizeof(ftrun_plugin), FTRUN_PLUGIN_TAG},                                  \
                                        FTRUN_ABI_TARGET_MINOR,                                                    \
                                        0u,                                                                        \
                                        FTRUN_STR(KIND),                                                           \
                                        FTRUN_STR(ID),                                                             \
                                        FTRUN_STR(VERSION),                                                        \
                                        FTRUN_STR(DOC),                                                            \
                                        (OPTIONS),                                                                 \
                                        (TABLE),                                                                   \
                                        (EXTENSIONS)};                                                             \
    *out = index == 0 ? &plugin : nullptr;                                                                         \
    return index == 0 ? FTRUN_OK : FTRUN_OUT_OF_RANGE;                                                             \
  }                                                                                                                \
  static_assert(true, "")
