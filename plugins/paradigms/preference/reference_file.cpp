// Header, both splits' numbers, checksum of all of it. Little-endian, as everything here is.
#include "reference_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace ftrun::preference {
namespace {

constexpr std::array<char, 8> kMagic = {'F', 'T', 'R', 'R', 'E', 'F', '0', '1'};

struct Header {
  std::array<char, 8> magic = kMagic;
  uint64_t key = 0;
  std::array<uint64_t, 2> values = {};
};

std::string bytes_of(uint64_t key, const ReferenceTable& table) {
  const Header header{kMagic, key, {table[0].size(), table[1].size()}};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  for (const std::vector<double>& values : table) {
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
  }
  const uint64_t checksum = hash_bytes(bytes.data(), bytes.size());
  return bytes.append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
}

/// Writes all bytes and makes them durable; errno of what failed, or 0.
int write_durably(const std::filesystem::path& file, const std::string& bytes) {
  const int descriptor = ::open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return errno;
  int failure = 0;
  for (size_t done = 0; done < bytes.size() && failure == 0;) {
    const ssize_t written = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno != EINTR) failure = errno;
    if (written == 0) failure = EIO;
    if (written > 0) done += static_cast<size_t>(written);
  }
  if (failure == 0 && ::fsync(descriptor) != 0) failure = errno;
  ::close(descriptor);
  return failure;
}

}  // namespace

uint64_t hash_bytes(const void* data, size_t bytes, uint64_t seed) noexcept {
  const auto* at = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < bytes; ++i) seed = (seed ^ at[i]) * 0x100000001b3u;
  return seed;
}

std::optional<ReferenceTable> read_reference_file(const std::filesystem::path& file, uint64_t key,
                                                  std::array<int64_t, 2> rows) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  const std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  Header header;
  const auto values = static_cast<size_t>(2 * (rows[0] + rows[1]));
  if (bytes.size() != sizeof(header) + values * sizeof(double) + sizeof(uint64_t)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + bytes.size() - sizeof(checksum), sizeof(checksum));
  const bool fits = header.magic == kMagic && header.key == key &&
                    header.values[0] == static_cast<uint64_t>(2 * rows[0]) &&
                    header.values[1] == static_cast<uint64_t>(2 * rows[1]);
  if (!fits || checksum != hash_bytes(bytes.data(), bytes.size() - sizeof(checksum))) return std::nullopt;
  ReferenceTable table;
  const char* at = bytes.data() + sizeof(header);
  for (size_t split = 0; split < table.size(); ++split) {
    table[split].resize(static_cast<size_t>(2 * rows[split]));
    std::memcpy(table[split].data(), at, table[split].size() * sizeof(double));
    at += table[split].size() * sizeof(double);
  }
  return table;
}

std::string write_reference_file(const std::filesystem::path& file, uint64_t key, const ReferenceTable& table) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  std::filesystem::path temporary = file;
  temporary += "." + std::to_string(::getpid()) + ".tmp";
  const int failure = write_durably(temporary, bytes_of(key, table));
  if (failure == 0) {
    std::filesystem::rename(temporary, file, error);
    if (!error) return {};
  }
  const std::string reason = failure != 0 ? std::strerror(failure) : error.message();
  std::filesystem::remove(temporary, error);
  return reason;
}

}  // namespace ftrun::preference
