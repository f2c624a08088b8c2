// Reads tokenizer.json: the large tables straight into their final form, everything else as JSON.
#include "core/data/tokenizer/tokenizer_json.h"

#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/data/tokenizer/json_view.h"

namespace ftrun {
namespace {

using nlohmann::json;

/// SAX handler: builds a DOM, except for model.vocab and model.merges. Returning bool is the library's interface;
/// failures are thrown.
class Reader {
 public:
  Reader(TokenizerJson& out, const std::string& file) : out_(out), file_(file) {}

  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(json::number_integer_t value) { return scalar(value); }
  bool number_float(json::number_float_t value, const std::string&) { return scalar(value); }
  bool binary(json::binary_t&) { return false; }

  bool number_unsigned(json::number_unsigned_t value) {
    if (mode_ != Mode::kVocabulary) return scalar(value);
    if (value > static_cast<uint64_t>(kMaxTokenId)) fail_entry(json(value));
    const auto id = static_cast<int32_t>(value);
    if (const std::string_view* other = out_.vocabulary.text_of(id)) {
      fail(join_key_path("model.vocab", key_), fmt::format("id {} is also the id of '{}'", id, *other));
    }
    if (!out_.vocabulary.add(key_, id)) fail(join_key_path("model.vocab", key_), "token appears twice");
    return true;
  }

  bool string(std::string& value) {
    switch (mode_) {
      case Mode::kMerges:
        return merge_text(value);
      case Mode::kMergePair:
        if (pair_size_ == 2) fail_merge("expected two tokens");
        pair_[pair_size_++] = std::move(value);
        return true;
      default:
        return scalar(std::move(value));
    }
  }

  bool start_object(size_t) {
    if (mode_ == Mode::kVocabulary) fail_entry("an object");
    if (mode_ != Mode::kDocument) fail_merge("expected text or an array of two tokens");
    if (in_model() && key_ == "vocab") {
      check_first(has_vocabulary_);
      mode_ = Mode::kVocabulary;
      return true;
    }
    containers_.push_back(place(json::object()));
    return true;
  }

  bool start_array(size_t) {
    if (mode_ == Mode::kVocabulary) fail_entry("an array");
    if (mode_ == Mode::kMergePair) fail_merge("expected two tokens");
    if (mode_ == Mode::kMerges) {
      if (merge_form_ == MergeForm::kText) fail_merge("expected text, as in the merges before it");
      merge_form_ = MergeForm::kPair;
      mode_ = Mode::kMergePair;
      pair_size_ = 0;
      return true;
    }
    if (in_model() && key_ == "merges") {
      check_first(has_merges_);
      mode_ = Mode::kMerges;
      return true;
    }
    containers_.push_back(place(json::array()));
    return true;
  }

  bool key(std::string& value) {
    key_.swap(value);
    return true;
  }

  bool end_object() { return end(); }

  bool end_array() {
    if (mode_ != Mode::kMergePair) return end();
    if (pair_size_ != 2) fail_merge("expected two tokens");
    out_.merges.add(pair_[0], pair_[1]);
    mode_ = Mode::kMerges;
    return true;
  }

  template <typename Exception>
  bool parse_error(size_t, const std::string&, const Exception&) {
    return false;
  }

  void check_complete() const {
    if (!out_.rest.is_object()) fail("", "expected an object");
    const auto model = out_.rest.find("model");
    if (model == out_.rest.end() || !model->is_object()) fail("", "lacks the object \"model\"");
    if (!has_vocabulary_) fail("model", "lacks the object \"vocab\"");
    if (!has_merges_) fail("model", "lacks the array \"merges\"");
  }

 private:
  enum class Mode { kDocument, kVocabulary, kMerges, kMergePair };
  enum class MergeForm { kUnknown, kText, kPair };

  [[noreturn]] void fail(const std::string& path, std::string_view message) const {
    JsonView(out_.rest, file_, path).fail(message);
  }
  [[noreturn]] void fail_entry(const json& value) const {
    fail(join_key_path("model.vocab", key_), fmt::format("expected a token id (0..{}), got {}", kMaxTokenId,
                                                         value.is_string() ? value.get<std::string>() : value.dump()));
  }
  [[noreturn]] void fail_merge(std::string_view message) const {
    fail(fmt::format("model.merges[{}]", merge_count()), message);
  }
  size_t merge_count() const { return out_.merges.size() + skipped_merges_; }

  bool in_model() const { return containers_.size() == 2 && containers_[1] == model_ && model_ != nullptr; }

  void check_first(bool& seen) const {
    if (seen) fail(join_key_path("model", key_), "appears twice");
    seen = true;
  }

  bool scalar(json value) {
    if (mode_ == Mode::kVocabulary) fail_entry(value);
    if (mode_ != Mode::kDocument) fail_merge("expected text or an array of two tokens");
    place(std::move(value));
    return true;
  }

  json* place(json value) {
    if (containers_.empty()) {
      out_.rest = std::move(value);
      return &out_.rest;
    }
    json& parent = *containers_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    if (parent.contains(key_)) fail(key_, "key appears twice in one object");
    json* placed = &(parent[key_] = std::move(value));
    if (containers_.size() == 1 && key_ == "model") model_ = placed;
    return placed;
  }

  bool end() {
    if (mode_ == Mode::kDocument) containers_.pop_back();
    mode_ = Mode::kDocument;
    return true;
  }

  /// "left right"; lines that start with #version come from merges.txt files.
  bool merge_text(const std::string& text) {
    if (merge_form_ == MergeForm::kPair) fail_merge("expected an array of two tokens, as in the merges before it");
    merge_form_ = MergeForm::kText;
    if (text.starts_with("#version")) {
      ++skipped_merges_;
      return true;
    }
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      fail_merge(fmt::format("expected two tokens with one space between them, got \"{}\"", text));
    }
    out_.merges.add(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1));
    return true;
  }

  TokenizerJson& out_;
  const std::string& file_;
  std::vector<json*> containers_;
  json* model_ = nullptr;
  std::string key_;
  Mode mode_ = Mode::kDocument;
  MergeForm merge_form_ = MergeForm::kUnknown;
  std::string pair_[2];
  int pair_size_ = 0;
  size_t skipped_merges_ = 0;
  bool has_vocabulary_ = false;
  bool has_merges_ = false;
};

}  // namespace

void MergeList::add(std::string_view left, std::string_view right) {
  text_.append(left);
  ends_.push_back(text_.size());
  text_.append(right);
  ends_.push_back(text_.size());
}

std::string_view MergeList::part(size_t index) const {
  const size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

std::string_view MergeList::joined(size_t merge) const {
  const size_t begin = merge == 0 ? 0 : ends_[2 * merge - 1];
  return std::string_view(text_).substr(begin, ends_[2 * merge + 1] - begin);
}

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& file) {
  TokenizerJson out;
  Reader reader(out, file);
  try {
    // The parser takes a zero byte for the end.
    const bool is_whole = text.find('\0') == std::string_view::npos;
    if (!is_whole || !json::sax_parse(text.begin(), text.end(), &reader)) {
      throw invalid_argument("{}: not valid JSON", file);
    }
  } catch (const Error&) {
    require_json(text, file, JsonKeys::kMayRepeat);  // a truncated file is reported as that, with line and column
    throw;
  }
  reader.check_complete();
  return out;
}

}  // namespace ftrun
