// write_case_models FOLDER: the models/ and adapters/ of the cases, for people and for the scripts under tests/golden
// that compute what the cases expect.
#include <cstdio>
#include <exception>

#include "tests/cases/model_folders.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_case_models FOLDER\n");
    return 2;
  }
  try {
    ftrun::test::write_model_folders(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
