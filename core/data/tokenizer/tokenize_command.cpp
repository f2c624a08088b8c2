// The work of `ftrun tokenize`: lines of text to JSON arrays of ids and back.
#include "core/data/tokenizer/tokenize_command.h"

#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun {
namespace {

std::string encoded_line(const Tokenizer& tokenizer, const std::string& line, const std::string& place,
                         bool add_special_tokens) {
  if (const size_t valid = well_formed_prefix(line); valid != line.size()) {
    throw invalid_argument("{}: byte {} of the line (0x{:02X}) is not valid UTF-8", place, valid + 1,
                           static_cast<unsigned char>(line[valid]));
  }
  std::string out = "[";
  for (const int32_t id : tokenizer.encode(line, add_special_tokens)) {
    if (out.size() > 1) out.push_back(',');
    out += std::to_string(id);
  }
  return out + "]";
}

std::string decoded_line(const Tokenizer& tokenizer, const std::string& line, const std::string& place,
                         bool skip_special_tokens) {
  if (const auto fault = sdk::find_json_fault(line)) {
    throw invalid_argument("{}: not valid JSON, expected an array of ids: column {}: {}", place, fault->offset + 1,
                           fault->reason);
  }
  const auto document = nlohmann::json::parse(line);
  if (!document.is_array()) {
    throw invalid_argument("{}: expected a JSON array of ids, got {}", place, document.type_name());
  }
  std::vector<int32_t> ids;
  for (const auto& element : document) {
    const bool known = element.is_number_unsigned() && element.get<uint64_t>() <= INT32_MAX &&
                       tokenizer.has_id(element.get<int32_t>());
    if (!known) {
      throw invalid_argument("{}: element {}: {} is not an id of this tokenizer (0..{})", place, ids.size(),
                             element.dump(), tokenizer.vocabulary_size() - 1);
    }
    ids.push_back(element.get<int32_t>());
  }
  return tokenizer.decode(ids, skip_special_tokens);
}

}  // namespace

int tokenize_stream(const Tokenizer& tokenizer, std::istream& in, const std::string& name, std::ostream& out,
                    const TokenizeOptions& options) {
  std::string line;
  int lines = 0;
  while (std::getline(in, line)) {
    ++lines;
    const std::string place = fmt::format("{}:{}", name, lines);
    const std::string_view encoding = lines == 1 ? sdk::other_encoding_of(line) : "";
    if (!encoding.empty()) throw invalid_argument("{}: the text is {}: save it as UTF-8", place, encoding);
    out << (options.decode ? decoded_line(tokenizer, line, place, !options.special_tokens)
                           : encoded_line(tokenizer, line, place, options.special_tokens))
        << '\n';
    if (!out) throw io_error("{}: writing failed", place);
  }
  if (in.bad()) throw io_error("{}: reading failed after line {}", name, lines);
  out.flush();
  if (!out) throw io_error("after line {}: writing failed", lines);
  return lines;
}

}  // namespace ftrun
