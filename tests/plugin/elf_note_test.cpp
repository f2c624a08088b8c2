// The note reader: what it reads, and that no file, however broken, makes it read out of bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/plugin/plugin_note.h"
#include "tests/plugin/scratch_folder.h"

namespace ftrun {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string refusal(const std::string& bytes) {
  try {
    parse_plugin_notes(bytes_of(bytes), "x.so");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PluginNote, ReadsEveryField) {
  const auto notes = read_plugin_notes(fixture("newer_plugin"));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].abi_major, 1u);
  EXPECT_EQ(notes[0].target_minor, 7u);
  EXPECT_EQ(notes[0].min_host_minor, 0u);
  EXPECT_EQ(notes[0].sanitizer, FTRUN_SANITIZER_OF_THIS_BUILD);
  EXPECT_EQ(notes[0].kind, "reward");
  EXPECT_EQ(notes[0].id, "sample");
  EXPECT_EQ(notes[0].version, "1.0.0");
}

TEST(PluginNote, ReadsSeveralPluginsOfOneFile) {
  const auto notes = read_plugin_notes(fixture("toys"));
  std::vector<std::string> ids;
  for (const PluginNote& note : notes) ids.push_back(note.kind + "/" + note.id);
  EXPECT_THAT(ids, ::testing::UnorderedElementsAre("device/cpu", "device/toy", "paradigm/copying", "paradigm/sorting",
                                                   "strategy/single", "network/toy_network"));
}

TEST(PluginNote, RefusesWhatIsNoPlugin) {
  EXPECT_THAT(refusal(""), HasSubstr("x.so: truncated: the ELF header"));
  EXPECT_THAT(refusal(std::string(200, 'a')), HasSubstr("x.so: not an ELF file"));
  const std::string good = read_file(fixture("good"));
  std::string other = good;
  other[4] = 1;
  EXPECT_THAT(refusal(other), HasSubstr("not a 64-bit little-endian library"));
  other = good;
  other[16] = 2;
  EXPECT_THAT(refusal(other), HasSubstr("not a shared library"));
  other = good;
  other[18] = 8;
  EXPECT_THAT(refusal(other), HasSubstr("built for another machine"));
  EXPECT_THAT(refusal(read_file(fixture("without_note"))), HasSubstr("no ftrun note"));
}

TEST(PluginNote, RefusesReservedBitsAndUnterminatedText) {
  std::string bytes = read_file(fixture("good"));
  const size_t at = bytes.find(std::string("ftrun\0\0\0", 8));
  ASSERT_NE(at, std::string::npos);
  std::string reserved = bytes;
  reserved[at + 8 + offsetof(ftrun_note, reserved)] = 1;
  EXPECT_THAT(refusal(reserved), HasSubstr("a reserved field"));
  std::string unterminated = bytes;
  for (size_t i = 0; i < sizeof(ftrun_note::id); ++i) unterminated[at + 8 + offsetof(ftrun_note, id) + i] = 'x';
  EXPECT_THAT(refusal(unterminated), HasSubstr("unterminated text"));
}

TEST(PluginNote, TruncationAtAnyOffsetIsNamed) {
  const std::string good = read_file(fixture("good"));
  for (size_t size = 0; size < good.size(); size += size < 2048 || size + 98 > good.size() ? 1 : 97) {
    ASSERT_THAT(refusal(good.substr(0, size)), HasSubstr("x.so: truncated: ")) << size << " of " << good.size();
  }
  EXPECT_EQ(refusal(good), "");
}

TEST(PluginNote, SurvivesRandomDamage) {
  constexpr uint32_t kSeed = 20260101;
  const std::string good = read_file(fixture("good"));
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = good;
    for (uint32_t i = 0, n = 1 + random() % 8; i < n; ++i) damaged[random() % 1024] = static_cast<char>(random());
    refusal(damaged);
  }
}

}  // namespace
}  // namespace ftrun
