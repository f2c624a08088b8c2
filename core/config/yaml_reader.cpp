// Checks before yaml-cpp, its parse, and a walk over the nodes that compares them with the text.
#include "core/config/yaml_reader.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/config/yaml_scalar.h"
#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun {
namespace {

size_t line_at(std::string_view text, size_t offset) {
  return static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n')) + 1;
}

void require_text(std::string_view text, const YamlOrigin& origin) {
  if (const std::string_view encoding = sdk::other_encoding_of(text); !encoding.empty())
    throw invalid_argument("{}: not valid UTF-8: the file is {}; save the file as UTF-8", origin.place(1), encoding);
  const size_t good = well_formed_prefix(text);
  const size_t zero = text.substr(0, good).find('\0');
  if (zero != std::string_view::npos) {
    throw invalid_argument("{}: not valid YAML: a zero byte; is this a text file?", origin.place(line_at(text, zero)));
  }
  if (good == text.size()) return;
  throw invalid_argument("{}: not valid UTF-8: byte 0x{:02X}; save the file as UTF-8",
                         origin.place(line_at(text, good)),
                         static_cast<unsigned>(static_cast<unsigned char>(text[good])));
}

/// Follows a parse that builds nothing. At a ',' outside of lists and maps yaml-cpp finds one empty document after the
/// other, all in the same place, and would go on until memory ends.
class DocumentProbe : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos == last_) throw YAML::ParserException(mark, "expected a key, a list or a text");
    last_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int last_ = -1;
};

void probe(std::string_view yaml) {
  std::istringstream stream{std::string(yaml)};
  YAML::Parser parser(stream);
  DocumentProbe events;
  while (parser.HandleNextDocument(events)) {
  }
}

/// Walks nodes beside the text that they came from.
class NodeCorrection {
 public:
  NodeCorrection(std::string_view yaml, const YamlOrigin& origin) : yaml_(yaml), origin_(origin) {
    if (yaml_.starts_with("\xEF\xBB\xBF")) yaml_.remove_prefix(3);  // marks do not count it
  }

  void walk(YAML::Node node, int parent_indent, int depth = 0) {
    if (depth > kMaxYamlDepth + 1) throw too_deep_yaml(place(node));
    // An alias leads to its anchor again, whose surroundings are not the alias's.
    if (node.IsNull()) return static_cast<void>(begin_of(node));
    if (!visited_.emplace(node.IsScalar(), node.Mark().pos).second) return;
    if (node.IsScalar()) return correct(node, parent_indent);
    const bool is_block = node.Style() == YAML::EmitterStyle::Block;
    const int indent = is_block ? node.Mark().column : parent_indent;
    if (node.IsSequence()) {
      for (const YAML::Node& item : node) walk(item, indent, depth + 1);
      return;
    }
    for (const auto& entry : node) {
      const size_t key_end = end_of_key(entry.first, indent);
      key_.clear();
      walk(entry.first, indent, depth + 1);
      key_ = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
      if (is_block && entry.second.IsNull()) require_colon(node, entry.first, key_end);
      walk(entry.second, indent, depth + 1);
    }
  }

 private:
  std::string place(const YAML::Node& node) const {
    return node.Mark().line < 0 ? origin_.name : origin_.place(static_cast<size_t>(node.Mark().line) + 1);
  }

  void correct(YAML::Node& node, int parent_indent) const {
    const size_t begin = begin_of(node);
    if (const auto scalar = read_yaml_scalar(yaml_, begin, parent_indent)) {
      node = scalar->text;
    } else if (begin < yaml_.size() && yaml_[begin] == '"') {
      throw invalid_argument("{}: not valid YAML: a backslash in double quotes that begins no escape", place(node));
    }
    if (node.Scalar().find('\0') == std::string::npos) return;
    throw invalid_argument("{}: {}a zero byte, which no value may have", place(node), key_.empty() ? "" : key_ + ": ");
  }

  /// Where the scalar's own text begins: behind its anchor and tag.
  size_t begin_of(const YAML::Node& node) const {
    auto at = static_cast<size_t>(std::max(node.Mark().pos, 0));
    while (at < yaml_.size() && (yaml_[at] == '&' || yaml_[at] == '!')) {
      const bool is_anchor = yaml_[at] == '&';
      while (++at < yaml_.size() && (is_anchor ? is_anchor_part(yaml_[at]) : is_tag_part(yaml_[at]))) {
      }
      if (at < yaml_.size() && std::string_view(" \t\r\n,]}:").find(yaml_[at]) == std::string_view::npos) {
        throw invalid_argument("{}: not valid YAML: the {} runs into what follows: put a blank behind it", place(node),
                               is_anchor ? "anchor" : "tag");
      }
      at = behind_blanks_and_comments(at);
    }
    return at;
  }
  static bool is_word_part(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  static bool is_anchor_part(char c) { return is_word_part(c) || c == '.'; }
  static bool is_tag_part(char c) {
    return is_word_part(c) || std::string_view("!<>#;/?:@&=+$.~*'()%").find(c) != std::string_view::npos;
  }
  size_t behind_blanks_and_comments(size_t at) const {
    while (true) {
      at = std::min(yaml_.find_first_not_of(" \t\r\n", at), yaml_.size());
      if (at >= yaml_.size() || yaml_[at] != '#') return at;
      at = std::min(yaml_.find('\n', at), yaml_.size());
    }
  }

  size_t end_of_key(const YAML::Node& key, int indent) const {
    if (!key.IsScalar()) return std::string_view::npos;
    const size_t begin = begin_of(key);
    if (const auto scalar = read_yaml_scalar(yaml_, begin, indent)) return scalar->end;
    return begin + key.Scalar().size();
  }

  // yaml-cpp takes a last line that is one word for a key without a value.
  void require_colon(const YAML::Node& map, const YAML::Node& key, size_t key_end) const {
    const bool is_alias = key.Mark().pos < map.Mark().pos;
    if (key_end == std::string_view::npos || is_alias) return;
    const size_t next = yaml_.find_first_not_of(" \t", key_end);
    if (next != std::string_view::npos && yaml_[next] == ':') return;
    const size_t before = key.Mark().pos <= 0
                              ? std::string_view::npos
                              : yaml_.find_last_not_of(" \t\r\n", static_cast<size_t>(key.Mark().pos) - 1);
    if (before != std::string_view::npos && yaml_[before] == '?') return;  // "? key" may stand alone
    throw invalid_argument("{}: '{}' has no ':' behind it: expected 'key: value'", place(key), key.Scalar());
  }

  std::string_view yaml_;
  const YamlOrigin& origin_;
  std::string key_;                         // of the value at hand
  std::set<std::pair<bool, int>> visited_;  // whether a scalar, and its position
};

}  // namespace

Error too_deep_yaml(const std::string& place) {
  return invalid_argument("{}: lists and maps are nested too deeply: expected at most {} levels", place, kMaxYamlDepth);
}

std::vector<YAML::Node> load_yaml(std::string_view yaml, const YamlOrigin& origin) {
  require_text(yaml, origin);
  try {
    // yaml-cpp takes an open quote that runs to the last line break for a closed one, and notices it without the break.
    probe(yaml.substr(0, yaml.find_last_not_of(" \t\r\n") + 1));
    std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
    NodeCorrection correction(yaml, origin);
    for (const YAML::Node& document : documents) correction.walk(document, -1);
    return documents;
  } catch (const YAML::DeepRecursion& error) {
    throw too_deep_yaml(origin.place(static_cast<size_t>(error.mark.line) + 1));
  } catch (const YAML::Exception& error) {
    if (!origin.has_lines) throw invalid_argument("{}: '{}' is not valid YAML: {}", origin.name, yaml, error.msg);
    throw invalid_argument("{}:{}:{}: not valid YAML: {}", origin.name, error.mark.line + 1, error.mark.column + 1,
                           error.msg);
  }
}

}  // namespace ftrun
