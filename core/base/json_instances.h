// The JSON library's templates, instantiated once for all (json_instances.cpp): otherwise every file that reads JSON
// compiles them anew, which is a good part of the build. Comes with the precompiled headers; nothing includes it by
// name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#define FTRUN_JSON_READER(PREFIX, JSON, ITERATOR)                                                          \
  PREFIX template class nlohmann::detail::lexer<JSON, nlohmann::detail::iterator_input_adapter<ITERATOR>>; \
  PREFIX template class nlohmann::detail::parser<JSON, nlohmann::detail::iterator_input_adapter<ITERATOR>>

#define FTRUN_JSON_INSTANCES(PREFIX, MAP)                                                          \
  PREFIX template class nlohmann::basic_json<MAP>;                                                 \
  PREFIX template class nlohmann::detail::serializer<nlohmann::basic_json<MAP>>;                   \
  PREFIX template class nlohmann::detail::json_sax_dom_parser<nlohmann::basic_json<MAP>>;          \
  PREFIX template class nlohmann::detail::json_sax_dom_callback_parser<nlohmann::basic_json<MAP>>; \
  FTRUN_JSON_READER(PREFIX, nlohmann::basic_json<MAP>, const char*);                               \
  FTRUN_JSON_READER(PREFIX, nlohmann::basic_json<MAP>, std::string::const_iterator)

FTRUN_JSON_INSTANCES(extern, std::map);
FTRUN_JSON_INSTANCES(extern, nlohmann::ordered_map);
