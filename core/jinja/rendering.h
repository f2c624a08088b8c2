// The state of one rendering: variables, scopes, budget, clock.
#pragma once

#include <ctime>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/jinja/budget.h"
#include "core/jinja/scope.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// A stretch of the text that {% generation %} marks, in bytes: [begin, end).
struct MarkedRange {
  size_t begin = 0;
  size_t end = 0;
};

/// Lives for one render call, on one thread. Owns what values may point to in a circle: frames and namespaces.
struct Rendering {
  Budget budget;
  std::map<std::string, Value, std::less<>> variables;  ///< given ones and global functions
  std::optional<std::tm> now;                           ///< what strftime_now shows; absent: the local clock
  std::deque<Frame> frames;
  std::deque<Namespace> namespaces;
  /// The text of the whole template so far; what a macro or a set block writes is not yet in it.
  const std::string* whole_output = nullptr;
  std::vector<MarkedRange> generated;  ///< in the order in which the blocks ended
  size_t frames_kept = 0;  ///< counts what may look at a frame after its statement: macros, loop variables stored away

  const Value* variable(std::string_view name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : &found->second;
  }
};

/// A frame for as long as this lives, and to the end of the rendering when something kept it (frames_kept).
class FrameScope {
 public:
  FrameScope(Rendering& rendering, const ScopeLayout& layout, Frame* parent)
      : rendering_(rendering),
        kept_before_(rendering.frames_kept),
        frame_(rendering.frames.emplace_back(layout, parent)) {}
  ~FrameScope() {
    if (rendering_.frames_kept == kept_before_ && &rendering_.frames.back() == &frame_) rendering_.frames.pop_back();
  }
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;
  Frame& frame() { return frame_; }

 private:
  Rendering& rendering_;
  size_t kept_before_;
  Frame& frame_;
};

}  // namespace ftrun::jinja
