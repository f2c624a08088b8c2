// Which scope a name of a template belongs to: found when parsing, as Jinja's compiler does, and the values when
// rendering.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/jinja/value.h"

namespace ftrun::jinja {

struct Rendering;

/// Where a name's value comes from when its scope is entered.
enum class NameSource : uint8_t {
  kParameter,  ///< set by whoever enters (loop targets, macro arguments)
  kGiven,      ///< the variables given to the template, and global functions
  kOuter,      ///< the value it has in the scope around
  kNothing,    ///< undefined until set
};

/// Names of one scope, in the order they were met.
using ScopeLayout = std::vector<std::pair<std::string, NameSource>>;

/// Names of a scope while its statements are looked at. Counterpart of jinja2.idtracking.Symbols.
class Symbols {
 public:
  explicit Symbols(const Symbols* outer) : outer_(outer) {}

  void load(const std::string& name);
  void store(const std::string& name);
  void declare_parameter(const std::string& name);
  /// After an if statement: what its branches, each begun as a copy of this, know and set.
  void merge_branches(const std::vector<Symbols>& branches);
  ScopeLayout layout() const { return sources_; }

 private:
  bool knows(std::string_view name) const;
  bool outer_knows(std::string_view name) const;
  void define(const std::string& name, NameSource source);

  const Symbols* outer_;
  ScopeLayout sources_;
  std::vector<std::string> stores_;
};

/// The values of a scope's names. Sees the frames around it.
class Frame {
 public:
  Frame(const ScopeLayout& layout, Frame* outer) : layout_(layout), outer_(outer), values_(layout.size()) {}

  /// Gives every name that is no parameter its first value again.
  void enter(const Rendering& rendering);
  /// All names lose their values: macros made inside see them undefined.
  void leave();
  /// Of the nearest scope that has the name; nothing where it has no value (yet).
  const std::optional<Value>& get(std::string_view name) const;
  void set(std::string_view name, std::optional<Value> value);

 private:
  std::optional<Value>* find(std::string_view name);

  const ScopeLayout& layout_;
  Frame* outer_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace ftrun::jinja
