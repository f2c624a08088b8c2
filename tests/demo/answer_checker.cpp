// Rules that recognise a question by its words; see answer_checker.h.
#include "tests/demo/answer_checker.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <sstream>
#include <vector>

namespace ftrun::demo_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.push_back(it->str());
  return found;
}

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string from_numbers(const std::string& prompt, const std::vector<std::string>& numbers) {
  const int a = std::stoi(numbers[0]);
  if (numbers.size() == 1) return has(prompt, "odd") ? (a % 2 == 0 ? "even" : "odd") : "";
  const int b = std::stoi(numbers[1]);
  if (has(prompt, "larger")) return std::to_string(std::max(a, b));
  if (has(prompt, "smaller")) return std::to_string(std::min(a, b));
  for (const char* sign : {"minus", "take", "Take", "go back", "fly away", "less", "lost"}) {
    if (has(prompt, sign)) return std::to_string(a - b);
  }
  for (const char* sign : {"plus", "Add", "sum", "get", "make"}) {
    if (has(prompt, sign)) return std::to_string(a + b);
  }
  return "";
}

/// The words around the commas of a list.
std::vector<std::string> list_items(const std::string& prompt) {
  const std::vector<std::string> lists = matches(prompt, "[a-z]+(, [a-z]+)+");
  if (lists.size() != 1) return {};
  std::string spaced = lists[0];
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  return split_words(spaced);
}

std::string from_list(const std::string& prompt, std::vector<std::string> items) {
  if (has(prompt, "first")) return items.front();
  if (has(prompt, "second")) return items.at(1);
  if (has(prompt, "last")) return items.back();
  if (has(prompt, "How many") || has(prompt, "Count")) return std::to_string(items.size());
  if (!has(prompt, "everse") && !has(prompt, "around")) return "";
  std::string reversed = items.back();
  for (auto it = items.rbegin() + 1; it != items.rend(); ++it) reversed += ", " + *it;
  return reversed;
}

std::string from_cycle(const std::string& prompt, const std::string& names) {
  const std::vector<std::string> cycle = split_words(names);
  for (size_t i = 0; i < cycle.size(); ++i) {
    if (!has(prompt, cycle[i])) continue;
    const size_t steps = has(prompt, "two days") ? 2 : 1;
    if (has(prompt, "after")) return cycle[(i + steps) % cycle.size()];
    if (has(prompt, "before")) return cycle[(i + cycle.size() - steps) % cycle.size()];
  }
  return "";
}

std::string plural_of(const std::string& word) {
  static const std::map<std::string, std::string> irregular = {
      {"man", "men"},     {"woman", "women"}, {"child", "children"}, {"foot", "feet"},
      {"tooth", "teeth"}, {"mouse", "mice"},  {"goose", "geese"},    {"leaf", "leaves"}};
  if (const auto it = irregular.find(word); it != irregular.end()) return it->second;
  if (word.back() == 'y') return word.substr(0, word.size() - 1) + "ies";
  return word + (word.back() == 'x' || word.back() == 's' ? "es" : "s");
}

std::string opposite_of(const std::string& word) {
  static const std::vector<std::string> pairs = split_words(
      "hot cold big small up down left right day night open closed fast slow happy sad young old light dark "
      "early late full empty hard soft high low rich poor wet dry");
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i] == word) return pairs[i ^ 1];
  }
  return "";
}

std::string kind_of(const std::string& word) {
  static const std::map<std::string, std::string> members = {{"animal", " cat dog horse cow sheep tiger rabbit "},
                                                             {"color", " red blue green yellow black white brown "},
                                                             {"fruit", " apple banana cherry grape lemon melon peach "},
                                                             {"tool", " hammer saw drill wrench shovel axe rake "}};
  for (const auto& [kind, words] : members) {
    if (has(words, " " + word + " ")) return kind;
  }
  return "";
}

/// The one word a question about a word is about.
std::string subject(const std::string& prompt) {
  static const std::array patterns = {std::regex("The word is ([a-z]+)\\."),
                                      std::regex("(?:opposite|plural|contrary|plural form) of ([a-z]+)[?.]"),
                                      std::regex("I say ([a-z]+),"),
                                      std::regex("Not ([a-z]+) but"),
                                      std::regex("[Oo]ne ([a-z]+)[,.?]"),
                                      std::regex("Is ([a-z]+) an animal"),
                                      std::regex("kind of thing is ([a-z]+)\\?"),
                                      std::regex("kind of thing ([a-z]+) is"),
                                      std::regex("does ([a-z]+) belong"),
                                      std::regex("Put ([a-z]+) into"),
                                      std::regex("more than one ([a-z]+)\\?"),
                                      std::regex("^What is ([a-z]+)\\?$")};
  for (const std::regex& pattern : patterns) {
    if (std::smatch match; std::regex_search(prompt, match, pattern)) return match[1];
  }
  return "";
}

std::string from_word(const std::string& prompt, const std::string& word) {
  for (const char* mark : {"opposite", "contrary", "Not "}) {
    if (has(prompt, mark)) return opposite_of(word);
  }
  for (const char* mark : {"plural", "two ...", "many ...", "more than one"}) {
    if (has(prompt, mark)) return plural_of(word);
  }
  return kind_of(word);
}

}  // namespace

std::string answer(const std::string& prompt) {
  if (const auto numbers = matches(prompt, "[0-9]+"); !numbers.empty()) return from_numbers(prompt, numbers);
  for (const char* names : {"Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
                            "January February March April May June July August September October November December"}) {
    if (const std::string found = from_cycle(prompt, names); !found.empty()) return found;
  }
  if (const std::string word = subject(prompt); !word.empty()) return from_word(prompt, word);
  if (const auto items = list_items(prompt); !items.empty()) return from_list(prompt, items);
  return "";
}

}  // namespace ftrun::demo_test
