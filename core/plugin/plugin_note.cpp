// A bounds-checked reader of the parts of ELF64 that hold notes.
#include "core/plugin/plugin_note.h"

#include <elf.h>

#include <cstring>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"

namespace ftrun {
namespace {

class ElfReader {
 public:
  ElfReader(std::span<const std::byte> bytes, const std::filesystem::path& file) : bytes_(bytes), file_(file) {}

  std::vector<PluginNote> notes() {
    const auto header = read<Elf64_Ehdr>(0, "the ELF header");
    check_header(header);
    // The loader maps what the headers name: past the end of the file that is a bus error, not a message.
    slice(header.e_shoff, uint64_t{header.e_shnum} * header.e_shentsize, "the table of section headers");
    for (uint64_t i = 0; i < header.e_phnum; ++i) {
      const auto segment = read<Elf64_Phdr>(offset_of(header.e_phoff, i, header.e_phentsize), "a program header");
      slice(segment.p_offset, segment.p_filesz, "a segment");
      if (segment.p_type == PT_NOTE)
        read_notes(slice(segment.p_offset, segment.p_filesz, "a note segment"), segment.p_align);
    }
    if (notes_.empty()) fail("no ftrun note: this is no ftrun plugin");
    return std::move(notes_);
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const { throw invalid_argument("{}: {}", file_.string(), reason); }

  std::span<const std::byte> slice(uint64_t offset, uint64_t size, std::string_view what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      fail(fmt::format("truncated: {} at byte {} needs {} bytes, the file has {}", what, offset, size, bytes_.size()));
    }
    return bytes_.subspan(offset, size);
  }

  template <typename T>
  T read(uint64_t offset, std::string_view what) const {
    T value;
    std::memcpy(&value, slice(offset, sizeof(T), what).data(), sizeof(T));
    return value;
  }

  // Cannot wrap: index and stride are 16-bit numbers.
  uint64_t offset_of(uint64_t base, uint64_t index, uint64_t stride) const {
    if (base > bytes_.size()) fail("truncated: its program headers lie past the end");
    return base + index * stride;
  }

  void check_header(const Elf64_Ehdr& header) const {
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) fail("not an ELF file: this is no plugin library");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
      fail("not a 64-bit little-endian library");
    }
    if (header.e_type != ET_DYN) fail("not a shared library");
#if defined(__x86_64__)
    constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
    constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "add this machine's ELF number"
#endif
    if (header.e_machine != kMachine) {
      fail(fmt::format("built for another machine (ELF machine {}, this one is {})", header.e_machine, kMachine));
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr)) fail("malformed: unexpected size of program headers");
  }

  void read_notes(std::span<const std::byte> segment, uint64_t alignment) {
    const uint64_t align = alignment == 8 ? 8 : 4;
    const auto padded = [align](uint64_t size) { return (size + align - 1) / align * align; };
    while (segment.size() >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr header;
      std::memcpy(&header, segment.data(), sizeof(header));
      segment = segment.subspan(sizeof(header));
      const uint64_t owner_bytes = padded(header.n_namesz);
      if (owner_bytes > segment.size() || header.n_descsz > segment.size() - owner_bytes)
        fail("malformed: a note runs past its segment");
      const std::span<const std::byte> descriptor = segment.subspan(owner_bytes, header.n_descsz);
      if (header.n_namesz == sizeof(FTRUN_NOTE_OWNER) &&
          std::memcmp(segment.data(), FTRUN_NOTE_OWNER, sizeof(FTRUN_NOTE_OWNER)) == 0 &&
          header.n_type == FTRUN_NOTE_TYPE) {
        notes_.push_back(read_note(descriptor));
      }
      segment = segment.subspan(std::min<uint64_t>(segment.size(), owner_bytes + padded(header.n_descsz)));
    }
  }

  PluginNote read_note(std::span<const std::byte> descriptor) const {
    ftrun_note raw;
    // Another major may have another layout, but its number comes first in all of them.
    if (descriptor.size() < sizeof(raw.abi_major)) fail("malformed: an empty ftrun note");
    PluginNote note;
    std::memcpy(&note.abi_major, descriptor.data(), sizeof(note.abi_major));
    if (note.abi_major != FTRUN_ABI_MAJOR && descriptor.size() < sizeof(raw)) {
      note.kind = "unknown";
      note.id = file_.stem().string();
      return note;
    }
    if (descriptor.size() < sizeof(raw)) {
      fail(fmt::format("malformed: an ftrun note of {} bytes, expected {}", descriptor.size(), sizeof(raw)));
    }
    std::memcpy(&raw, descriptor.data(), sizeof(raw));
    if (raw.reserved != 0) fail("malformed: a reserved field of its ftrun note is not zero");
    note.target_minor = raw.target_minor;
    note.min_host_minor = raw.min_host_minor;
    note.sanitizer = raw.sanitizer;
    note.cpu_features = raw.cpu_features;
    note.kind = text(raw.kind);
    note.id = text(raw.id);
    note.version = text(raw.version);
    return note;
  }

  template <size_t N>
  std::string text(const char (&field)[N]) const {
    const size_t size = strnlen(field, N);
    if (size == 0 || size == N) fail("malformed: an ftrun note with an empty or unterminated text");
    for (size_t i = 0; i < size; ++i) {
      if (field[i] < 0x21 || field[i] > 0x7e) fail("malformed: an ftrun note with unprintable text");
    }
    return {field, size};
  }

  std::span<const std::byte> bytes_;
  const std::filesystem::path& file_;
  std::vector<PluginNote> notes_;
};

}  // namespace

std::vector<PluginNote> parse_plugin_notes(std::span<const std::byte> bytes, const std::filesystem::path& file) {
  return ElfReader(bytes, file).notes();
}

std::vector<PluginNote> read_plugin_notes(const std::filesystem::path& file) {
  const MappedFile map(file);
  return parse_plugin_notes(map.bytes(), file);
}

}  // namespace ftrun
