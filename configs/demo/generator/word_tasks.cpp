// Tasks about single words: opposites, plurals, kinds of things.
#include <utility>

#include "configs/demo/generator/question.h"

namespace ftrun::demo {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

const Pairs& opposites() {
  static const Pairs pairs = {{"hot", "cold"},  {"big", "small"},   {"up", "down"},    {"left", "right"},
                              {"day", "night"}, {"open", "closed"}, {"fast", "slow"},  {"happy", "sad"},
                              {"young", "old"}, {"light", "dark"},  {"early", "late"}, {"full", "empty"},
                              {"hard", "soft"}, {"high", "low"},    {"rich", "poor"},  {"wet", "dry"}};
  return pairs;
}

const Pairs& plurals() {
  static const Pairs pairs = {{"cat", "cats"},     {"book", "books"},  {"tree", "trees"},     {"car", "cars"},
                              {"house", "houses"}, {"bird", "birds"},  {"box", "boxes"},      {"bus", "buses"},
                              {"fox", "foxes"},    {"city", "cities"}, {"baby", "babies"},    {"story", "stories"},
                              {"man", "men"},      {"woman", "women"}, {"child", "children"}, {"foot", "feet"},
                              {"tooth", "teeth"},  {"mouse", "mice"},  {"goose", "geese"},    {"leaf", "leaves"}};
  return pairs;
}

const Pairs& kinds() {
  static const Pairs pairs = {{"cat", "animal"},   {"dog", "animal"},   {"horse", "animal"},  {"cow", "animal"},
                              {"sheep", "animal"}, {"tiger", "animal"}, {"rabbit", "animal"}, {"red", "color"},
                              {"blue", "color"},   {"green", "color"},  {"yellow", "color"},  {"black", "color"},
                              {"white", "color"},  {"brown", "color"},  {"apple", "fruit"},   {"banana", "fruit"},
                              {"cherry", "fruit"}, {"grape", "fruit"},  {"lemon", "fruit"},   {"melon", "fruit"},
                              {"peach", "fruit"},  {"hammer", "tool"},  {"saw", "tool"},      {"drill", "tool"},
                              {"wrench", "tool"},  {"shovel", "tool"},  {"axe", "tool"},      {"rake", "tool"}};
  return pairs;
}

}  // namespace

const std::vector<std::string>& nouns() {
  static const std::vector<std::string> words = {"cat",  "dog",  "sun",  "car",  "book", "tree", "fish", "milk",
                                                 "rain", "door", "lamp", "ship", "ring", "salt", "moon", "desk"};
  return words;
}

std::vector<Task> word_tasks() {
  Task opposite{"opposite", {}, 1000, 35, true};
  for (const auto& [a, b] : opposites()) {
    const std::vector<std::string_view> phrasings = {"What is the opposite of {0}?",
                                                     "Give me the opposite of {0}.",
                                                     "Name the opposite of {0}.",
                                                     "Which word means the opposite of {0}?",
                                                     "What is the contrary of {0}?",
                                                     "I say {0}, you say the opposite:",
                                                     "Not {0} but ...?",
                                                     "Write the opposite of this word.|The word is {0}."};
    ask(opposite, phrasings, {a}, b);
    ask(opposite, phrasings, {b}, a);
  }
  Task plural{"plural", {}, 1000, 25, true};
  for (const auto& [one, many] : plurals()) {
    ask(plural,
        {"What is the plural of {0}?", "Write the plural of {0}.", "One {0}, two ...?", "Give the plural form of {0}.",
         "I have one {0}. You have many ...?", "What do you call more than one {0}?",
         "Make this word plural.|The word is {0}."},
        {one}, many);
  }
  Task kind{"kind", {}, 1000, 25, true};
  for (const auto& [thing, group] : kinds()) {
    ask(kind,
        {"Is {0} an animal, a color, a fruit or a tool?", "What kind of thing is {0}?", "What is {0}?",
         "Which group does {0} belong to?", "Say what kind of thing {0} is.", "Put {0} into the right group.",
         "Name the group of this word.|The word is {0}."},
        {thing}, group);
  }
  return {opposite, plural, kind};
}

}  // namespace ftrun::demo
