// A name set anywhere in a scope belongs to it from its beginning, as in Python.
#include "core/jinja/scope.h"

#include <algorithm>

#include "core/jinja/rendering.h"

namespace ftrun::jinja {
namespace {

auto position_of(auto&& sources, std::string_view name) {
  return std::ranges::find_if(sources, [&](const auto& source) { return source.first == name; });
}

}  // namespace

bool Symbols::knows(std::string_view name) const {
  return position_of(sources_, name) != sources_.end() || outer_knows(name);
}

bool Symbols::outer_knows(std::string_view name) const { return outer_ != nullptr && outer_->knows(name); }

void Symbols::define(const std::string& name, NameSource source) {
  const auto found = position_of(sources_, name);
  if (found == sources_.end()) {
    sources_.emplace_back(name, source);
  } else {
    found->second = source;
  }
}

void Symbols::load(const std::string& name) {
  if (!knows(name)) define(name, NameSource::kGiven);
}

void Symbols::store(const std::string& name) {
  if (std::ranges::find(stores_, name) == stores_.end()) stores_.push_back(name);
  if (position_of(sources_, name) != sources_.end()) return;
  define(name, outer_knows(name) ? NameSource::kOuter : NameSource::kNothing);
}

void Symbols::declare_parameter(const std::string& name) {
  stores_.push_back(name);
  define(name, NameSource::kParameter);
}

void Symbols::merge_branches(const std::vector<Symbols>& branches) {
  std::vector<std::string> newly_stored;
  for (const Symbols& branch : branches) {
    for (const auto& [name, source] : branch.sources_) define(name, source);
    for (const std::string& name : branch.stores_)
      if (std::ranges::find(stores_, name) == stores_.end()) newly_stored.push_back(name);
  }
  for (const std::string& name : newly_stored) {
    define(name, outer_knows(name) ? NameSource::kOuter : NameSource::kGiven);
    if (std::ranges::find(stores_, name) == stores_.end()) stores_.push_back(name);
  }
}

void Frame::enter(const Rendering& rendering) {
  for (size_t i = 0; i < layout_.size(); ++i) {
    const auto& [name, source] = layout_[i];
    if (source == NameSource::kParameter) continue;
    values_[i].reset();
    if (source == NameSource::kGiven) {
      if (const Value* given = rendering.variable(name)) values_[i] = *given;
    } else if (source == NameSource::kOuter) {
      values_[i] = outer_->get(name);
    }
  }
}

void Frame::leave() {
  for (auto& value : values_) value.reset();
}

std::optional<Value>* Frame::find(std::string_view name) {
  for (Frame* frame = this; frame != nullptr; frame = frame->outer_)
    for (size_t i = 0; i < frame->layout_.size(); ++i)
      if (frame->layout_[i].first == name) return &frame->values_[i];
  return nullptr;
}

const std::optional<Value>& Frame::get(std::string_view name) const {
  static const std::optional<Value> kNothing;
  const auto* found = const_cast<Frame*>(this)->find(name);
  return found == nullptr ? kNothing : *found;
}

void Frame::set(std::string_view name, std::optional<Value> value) {
  if (auto* found = find(name)) *found = std::move(value);
}

}  // namespace ftrun::jinja
