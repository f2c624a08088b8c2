// Constant-time class lookup of code points, built once from unicode_tables.
#include "core/data/tokenizer/unicode_class.h"

#include <span>
#include <vector>

#include "core/data/tokenizer/unicode_tables.h"

namespace ftrun {
namespace {

const CodePointRange kWhiteSpace[] = {{0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                      {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                      {0x205F, 0x205F}, {0x3000, 0x3000}};

void add(std::vector<uint8_t>& classes, std::span<const CodePointRange> ranges, uint8_t bit) {
  for (const CodePointRange& range : ranges) {
    for (uint32_t c = range.first; c <= range.last; ++c) classes[c] = static_cast<uint8_t>(classes[c] | bit);
  }
}

std::vector<uint8_t> build_classes() {
  std::vector<uint8_t> classes(0x110000, 0);
  add(classes, letter_ranges(), kLetterClass);
  add(classes, number_ranges(), kNumberClass);
  add(classes, kWhiteSpace, kSpaceClass);
  add(classes, word_ranges(), kWordClass);
  add(classes, numeric_ranges(), kNumericClass);
  return classes;
}

}  // namespace

const uint8_t* code_point_classes() {
  static const std::vector<uint8_t> classes = build_classes();
  return classes.data();
}

}  // namespace ftrun
