// The message of the Error that a body throws.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace ftrun {

/// "" when nothing is thrown. Every refused configuration must end the program with exit code 2.
template <typename Body>
std::string refusal(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(exit_code_of(error.code()), 2) << error.what();
    return error.what();
  }
  return "";
}

}  // namespace ftrun
