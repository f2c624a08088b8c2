// A tensor that a gradient rule keeps: the tensor itself, or how to make it again from what its producer keeps anyway.
// Leaves out: recomputing whole units (core/model/unit_walk.h).
#pragma once

#include <utility>

#include "core/tensor/tensor.h"

namespace ftrun {

/// What a rule captures instead of its input. Cheap producers (norms, activations) leave a recipe on their output while
/// ExecutionContext::save_recipes is on; then only the recipe is kept and the memory is given back until backward. The
/// recipe runs the same op on the same operands, so the bits are the same. A parameter's recipe is to look it up: the
/// buffer it is bound to may be another one by then. [rank-thread]
class SavedTensor {
 public:
  SavedTensor() = default;
  explicit SavedTensor(const Tensor& x) : shape_(x.shape()), recipe_(x.autograd().recipe) {
    if (!recipe_) tensor_ = x.detach();
  }
  const Shape& shape() const noexcept { return shape_; }
  /// The tensor, computed if need be: ask once per rule.
  Tensor get(ExecutionContext& ctx) const { return recipe_ ? (*recipe_)(ctx) : tensor_; }

 private:
  Shape shape_;
  Tensor tensor_;
  std::shared_ptr<const Recipe> recipe_;
};

/// Recipes on for a scope.
class RecipeScope {
 public:
  explicit RecipeScope(ExecutionContext& ctx) : ctx_(ctx), former_(std::exchange(ctx.save_recipes, true)) {}
  RecipeScope(const RecipeScope&) = delete;
  RecipeScope& operator=(const RecipeScope&) = delete;
  ~RecipeScope() { ctx_.save_recipes = former_; }

 private:
  ExecutionContext& ctx_;
  bool former_;
};

/// Called by a producer that has been recorded.
inline void leave_recipe(const ExecutionContext& ctx, const Tensor& y, Recipe recipe) {
  if (ctx.recording && ctx.save_recipes) y.autograd().recipe = std::make_shared<const Recipe>(std::move(recipe));
}

}  // namespace ftrun
