// What the data tests share: a scratch folder, the golden tokenizer, our templates, two ways to run in parallel.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/data/call_text.h"
#include "core/data/dataset.h"
#include "core/data/template_encoder.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun::testing {

inline std::filesystem::path golden_folder() { return std::filesystem::path(FTRUN_SOURCE_DIR) / "tests" / "golden"; }

inline std::shared_ptr<const Tokenizer> golden_tokenizer() {
  static const auto tokenizer = Tokenizer::load(golden_folder() / "template_tokenizer");
  return tokenizer;
}

/// A [role, text] message of the goldens, in LLaMA-Factory's roles.
inline Message golden_message(const std::string& role, const std::string& text) {
  if (role == "function") return message_with_calls(text);
  if (role == "observation") return {MessageRole::kObservation, text};
  return {role == "user" ? MessageRole::kUser : MessageRole::kAssistant, text};
}

/// Our templates, and beside them the one that only tests use.
inline std::vector<std::filesystem::path> template_folders() {
  return {std::filesystem::path(FTRUN_SOURCE_DIR) / "configs" / "templates",
          std::filesystem::path(FTRUN_SOURCE_DIR) / "tests" / "data" / "templates"};
}

inline void run_serially(int64_t count, const std::function<void(int64_t)>& body) {
  for (int64_t i = 0; i < count; ++i) body(i);
}

/// Four threads that take indices as they come.
inline void run_on_threads(int64_t count, const std::function<void(int64_t)>& body) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      try {
        for (int64_t i = next++; i < count; i = next++) body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// A folder of its own per test, removed afterwards.
class DataTest : public ::testing::Test {
 protected:
  DataTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ftrun-data-test-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DataTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  DataSpec spec(const std::string& file) const {
    DataSpec spec;
    spec.datasets = {(folder_ / file).string()};
    spec.dataset_dir = folder_;
    spec.template_name = "chatml";
    spec.template_search_path = template_folders();
    spec.cache_dir = folder_ / "cache";
    return spec;
  }

  static PreparedData prepare(const DataSpec& spec) { return prepare_data(spec, golden_tokenizer(), run_serially); }

  static std::string failure_of(const DataSpec& spec, ftrun_status expected = FTRUN_INVALID_ARGUMENT) {
    try {
      prepare(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), expected) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "expected an error";
    return {};
  }

  std::filesystem::path folder_;
};

}  // namespace ftrun::testing
