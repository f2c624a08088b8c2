// Text and JSON of the ledger.
#include "core/data/data_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/data/row_reader.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;

struct NamedCategory {
  const char* key;
  const char* text;
  RowCategory DataLedger::*category;
};

constexpr NamedCategory kCategories[] = {
    {"bad", "dropped: do not fit the format", &DataLedger::bad},
    {"prompt_exceeds_cutoff", "dropped: the prompt alone exceeds cutoff_len", &DataLedger::prompt_exceeds_cutoff},
    {"marked_unlearnt", "dropped: every answer is marked as not to be learnt (loss, weight or train)",
     &DataLedger::marked_unlearnt},
    {"without_supervision", "dropped: no token to learn from", &DataLedger::without_supervision},
    {"truncated", "truncated to cutoff_len", &DataLedger::truncated},
    {"lost_eos", "lost the end of an answer (EOS)", &DataLedger::lost_eos},
    {"lost_prompt_tail", "lost the end of a prompt (assistant header)", &DataLedger::lost_prompt_tail},
    {"lost_turns", "lost whole turns", &DataLedger::lost_turns},
    {"empty_answers", "have an empty answer", &DataLedger::empty_answers},
    {"empty_prompts", "have an empty prompt", &DataLedger::empty_prompts},
    {"odd_arguments", "have a tool call whose arguments are no JSON object", &DataLedger::odd_arguments},
    {"media_in_text", "have a placeholder of a picture, video or sound in their text and none beside it",
     &DataLedger::media_in_text},
};

struct NamedCount {
  const char* key;
  const char* text;
  int64_t RenderingCounts::*count;
};

constexpr NamedCount kCounts[] = {
    {"history_thoughts_left_out",
     "rows: thoughts of earlier turns are not written, as the published template does (with a template of ftrun, "
     "preserve_thinking: true keeps them)",
     &RenderingCounts::history_thoughts_left_out},
    {"thoughts_preserved",
     "rows: thoughts of earlier turns are kept, and empty ones put where they have none (preserve_thinking), which the "
     "published template does not do",
     &RenderingCounts::thoughts_preserved},
    {"thoughts_left_out", "rows: thoughts are not learnt (enable_thinking: false)",
     &RenderingCounts::thoughts_left_out},
    {"thoughts_without_form", "rows: thoughts are not learnt: the template has no form for them",
     &RenderingCounts::thoughts_without_form},
    {"empty_thoughts_trained", "rows: an empty thought is learnt where the row has none (enable_thinking: true)",
     &RenderingCounts::empty_thoughts_trained},
    {"text_left_out", "rows: the chat_template leaves out, or writes otherwise, text or tool calls of a message",
     &RenderingCounts::text_left_out},
    {"begins_otherwise",
     "rows: an answer does not go on as the chat_template's generation prompt begins it (with a thought, say)",
     &RenderingCounts::begins_otherwise},
    {"answers_not_learnt", "rows: answers are not learnt that loss, weight or train mark so",
     &RenderingCounts::answers_not_learnt},
};

Json to_json(const RowCategory& category) {
  Json marks = Json::array();
  for (const RowMark& mark : category.marks) {
    Json item = {{"file", mark.file}, {"line", mark.line}};
    if (mark.element > 0) item["row"] = mark.element;
    if (!mark.reason.empty()) item["reason"] = mark.reason;
    marks.push_back(std::move(item));
  }
  return {{"count", category.count}, {"rows", std::move(marks)}};
}

RowCategory category_from(const Json& json) {
  RowCategory category;
  category.count = json.at("count").get<int64_t>();
  for (const Json& mark : json.at("rows"))
    category.marks.push_back({mark.at("file").get<int32_t>(), mark.at("line").get<int64_t>(),
                              mark.value("row", int64_t{0}), mark.value("reason", "")});
  return category;
}

Json to_json(const SplitTotals& split) {
  return {{"documents", split.documents},     {"rows", split.rows},
          {"tokens", split.tokens},           {"supervised_tokens", split.supervised_tokens},
          {"longest_row", split.longest_row}, {"desirable", split.desirable}};
}

SplitTotals split_from(const Json& json) {
  return {json.at("documents").get<int64_t>(),   json.at("rows").get<int64_t>(),
          json.at("tokens").get<int64_t>(),      json.at("supervised_tokens").get<int64_t>(),
          json.at("longest_row").get<int64_t>(), json.at("desirable").get<int64_t>()};
}

Json to_json(const UnreadColumn& column) {
  return {{"dataset", column.dataset},
          {"column", column.column},
          {"might_mean", column.might_mean},
          {"metadata", column.is_metadata},
          {"rows", column.rows}};
}

UnreadColumn unread_column_from(const Json& json) {
  return {json.at("dataset").get<std::string>(), json.at("column").get<std::string>(),
          json.at("might_mean").get<std::string>(), json.at("metadata").get<bool>(), json.at("rows").get<int64_t>()};
}

/// Names and counts of the columns of a data set that only say where its rows come from.
std::string metadata_text(const std::vector<UnreadColumn>& columns, const std::string& dataset) {
  std::string text;
  for (const UnreadColumn& column : columns) {
    if (!column.is_metadata || column.dataset != dataset) continue;
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", column.column, column.rows);
  }
  return text;
}

std::string split_line(const char* name, const SplitTotals& split, const DataLedger& ledger) {
  if (split.documents == 0) return {};
  const double share =
      100.0 * static_cast<double>(split.supervised_tokens) / static_cast<double>(std::max<int64_t>(split.tokens, 1));
  std::string rows = fmt::format("{} {}", split.rows, ledger.kind == RowKind::kPairwise ? "pairs" : "rows");
  if (ledger.packing) rows += fmt::format(" packed from {}", split.documents);
  if (ledger.kind == RowKind::kLabelled)
    rows += fmt::format(" ({} desirable, {} undesirable)", split.desirable, split.rows - split.desirable);
  return fmt::format("  {:<6} {}, {} tokens, {} to learn from ({:.1f}%), longest row {}\n", name, rows, split.tokens,
                     split.supervised_tokens, share, split.longest_row);
}

}  // namespace

void RowCategory::add(RowMark mark) {
  ++count;
  if (marks.size() < kMarkLimit) marks.push_back(std::move(mark));
}

void RenderingCounts::add(const RenderingNotes& notes) {
  history_thoughts_left_out += notes.history_thoughts_left_out ? 1 : 0;
  thoughts_preserved += notes.thoughts_preserved ? 1 : 0;
  thoughts_left_out += notes.thoughts_left_out ? 1 : 0;
  thoughts_without_form += notes.thoughts_without_form ? 1 : 0;
  empty_thoughts_trained += notes.empty_thought_trained ? 1 : 0;
  text_left_out += notes.text_left_out ? 1 : 0;
  begins_otherwise += notes.begins_otherwise ? 1 : 0;
  answers_not_learnt += notes.answers_not_learnt ? 1 : 0;
}

std::string DataLedger::to_text(size_t marks_per_category) const {
  std::string text = fmt::format("data: {} rows read, {} kept, {}cutoff_len {}{}\n", rows_read, rows_kept,
                                 kind == RowKind::kSupervised ? "" : fmt::format("{}, ", row_kind_text(kind)),
                                 cutoff_len, neat_packing ? ", neat packing" : (packing ? ", packing" : ""));
  for (const DatasetTotals& dataset : datasets)
    text += fmt::format("  {} ({}): {} of {} rows kept\n", dataset.name, dataset.format, dataset.rows_kept,
                        dataset.rows_read);
  text += split_line("train", train, *this);
  text += split_line("eval", eval, *this);
  for (const NamedCategory& named : kCategories) {
    const RowCategory& category = this->*named.category;
    if (category.count == 0) continue;
    text += fmt::format("  {} {}\n", category.count, named.text);
    const size_t shown = std::min(marks_per_category, category.marks.size());
    for (size_t i = 0; i < shown; ++i) {
      const RowMark& mark = category.marks[i];
      text += fmt::format("    {}{}{}\n", row_place(files[static_cast<size_t>(mark.file)], mark.line, mark.element),
                          mark.reason.empty() ? "" : ": ", mark.reason);
    }
    if (category.count > static_cast<int64_t>(shown) && shown > 0)
      text += fmt::format("    and {} more\n", category.count - static_cast<int64_t>(shown));
  }
  for (const NamedCount& named : kCounts) {
    const int64_t count = rendering.*named.count;
    if (count > 0) text += fmt::format("  {} {}\n", count, named.text);
  }
  for (const UnreadColumn& column : unread_columns) {
    if (!column.is_metadata)
      text += fmt::format("  {} rows of '{}' have the column '{}', which nothing reads\n", column.rows, column.dataset,
                          column.column);
  }
  for (const DatasetTotals& dataset : datasets) {
    const std::string columns = metadata_text(unread_columns, dataset.name);
    if (!columns.empty()) text += fmt::format("  '{}': not read: {}\n", dataset.name, columns);
  }
  for (const std::string& notice : notices) text += fmt::format("  {}\n", notice);
  return text;
}

std::string unread_column_warning(const UnreadColumn& column) {
  const std::string advice =
      column.might_mean.empty()
          ? std::string("remove it, or let a column that is read say it")
          : fmt::format("where it is meant as '{0}', let dataset_info.json say so (columns: {{\"{0}\": \"{1}\"}})",
                        column.might_mean, column.column);
  return fmt::format("dataset '{}': nothing reads the column '{}', and {} rows have something in it: {}",
                     column.dataset, column.column, column.rows, advice);
}

/// "FILE:LINE: REASON" of the first row.
std::string DataLedger::first_of(const RowCategory& category) const {
  const RowMark& mark = category.marks.front();
  return fmt::format("{}: {}", row_place(files[static_cast<size_t>(mark.file)], mark.line, mark.element), mark.reason);
}

std::vector<std::string> DataLedger::warnings() const {
  std::vector<std::string> lines;
  for (const UnreadColumn& column : unread_columns) {
    if (!column.is_metadata) lines.push_back(unread_column_warning(column));
  }
  for (const int32_t file : json_as_text) {
    lines.push_back(fmt::format(
        "{}: looks like JSON and is read as text, every line as a row: name it .json or .jsonl to have its rows read",
        files[static_cast<size_t>(file)]));
  }
  if (rendering.text_left_out > 0) {
    lines.push_back(
        fmt::format("{} rows have text or tool calls that the chat_template leaves out or writes otherwise: see them "
                    "by 'ftrun data'",
                    rendering.text_left_out));
  }
  if (odd_arguments.count > 0) {
    lines.push_back(
        fmt::format("{} rows have a tool call whose arguments are neither a JSON object nor the text of one, and the "
                    "template writes them as they stand: the first is {}",
                    odd_arguments.count, first_of(odd_arguments)));
  }
  if (media_in_text.count > 0) {
    lines.push_back(
        fmt::format("{} rows have a placeholder in their text that stands for a picture, a video or sound, and no such "
                    "column: it is learnt as text: the first is {}",
                    media_in_text.count, first_of(media_in_text)));
  }
  if (rendering.thoughts_without_form > 0) {
    lines.push_back(fmt::format("{} rows have thoughts, and the template has no form for them: they are not learnt",
                                rendering.thoughts_without_form));
  }
  if (rendering.begins_otherwise > 0) {
    lines.push_back(fmt::format(
        "{} rows have answers that do not go on as the chat_template's generation prompt begins them (most often with "
        "an open thought): predict and chat ask with that beginning, as apply_chat_template does, and these rows do "
        "not teach what comes after",
        rendering.begins_otherwise));
  }
  return lines;
}

nlohmann::json DataLedger::to_json() const {
  Json json = {{"files", files},
               {"rows_read", rows_read},
               {"rows_kept", rows_kept},
               {"kind", row_kind_name(kind)},
               {"cutoff_len", cutoff_len},
               {"packing", packing},
               {"neat_packing", neat_packing},
               {"train", ftrun::to_json(train)},
               {"eval", ftrun::to_json(eval)},
               {"notices", notices},
               {"warnings", warnings()},
               {"unread_columns", Json::array()},
               {"json_as_text", json_as_text},
               {"datasets", Json::array()}};
  for (const UnreadColumn& column : unread_columns) json["unread_columns"].push_back(ftrun::to_json(column));
  for (const DatasetTotals& dataset : datasets) {
    json["datasets"].push_back({{"name", dataset.name},
                                {"format", dataset.format},
                                {"rows_read", dataset.rows_read},
                                {"rows_kept", dataset.rows_kept}});
  }
  for (const NamedCategory& named : kCategories) json[named.key] = ftrun::to_json(this->*named.category);
  for (const NamedCount& named : kCounts) json[named.key] = rendering.*named.count;
  return json;
}

DataLedger DataLedger::from_json(const nlohmann::json& json) {
  DataLedger ledger;
  json.at("files").get_to(ledger.files);
  json.at("rows_read").get_to(ledger.rows_read);
  json.at("rows_kept").get_to(ledger.rows_kept);
  ledger.kind = parse_row_kind(json.at("kind").get<std::string>());
  json.at("cutoff_len").get_to(ledger.cutoff_len);
  json.at("packing").get_to(ledger.packing);
  json.at("neat_packing").get_to(ledger.neat_packing);
  json.at("json_as_text").get_to(ledger.json_as_text);
  json.at("notices").get_to(ledger.notices);
  ledger.train = split_from(json.at("train"));
  ledger.eval = split_from(json.at("eval"));
  for (const Json& column : json.at("unread_columns")) ledger.unread_columns.push_back(unread_column_from(column));
  for (const Json& dataset : json.at("datasets")) {
    ledger.datasets.push_back({dataset.at("name").get<std::string>(), dataset.at("format").get<std::string>(),
                               dataset.at("rows_read").get<int64_t>(), dataset.at("rows_kept").get<int64_t>()});
  }
  for (const NamedCategory& named : kCategories) ledger.*named.category = category_from(json.at(named.key));
  for (const NamedCount& named : kCounts) json.at(named.key).get_to(ledger.rendering.*named.count);
  return ledger;
}

}  // namespace ftrun
