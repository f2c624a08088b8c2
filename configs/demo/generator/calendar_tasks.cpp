// Tasks about the days of the week and the months of the year.
#include "configs/demo/generator/question.h"

namespace ftrun::demo {
namespace {

const std::vector<std::string> kDays = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
const std::vector<std::string> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};

const std::string& moved(const std::vector<std::string>& cycle, size_t from, int steps) {
  const int size = static_cast<int>(cycle.size());
  return cycle[static_cast<size_t>(((static_cast<int>(from) + steps) % size + size) % size)];
}

}  // namespace

std::vector<Task> calendar_tasks() {
  Task day{"day", {}, 1000, 30, true};
  for (size_t from = 0; from < kDays.size(); ++from) {
    for (int steps : {1, 2}) {
      const std::string amount = steps == 1 ? "one day" : "two days";
      ask(day,
          {"Which day is {0} after {1}?", "What day comes {0} after {1}?", "Today is {1}. Which day is {0} after it?",
           "Count {0} after {1}.", "If it is {1} now, what is {0} after?", "Name the day {0} after.|Today is {1}."},
          {amount, kDays[from]}, moved(kDays, from, steps));
      ask(day,
          {"Which day is {0} before {1}?", "What day comes {0} before {1}?",
           "Today is {1}. Which day is {0} before it?", "Count {0} before {1}.",
           "If it is {1} now, what is {0} before?", "Name the day {0} before.|Today is {1}."},
          {amount, kDays[from]}, moved(kDays, from, -steps));
    }
  }
  Task month{"month", {}, 1000, 20, true};
  for (size_t from = 0; from < kMonths.size(); ++from) {
    ask(month,
        {"Which month comes after {0}?", "What is the month after {0}?", "Name the month after {0}.",
         "Tell me the month after {0}.", "Today it is {0}. Which month is after it?",
         "Write the month after.|It is {0}."},
        {kMonths[from]}, moved(kMonths, from, 1));
    ask(month,
        {"Which month comes before {0}?", "What is the month before {0}?", "Name the month before {0}.",
         "Tell me the month before {0}.", "Today it is {0}. Which month is before it?",
         "Write the month before.|It is {0}."},
        {kMonths[from]}, moved(kMonths, from, -1));
  }
  return {day, month};
}

}  // namespace ftrun::demo
