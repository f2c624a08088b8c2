// Loads a device plugin's library as it was built and opens devices of it with given options.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/kinds/device.h"
#include "tests/kernels/test_host.h"

namespace ftrun::test {

using OptionValue = std::variant<int64_t, std::string>;
using OptionMap = std::map<std::string, OptionValue>;

/// Option calls over a map: enough of the host for device plugins.
inline const ftrun_option_api* option_api() {
  static const ftrun_option_api api = [] {
    ftrun_option_api table{};
    table.head = {sizeof(ftrun_option_api), FTRUN_OPTION_API_TAG};
    const auto find = [](const ftrun_options* options, ftrun_str key) -> const OptionValue* {
      const auto& map = *reinterpret_cast<const OptionMap*>(options);
      const auto found = map.find(std::string(key.data, key.size));
      return found == map.end() ? nullptr : &found->second;
    };
    static const auto lookup = find;
    table.is_set = [](const ftrun_options* options, ftrun_str key, int32_t* out) {
      *out = lookup(options, key) != nullptr;
      return FTRUN_OK;
    };
    table.get_int = [](const ftrun_options* options, ftrun_str key, int64_t* out) {
      const OptionValue* value = lookup(options, key);
      if (value == nullptr) return FTRUN_FAILED_PRECONDITION;
      *out = std::get<int64_t>(*value);
      return FTRUN_OK;
    };
    table.get_string = [](const ftrun_options* options, ftrun_str key, ftrun_str* out) {
      const OptionValue* value = lookup(options, key);
      if (value == nullptr) return FTRUN_FAILED_PRECONDITION;
      const std::string& text = std::get<std::string>(*value);
      *out = {text.data(), text.size()};
      return FTRUN_OK;
    };
    return table;
  }();
  return &api;
}

/// A plugin library; stays loaded, as in the host.
class Library {
 public:
  explicit Library(const std::string& id) {
    const std::string path = std::string(FTRUN_BINARY_DIR) + "/lib/ftrun/plugins/device_" + id + ".so";
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      ADD_FAILURE() << dlerror();
      return;
    }
    const auto query = reinterpret_cast<ftrun_plugin_query_v1_function>(dlsym(handle, "ftrun_plugin_query_v1"));
    EXPECT_EQ(query(0, &plugin_), FTRUN_OK);
  }
  const ftrun_plugin* plugin() const { return plugin_; }
  const ftrun_device* table() const { return static_cast<const ftrun_device*>(plugin_->table); }

 private:
  const ftrun_plugin* plugin_ = nullptr;
};

/// An open device and calls that expect success.
class OpenDevice {
 public:
  OpenDevice(const Library& library, OptionMap options, int32_t threads = 1, int32_t ordinal = 0, uint32_t flags = 0)
      : table(library.table()), options_(std::move(options)), host(threads) {
    options_.emplace("fail_allocation", int64_t{0});
    host.set_options(option_api());
    const ftrun_device_open_args args = {{sizeof(ftrun_device_open_args), FTRUN_DEVICE_OPEN_TAG},
                                         host.host(),
                                         reinterpret_cast<const ftrun_options*>(&options_),
                                         ordinal,
                                         flags};
    status = table->open(&args, &device);
  }
  ~OpenDevice() {
    if (device != nullptr) table->close(device);
  }

  char* allocate(uint64_t bytes, ftrun_memory_category category = FTRUN_MEMORY_OTHER) {
    void* out = nullptr;
    EXPECT_EQ(table->allocate(device, nullptr, bytes, category, &out), FTRUN_OK) << host.error();
    return static_cast<char*>(out);
  }
  ftrun_status try_allocate(uint64_t bytes, ftrun_memory_category category = FTRUN_MEMORY_OTHER) {
    void* out = nullptr;
    const ftrun_status result = table->allocate(device, nullptr, bytes, category, &out);
    EXPECT_EQ(out == nullptr, result != FTRUN_OK);
    if (out != nullptr) kept.push_back(static_cast<char*>(out));
    return result;
  }
  void free(void* data) { EXPECT_EQ(table->deallocate(device, nullptr, data), FTRUN_OK) << host.error(); }
  ftrun_memory_stats stats() {
    ftrun_memory_stats result{};
    result.head = {sizeof(result), FTRUN_MEMORY_STATS_TAG};
    EXPECT_EQ(table->memory_stats(device, &result), FTRUN_OK);
    return result;
  }
  void upload(void* to, const void* from, uint64_t bytes) {
    EXPECT_EQ(table->copy(device, nullptr, to, from, bytes, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_OK) << host.error();
  }
  void download(void* to, const void* from, uint64_t bytes) {
    EXPECT_EQ(table->copy(device, nullptr, to, from, bytes, FTRUN_COPY_DEVICE_TO_HOST), FTRUN_OK) << host.error();
  }
  /// y = a + b over `count` floats.
  ftrun_status add(void* a, void* b, void* y, int64_t count) {
    uint64_t op = 0;
    EXPECT_EQ(table->find_op(device, FTRUN_STR("add"), FTRUN_F32, &op), FTRUN_OK);
    const int64_t stride = 1;
    const auto view = [&](void* data) {
      return ftrun_view{data, FTRUN_DEVICE_TYPE_CPU, 0, 1, FTRUN_F32, &count, &stride, 0};
    };
    const ftrun_view inputs[] = {view(a), view(b)}, output = view(y);
    const ftrun_op_call call = {{sizeof(ftrun_op_call), FTRUN_OP_CALL_TAG}, op, 2, 1, inputs, &output, nullptr};
    return table->execute(device, nullptr, &call);
  }

  const ftrun_device* table;

 private:
  OptionMap options_;

 public:
  TestHost host;
  void* device = nullptr;
  ftrun_status status = FTRUN_OK;
  std::vector<char*> kept;
};

}  // namespace ftrun::test
