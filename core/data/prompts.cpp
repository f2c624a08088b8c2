// Goes back to the source rows by their recorded offsets, so that prompts cost nothing unless asked for.
#include "core/data/prompts.h"

#include <map>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/data_source.h"
#include "core/data/row_reader.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace {

/// Files and converters of the data sources, opened when first needed.
class SourceRows {
 public:
  SourceRows(const DataSpec& spec, const EncodedDataset& dataset) : dataset_(dataset) {
    for (const auto* values : {&spec.datasets, &spec.eval_datasets}) {
      for (const std::string& value : *values) {
        const DataSource source = resolve_data_source(value, spec.dataset_dir, "dataset", spec.kind);
        converters_.push_back(find_row_format(source.format).bind(source.columns, source.tags, spec.kind));
      }
    }
  }

  AlignedRow read(const DocumentRecord& record) {
    const std::string& path = dataset_.files()[static_cast<size_t>(record.file)];
    const MappedFile& file = files_.try_emplace(record.file, path).first->second;
    const auto begin = static_cast<size_t>(record.byte_offset);
    const auto length = static_cast<size_t>(record.byte_length);
    const std::string place = row_place(path, record.line, record.element);
    if (static_cast<size_t>(record.dataset) >= converters_.size() || begin + length > file.text().size())
      throw failed_precondition("{}: the file has changed since its rows were prepared", place);
    const RawRow row{file.text().substr(begin, length), record.line, record.byte_offset, record.element};
    try {
      return converters_[static_cast<size_t>(record.dataset)]->convert(parse_row(file, row));
    } catch (const RowError& reason) {
      throw failed_precondition("{}: the file has changed since its rows were prepared: {}", place, reason.what());
    }
  }

 private:
  const EncodedDataset& dataset_;
  std::vector<std::unique_ptr<RowConverter>> converters_;
  std::map<int32_t, MappedFile> files_;
};

}  // namespace

std::vector<PromptRow> load_prompts(const DataSpec& spec, const PreparedData& prepared, const EncodedDataset& dataset,
                                    int64_t max_rows) {
  if (spec.kind == RowKind::kPlain) throw failed_precondition("plain text has no prompts to answer");
  SourceRows rows(spec, dataset);
  std::vector<PromptRow> prompts;
  const auto records = dataset.document_records();
  for (size_t i = 0; i < records.size(); i += static_cast<size_t>(documents_of_kind(spec.kind))) {
    const DocumentRecord& record = records[i];
    if (max_rows >= 0 && static_cast<int64_t>(prompts.size()) >= max_rows) break;
    const AlignedRow row = rows.read(record);
    EncodedPrompt encoded = prepared.encoder->encode_prompt(whole_conversation(row), row.system, row.tools);
    PromptRow prompt;
    prompt.prompt = prepared.encoder->tokenizer().decode(encoded.prompt_ids, false);
    prompt.prompt_ids = std::move(encoded.prompt_ids);
    prompt.label = std::move(encoded.response_text);
    prompt.file = dataset.files()[static_cast<size_t>(record.file)];
    prompt.line = record.line;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

}  // namespace ftrun
