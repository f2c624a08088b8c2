// Checks descriptors and copies what they point to.
#include "core/plugin/plugin.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/plugin/table_slots.h"

namespace ftrun {
namespace {

constexpr uint32_t kMaxPluginsPerLibrary = 256;
constexpr size_t kMaxTextBytes = 4096;

// `data_bytes`: what a table holds besides head and function pointers.
template <typename Table>
consteval bool slots_are_complete(size_t data_bytes) {
  size_t slots = 0;
  Table table = {};
  visit_slots(table, [&](std::string_view, auto&) { ++slots; });
  return sizeof(Table) == sizeof(ftrun_head) + data_bytes + slots * sizeof(void*);
}
// A failure here: a slot was added to a table and is missing in table_slots.h.
static_assert(slots_are_complete<ftrun_paradigm>(sizeof(ftrun_str)));
static_assert(slots_are_complete<ftrun_strategy>(0));
static_assert(slots_are_complete<ftrun_device>(0));
static_assert(slots_are_complete<ftrun_collectives>(0));
static_assert(slots_are_complete<ftrun_network>(sizeof(ftrun_str)));
static_assert(slots_are_complete<ftrun_reward>(0));

// Sizes at ABI 1.0, which never change; the structs may grow beyond them.
constexpr uint32_t kPluginSize10 = offsetof(ftrun_plugin, get_extension) + sizeof(void*);
constexpr uint32_t kParadigmSize10 = offsetof(ftrun_paradigm, prepare) + sizeof(void*);
constexpr uint32_t kStrategySize10 = offsetof(ftrun_strategy, schedule) + sizeof(void*);
constexpr uint32_t kDeviceSize10 = offsetof(ftrun_device, simulated_time) + sizeof(void*);
constexpr uint32_t kCollectivesSize10 = offsetof(ftrun_collectives, abort) + sizeof(void*);
constexpr uint32_t kNetworkSize10 = offsetof(ftrun_network, unit_forward) + sizeof(void*);
constexpr uint32_t kRewardSize10 = offsetof(ftrun_reward, score) + sizeof(void*);

void check_head(const void* source, uint32_t tag, uint32_t least, std::string_view place) {
  if (source == nullptr) throw invalid_argument("{} is missing (NULL)", place);
  ftrun_head head;
  std::memcpy(&head, source, sizeof(head));
  if (head.tag != tag) throw invalid_argument("{} has tag {:#010x}, expected {:#010x}", place, head.tag, tag);
  if (head.struct_size < least || head.struct_size > FTRUN_STRUCT_SIZE_MAX || head.struct_size % 8 != 0) {
    throw invalid_argument("{} claims {} bytes, expected at least {}, at most {}, in steps of 8", place,
                           head.struct_size, least, FTRUN_STRUCT_SIZE_MAX);
  }
}

std::string copy_text(ftrun_str text, std::string_view what) {
  if (text.size > kMaxTextBytes || (text.size > 0 && text.data == nullptr)) {
    throw invalid_argument("{} is a string of {} bytes{}", what, text.size, text.data == nullptr ? " at NULL" : "");
  }
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

bool is_id(std::string_view id) {
  const auto legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !id.empty() && id.size() < 64 && id.front() >= 'a' && id.front() <= 'z' && std::ranges::all_of(id, legal);
}

template <typename Table>
Plugin::Table checked_table(const void* source, uint32_t tag, uint32_t least, const std::string& label,
                            std::vector<std::string>& absent) {
  check_head(source, tag, least, label + ": its table");
  return copy_table<Table>(source, &absent);
}

Plugin::Table table_of_kind(const std::string& kind, const void* source, const std::string& label,
                            std::vector<std::string>& absent) {
  if (kind == FTRUN_KIND_PARADIGM)
    return checked_table<ftrun_paradigm>(source, FTRUN_PARADIGM_TAG, kParadigmSize10, label, absent);
  if (kind == FTRUN_KIND_STRATEGY)
    return checked_table<ftrun_strategy>(source, FTRUN_STRATEGY_TAG, kStrategySize10, label, absent);
  if (kind == FTRUN_KIND_DEVICE)
    return checked_table<ftrun_device>(source, FTRUN_DEVICE_TAG, kDeviceSize10, label, absent);
  if (kind == FTRUN_KIND_COLLECTIVES) {
    return checked_table<ftrun_collectives>(source, FTRUN_COLLECTIVES_TAG, kCollectivesSize10, label, absent);
  }
  if (kind == FTRUN_KIND_NETWORK)
    return checked_table<ftrun_network>(source, FTRUN_NETWORK_TAG, kNetworkSize10, label, absent);
  if (kind == FTRUN_KIND_REWARD)
    return checked_table<ftrun_reward>(source, FTRUN_REWARD_TAG, kRewardSize10, label, absent);
  throw invalid_argument("{}: unknown kind '{}'", label, kind);
}

const ftrun_plugin* query_plugin(ftrun_plugin_query_v1_function query, uint32_t index, const std::string& file) {
  const ftrun_plugin* described = nullptr;
  const ftrun_status status = query(index, &described);
  if (status == FTRUN_OUT_OF_RANGE) return nullptr;
  if (status != FTRUN_OK) {
    throw invalid_argument("{}: ftrun_plugin_query_v1({}) returned {}", file, index, status_name(status));
  }
  if (described == nullptr) throw invalid_argument("{}: ftrun_plugin_query_v1({}) returned OK and NULL", file, index);
  return described;
}

}  // namespace

std::vector<std::unique_ptr<Plugin>> describe_plugins(ftrun_plugin_query_v1_function query,
                                                      const std::vector<PluginNote>& notes,
                                                      const std::filesystem::path& file) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  const std::string name = file.string();
  for (uint32_t index = 0; index <= kMaxPluginsPerLibrary; ++index) {
    const ftrun_plugin* source = query_plugin(query, index, name);
    if (source == nullptr) break;
    check_head(source, FTRUN_PLUGIN_TAG, kPluginSize10, fmt::format("{}: descriptor {}", name, index));
    ftrun_plugin raw;
    std::memset(&raw, 0, sizeof(raw));
    std::memcpy(&raw, source, std::min<size_t>(source->head.struct_size, sizeof(raw)));

    auto plugin = std::make_unique<Plugin>();
    plugin->file_ = file;
    plugin->kind_ = copy_text(raw.kind, name + ": the kind");
    plugin->id_ = copy_text(raw.id, name + ": the id");
    plugin->version_ = copy_text(raw.version, name + ": the version");
    plugin->doc_ = copy_text(raw.doc, name + ": the doc");
    plugin->get_extension_ = raw.get_extension;
    const std::string label = name + ": " + plugin->label();
    if (!is_id(plugin->id_)) throw invalid_argument("{}: its id is not [a-z][a-z0-9_]*", label);
    const auto note = std::ranges::find_if(notes, [&](const PluginNote& candidate) {
      return candidate.kind == plugin->kind_ && candidate.id == plugin->id_;
    });
    if (note == notes.end()) throw invalid_argument("{}: the file has no note for it", label);
    if (note->version != plugin->version_ || note->target_minor != raw.abi_minor ||
        note->min_host_minor != raw.min_host_minor) {
      throw invalid_argument(
          "{}: note and descriptor disagree: version {} and {}, ABI minor {} and {}, least host minor {} and {}", label,
          note->version, plugin->version_, note->target_minor, raw.abi_minor, note->min_host_minor, raw.min_host_minor);
    }
    plugin->note_ = *note;
    plugin->options_ = read_option_table(raw.options, label);
    plugin->table_ = table_of_kind(plugin->kind_, raw.table, label, plugin->absent_slots_);
    plugins.push_back(std::move(plugin));
  }
  if (plugins.size() != notes.size()) {
    throw invalid_argument("{}: {} notes, but {} plugins", name, notes.size(), plugins.size());
  }
  return plugins;
}

template <typename T>
const T& Plugin::table_as() const {
  if (const T* table = std::get_if<T>(&table_); table != nullptr) return *table;
  throw internal_error("{} is of another kind than it is used as", label());
}
template const ftrun_paradigm& Plugin::table_as() const;
template const ftrun_strategy& Plugin::table_as() const;
template const ftrun_device& Plugin::table_as() const;
template const ftrun_collectives& Plugin::table_as() const;
template const ftrun_network& Plugin::table_as() const;
template const ftrun_reward& Plugin::table_as() const;

bool Plugin::provides(std::string_view slot) const {
  return std::ranges::find(absent_slots_, slot) == absent_slots_.end();
}

const void* Plugin::extension(std::string_view id) const {
  return get_extension_ == nullptr ? nullptr : get_extension_({id.data(), id.size()});
}

std::string Plugin::data_format() const { return copy_text(paradigm().data_format, label() + ": its data_format"); }

std::vector<std::string> Plugin::architectures() const {
  std::vector<std::string> names;
  const std::string list = copy_text(network().architectures, label() + ": its architectures");
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const size_t first = list.find_first_not_of(' ', begin);
    const size_t last = list.find_last_not_of(' ', end - 1);
    if (first < end && last != std::string::npos && last >= first)
      names.push_back(list.substr(first, last - first + 1));
    begin = end + 1;
  }
  return names;
}

// "FILE:LINE: " or "--key: ": the place of a setting, as Options::origin gives it.
static bool opens_with_origin(std::string_view detail) {
  const std::string_view place = detail.substr(0, detail.find(": "));
  if (place.size() == detail.size()) return false;
  if (place.starts_with("--")) return place.size() > 2;
  const size_t colon = place.rfind(':');
  return colon != std::string_view::npos && colon + 1 < place.size() &&
         place.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
}

void check_plugin(ftrun_status status, const Plugin& plugin, std::string_view function) {
  if (status == FTRUN_OK) return;
  std::string detail = take_failure_detail();
  if (detail.empty() && status == FTRUN_UNIMPLEMENTED) {
    detail = plugin.provides(function) ? "not supported" : "the plugin does not have this function";
  } else if (detail.empty()) {
    detail = fmt::format("failed with {} and no message: a fault of the plugin", status_name(status));
  }
  const ftrun_status known = status >= FTRUN_OK && status <= FTRUN_DATA_LOSS ? status : FTRUN_UNKNOWN;
  // A message about the user's input says where to mend it; who noticed does not matter then.
  if (exit_code_of(known) == 2 && opens_with_origin(detail)) throw Error(known, detail);
  throw Error(known, fmt::format("{}: {}: {}", plugin.label(), function, detail));
}

}  // namespace ftrun
