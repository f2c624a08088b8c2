// Layout: header, then 64-byte aligned sections; per split ids, labels, row starts, document starts, documents; last
// the ledger as JSON. Two checksums, both in the header: of the header itself, and of everything behind it.
#include "core/data/encoded_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "core/base/error.h"
#include "core/base/files.h"

namespace ftrun {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'F', 'T', 'R', 'D', 'A', 'T', 'A', '1'};
constexpr size_t kArraysPerSplit = 5;
constexpr size_t kSections = 2 * kArraysPerSplit + 1;
constexpr uint64_t kAlignment = 64;
constexpr size_t kBlockBytes = 1 << 20;  ///< of one write and one link in the chain of hashes

struct Section {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Header {
  char magic[8] = {};
  uint32_t version = 0;
  uint32_t header_bytes = 0;
  uint64_t key[2] = {};
  uint64_t file_bytes = 0;
  uint64_t content_checksum = 0;  ///< of everything behind the header, padding included
  uint32_t present = 0;           ///< bit 0: train, bit 1: eval
  uint16_t layout = 0;            ///< RowLayout
  uint16_t kind = 0;              ///< RowKind
  Section sections[kSections] = {};
  uint64_t header_checksum = 0;
};

uint64_t header_checksum(Header header) {
  header.header_checksum = 0;
  return content_hash(std::as_bytes(std::span(&header, 1)));
}

bool is_token_section(size_t section) { return section + 1 < kSections && section % kArraysPerSplit < 2; }

struct SplitIndex {
  std::vector<uint64_t> row_starts = {0};
  std::vector<uint64_t> document_starts = {0};
  std::vector<DocumentRecord> documents;
};

/// The labels of a piece at its place in a row: its first token is no target where it cannot see what is before it.
std::span<const int32_t> placed_labels(const CacheInput& input, const RowPiece& piece, bool first_in_row,
                                       std::vector<int32_t>& copy) {
  const SpooledDocument& document = input.documents[static_cast<size_t>(piece.document)];
  const auto all = static_cast<uint64_t>(document.record.length);
  const auto length = static_cast<uint64_t>(piece.end - piece.begin);
  const auto labels = input.spool.values(document.spool_begin + all + static_cast<uint64_t>(piece.begin), length);
  if (first_in_row || input.layout != RowLayout::kBlockDiagonal || labels[0] == kIgnoredLabel) return labels;
  copy.assign(labels.begin(), labels.end());
  copy[0] = kIgnoredLabel;
  return copy;
}

std::span<const int32_t> placed_ids(const CacheInput& input, const RowPiece& piece) {
  const SpooledDocument& document = input.documents[static_cast<size_t>(piece.document)];
  return input.spool.values(document.spool_begin + static_cast<uint64_t>(piece.begin),
                            static_cast<uint64_t>(piece.end - piece.begin));
}

SplitIndex index_of(const CacheInput& input, const RowPlan& plan) {
  SplitIndex index;
  std::vector<int32_t> copy;
  for (size_t r = 0; r < plan.rows(); ++r) {
    const auto row = plan.row(r);
    uint64_t tokens = index.row_starts.back();
    for (size_t i = 0; i < row.size(); ++i) {
      const auto labels = placed_labels(input, row[i], i == 0, copy);
      DocumentRecord record = input.documents[static_cast<size_t>(row[i].document)].record;
      record.length = row[i].end - row[i].begin;
      record.supervised = static_cast<int32_t>(count_targets(labels) + (i > 0 && labels[0] != kIgnoredLabel ? 1 : 0));
      index.documents.push_back(record);
      tokens += static_cast<uint64_t>(record.length);
    }
    index.row_starts.push_back(tokens);
    index.document_starts.push_back(index.documents.size());
  }
  return index;
}

int64_t whole_documents(const RowPlan& plan) {
  return std::count_if(plan.pieces.begin(), plan.pieces.end(), [](const RowPiece& piece) { return piece.begin == 0; });
}

SplitTotals totals_of(const SplitIndex& index, const RowPlan& plan, RowKind kind) {
  SplitTotals totals;
  totals.documents = whole_documents(plan) / documents_of_kind(kind);
  totals.rows = static_cast<int64_t>(index.row_starts.size()) - 1;
  totals.tokens = static_cast<int64_t>(index.row_starts.back());
  for (const DocumentRecord& document : index.documents) {
    totals.supervised_tokens += document.supervised;
    if (kind == RowKind::kLabelled && document.annotation != 0) ++totals.desirable;
  }
  for (size_t i = 1; i < index.row_starts.size(); ++i)
    totals.longest_row =
        std::max(totals.longest_row, static_cast<int64_t>(index.row_starts[i] - index.row_starts[i - 1]));
  return totals;
}

/// Writes what stands behind the header, padding up to each section's offset, and hashes it on the way.
class SectionWriter {
 public:
  explicit SectionWriter(AtomicFile& file) : file_(file) {}
  void seek(uint64_t offset) {
    const std::vector<std::byte> zeros(offset - offset_);
    write(zeros);
  }
  void write(std::span<const std::byte> bytes) {
    offset_ += bytes.size();
    while (!bytes.empty()) {
      const size_t taken = std::min(bytes.size(), kBlockBytes - block_.size());
      block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
      bytes = bytes.subspan(taken);
      if (block_.size() == kBlockBytes) write_block();
    }
  }
  /// Writes what is left; the checksum of all of it.
  uint64_t finish() {
    if (!block_.empty()) write_block();
    return checksum_;
  }

 private:
  void write_block() {
    file_.write_at(offset_in_file_, block_);
    checksum_ = content_hash(std::span<const std::byte>(block_), checksum_);
    offset_in_file_ += block_.size();
    block_.clear();
  }

  AtomicFile& file_;
  std::vector<std::byte> block_;
  uint64_t offset_ = sizeof(Header);
  uint64_t offset_in_file_ = sizeof(Header);
  uint64_t checksum_ = 0;
};

/// Hash of mapped bytes, chained over blocks. What has been hashed leaves the process again: memory does not grow with
/// it.
uint64_t chained_hash(const MappedFile& file, std::span<const std::byte> bytes) {
  uint64_t sum = 0;
  for (size_t begin = 0; begin < bytes.size(); begin += kBlockBytes) {
    const auto block = bytes.subspan(begin, std::min(kBlockBytes, bytes.size() - begin));
    sum = content_hash(block, sum);
    file.release(block);
  }
  return sum;
}

/// As SectionWriter's, of a whole file.
uint64_t content_checksum(const MappedFile& file) { return chained_hash(file, file.bytes().subspan(sizeof(Header))); }

/// Of one split's ids and labels.
uint64_t tokens_hash(const MappedFile& file, const Section* sections) {
  uint64_t hashes[2] = {};
  for (size_t i = 0; i < 2; ++i) {
    hashes[i] = chained_hash(file, file.bytes().subspan(sections[i].offset, sections[i].bytes));
  }
  return content_hash(std::as_bytes(std::span(hashes)));
}

void write_tokens(SectionWriter& writer, const CacheInput& input, const RowPlan& plan, bool labels) {
  std::vector<int32_t> copy;
  for (size_t r = 0; r < plan.rows(); ++r) {
    const auto row = plan.row(r);
    for (size_t i = 0; i < row.size(); ++i) {
      writer.write(std::as_bytes(labels ? placed_labels(input, row[i], i == 0, copy) : placed_ids(input, row[i])));
    }
  }
}

/// What is written as it is; empty for the token sections, which are gathered from the spool.
using Parts = std::array<std::span<const std::byte>, kSections>;

/// Places the sections and fills in the identity.
void place_sections(Header& header, const CacheKey& key, const Parts& parts) {
  uint64_t offset = sizeof(Header);
  for (size_t i = 0; i < kSections; ++i) {
    if (!is_token_section(i)) header.sections[i].bytes = parts[i].size();
    offset = (offset + kAlignment - 1) / kAlignment * kAlignment;
    header.sections[i].offset = offset;
    offset += header.sections[i].bytes;
  }
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kCacheVersion;
  header.header_bytes = sizeof(Header);
  header.key[0] = key[0];
  header.key[1] = key[1];
  header.file_bytes = offset;
}

template <typename T>
std::span<const T> section_as(std::span<const std::byte> file, const Section& section) {
  return {reinterpret_cast<const T*>(file.data() + section.offset), section.bytes / sizeof(T)};
}

/// Why the header cannot be trusted, or "".
std::string header_fault(const Header& header, const CacheKey& key, size_t file_bytes) {
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) return "not a cache file";
  if (header.version != kCacheVersion || header.header_bytes != sizeof(Header)) return "another cache version";
  if (header.header_checksum != header_checksum(header)) return "damaged header";
  if (header.key[0] != key[0] || header.key[1] != key[1]) return "another key";
  if (header.file_bytes != file_bytes) return "truncated";
  for (const Section& section : header.sections) {
    if (section.offset % kAlignment != 0 || section.offset > file_bytes || section.bytes > file_bytes - section.offset)
      return "damaged section table";
  }
  return {};
}

bool starts_are_valid(std::span<const uint64_t> starts, uint64_t end) {
  if (starts.empty() || starts.front() != 0 || starts.back() != end) return false;
  for (size_t i = 1; i < starts.size(); ++i) {
    if (starts[i] < starts[i - 1]) return false;
  }
  return true;
}

std::optional<EncodedArrays> arrays_of(std::span<const std::byte> file, const Section* sections) {
  EncodedArrays arrays;
  arrays.ids = section_as<int32_t>(file, sections[0]);
  arrays.labels = section_as<int32_t>(file, sections[1]);
  arrays.row_starts = section_as<uint64_t>(file, sections[2]);
  arrays.document_starts = section_as<uint64_t>(file, sections[3]);
  arrays.documents = section_as<DocumentRecord>(file, sections[4]);
  const bool valid = arrays.ids.size() == arrays.labels.size() &&
                     arrays.row_starts.size() == arrays.document_starts.size() &&
                     starts_are_valid(arrays.row_starts, arrays.ids.size()) &&
                     starts_are_valid(arrays.document_starts, arrays.documents.size());
  return valid ? std::optional(arrays) : std::nullopt;
}

}  // namespace

std::string cache_file_name(const CacheKey& key) { return fmt::format("data-{:016x}{:016x}.bin", key[0], key[1]); }

void write_cache_file(const std::filesystem::path& path, const CacheKey& key, const CacheInput& input,
                      DataLedger& ledger) {
  const RowPlan* plans[2] = {&input.train, &input.eval};
  const SplitIndex indices[2] = {index_of(input, input.train), index_of(input, input.eval)};
  ledger.train = totals_of(indices[0], input.train, input.kind);
  ledger.eval = totals_of(indices[1], input.eval, input.kind);
  const std::string ledger_text = ledger.to_json().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);

  Parts parts;
  Header header;
  for (size_t split = 0; split < 2; ++split) {
    const size_t base = split * kArraysPerSplit;
    header.sections[base].bytes = header.sections[base + 1].bytes = indices[split].row_starts.back() * sizeof(int32_t);
    parts[base + 2] = std::as_bytes(std::span(indices[split].row_starts));
    parts[base + 3] = std::as_bytes(std::span(indices[split].document_starts));
    parts[base + 4] = std::as_bytes(std::span(indices[split].documents));
    if (plans[split]->rows() > 0) header.present |= 1u << split;
  }
  parts[kSections - 1] = std::as_bytes(std::span(ledger_text));
  header.layout = static_cast<uint16_t>(input.layout);
  header.kind = static_cast<uint16_t>(input.kind);
  place_sections(header, key, parts);

  AtomicFile file(path);
  SectionWriter writer(file);
  for (size_t i = 0; i < kSections; ++i) {
    writer.seek(header.sections[i].offset);
    if (is_token_section(i)) {
      write_tokens(writer, input, *plans[i / kArraysPerSplit], i % kArraysPerSplit == 1);
    } else {
      writer.write(parts[i]);
    }
  }
  header.content_checksum = writer.finish();
  header.header_checksum = header_checksum(header);
  file.write_at(0, std::as_bytes(std::span(&header, 1)));
  file.commit();
}

std::optional<CacheContent> open_cache_file(const std::filesystem::path& path, const CacheKey& key,
                                            std::string& reason) {
  reason.clear();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  try {
    const auto file = std::make_shared<const MappedFile>(path);
    const auto bytes = file->bytes();
    Header header;
    if (bytes.size() < sizeof(header)) throw io_error("truncated");
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (std::string fault = header_fault(header, key, bytes.size()); !fault.empty()) throw io_error("{}", fault);
    if (content_checksum(*file) != header.content_checksum) throw io_error("its checksum does not fit its content");
    const auto text = section_as<char>(bytes, header.sections[kSections - 1]);
    CacheContent content;
    content.ledger = DataLedger::from_json(nlohmann::json::parse(text.begin(), text.end()));
    for (size_t split = 0; split < 2; ++split) {
      if ((header.present >> split & 1u) == 0) continue;
      const auto arrays = arrays_of(bytes, header.sections + split * kArraysPerSplit);
      if (!arrays) throw io_error("damaged row index");
      (split == 0 ? content.train : content.eval) = std::make_shared<const EncodedDataset>(
          file, *arrays, content.ledger.files, static_cast<RowLayout>(header.layout), static_cast<RowKind>(header.kind),
          tokens_hash(*file, header.sections + split * kArraysPerSplit));
    }
    return content;
  } catch (const std::exception& fault) {
    reason = fault.what();
    return std::nullopt;
  }
}

}  // namespace ftrun
