// Tasks about numbers: sums, differences, comparisons, parity.
#include "configs/demo/generator/question.h"

namespace ftrun::demo {
namespace {

std::string text(int number) { return std::to_string(number); }

Task sums() {
  Task task{"sum", {}, 1000, 45, true};
  for (int a = 0; a <= 9; ++a) {
    for (int b = 0; b <= 9; ++b) {
      ask(task,
          {"What is {0} plus {1}?", "Add {0} and {1}.", "How much is {0} plus {1}?", "Find the sum of {0} and {1}.",
           "I have {0} coins and get {1} more. How many is that?", "What do {0} and {1} make?",
           "Tell me the sum of {0} and {1}.", "Add the numbers.|They are {0} and {1}."},
          {text(a), text(b)}, text(a + b));
    }
  }
  return task;
}

Task differences() {
  Task task{"difference", {}, 1000, 45, true};
  for (int a = 0; a <= 12; ++a) {
    for (int b = 0; b <= a && b <= 9; ++b) {
      ask(task,
          {"What is {0} minus {1}?", "From {0} take {1}.", "How much is {0} minus {1}?",
           "Start at {0} and go back by {1}.", "There are {0} birds and {1} fly away. How many stay?",
           "What is {0} less {1}?", "I had {0} coins and lost {1}. How many are left?",
           "Take the second from the first.|They are {0} and {1}."},
          {text(a), text(b)}, text(a - b));
    }
  }
  return task;
}

Task comparisons() {
  Task task{"compare", {}, 1000, 45, false};
  for (int a = 1; a <= 20; ++a) {
    for (int b = 1; b <= 20; ++b) {
      if (a == b) continue;
      const std::vector<std::string> values = {text(a), text(b)};
      ask(task,
          {"Which number is larger, {0} or {1}?", "Pick the larger of {0} and {1}.",
           "Name the larger number.|They are {0} and {1}."},
          values, text(a > b ? a : b));
      ask(task,
          {"Which number is smaller, {0} or {1}?", "Pick the smaller of {0} and {1}.",
           "Name the smaller number.|They are {0} and {1}."},
          values, text(a < b ? a : b));
    }
  }
  return task;
}

Task parities() {
  Task task{"parity", {}, 1000, 20, true};
  for (int a = 0; a <= 20; ++a) {
    ask(task,
        {"Is {0} even or odd?", "Is the number {0} odd or even?", "Say whether {0} is even or odd.",
         "Even or odd: {0}?", "Can you say if {0} is odd or even?", "Even or odd?|The number is {0}."},
        {text(a)}, a % 2 == 0 ? "even" : "odd");
  }
  return task;
}

}  // namespace

std::vector<Task> number_tasks() { return {sums(), differences(), comparisons(), parities()}; }

}  // namespace ftrun::demo
