// Builds normalizer, pre-tokenizer, post-processor and decoder from what tokenizer.json says.
// Leaves out: model and added tokens (model_parts.cpp).
#include "core/data/tokenizer/tokenizer_parts.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {
namespace {

std::string type_of(const JsonView& part) { return part.at("type").text(); }

[[noreturn]] void refuse_type(const JsonView& part, std::vector<std::string> supported) {
  const std::string type = type_of(part);
  part.at("type").fail(fmt::format("'{}' is not supported; supported: {}", type, fmt::join(supported, ", ")));
}

/// Keys of ByteLevel as pre-tokenizer, post-processor and decoder; only the first use gives all of them a meaning.
void check_byte_level(const JsonView& part) {
  part.expect_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) part.flag_or(key, true);
}

void add_forms(const JsonView& part, std::vector<NormalizationForm>& forms) {
  const std::string type = type_of(part);
  if (type == "Sequence") {
    part.expect_keys({"type", "normalizers"});
    for (const JsonView& element : part.at("normalizers").elements()) add_forms(element, forms);
    return;
  }
  constexpr std::pair<std::string_view, NormalizationForm> known[] = {{"NFC", NormalizationForm::kNfc},
                                                                      {"NFD", NormalizationForm::kNfd},
                                                                      {"NFKC", NormalizationForm::kNfkc},
                                                                      {"NFKD", NormalizationForm::kNfkd}};
  for (const auto& [name, form] : known) {
    if (type != name) continue;
    part.expect_keys({"type"});
    forms.push_back(form);
    return;
  }
  refuse_type(part, {"NFC", "NFD", "NFKC", "NFKD", "Sequence"});
}

struct PreTokenizerParts {
  std::vector<SplitStep> steps;
  std::optional<JsonView> byte_level;
};

SplitBehavior behavior_of(const JsonView& value) {
  constexpr std::pair<std::string_view, SplitBehavior> known[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const std::string name = value.text();
  std::vector<std::string> names;
  for (const auto& [other, behavior] : known) {
    if (name == other) return behavior;
    names.emplace_back(other);
  }
  value.fail(fmt::format("'{}' is not one of {}", name, fmt::join(names, ", ")));
}

SplitStep split_step(const JsonView& part) {
  part.expect_keys({"type", "pattern", "behavior", "invert"});
  SplitStep step;
  step.behavior = behavior_of(part.at("behavior"));
  step.invert = part.at("invert").flag();
  const JsonView pattern = part.at("pattern");
  pattern.expect_keys({"Regex", "String"});
  if (pattern.raw().size() != 1) pattern.fail("expected either \"Regex\" or \"String\"");
  if (const auto literal = pattern.find("String")) {
    step.literal = literal->text();
    if (step.literal.empty()) literal->fail("an empty pattern is not supported");
    return step;
  }
  const JsonView expression = pattern.at("Regex");
  const std::string text = expression.text();
  try {
    step.regex.emplace(text);
  } catch (const Error& error) {
    expression.fail(error.what());
  }
  if (step.behavior == SplitBehavior::kIsolated) step.scanner = scanner_for(text);
  return step;
}

void add_pre_tokenizers(const JsonView& part, PreTokenizerParts& parts) {
  const std::string type = type_of(part);
  if (type == "Sequence") {
    part.expect_keys({"type", "pretokenizers"});
    for (const JsonView& element : part.at("pretokenizers").elements()) add_pre_tokenizers(element, parts);
    return;
  }
  if (parts.byte_level) part.fail("a pre-tokenizer after ByteLevel is not supported");
  if (type == "ByteLevel") {
    check_byte_level(part);
    parts.byte_level = part;
  } else if (type == "Split") {
    parts.steps.push_back(split_step(part));
  } else if (type == "Digits") {
    part.expect_keys({"type", "individual_digits"});
    SplitStep step;
    step.digits = true;
    step.behavior = part.at("individual_digits").flag() ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    parts.steps.push_back(std::move(step));
  } else {
    refuse_type(part, {"ByteLevel", "Split", "Digits", "Sequence"});
  }
}

std::vector<int32_t> template_ids(const JsonView& processor, const JsonView& piece) {
  piece.expect_keys({"id", "type_id"});
  const JsonView name = piece.at("id");
  const auto special_tokens = processor.at("special_tokens");
  const auto entry = special_tokens.find(name.text());
  if (!entry) name.fail(fmt::format("'{}' is not in {}", name.text(), special_tokens.path()));
  entry->expect_keys({"id", "ids", "tokens"});
  std::vector<int32_t> ids;
  for (const JsonView& id : entry->at("ids").elements()) ids.push_back(id.token_id());
  for (const JsonView& token : entry->at("tokens").elements()) token.text();
  return ids;
}

void add_template(const JsonView& part, PostProcessor& out) {
  part.expect_keys({"type", "single", "pair", "special_tokens"});
  const JsonView single = part.at("single");
  part.at("pair").elements();
  std::vector<int32_t> sides[2];
  int sequences = 0;
  for (const JsonView& piece : single.elements()) {
    piece.expect_keys({"SpecialToken", "Sequence"});
    if (const auto special = piece.find("SpecialToken")) {
      const std::vector<int32_t> ids = template_ids(part, *special);
      auto& side = sides[sequences == 0 ? 0 : 1];
      side.insert(side.end(), ids.begin(), ids.end());
      continue;
    }
    const JsonView id = piece.at("Sequence").at("id");
    if (id.text() != "A" || ++sequences > 1) id.fail("expected the sequence 'A' exactly once");
  }
  if (sequences == 0) single.fail("lacks the sequence 'A'");
  out.prefix = std::move(sides[0]);
  out.suffix = std::move(sides[1]);
}

void add_post_processor(const JsonView& part, std::optional<PostProcessor>& out) {
  const std::string type = type_of(part);
  if (type == "Sequence") {
    part.expect_keys({"type", "processors"});
    for (const JsonView& element : part.at("processors").elements()) add_post_processor(element, out);
  } else if (type == "TemplateProcessing") {
    if (out) part.fail("only one TemplateProcessing is supported");
    add_template(part, out.emplace());
  } else if (type == "ByteLevel") {  // trims offsets only
    check_byte_level(part);
  } else {
    refuse_type(part, {"ByteLevel", "TemplateProcessing", "Sequence"});
  }
}

void add_decoder(const JsonView& part, DecoderKind& kind) {
  const std::string type = type_of(part);
  if (type == "Sequence") {
    part.expect_keys({"type", "decoders"});
    const std::vector<JsonView> elements = part.at("decoders").elements();
    for (size_t k = 0; k < elements.size(); ++k) {
      const bool byte_level_first = k == 0 || type_of(elements[k]) == "Fuse";
      if (!byte_level_first) elements[k].fail("only Fuse may follow another decoder");
      add_decoder(elements[k], kind);
    }
  } else if (type == "ByteLevel") {
    check_byte_level(part);
    kind = DecoderKind::kByteLevel;
  } else if (type == "Fuse") {
    part.expect_keys({"type"});
  } else {
    refuse_type(part, {"ByteLevel", "Fuse", "Sequence"});
  }
}

}  // namespace

void check_document(const JsonView& root) {
  root.expect_keys({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                    "decoder", "model"});
  for (const char* key : {"truncation", "padding"}) {
    if (const auto value = root.find(key)) value->members();
  }
  if (const auto version = root.find("version"); version && version->text() != "1.0") {
    version->fail(fmt::format("'{}' is not supported; supported: 1.0", version->text()));
  }
}

Normalizer read_normalizer(const JsonView& root) {
  std::vector<NormalizationForm> forms;
  if (const auto part = root.find("normalizer")) add_forms(*part, forms);
  return Normalizer(std::move(forms));
}

PreTokenizer read_pre_tokenizer(const JsonView& root) {
  PreTokenizerParts parts;
  const auto part = root.find("pre_tokenizer");
  if (part) add_pre_tokenizers(*part, parts);
  if (!parts.byte_level) {
    (part ? *part : root).fail("only byte-level tokenizers are supported: pre_tokenizer must end with type ByteLevel");
  }
  const JsonView& byte_level = *parts.byte_level;
  return PreTokenizer(std::move(parts.steps), byte_level.at("add_prefix_space").flag(),
                      byte_level.flag_or("use_regex", true));
}

PostProcessor read_post_processor(const JsonView& root) {
  std::optional<PostProcessor> out;
  if (const auto part = root.find("post_processor")) add_post_processor(*part, out);
  return out.value_or(PostProcessor());
}

DecoderKind read_decoder(const JsonView& root) {
  const auto part = root.find("decoder");
  DecoderKind kind = part ? DecoderKind::kConcatenate : DecoderKind::kJoinWithSpaces;
  if (part) add_decoder(*part, kind);
  return kind;
}

}  // namespace ftrun
